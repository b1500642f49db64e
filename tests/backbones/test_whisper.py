"""The body of Whisper's encoder. Its states are compared with transformers' in tests/parity."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F

from tests.contracts import properties
from tests.contracts.properties import Cell
from zhuji.backbones.whisper import Whisper, sinusoids
from zhuji.core.errors import BadSetting
from zhuji.core.units import Features
from zhuji.modalities.speech import Speech
from zhuji.tasks.transcribe import Transcribe

SMALL: dict[str, Any] = {"bands": 6, "width": 8, "layers": 2, "heads": 2, "hidden": 12, "max_positions": 5}


def test_promises_over_its_own_frames() -> None:
    modality, inputs = Speech.example()
    cell = Cell.of((modality.model_copy(update={"features": "whisper"}), inputs), Whisper.parse(SMALL), Transcribe.example())
    assert cell.model().encoder.stem.map.__class__ is torch.nn.Identity
    for promise in properties.EVERY:
        promise(cell)


@pytest.mark.parametrize("length", [1, 2, 7])
def test_every_other_frame_is_kept(length: int) -> None:
    out = Whisper.parse(SMALL).body(False).eval()(Features(torch.randn(1, length, 6), torch.ones(1, length, dtype=torch.bool)))
    assert out.states.shape == (1, -(-length // 2), 8) and out.mask.all()


def test_positions_are_sines_and_cosines_and_the_last_is_shared() -> None:
    table = sinusoids(5, 8)
    assert table.shape == (5, 8)
    torch.testing.assert_close(table[3], torch.tensor([3.0, 3 / 10_000 ** (1 / 3), 3 / 10_000 ** (2 / 3), 3e-4]).repeat(2).sin() * torch.tensor([1.0] * 4 + [0.0] * 4)
                               + torch.tensor([3.0, 3 / 10_000 ** (1 / 3), 3 / 10_000 ** (2 / 3), 3e-4]).repeat(2).cos() * torch.tensor([0.0] * 4 + [1.0] * 4))  # fmt: skip
    body = Whisper.parse({**SMALL, "layers": 1}).body(False).eval()
    taken: list[torch.Tensor] = []
    body.blocks[0].register_forward_pre_hook(lambda _, given: taken.append(given[0]))
    states = torch.randn(1, 14, 6)
    body(Features(states, torch.ones(1, 14, dtype=torch.bool)))
    first, second = body.first.conv, body.second.conv
    heard = F.gelu(
        F.conv1d(F.gelu(F.conv1d(states.mT, first.weight, first.bias, padding=1)), second.weight, second.bias, 2, 1)
    ).mT
    torch.testing.assert_close(taken[0] - heard, body.places[[0, 1, 2, 3, 4, 4, 4]][None], rtol=1e-4, atol=1e-5)


def test_stages_hold_every_parameter_once() -> None:
    backbone = Whisper.parse(SMALL)
    body = backbone.body(False)
    held = [id(p) for stage in backbone.stages(body) for p in stage.parameters()]
    assert sorted(held) == sorted(id(p) for p in body.parameters()) and len(backbone.stages(body)) == 3


@pytest.mark.parametrize("changes", [{"heads": 3}, {"width": 7, "heads": 1}, {"width": 2, "heads": 1}, {"max_positions": 0}])
def test_bad_settings(changes: dict[str, Any]) -> None:
    with pytest.raises(BadSetting):
        Whisper.parse({**SMALL, **changes})
