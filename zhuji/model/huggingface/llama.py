"""Llama (Touvron et al. 2023) and the models that differ from it in biases alone: Mistral without its window, Qwen2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from zhuji.backbones.transformer import Transformer
from zhuji.modalities.text import Text
from zhuji.model.huggingface.family import Family, Head, demand, eps_of
from zhuji.model.huggingface.options import Options

_NEXT = Head("next", {"own": "lm_head"}, twins={"lm_head.weight": "encoder.stem.table.weight"})


class Llama(Family):
    """Root-mean-square norms, rotary positions, swiglu, grouped queries; with its own table of outputs or a tied one."""

    types = ("llama", "mistral", "qwen2")
    prefix = "model."
    body: ClassVar[Mapping[str, str]] = {
        "stem.table": "embed_tokens",
        "body.blocks.{n}.attention_norm": "layers.{n}.input_layernorm",
        "body.blocks.{n}.attention.query": "layers.{n}.self_attn.q_proj",
        "body.blocks.{n}.attention.key": "layers.{n}.self_attn.k_proj",
        "body.blocks.{n}.attention.value": "layers.{n}.self_attn.v_proj",
        "body.blocks.{n}.attention.out": "layers.{n}.self_attn.o_proj",
        "body.blocks.{n}.feedforward_norm": "layers.{n}.post_attention_layernorm",
        "body.blocks.{n}.feedforward.gate": "layers.{n}.mlp.gate_proj",
        "body.blocks.{n}.feedforward.rise": "layers.{n}.mlp.up_proj",
        "body.blocks.{n}.feedforward.fall": "layers.{n}.mlp.down_proj",
        "body.norm": "norm",
    }
    heads: ClassVar[Mapping[str, Head]] = {
        f"{kin}{name}": head
        for kin in ("Llama", "Mistral", "Qwen2")
        for name, head in {"ForCausalLM": _NEXT, "Model": Head("next")}.items()
    }
    ignored = (r"layers\.\d+\.self_attn\.rotary_emb\.inv_freq",)
    biases_may_lack = True

    def positions(self, options: Options) -> int:
        return options.count("max_position_embeddings", 2048)

    def read(self, options: Options) -> Transformer:
        kind = options.get("model_type")
        heads, width = options.count("num_attention_heads", 32), options.count("hidden_size", 4096)
        options.only("hidden_act", "silu", default="silu")
        options.only("head_dim", None, width // heads)
        if kind == "qwen2":
            options.only("use_sliding_window", False, default=False)
            options.get("sliding_window")
        else:
            options.only("sliding_window", None, default=4096 if kind == "mistral" else None)
        if any(layer != "full_attention" for layer in options.get("layer_types") or ()):
            raise options.refuse("layer_types", "must be full_attention", "必须为 full_attention", options.get("layer_types"))
        # A model has either no bias at all, or all that ours has: what is missing is zero.
        biases = [bool(options.get(key, kind == "qwen2")) for key in ("attention_bias", "mlp_bias")]
        return Transformer.model_validate(
            {
                "width": width,
                "layers": options.count("num_hidden_layers", 32),
                "heads": heads,
                "kv_heads": heads if options.get("num_key_value_heads") is None else options.count("num_key_value_heads"),
                "hidden": options.count("intermediate_size", 11008),
                "norm_eps": options.real("rms_norm_eps", 1e-6),
                "rotary_base": _base(options),
                "max_positions": self.positions(options),
                "bias": any(biases),
                "key_bias": any(biases),
                "dropout": 0.0,
            }
        )

    def described(self, body: Transformer, text: Text) -> dict[str, Any]:
        demand(body, norm="rms", norm_place="pre", positions="rotary", feedforward="swiglu", segment_types=0)
        return {
            "model_type": self.types[0],
            "hidden_size": body.width,
            "num_hidden_layers": body.layers,
            "num_attention_heads": body.heads,
            "num_key_value_heads": body.kv_heads or body.heads,
            "intermediate_size": body.hidden_width,
            "hidden_act": "silu",
            "rms_norm_eps": eps_of(body),
            "max_position_embeddings": max(body.max_positions, text.max_units),
            "rope_theta": body.rotary_base,
            "rope_parameters": {"rope_theta": body.rotary_base, "rope_type": "default"},
            "attention_bias": body.bias,
            "mlp_bias": body.bias,
        }


def _base(options: Options) -> float:
    """The base of the rotation. Raises UnreadableModel for scaled ones."""
    for key in ("rope_scaling", "rope_parameters"):
        scaling = options.get(key)
        if scaling is not None and (
            not isinstance(scaling, dict)
            or scaling.get("rope_type", scaling.get("type")) not in (None, "default")
            or scaling.get("partial_rotary_factor", 1.0) != 1.0
        ):
            raise options.refuse(key, "must not scale the rotation", "不得缩放旋转", scaling)
    options.only("partial_rotary_factor", None, 1.0)
    parameters = options.get("rope_parameters") or {}
    return float(parameters.get("rope_theta", options.real("rope_theta", 10_000.0)))
