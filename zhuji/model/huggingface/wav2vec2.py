"""wav2vec 2.0 (Baevski et al. 2020), as `transformers` has it.

Shapes: C channels out, G channels of a group, K units of a window.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor

from zhuji.backbones.wav2vec2 import Wav2vec2 as Body
from zhuji.core.contracts import Backbone
from zhuji.model.huggingface.encoders import Names
from zhuji.model.huggingface.family import GELU, Head, Tensors
from zhuji.model.huggingface.options import Options
from zhuji.model.huggingface.sound_family import ENCODER, SoundFamily, body_of

POSITIONS = "encoder.pos_conv_embed.conv"
NORMED = (("weight_g", "weight_v"), ("parametrizations.weight.original0", "parametrizations.weight.original1"))
"""How a weight that is normed is spelt: its lengths, and its directions."""
_BLOCK = {
    "attention.query": "attention.q_proj", "attention.key": "attention.k_proj", "attention.value": "attention.v_proj",
    "attention.out": "attention.out_proj", "attention_norm": "layer_norm", "feedforward.rise": "feed_forward.intermediate_dense",
    "feedforward.fall": "feed_forward.output_dense", "feedforward_norm": "final_layer_norm",
}  # fmt: skip
_IDLE = (
    "activation_dropout", "adapter_kernel_size", "adapter_stride", "apply_spec_augment", "classifier_proj_size", "codevector_dim",
    "contrastive_logits_temperature", "ctc_loss_reduction", "ctc_zero_infinity", "diversity_loss_weight", "do_bucketing", "feat_proj_dropout",
    "feat_quantizer_dropout", "final_dropout", "layerdrop", "mask_channel_length", "mask_channel_min_space", "mask_channel_other",
    "mask_channel_prob", "mask_channel_selection", "mask_feature_length", "mask_feature_min_masks", "mask_feature_prob", "mask_time_length",
    "mask_time_min_masks", "mask_time_min_space", "mask_time_other", "mask_time_prob", "mask_time_selection", "num_adapter_layers",
    "num_codevector_groups", "num_codevectors_per_group", "num_feat_extract_layers", "num_negatives", "output_hidden_size",
    "proj_codevector_dim", "tdnn_dilation", "tdnn_dim", "tdnn_kernel", "use_weighted_layer_sum", "vocab_size", "xvector_output_dim",
)  # fmt: skip
"""Keys of training, of heads that are left out, and of adapters, which are refused."""


class Wav2vec2(SoundFamily):
    """Theirs holds the convolution that tells positions as lengths and directions; ours as the weight that they make."""

    types = ("wav2vec2",)
    prefix = "wav2vec2."
    pool = "mean"
    heads: ClassVar[Mapping[str, Head]] = dict.fromkeys(("Wav2Vec2ForCTC", "Wav2Vec2ForPreTraining", "Wav2Vec2Model"), ENCODER)
    bare = ("Wav2Vec2Model",)
    extractor = "Wav2Vec2FeatureExtractor"
    ignored = (r"masked_spec_embed", r"lm_head\..*", r"quantizer\..*", r"project_(q|hid)\..*")

    def read(self, options: Options) -> tuple[Backbone, dict[str, Any]]:
        options.only("feat_extract_activation", "gelu", default="gelu")
        options.only("add_adapter", False, default=False)
        options.only("adapter_attn_dim", None)
        for key in _IDLE:
            options.get(key)
        settings = {
            "conv_channels": options.get("conv_dim", [512] * 7), "conv_windows": options.get("conv_kernel", [10, 3, 3, 3, 3, 2, 2]),
            "conv_strides": options.get("conv_stride", [5, 2, 2, 2, 2, 2, 2]), "conv_bias": options.one_of("conv_bias", _YES, False),
            "conv_norm": options.one_of("feat_extract_norm", {"group": "group", "layer": "layer"}, "group"),
            "position_window": options.count("num_conv_pos_embeddings", 128),
            "position_groups": options.count("num_conv_pos_embedding_groups", 16),
            "width": options.count("hidden_size", 768), "layers": options.count("num_hidden_layers", 12),
            "heads": options.count("num_attention_heads", 12), "hidden": options.count("intermediate_size", 3072),
            "feedforward": options.one_of("hidden_act", GELU, "gelu"), "norm_eps": options.real("layer_norm_eps", 1e-5),
            "norm_place": options.one_of("do_stable_layer_norm", {True: "pre", False: "post"}, False), "key_bias": True,
            "dropout": options.real("hidden_dropout", 0.1),
        }  # fmt: skip
        return body_of(options, Body, settings), {}

    def heard(self, options: Options, backbone: Backbone) -> dict[str, Any]:
        options.only("feature_size", 1, default=1)
        options.only("padding_value", 0.0, 0, default=0.0)
        level = options.one_of("do_normalize", _YES, True)
        return {"features": "raw", "rate": options.count("sampling_rate", 16_000), "level": level}

    def names(self, backbone: Backbone) -> Names:
        settings, body = backbone.plain(), "encoder.body"
        found = {
            f"{body}.frames.norm": "feature_projection.layer_norm", f"{body}.frames.map": "feature_projection.projection",
            f"{body}.places.conv": POSITIONS, f"{body}.norm": "encoder.layer_norm",
        }  # fmt: skip
        for n in range(len(settings["conv_channels"])):
            ours, theirs = f"{body}.frames.layers.{n}", f"feature_extractor.conv_layers.{n}"
            found |= {f"{ours}.conv": f"{theirs}.conv", f"{ours}.norm": f"{theirs}.layer_norm"}
        for n in range(settings["layers"]):
            found |= {f"{body}.blocks.{n}.{ours}": f"encoder.layers.{n}.{theirs}" for ours, theirs in _BLOCK.items()}
        return found

    def loosen(self, tensors: Tensors, backbone: Backbone, told: Mapping[str, Any]) -> Tensors:
        for lengths, directions in NORMED:
            pair = [tensors.get(f"{POSITIONS}.{name}") for name in (lengths, directions)]
            weight = _weight(*pair)
            if weight is not None:
                kept = {
                    name: t
                    for name, t in tensors.items()
                    if name not in (f"{POSITIONS}.{lengths}", f"{POSITIONS}.{directions}")
                }
                return {**kept, f"{POSITIONS}.weight": weight}
        return tensors


_YES = {True: True, False: False}


def _weight(lengths: Tensor | None, directions: Tensor | None) -> Tensor | None:
    """`(1, 1, K)` and `(C, G, K)` -> `(C, G, K)`: at each place of the window directions of one length (Salimans & Kingma 2016); None where the shapes are
    others."""
    if lengths is None or directions is None or directions.ndim != 3 or lengths.shape != (1, 1, directions.shape[2]):
        return None
    return lengths * directions / torch.linalg.vector_norm(directions, dim=(0, 1), keepdim=True)
