"""ViT and ResNet of `transformers` give the same logits here, and ours the same there: fp32, through the pictures' own processor.

Tolerance: 1e-4 of the largest logit; the worst seen is 3e-6.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from tests.parity.huggingface_folders import close, quiet, transformers
from zhuji.core.contracts import Task
from zhuji.core.lookup import build
from zhuji.core.records import Picture
from zhuji.modalities.image import Image
from zhuji.model.assembly import Model, assemble
from zhuji.model.bundle import open_bundle
from zhuji.model.huggingface import looks_like, read, write
from zhuji.model.predictor import Predictor
from zhuji.tools.convert import convert

pytestmark = pytest.mark.filterwarnings("ignore")

NAMES = {"id2label": {0: "bad", 1: "good", 2: "so-so"}, "label2id": {"bad": 0, "good": 1, "so-so": 2}}
VIT = {
    "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 24, "image_size": (12, 8), "patch_size": 4,
    "layer_norm_eps": 1e-5,
}  # fmt: skip
RESNET = {"embedding_size": 6, "hidden_sizes": [8, 16], "depths": [2, 1]}
CASES: list[tuple[str, str, dict[str, Any]]] = [
    ("vit", "ViTForImageClassification", {**VIT, **NAMES}),
    ("vit", "ViTForImageClassification", {**VIT, **NAMES, "problem_type": "multi_label_classification", "num_channels": 1}),
    ("vit", "ViTModel", {**VIT, "image_size": 8}),
    ("resnet", "ResNetForImageClassification", {**RESNET, **NAMES, "layer_type": "basic"}),
    ("resnet", "ResNetForImageClassification", {**RESNET, **NAMES, "layer_type": "bottleneck"}),
    ("resnet", "ResNetModel", {**RESNET, "layer_type": "bottleneck"}),
]
SIZES = {"vit": {"height": 12, "width": 8}, "resnet": {"height": 37, "width": 50}}


def pictures(folder: Path, channels: int) -> list[str]:
    random = np.random.default_rng(0)
    paths = [folder / f"{n}.png" for n in range(3)]
    for path, (high, wide) in zip(paths, ((12, 8), (40, 60), (5, 90)), strict=True):
        pixels = random.integers(0, 256, (high, wide, 3), dtype=np.uint8)
        Pillow.fromarray(pixels).convert("L" if channels == 1 else "RGB").save(path)
    return list(map(str, paths))


def saved(kind: str, architecture: str, changes: dict[str, Any], folder: Path) -> Any:
    """Weights are larger than the usual ones, so that no mistake stays small; norms have seen something."""
    with quiet():
        torch.manual_seed(0)
        model = getattr(transformers, architecture)(transformers.AutoConfig.for_model(kind, **changes)).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.copy_(torch.randn_like(parameter) * 0.25 + (parameter == 1))
            for name, buffer in model.named_buffers():
                if "running" in name:
                    buffer.uniform_(0.5, 1.5)
        model.save_pretrained(folder)
        channels = changes.get("num_channels", 3)
        side = changes.get("image_size")
        size = {"height": side, "width": side} if isinstance(side, int) else SIZES[kind]
        mean, deviation = [0.4, 0.5, 0.6][:channels], [0.2, 0.3, 0.25][:channels]
        transformers.ViTImageProcessor(size=size, image_mean=mean, image_std=deviation).save_pretrained(folder)
    return model


def theirs(model: Any, folder: Path, paths: list[str]) -> list[np.ndarray]:
    """Logits, or the state that stands for the row, by their own processor: the one of Pillow, whose pixels are ours."""
    with quiet():
        processor = transformers.AutoImageProcessor.from_pretrained(folder, backend="pil")
        pixels = processor(images=[Pillow.open(path) for path in paths], return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        out = model(pixel_values=pixels)
    if "logits" in out:
        return list(out.logits.numpy())
    states = out.last_hidden_state
    return list((states[:, 0] if states.ndim == 3 else states.mean((2, 3))).numpy())


def ours(predictor: Predictor, paths: list[str]) -> list[np.ndarray]:
    model = predictor.model
    rows = model.modality.encode([Picture(path) for path in paths])
    with torch.no_grad():
        features = model.encoder(model.modality.collate(rows, rows[0].grid))
        found = model.head.pool(features) if model.task.name() == "contrast" else model.head(features)
    return list(found.numpy())


def loaded(folder: Path, architecture: str) -> Any:
    """With transformers, not one tensor missing or left over."""
    with quiet():
        model, told = getattr(transformers, architecture).from_pretrained(folder, output_loading_info=True)
    assert not told["missing_keys"] and not told["unexpected_keys"] and not told["mismatched_keys"], told
    return model.eval()


@pytest.mark.parametrize(
    "case", CASES, ids=lambda case: f"{case[1]}-{case[2].get('layer_type', case[2].get('num_channels', ''))}"
)
def test_theirs_here_and_back(case, tmp_path):
    kind, architecture, changes = case
    there = saved(kind, architecture, changes, tmp_path)
    paths = pictures(tmp_path, changes.get("num_channels", 3))
    expected = theirs(there, tmp_path, paths)
    assert looks_like(tmp_path)
    predictor = read(tmp_path)
    close(ours(predictor, paths), expected)

    back = tmp_path / "back"
    assert write(predictor.model, back) == architecture
    close(theirs(loaded(back, architecture), back, paths), expected)
    close(ours(read(back), paths), expected)


def test_answers_and_their_bundle(tmp_path):
    there = saved(*CASES[0], tmp_path / "there")
    paths = pictures(tmp_path, 3)
    answers = [("bad", "good", "so-so")[int(row.argmax())] for row in theirs(there, tmp_path / "there", paths)]
    assert [one.answer for one in read(tmp_path / "there").predict([Picture(path) for path in paths])] == answers
    assert convert(tmp_path / "there", tmp_path / "bundle").wrote == "bundle"
    assert [one.answer for one in open_bundle(tmp_path / "bundle").predict(map(Picture, paths))] == answers


OURS: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (
        {"name": "vit", "width": 8, "layers": 2, "heads": 2, "grid": [2, 3]},
        {"patch": 4, "size": [8, 12]},
        "ViTForImageClassification",
    ),
    (
        {"name": "resnet", "blocks": [1, 2], "widths": [4, 6], "stem": "large"},
        {"size": [40, 40], "resize": "crop"},
        "ResNetForImageClassification",
    ),
]


def made(backbone: dict[str, Any], image: dict[str, Any]) -> Model:
    modality = Image.model_validate(image).normalising([0.3, 0.4, 0.5], [0.2, 0.25, 0.3])
    pool = "summary" if backbone["name"] == "vit" else "mean"
    task = build(Task, {"name": "classify", "labels": ["a", "b"], "counts": [1, 1], "pool": pool})
    from zhuji.core.contracts import Backbone

    model = assemble(modality, build(Backbone, backbone), task, seed=2)
    with torch.no_grad():
        for tensor in (*model.parameters(), *model.buffers()):
            tensor.add_(torch.rand(tensor.shape, generator=torch.Generator().manual_seed(1)) * 0.2)
    return model.eval()


@pytest.mark.parametrize("case", OURS, ids=["vit", "resnet"])
def test_ours_there(case, tmp_path):
    backbone, image, architecture = case
    model = made(backbone, image)
    assert write(model, tmp_path / "there") == architecture
    paths = pictures(tmp_path, 3)
    expected = ours(Predictor(model), paths)
    # Cropped pictures are resized to whole pixels by theirs first.
    tolerance = 1e-4 if image.get("resize") != "crop" else 0.2
    close(theirs(loaded(tmp_path / "there", architecture), tmp_path / "there", paths), expected, tolerance)
    config = json.loads((tmp_path / "there" / "config.json").read_text())
    assert config["id2label"] == {"0": "a", "1": "b"}
