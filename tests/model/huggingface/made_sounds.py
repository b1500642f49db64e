"""Tiny encoders over speech, of each family, and the folders that they become: as `transformers` writes them, tensor by tensor."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from zhuji.core.contracts import Backbone
from zhuji.core.units import Features
from zhuji.modalities.speech import Speech
from zhuji.model.assembly import assemble
from zhuji.model.huggingface.encoders import names_of
from zhuji.model.huggingface.family import translated
from zhuji.model.huggingface.options import Options
from zhuji.model.huggingface.sound_family import ENCODER
from zhuji.model.huggingface.sounds import FAMILIES
from zhuji.tasks.contrast import Contrast

CONFIGS: dict[str, dict[str, Any]] = {
    "wav2vec2": {
        "conv_dim": [4, 6], "conv_kernel": [10, 4], "conv_stride": [5, 2], "num_conv_pos_embeddings": 4,
        "num_conv_pos_embedding_groups": 2, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 12,
        "architectures": ["Wav2Vec2Model"],
    },
    "whisper": {
        "d_model": 8, "encoder_layers": 2, "encoder_attention_heads": 2, "encoder_ffn_dim": 12, "num_mel_bins": 6,
        "max_source_positions": 50, "architectures": ["WhisperEncoder"],
    },
}  # fmt: skip
EXTRACTORS: dict[str, dict[str, Any]] = {
    "wav2vec2": {
        "feature_extractor_type": "Wav2Vec2FeatureExtractor", "do_normalize": True, "feature_size": 1, "sampling_rate": 8_000,
        "padding_value": 0.0, "return_attention_mask": True,
    },
    "whisper": {
        "feature_extractor_type": "WhisperFeatureExtractor", "feature_size": 6, "sampling_rate": 16_000, "hop_length": 160, "n_fft": 400,
        "chunk_length": 1, "padding_value": 0.0, "dither": 0.0,
    },
}  # fmt: skip


def backbone(kind: str, **changes: Any) -> Backbone:
    family = next(family for family in FAMILIES if kind in family.types)
    return family.read(Options({**CONFIGS[kind], **changes}, Path("config.json")))[0]


def weights(kind: str, body: Backbone) -> dict[str, torch.Tensor]:
    """Random, by their names; positions of wav2vec 2.0 as one tensor."""
    family = next(family for family in FAMILIES if kind in family.types)
    names = names_of(family, body, ENCODER)
    chance = torch.Generator().manual_seed(0)
    state = assemble(
        Speech(features="raw" if kind == "wav2vec2" else "whisper", bands=6), body, Contrast(views="crop")
    ).state_dict()
    found = {translated(name, names): torch.randn(tensor.shape, generator=chance) * 0.3 for name, tensor in state.items()}
    return {name: tensor for name, tensor in found.items() if name is not None}


def folder(path: Path, kind: str, **changes: Any) -> Path:
    path.mkdir()
    (path / "config.json").write_text(json.dumps({"model_type": kind, **CONFIGS[kind], **changes}))
    (path / "preprocessor_config.json").write_text(json.dumps(EXTRACTORS[kind]))
    safetensors.torch.save_file(weights(kind, backbone(kind, **changes)), path / "model.safetensors")
    return path


def states(body: torch.nn.Module, values: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return body(Features(values, torch.ones(values.shape[:2], dtype=torch.bool))).states
