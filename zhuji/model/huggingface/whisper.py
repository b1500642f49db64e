"""The encoder of Whisper (Radford et al. 2023), as `transformers` has it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from zhuji.backbones.whisper import Whisper as Body
from zhuji.core.contracts import Backbone
from zhuji.model.huggingface.encoders import Names
from zhuji.model.huggingface.family import GELU, Head, Tensors
from zhuji.model.huggingface.options import Options
from zhuji.model.huggingface.sound_family import ENCODER, SoundFamily, body_of

_TOP = 8_000
"""Hertz where their highest band ends, whatever the rate."""
_FRAMES_OF_A_STATE = 2
_BLOCK = {
    "attention.query": "self_attn.q_proj", "attention.key": "self_attn.k_proj", "attention.value": "self_attn.v_proj",
    "attention.out": "self_attn.out_proj", "attention_norm": "self_attn_layer_norm", "feedforward.rise": "fc1", "feedforward.fall": "fc2",
    "feedforward_norm": "final_layer_norm",
}  # fmt: skip
_IDLE = (
    "activation_dropout", "apply_spec_augment", "classifier_proj_size", "decoder_attention_heads", "decoder_ffn_dim", "decoder_layerdrop",
    "decoder_layers", "decoder_start_token_id", "encoder_layerdrop", "init_std", "is_encoder_decoder", "mask_feature_length",
    "mask_feature_min_masks", "mask_feature_prob", "mask_time_length", "mask_time_min_masks", "mask_time_prob", "max_target_positions",
    "median_filter_width", "num_hidden_layers", "scale_embedding", "tie_word_embeddings", "use_weighted_layer_sum", "vocab_size",
)  # fmt: skip
"""Keys of training and of the decoder; the encoder scales nothing."""


class Whisper(SoundFamily):
    """A sound is not filled up to their 30 seconds here: `backbones.whisper` says what is equal. The decoder is left out."""

    types = ("whisper",)
    prefix = "model."
    pool = "mean"
    heads: ClassVar[Mapping[str, Head]] = dict.fromkeys(
        ("WhisperForConditionalGeneration", "WhisperModel", "WhisperEncoder"), ENCODER
    )
    bare = ("WhisperEncoder",)
    extractor = "WhisperFeatureExtractor"
    ignored = (r"decoder\..*", r"proj_out\..*")

    def read(self, options: Options) -> tuple[Backbone, dict[str, Any]]:
        for key in _IDLE:
            options.get(key)
        settings = {
            "bands": options.count("num_mel_bins", 80), "width": options.count("d_model", 384), "layers": options.count("encoder_layers", 4),
            "heads": options.count("encoder_attention_heads", 6), "hidden": options.count("encoder_ffn_dim", 1536),
            "feedforward": options.one_of("activation_function", GELU, "gelu"),
            "max_positions": options.count("max_source_positions", 1500), "dropout": options.real("dropout", 0.0),
        }  # fmt: skip
        return body_of(options, Body, settings), {}

    def heard(self, options: Options, backbone: Backbone) -> dict[str, Any]:
        """Sounds are read for as long as there are positions."""
        settings = backbone.plain()
        rate, hop, points = (
            options.count("sampling_rate", 16_000),
            options.count("hop_length", 160),
            options.count("n_fft", 400),
        )
        bands, whole = settings["bands"], settings["max_positions"] * _FRAMES_OF_A_STATE * hop
        options.only("feature_size", bands, default=bands)
        options.only("dither", 0.0, 0, default=0.0)
        options.only("padding_value", 0.0, 0, default=0.0)
        seconds = options.real("chunk_length", whole / rate)
        if seconds * rate != whole:
            raise options.refuse(
                "chunk_length",
                f"must be {whole / rate:g}: so many seconds have positions in config.json",
                f"必须为 {whole / rate:g}：config.json 中的位置对应这么多秒",
                seconds,
            )
        return {
            "features": "whisper", "rate": rate, "window": points / rate, "hop": hop / rate, "bands": bands, "high": _TOP,
            "longest": whole / rate,
        }  # fmt: skip

    def names(self, backbone: Backbone) -> Names:
        body = "encoder.body"
        found = {
            f"{body}.first.conv": "conv1", f"{body}.second.conv": "conv2", f"{body}.places": "embed_positions.weight",
            f"{body}.norm": "layer_norm",
        }  # fmt: skip
        for n in range(backbone.plain()["layers"]):
            found |= {f"{body}.blocks.{n}.{ours}": f"layers.{n}.{theirs}" for ours, theirs in _BLOCK.items()}
        return found

    def loosen(self, tensors: Tensors, backbone: Backbone, told: Mapping[str, Any]) -> Tensors:
        """A bare encoder is called nothing, one with a decoder beside it `encoder`."""
        return {name.removeprefix("encoder."): tensor for name, tensor in tensors.items()}
