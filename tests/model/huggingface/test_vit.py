"""ViT's settings and tensors. Logits are compared in tests/parity."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.model.huggingface.made import reconfigure, retensor
from tests.model.huggingface.made_pictures import folder, logits, model
from zhuji.core.errors import BundleError, DamagedBundle, UnwritableModel
from zhuji.model.huggingface import read, write


def test_what_was_written_is_read_again(tmp_path: Path) -> None:
    made = model("vit")
    again = read(folder(tmp_path / "there", "vit")).model
    assert again.task.described()["labels"] == ["a", "b"] and again.modality.described() == made.modality.described()
    pixels = torch.randn(3, 3, 8, 12)
    torch.testing.assert_close(logits(again, pixels), logits(made, pixels), rtol=0, atol=1e-6)


def test_a_bare_encoder(tmp_path: Path) -> None:
    made = model("vit", {"name": "contrast", "views": "crop"})
    assert write(made, tmp_path / "there") == "ViTModel"
    again = read(tmp_path / "there").model
    pixels = torch.randn(3, 3, 8, 12)
    torch.testing.assert_close(logits(again, pixels), logits(made, pixels), rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_act": "relu"}, {"qkv_bias": False}, {"image_size": 16}, {"image_size": [8]}, {"image_size": "8"}, {"patch_size": 3},
        {"patch_size": 0}, {"num_hidden_layers": 1 << 20}, {"num_attention_heads": 3}, {"hidden_size": 1 << 22}, {"architectures": ["ViTMSNModel"]},
        {"problem_type": "regression"}, {"num_channels": 4}, {"num_channels": 1}, {"image_size": [12, 8]},
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(changes: dict[str, Any], tmp_path: Path) -> None:
    path = folder(tmp_path / "there", "vit")
    reconfigure(path, **changes)
    with pytest.raises(BundleError):
        read(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"vit__embeddings__position_embeddings": torch.zeros(1, 3, 8)}, {"vit__embeddings__cls_token": None},
        {"vit__embeddings__patch_embeddings__projection__weight": torch.zeros(8, 3, 2, 2)}, {"classifier__weight": torch.zeros(3, 8)},
    ],
)  # fmt: skip
def test_tensors_that_do_not_fit_are_refused(changes: dict[str, Any], tmp_path: Path) -> None:
    path = folder(tmp_path / "there", "vit")
    retensor(path, **changes)
    with pytest.raises(DamagedBundle):
        read(path)


@pytest.mark.parametrize(
    ("task", "changes"),
    [({}, {"positions": "sinusoids"}), ({"pool": "mean"}, {"summary": False}), ({"pool": "mean"}, {}), ({"hidden": 3}, {}), ({}, {"grid": [4, 4]})],
)  # fmt: skip
def test_what_has_no_counterpart_is_not_written(task: dict[str, Any], changes: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UnwritableModel):
        write(model("vit", task, **changes), tmp_path / "there")


def test_the_token_stands_at_no_place(tmp_path: Path) -> None:
    """Its position is part of it here, so there it is zero."""
    from safetensors.torch import load_file

    path = folder(tmp_path / "there", "vit")
    weights = load_file(path / "model.safetensors")
    assert not weights["vit.embeddings.position_embeddings"][0, 0].any()
    assert not any(weights[name].any() for name in weights if name.endswith("attention.key.bias"))
    assert json.loads((path / "config.json").read_text())["image_size"] == [8, 12]
