"""ViT and ResNet as `timm` (PyTorch Image Models) writes them: the architecture's name stands for its shape."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, cast

from zhuji.backbones.resnet import Resnet as ResnetBody
from zhuji.backbones.vit import Vit as VitBody
from zhuji.core.contracts import Backbone
from zhuji.model.huggingface import resnet, vit
from zhuji.model.huggingface.encoders import Names
from zhuji.model.huggingface.family import Head, Tensors, unwritable
from zhuji.model.huggingface.options import Options
from zhuji.model.huggingface.picture_family import PictureFamily

_VITS = {"tiny": (192, 12, 3), "small": (384, 12, 6), "base": (768, 12, 12), "large": (1024, 24, 16)}
"""Width, layers, heads."""
_NAMED = re.compile(r"(?:vit|deit)_(tiny|small|base|large)_patch(\d{1,3})_(\d{2,4})")
_RESNETS = {
    "resnet18": ("basic", [2, 2, 2, 2]), "resnet34": ("basic", [3, 4, 6, 3]), "resnet50": ("bottleneck", [3, 4, 6, 3]),
    "resnet101": ("bottleneck", [3, 4, 23, 3]), "resnet152": ("bottleneck", [3, 8, 36, 3]),
}  # fmt: skip
_FUSED = re.compile(r"(blocks\.\d+\.attn)\.qkv\.(weight|bias)")
_THREE = ("query", "key", "value")
_BLOCK = {
    "attention_norm": "norm1", **{f"attention.{part}": f"attn.{part}" for part in _THREE}, "attention.out": "attn.proj",
    "feedforward_norm": "norm2", "feedforward.rise": "mlp.fc1", "feedforward.fall": "mlp.fc2",
}  # fmt: skip


def is_timm(config: Mapping[str, Any]) -> bool:
    """timm names one architecture, transformers a model type."""
    return isinstance(config.get("architecture"), str) and "model_type" not in config


def family_of(options: Options) -> PictureFamily:
    """Raises UnreadableModel for an architecture that is not known here."""
    name = str(options.get("architecture"))
    for key in ("num_features", "label_descriptions"):  # told by the shape, and for people
        options.get(key)
    if _NAMED.fullmatch(name):
        return TimmVit()
    if name in _RESNETS:
        return TimmResnet()
    names = ", ".join(("vit_SIZE_patchP_PIXELS", "deit_SIZE_patchP_PIXELS", *_RESNETS))
    raise options.refuse("architecture", f"must be one of: {names}", f"必须是以下之一：{names}", name)


class _Timm(PictureFamily):
    prefix = ""

    def described(self, backbone: Backbone, image: Mapping[str, Any]) -> dict[str, Any]:
        raise unwritable("folders of timm are read, not written", "timm 的文件夹只能读取，不能写出")


class TimmVit(_Timm):
    """Queries, keys and values are one layer there."""

    types = ("vit", "deit")
    body = VitBody
    pool = "summary"
    heads: ClassVar[Mapping[str, Head]] = {"classify": Head("classify", {"out": "head"}), "embed": Head("embed")}

    def read(self, options: Options) -> tuple[Backbone, dict[str, Any]]:
        options.only("global_pool", "token", default="token")
        options.only("model_args", {}, None, default=None)
        found = _NAMED.fullmatch(str(options.get("architecture")))
        assert found is not None
        width, layers, heads = _VITS[found[1]]
        patch, side = int(found[2]), int(found[3])
        body = vit.body_of(options, (side, side), max(patch, 1), width=width, layers=layers, heads=heads, norm_eps=1e-6)
        return body, {"size": (side, side), "patch": max(patch, 1), "channels": 3}

    def names(self, backbone: Backbone) -> Names:
        blocks = range(cast(VitBody, backbone).layers)
        return {
            "encoder.stem.map": "patch_embed.proj", "encoder.body.entry.summary": "cls_token",
            "encoder.body.entry.places.table": "pos_embed", "encoder.body.norm": "norm",
            **{f"encoder.body.blocks.{n}.{ours}": f"blocks.{n}.{theirs}" for n in blocks for ours, theirs in _BLOCK.items()},
        }  # fmt: skip

    def loosen(self, tensors: Tensors, backbone: Backbone, told: Mapping[str, Any]) -> Tensors:
        loose: Tensors = {}
        for name, tensor in tensors.items():
            if (fused := _FUSED.fullmatch(name)) and tensor.shape[0] % 3 == 0:
                loose |= {f"{fused[1]}.{part}.{fused[2]}": t for part, t in zip(_THREE, tensor.chunk(3), strict=True)}
            else:
                loose[name] = tensor
        return {**loose, **vit.entered(tensors, cast(VitBody, backbone), ("cls_token", "pos_embed", "patch_embed.proj.weight"))}


class TimmResnet(_Timm):
    """The networks of the paper, whose bottlenecks stride in the middle."""

    types = ("resnet",)
    body = ResnetBody
    pool = "mean"
    heads: ClassVar[Mapping[str, Head]] = {"classify": Head("classify", {"out": "fc"}), "embed": Head("embed")}
    ignored = (r".*\.num_batches_tracked",)

    def read(self, options: Options) -> tuple[Backbone, dict[str, Any]]:
        options.only("global_pool", "avg", default="avg")
        options.only("model_args", {}, None, default=None)
        block, blocks = _RESNETS[str(options.get("architecture"))]
        given = [width * (4 if block == "bottleneck" else 1) for width in (64, 128, 256, 512)]
        return resnet.body_of(options, channels=3, blocks=blocks, block=block, given=given, stem=64), {"channels": 3}

    def names(self, backbone: Backbone) -> Names:
        table = {"encoder.body.entry.layer.conv": "conv1", "encoder.body.entry.layer.norm": "bn1"}
        for stage, count in enumerate(cast(ResnetBody, backbone).blocks):
            for number in range(count):
                ours, theirs = f"encoder.body.stages.{stage}.{number}", f"layer{stage + 1}.{number}"
                table |= {f"{ours}.project.conv": f"{theirs}.downsample.0", f"{ours}.project.norm": f"{theirs}.downsample.1"}
                for place in range(3):
                    table[f"{ours}.layers.{place}.conv"] = f"{theirs}.conv{place + 1}"
                    table[f"{ours}.layers.{place}.norm"] = f"{theirs}.bn{place + 1}"
        return table
