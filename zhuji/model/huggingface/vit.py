"""ViT (Dosovitskiy et al. 2021), as `transformers` has it.

Shapes: D width of a state, C colours, P the side of a patch, N patches of a picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, cast

import torch
from torch import Tensor

from zhuji.backbones.vit import Vit as Body
from zhuji.core.contracts import Backbone
from zhuji.core.errors import UnreadableModel
from zhuji.model.huggingface.encoders import Names
from zhuji.model.huggingface.family import Head, Tensors, unwritable
from zhuji.model.huggingface.options import Options
from zhuji.model.huggingface.picture_family import PictureFamily, laid

TOKEN, PLACES, PATCHES = "embeddings.cls_token", "embeddings.position_embeddings", "embeddings.patch_embeddings.projection"
_BLOCK = {
    "attention_norm": "layernorm_before", "attention.query": "attention.attention.query", "attention.key": "attention.attention.key",
    "attention.value": "attention.attention.value", "attention.out": "attention.output.dense", "feedforward_norm": "layernorm_after",
    "feedforward.rise": "intermediate.dense", "feedforward.fall": "output.dense",
}  # fmt: skip


class Vit(PictureFamily):
    """The class token and its position are one vector here, and a patch is a row of numbers where theirs is a small picture."""

    types = ("vit",)
    body = Body
    prefix = "vit."
    pool = "summary"
    heads: ClassVar[Mapping[str, Head]] = {
        "ViTForImageClassification": Head("classify", {"out": "classifier"}),
        "ViTModel": Head("embed"),
    }
    ignored = (r"pooler\..*", r"embeddings\.mask_token")

    def read(self, options: Options) -> tuple[Backbone, dict[str, Any]]:
        options.only("hidden_act", "gelu", default="gelu")
        size, patch = sides(options, "image_size", 224), options.count("patch_size", 16)
        for key in ("encoder_stride", "pooler_act", "pooler_output_size"):  # of heads that are none of ours
            options.get(key)
        backbone = body_of(
            options, size, patch,
            width=options.count("hidden_size", 768), layers=options.count("num_hidden_layers", 12),
            heads=options.count("num_attention_heads", 12), hidden=options.count("intermediate_size", 3072),
            norm_eps=options.real("layer_norm_eps", 1e-12), dropout=options.real("hidden_dropout_prob", 0.0),
        )  # fmt: skip
        options.only("qkv_bias", True, default=True)
        return backbone, {"size": size, "patch": patch, "channels": options.count("num_channels", 3)}

    def described(self, backbone: Backbone, image: Mapping[str, Any]) -> dict[str, Any]:
        body = cast(Body, backbone)
        if body.positions != "learned" or not body.summary:
            raise unwritable(
                "vit needs backbone.positions=learned and backbone.summary=true",
                "vit 需要 backbone.positions=learned 和 backbone.summary=true",
            )
        size, patch = image["size"], image["patch"]
        if [side // patch for side in size] != list(body.grid):
            raise unwritable(
                f"backbone.grid is {list(body.grid)}, and the pictures have {[side // patch for side in size]} patches",
                f"backbone.grid 为 {list(body.grid)}，而图片有 {[side // patch for side in size]} 个图块",
            )
        return {
            "model_type": "vit", "hidden_size": body.width, "num_hidden_layers": body.layers, "num_attention_heads": body.heads,
            "intermediate_size": body.hidden_width, "hidden_act": "gelu", "layer_norm_eps": body.norm_eps,
            "image_size": size[0] if size[0] == size[1] else list(size), "patch_size": patch, "num_channels": image["channels"],
            "qkv_bias": True, "hidden_dropout_prob": body.dropout, "attention_probs_dropout_prob": 0.0,
        }  # fmt: skip

    def names(self, backbone: Backbone) -> Names:
        blocks = range(cast(Body, backbone).layers)
        return {
            "encoder.stem.map": PATCHES, "encoder.body.entry.summary": TOKEN, "encoder.body.entry.places.table": PLACES,
            "encoder.body.norm": "layernorm",
            **{
                f"encoder.body.blocks.{n}.{ours}": f"encoder.layer.{n}.{theirs}" for n in blocks for ours, theirs in _BLOCK.items()
            },
        }  # fmt: skip

    def loosen(self, tensors: Tensors, backbone: Backbone, told: Mapping[str, Any]) -> Tensors:
        return {**tensors, **entered(tensors, cast(Body, backbone), (TOKEN, PLACES, f"{PATCHES}.weight"))}

    def fasten(self, tensors: Tensors, backbone: Backbone, image: Mapping[str, Any]) -> Tensors:
        """What their module holds and no answer of ours depends on is zero: the position of the token, and the pooler of a bare encoder."""
        body, patch, channels = cast(Body, backbone), image["patch"], image["channels"]
        token, places, weight = tensors[TOKEN], tensors[PLACES], tensors[f"{PATCHES}.weight"]
        bare: Tensors = {} if "classifier.weight" in tensors else {
            "pooler.dense.weight": weight.new_zeros(body.width, body.width), "pooler.dense.bias": weight.new_zeros(body.width),
        }  # fmt: skip
        biases = {
            name.replace("query", "key"): torch.zeros_like(t) for name, t in tensors.items() if name.endswith("query.bias")
        }
        return {
            **bare, **biases, **tensors, TOKEN: token.view(1, 1, -1),
            PLACES: torch.cat((torch.zeros_like(token)[None], places.flatten(0, 1)))[None],
            f"{PATCHES}.weight": weight.view(-1, patch, patch, channels).permute(0, 3, 1, 2),
        }  # fmt: skip


def body_of(options: Options, size: tuple[int, int], patch: int, **settings: Any) -> Body:
    """A body for pictures of this size. Raises UnreadableModel."""
    if any(side % patch for side in size):
        raise options.refuse("patch_size", f"must divide the size {list(size)}", f"必须整除尺寸 {list(size)}", patch)
    try:
        return Body.model_validate({"grid": [side // patch for side in size], "key_bias": True, **settings})
    except ValueError as error:
        raise UnreadableModel(file=options.path, why=" ".join(str(error).split())[:200]) from None


def sides(options: Options, key: str, default: int) -> tuple[int, int]:
    """Height and width, given as one number or as two. Raises UnreadableModel."""
    value = options.get(key, default)
    both = [value, value] if type(value) is int else value
    if not isinstance(both, list) or len(both) != 2 or not all(type(side) is int and 0 < side <= 8192 for side in both):
        raise options.refuse(key, "must be a size of 1 to 8192 pixels a side", "须为每边 1 至 8192 像素的尺寸", value)
    return both[0], both[1]


def entered(tensors: Tensors, body: Body, names: tuple[str, str, str]) -> Tensors:
    """Token `(1, 1, D)`, positions `(1, 1 + N, D)` and patches `(D, C, P, P)` as ours: `(D,)`, `(rows, columns, D)`, `(D, P * P * C)`. What has
    another shape stays as it is."""
    token, places, patches = (tensors.get(name) for name in names)
    found: Tensors = {}
    rows, columns = body.grid
    if (
        token is not None
        and places is not None
        and places.shape == (1, 1 + rows * columns, body.width)
        and token.numel() == body.width
    ):
        found |= {names[0]: token.flatten() + places[0, 0], names[1]: laid(places[0, 1:], rows, columns, body.width)}
    if patches is not None and patches.ndim == 4:
        found[names[2]] = _row_by_row(patches)
    return found


def _row_by_row(patches: Tensor) -> Tensor:
    return patches.permute(0, 2, 3, 1).flatten(1)
