"""A voice in other formats: the frames are those of the model, whatever room the graph keeps behind them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import zhuji
from tests import voiced
from zhuji.formats import open_model

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("format", ["torch-export", "onnx"])
def test_frames_of_a_graph(format: str, tmp_path: Path) -> None:
    zhuji.export(voiced.voice(), format, tmp_path)
    predictor = voiced.untaught()
    modality = predictor.model.modality
    rows = modality.encode(["ab cd", "cab"])
    units = modality.collate(rows, (max(row.length for row in rows),))
    opened = open_model(tmp_path / format)
    assert opened.runner is not None
    ours, theirs = predictor.run_network(units), opened.runner(units)
    assert torch.equal(ours["durations"], theirs["durations"]) and theirs["real"].shape[1] == 24 * units.mask.shape[1]
    for place in range(2):
        real = ours["real"][place]
        torch.testing.assert_close(
            theirs["frames"][place][theirs["real"][place]], ours["frames"][place][real], rtol=1e-4, atol=1e-4
        )
