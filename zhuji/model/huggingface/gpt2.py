"""GPT-2 (Radford et al. 2019)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from zhuji.backbones.transformer import Transformer
from zhuji.modalities.text import Text
from zhuji.model.huggingface.family import ACTIVATIONS, GELU, Family, Head, Tensors, demand, eps_of
from zhuji.model.huggingface.options import Options

_FUSED = re.compile(r"(.*attn)\.c_attn\.(weight|bias)")
_TURNED = re.compile(r".*(attn\.c_proj|mlp\.c_fc|mlp\.c_proj)\.weight")
_THREE = ("query", "key", "value")
_NEXT = Head("next", twins={"lm_head.weight": "encoder.stem.table.weight"})


class Gpt2(Family):
    """Its linear layers are stored as (inputs, outputs), and those of queries, keys and values as one."""

    types = ("gpt2",)
    prefix = "transformer."
    body: ClassVar[Mapping[str, str]] = {
        "stem.table": "wte",
        "body.learned.table": "wpe.weight",
        "body.blocks.{n}.attention_norm": "h.{n}.ln_1",
        **{f"body.blocks.{{n}}.attention.{part}": f"h.{{n}}.attn.{part}" for part in _THREE},
        "body.blocks.{n}.attention.out": "h.{n}.attn.c_proj",
        "body.blocks.{n}.feedforward_norm": "h.{n}.ln_2",
        "body.blocks.{n}.feedforward.rise": "h.{n}.mlp.c_fc",
        "body.blocks.{n}.feedforward.fall": "h.{n}.mlp.c_proj",
        "body.norm": "ln_f",
    }
    heads: ClassVar[Mapping[str, Head]] = {"GPT2LMHeadModel": _NEXT, "GPT2Model": _NEXT}
    ignored = (r"h\.\d+\.attn\.(bias|masked_bias)",)

    def positions(self, options: Options) -> int:
        return options.count("n_positions", 1024)

    def read(self, options: Options) -> Transformer:
        options.only("scale_attn_weights", True, default=True)
        options.only("scale_attn_by_inverse_layer_idx", False, default=False)
        options.only("add_cross_attention", False, default=False)
        options.only("tie_word_embeddings", True, default=True)
        width = options.count("n_embd", 768)
        hidden = options.get("n_inner")
        return Transformer.model_validate(
            {
                "width": width,
                "layers": options.count("n_layer", 12),
                "heads": options.count("n_head", 12),
                "hidden": 4 * width if hidden is None else options.count("n_inner"),
                "feedforward": options.one_of("activation_function", GELU, "gelu_new"),
                "norm": "layer",
                "norm_eps": options.real("layer_norm_epsilon", 1e-5),
                "positions": "learned",
                "max_positions": self.positions(options),
                "key_bias": True,
                "dropout": options.real("resid_pdrop", 0.1),
            }
        )

    def described(self, body: Transformer, text: Text) -> dict[str, Any]:
        demand(body, norm="layer", norm_place="pre", positions="learned", bias=True, feedforward=(*ACTIVATIONS,))
        demand(body, kv_heads=(None, body.heads), segment_types=0)
        return {
            "model_type": self.types[0],
            "n_embd": body.width,
            "n_layer": body.layers,
            "n_head": body.heads,
            "n_inner": body.hidden_width,
            "activation_function": ACTIVATIONS[body.feedforward],
            "layer_norm_epsilon": eps_of(body),
            "n_positions": body.max_positions,
            "resid_pdrop": body.dropout,
            "embd_pdrop": body.dropout,
            "attn_pdrop": 0.0,
        }

    def loosen(self, tensors: Tensors, config: Mapping[str, Any]) -> Tensors:
        loose: Tensors = {}
        for name, tensor in tensors.items():
            if fused := _FUSED.fullmatch(name):
                pieces = tensor.chunk(3, dim=-1)
                loose |= {f"{fused[1]}.{part}.{fused[2]}": _turned(t) for part, t in zip(_THREE, pieces, strict=True)}
            else:
                loose[name] = tensor.T if _TURNED.fullmatch(name) else tensor
        return loose

    def fasten(self, tensors: Tensors, config: Mapping[str, Any]) -> Tensors:
        fast: Tensors = {}
        for name, tensor in tensors.items():
            if re.search(r"attn\.(key|value)\.", name):
                continue
            if ".attn.query." in name:
                parts = [_turned(tensors[name.replace("query", part)]) for part in _THREE]
                fast[name.replace("query", "c_attn")] = torch.cat(parts, dim=-1)
            else:
                fast[name] = tensor.T if _TURNED.fullmatch(name) else tensor
        return fast


def _turned(tensor: Tensor) -> Tensor:
    """A matrix transposed, a bias as it is."""
    return tensor.T if tensor.ndim == 2 else tensor
