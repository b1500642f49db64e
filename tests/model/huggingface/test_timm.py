"""Folders of `timm`: its key names (`timm/models/vision_transformer.py`, `resnet.py`), and its computation written out independently.

Tolerance: 1e-4 of the largest logit; the worst seen is 3e-6.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.model.huggingface.made_pictures import (
    drawn,
    logits,
    resnet_shapes,
    timm_resnet,
    timm_vit,
    vit_shapes,
    written,
)  # fmt: skip
from zhuji.core.errors import BundleError, DamagedBundle, UnreadableModel, UnwritableModel
from zhuji.model.huggingface import looks_like, read, timm
from zhuji.model.huggingface.options import Options

CONFIGURED = {
    "input_size": [3, 64, 64],
    "mean": [0.485, 0.456, 0.406],
    "std": [0.229, 0.224, 0.225],
    "crop_pct": 0.95,
    "interpolation": "bicubic",
}


def near(found: torch.Tensor, expected: torch.Tensor) -> None:
    assert found.shape == expected.shape
    assert float((found - expected).abs().max()) <= 1e-4 * max(1.0, float(expected.abs().max()))


@pytest.mark.parametrize("classes", [5, 0])
def test_vit_tiny(classes: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = drawn(vit_shapes(192, 12, 16, 16, classes))
    config = {"architecture": "vit_tiny_patch16_64", "num_classes": classes, "num_features": 192, "pretrained_cfg": CONFIGURED}
    folder = written(tmp_path / "there", weights, **config)
    assert looks_like(folder)
    predictor = read(folder)
    pixels = torch.randn(2, 3, 64, 64)
    near(logits(predictor.model, pixels), timm_vit(pixels, weights, 3))
    image = predictor.model.modality.described()
    assert (image["size"], image["patch"], image["resize"]) == ([64, 64], 16, "crop")
    assert predictor.model.modality.measured.mean == (0.485, 0.456, 0.406)
    told = capsys.readouterr().err
    assert "crop_pct" in told and "interpolation" in told and "not known" not in told


@pytest.mark.parametrize(("name", "blocks", "deep"), [("resnet18", [2, 2, 2, 2], False), ("resnet50", [3, 4, 6, 3], True)])
def test_resnet(name: str, blocks: list[int], deep: bool, tmp_path: Path) -> None:
    weights = drawn(resnet_shapes(blocks, bottleneck=deep, classes=3))
    weights["bn1.num_batches_tracked"] = torch.tensor(7)
    folder = written(tmp_path / "there", weights, architecture=name, num_classes=3, label_names=["x", "y", "z"])
    model = read(folder).model
    pixels = torch.randn(1, 3, 64, 96)
    near(logits(model, pixels), timm_resnet(pixels, weights))
    assert model.task.classes == ("x", "y", "z")


@pytest.mark.parametrize(
    "changes",
    [
        {"architecture": "resnet18d"}, {"architecture": "vit_base_patch16_clip_224"}, {"architecture": "convnext_tiny"},
        {"architecture": "vit_tiny_patch0_64"}, {"architecture": "vit_tiny_patch7_64"}, {"global_pool": "avg"}, {"num_classes": "3"},
        {"num_classes": -1}, {"num_classes": 1 << 40}, {"model_args": {"depth": 3}}, {"pretrained_cfg": [1]},
        {"pretrained_cfg": {"input_size": [3, 32, 32]}}, {"pretrained_cfg": {"mean": [0.5]}}, {"pretrained_cfg": {"std": [0.5, 0.5, 0.0]}},
        {"pretrained_cfg": {"input_size": "224"}}, {"num_classes": 6},
    ],
)  # fmt: skip
def test_what_we_have_no_counterpart_for_is_refused(changes: dict[str, Any], tmp_path: Path) -> None:
    config = {"architecture": "vit_tiny_patch32_64", "num_classes": 2, **changes}
    folder = written(tmp_path / "there", {"head.weight": torch.zeros(2, 192)}, **config)
    with pytest.raises(BundleError):
        read(folder)


def test_tensors_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    weights = drawn(vit_shapes(192, 12, 32, 4, 2))
    for number, (name, tensor) in enumerate({
        "pos_embed": torch.zeros(1, 4, 192), "cls_token": torch.zeros(3), "blocks.0.attn.qkv.weight": torch.zeros(7, 192),
        "patch_embed.proj.weight": torch.zeros(192, 3 * 32 * 32 + 1),
    }.items()):  # fmt: skip
        folder = written(tmp_path / str(number), {**weights, name: tensor}, architecture="vit_tiny_patch32_64", num_classes=2)
        with pytest.raises(DamagedBundle):
            read(folder)
    folder = written(
        tmp_path / "more", {**weights, "reg_token": torch.zeros(1)}, architecture="vit_tiny_patch32_64", num_classes=2
    )
    with pytest.raises(UnreadableModel, match="reg_token"):
        read(folder)


def test_timm_is_told_from_transformers(tmp_path: Path) -> None:
    assert timm.is_timm({"architecture": "resnet18"})
    assert not timm.is_timm({"architectures": ["ResNetModel"], "model_type": "resnet"}) and not timm.is_timm(
        {"architecture": 3}
    )
    family = timm.family_of(Options({"architecture": "resnet34"}, tmp_path))
    backbone, told = family.read(Options({"architecture": "resnet34"}, tmp_path))
    assert json.dumps(backbone.plain()["blocks"]) == "[3, 4, 6, 3]" and told == {"channels": 3}
    with pytest.raises(UnwritableModel):
        family.described(backbone, {})
