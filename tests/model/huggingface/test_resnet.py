"""ResNet's settings and tensors. Logits are compared in tests/parity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from tests.model.huggingface.made import reconfigure, retensor
from tests.model.huggingface.made_pictures import folder, logits, model
from zhuji.core.errors import BundleError, DamagedBundle, UnreadableModel, UnwritableModel
from zhuji.model.huggingface import read, write


@pytest.mark.parametrize("block", ["basic", "bottleneck"])
def test_what_was_written_is_read_again(block: str, tmp_path: Path) -> None:
    made = model("resnet", {"many": True}, block=block, stem_channels=5)
    write(made, tmp_path / "there")
    again = read(tmp_path / "there").model
    assert again.task.described()["many"] and again.modality.described() == made.modality.described()
    pixels = torch.randn(2, 3, 40, 40)
    torch.testing.assert_close(logits(again, pixels), logits(made, pixels), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_act": "gelu"}, {"downsample_in_first_stage": True}, {"downsample_in_bottleneck": True}, {"layer_type": "deep"},
        {"depths": [1, 1 << 40]}, {"depths": [1]}, {"depths": "11"}, {"hidden_sizes": [16, 25]}, {"hidden_sizes": [16, 32]}, {"depths": [0, 2]},
        {"embedding_size": 1 << 20}, {"num_channels": 0}, {"depths": [4000, 4000]},
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(changes: dict[str, Any], tmp_path: Path) -> None:
    path = folder(tmp_path / "there", "resnet")
    reconfigure(path, **changes)
    with pytest.raises(BundleError):
        read(path)


def test_tensors_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = folder(tmp_path / "there", "resnet")
    retensor(path, resnet__embedder__embedder__normalization__running_mean=None)
    with pytest.raises(DamagedBundle, match="running_mean"):
        read(path)
    path = folder(tmp_path / "other", "resnet")
    retensor(path, resnet__encoder__stages__0__extra=torch.zeros(1))
    with pytest.raises(UnreadableModel, match="extra"):
        read(path)


@pytest.mark.parametrize(
    ("task", "changes"),
    [({}, {"stem": "small"}), ({}, {"shortcut": "pad", "stem_channels": 4}), ({"pool": "max"}, {}), ({"name": "distill_self", "level": "rows"}, {})],
)  # fmt: skip
def test_what_has_no_counterpart_is_not_written(task: dict[str, Any], changes: dict[str, Any], tmp_path: Path) -> None:
    task = {**task, **({"pool": ...} if task.get("name") else {})}
    with pytest.raises(UnwritableModel):
        write(model("resnet", task, **changes), tmp_path / "there")
