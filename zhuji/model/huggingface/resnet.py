"""ResNet (He et al. 2016), as `transformers` has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

import torch

from zhuji.backbones.resnet import Resnet as Body
from zhuji.core.contracts import Backbone
from zhuji.core.errors import UnreadableModel
from zhuji.model.huggingface.encoders import Names
from zhuji.model.huggingface.family import Head, Tensors, unwritable
from zhuji.model.huggingface.options import Options
from zhuji.model.huggingface.picture_family import PictureFamily

_LAYER = {"conv": "convolution", "norm": "normalization"}


class Resnet(PictureFamily):
    """Its widths are those that a stage gives, ours those of its 3 x 3 convolutions."""

    types = ("resnet",)
    body = Body
    prefix = "resnet."
    pool = "mean"
    heads: ClassVar[Mapping[str, Head]] = {
        "ResNetForImageClassification": Head("classify", {"out": "classifier.1"}),
        "ResNetModel": Head("embed"),
    }
    ignored = (r".*\.num_batches_tracked",)

    def read(self, options: Options) -> tuple[Backbone, dict[str, Any]]:
        options.only("hidden_act", "relu", default="relu")
        options.only("downsample_in_first_stage", False, default=False)
        options.only("downsample_in_bottleneck", False, default=False)
        for key in ("out_features", "out_indices", "stage_names"):  # of backbones for other heads
            options.get(key)
        block = options.one_of("layer_type", {"basic": "basic", "bottleneck": "bottleneck"}, "bottleneck")
        channels = options.count("num_channels", 3)
        body = body_of(
            options, channels=channels, blocks=options.get("depths", [3, 4, 6, 3]), block=block,
            given=options.get("hidden_sizes", [256, 512, 1024, 2048]), stem=options.count("embedding_size", 64),
        )  # fmt: skip
        return body, {"channels": channels}

    def described(self, backbone: Backbone, image: Mapping[str, Any]) -> dict[str, Any]:
        body = cast(Body, backbone)
        if body.stem != "large" or body.shortcut != "project":
            raise unwritable(
                "resnet needs backbone.stem=large and backbone.shortcut=project",
                "resnet 需要 backbone.stem=large 和 backbone.shortcut=project",
            )
        return {
            "model_type": "resnet", "num_channels": image["channels"], "embedding_size": body.entry_width,
            "hidden_sizes": [width * body.expansion for width in body.widths], "depths": list(body.blocks), "layer_type": body.block,
            "hidden_act": "relu", "downsample_in_first_stage": False, "downsample_in_bottleneck": False,
        }  # fmt: skip

    def names(self, backbone: Backbone) -> Names:
        body = cast(Body, backbone)
        pairs = {"encoder.body.entry.layer": "embedder.embedder"}
        for stage, count in enumerate(body.blocks):
            for number in range(count):
                ours, theirs = f"encoder.body.stages.{stage}.{number}", f"encoder.stages.{stage}.layers.{number}"
                pairs[f"{ours}.project"] = f"{theirs}.shortcut"
                pairs |= {f"{ours}.layers.{place}": f"{theirs}.layer.{place}" for place in range(3)}
        return {f"{ours}.{part}": f"{theirs}.{leaf}" for ours, theirs in pairs.items() for part, leaf in _LAYER.items()}

    def fasten(self, tensors: Tensors, backbone: Backbone, image: Mapping[str, Any]) -> Tensors:
        """Theirs count batches, which no answer depends on."""
        norms = [name.removesuffix("running_mean") for name in tensors if name.endswith("running_mean")]
        return {**tensors, **{f"{norm}num_batches_tracked": torch.tensor(0) for norm in norms}}


def body_of(options: Options, *, channels: int, blocks: Any, block: str, given: Any, stem: int) -> Body:
    """A body whose stages give `given` channels. Raises UnreadableModel."""
    expansion = 4 if block == "bottleneck" else 1
    plain = all(isinstance(sides, list) and all(type(side) is int for side in sides) for sides in (blocks, given))
    if not plain or any(side % expansion for side in given):
        raise options.refuse(
            "hidden_sizes",
            f"and 'depths' must be whole numbers, by {expansion}",
            f"和「depths」须为整数，且为 {expansion} 的倍数",
            given,
        )
    try:
        return Body.model_validate({
            "channels": channels, "blocks": blocks, "widths": [side // expansion for side in given], "block": block, "stem": "large",
            "stem_channels": stem, "shortcut": "project",
        })  # fmt: skip
    except ValueError as error:
        raise UnreadableModel(file=options.path, why=" ".join(str(error).split())[:200]) from None
