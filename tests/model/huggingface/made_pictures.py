"""Tiny models over pictures, of each family, and the folders that they become; and `timm`'s own computation in plain functions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor

from zhuji.core.contracts import Backbone, Task
from zhuji.core.lookup import build
from zhuji.modalities.image import Image
from zhuji.model.assembly import Model, assemble
from zhuji.model.huggingface import write

BODIES: dict[str, dict[str, Any]] = {
    "vit": {"name": "vit", "width": 8, "layers": 2, "heads": 2, "grid": [2, 3]},
    "resnet": {"name": "resnet", "blocks": [1, 2], "widths": [4, 6], "stem": "large", "block": "bottleneck"},
}
IMAGES: dict[str, dict[str, Any]] = {"vit": {"patch": 4, "size": [8, 12]}, "resnet": {"size": [40, 40]}}
POOLS = {"vit": "summary", "resnet": "mean"}


def model(family: str, task: dict[str, Any] | None = None, image: dict[str, Any] | None = None, **changes: Any) -> Model:
    """A model of this family; without `task` one of two classes."""
    modality = Image.model_validate({**IMAGES[family], **(image or {})})
    modality = modality.normalising([0.3, 0.4, 0.5][: modality.channels], [0.2, 0.25, 0.3][: modality.channels])
    task = {"name": "classify", "labels": ["a", "b"], "counts": [1, 1], "pool": POOLS[family], **(task or {})}
    if task["name"] != "classify":
        del task["labels"], task["counts"]
    task = {key: value for key, value in task.items() if value is not ...}
    backbone = build(Backbone, {**BODIES[family], **changes})  # type: ignore[type-abstract]
    made = assemble(modality, backbone, build(Task, task), seed=3).eval()  # type: ignore[type-abstract]
    chance = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for tensor in filter(torch.is_floating_point, (*made.parameters(), *made.buffers())):
            tensor.add_(torch.rand(tensor.shape, generator=chance) * 0.2)
    return made


def folder(path: Path, family: str) -> Path:
    write(model(family), path)
    return path


def logits(made: Model, pixels: Tensor) -> Tensor:
    """Of normalised pixels `(B, C, H, W)`."""
    from zhuji.core.units import Units

    patch = getattr(made.modality, "patch", 1)
    rows, channels, high, wide = pixels.shape
    cut = pixels.permute(0, 2, 3, 1).reshape(rows, high // patch, patch, wide // patch, patch, channels)
    values = cut.transpose(2, 3).reshape(rows, high // patch, wide // patch, -1)
    units = Units(torch.ones(values.shape[:3], dtype=torch.bool), values=values)
    with torch.no_grad():
        features = made.encoder(units)
        return made.head.pool(features) if made.task.name() == "contrast" else made.head(features)


def written(path: Path, weights: dict[str, Tensor], **config: Any) -> Path:
    """A folder as `timm` pushes it to a hub."""
    path.mkdir()
    safetensors.torch.save_file({name: tensor.contiguous() for name, tensor in weights.items()}, path / "model.safetensors")
    (path / "config.json").write_text(json.dumps(config))
    return path


def drawn(shapes: dict[str, tuple[int, ...]]) -> dict[str, Tensor]:
    """Random weights of a size that keeps the states of a deep network in bounds."""
    chance = torch.Generator().manual_seed(0)
    found: dict[str, Tensor] = {}
    for name, shape in shapes.items():
        draw = torch.randn(shape, generator=chance)
        fan = max(1, draw[0].numel()) if draw.ndim > 1 else 1
        found[name] = (
            draw.abs() * 0.2 + 0.9 if name.endswith("running_var") else draw * (0.8 / fan**0.5 if draw.ndim > 1 else 0.1)
        )
        if draw.ndim == 1 and name.endswith("weight"):
            found[name] = 1 + found[name]
    return found


def timm_vit(x: Tensor, w: dict[str, Tensor], heads: int) -> Tensor:
    """`(B, 3, H, W)` -> logits, or without a head the class token."""
    patch = w["patch_embed.proj.weight"].shape[-1]
    x = F.conv2d(x, w["patch_embed.proj.weight"], w["patch_embed.proj.bias"], stride=patch).flatten(2).transpose(1, 2)
    x = torch.cat((w["cls_token"].expand(len(x), -1, -1), x), 1) + w["pos_embed"]

    def normed(y: Tensor, name: str) -> Tensor:
        return F.layer_norm(y, y.shape[-1:], w[f"{name}.weight"], w[f"{name}.bias"], 1e-6)

    def layer(y: Tensor, name: str) -> Tensor:
        return F.linear(y, w[f"{name}.weight"], w[f"{name}.bias"])

    for n in range(sum(name.endswith("norm1.weight") for name in w)):
        name = f"blocks.{n}"
        fused = layer(normed(x, f"{name}.norm1"), f"{name}.attn.qkv")
        query, key, value = fused.unflatten(-1, (3, heads, -1)).permute(2, 0, 3, 1, 4)
        scores = (query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5).softmax(-1)
        x = x + layer((scores @ value).transpose(1, 2).flatten(2), f"{name}.attn.proj")
        x = x + layer(F.gelu(layer(normed(x, f"{name}.norm2"), f"{name}.mlp.fc1")), f"{name}.mlp.fc2")
    token = normed(x, "norm")[:, 0]
    return layer(token, "head") if "head.weight" in w else token


def vit_shapes(width: int, layers: int, patch: int, places: int, classes: int) -> dict[str, tuple[int, ...]]:
    """What `timm` calls the tensors of a ViT."""
    shapes: dict[str, tuple[int, ...]] = {
        "cls_token": (1, 1, width), "pos_embed": (1, 1 + places, width), "patch_embed.proj.weight": (width, 3, patch, patch),
        "patch_embed.proj.bias": (width,), "norm.weight": (width,), "norm.bias": (width,),
    }  # fmt: skip
    if classes:
        shapes |= {"head.weight": (classes, width), "head.bias": (classes,)}
    for n in range(layers):
        sizes = {
            "attn.qkv": (3 * width, width),
            "attn.proj": (width, width),
            "mlp.fc1": (4 * width, width),
            "mlp.fc2": (width, 4 * width),
        }
        for name, shape in sizes.items():
            shapes |= {f"blocks.{n}.{name}.weight": shape, f"blocks.{n}.{name}.bias": shape[:1]}
        for name in ("norm1", "norm2"):
            shapes |= {f"blocks.{n}.{name}.weight": (width,), f"blocks.{n}.{name}.bias": (width,)}
    return shapes


def resnet_shapes(blocks: list[int], *, bottleneck: bool, classes: int) -> dict[str, tuple[int, ...]]:
    """What `timm` calls the tensors of a ResNet."""
    shapes: dict[str, tuple[int, ...]] = {}

    def layer(conv: str, norm: str, outputs: int, inputs: int, window: int) -> None:
        shapes[f"{conv}.weight"] = (outputs, inputs, window, window)
        for leaf in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{norm}.{leaf}"] = (outputs,)

    layer("conv1", "bn1", 64, 3, 7)
    taken = 64
    for stage, count in enumerate(blocks):
        width = 64 * 2**stage
        given = width * 4 if bottleneck else width
        for n in range(count):
            name = f"layer{stage + 1}.{n}"
            sizes = (
                [(width, taken, 1), (width, width, 3), (given, width, 1)]
                if bottleneck
                else [(width, taken, 3), (width, width, 3)]
            )
            for place, size in enumerate(sizes, 1):
                layer(f"{name}.conv{place}", f"{name}.bn{place}", *size)
            if taken != given or (stage and not n):
                layer(f"{name}.downsample.0", f"{name}.downsample.1", given, taken, 1)
            taken = given
    if classes:
        shapes |= {"fc.weight": (classes, taken), "fc.bias": (classes,)}
    return shapes


def timm_resnet(x: Tensor, w: dict[str, Tensor]) -> Tensor:
    """`(B, 3, H, W)` -> logits, or without a head the mean of the last states."""

    def layer(y: Tensor, conv: str, norm: str, stride: int = 1) -> Tensor:
        kernel = w[f"{conv}.weight"]
        y = F.conv2d(y, kernel, stride=stride, padding=kernel.shape[-1] // 2)
        return F.batch_norm(y, *(w[f"{norm}.{leaf}"] for leaf in ("running_mean", "running_var", "weight", "bias")))

    x = F.max_pool2d(F.relu(layer(x, "conv1", "bn1", 2)), 3, 2, 1)
    for stage in range(1, 5):
        n = 0
        while f"layer{stage}.{n}.conv1.weight" in w:
            name, stride = f"layer{stage}.{n}", 2 if stage > 1 and n == 0 else 1
            deep = f"{name}.conv3.weight" in w
            y = F.relu(layer(x, f"{name}.conv1", f"{name}.bn1", 1 if deep else stride))
            y = layer(y, f"{name}.conv2", f"{name}.bn2", stride if deep else 1)
            if deep:
                y = layer(F.relu(y), f"{name}.conv3", f"{name}.bn3")
            if f"{name}.downsample.0.weight" in w:
                x = layer(x, f"{name}.downsample.0", f"{name}.downsample.1", stride)
            x, n = F.relu(x + y), n + 1
    x = x.mean((2, 3))
    return F.linear(x, w["fc.weight"], w["fc.bias"]) if "fc.weight" in w else x
