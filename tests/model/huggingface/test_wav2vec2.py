"""Settings and tensors of wav2vec 2.0. States are compared in tests/parity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.model.huggingface.made import reconfigure, retensor
from tests.model.huggingface.made_sounds import folder, states
from zhuji.core.errors import BundleError, DamagedBundle
from zhuji.model.huggingface import read
from zhuji.model.huggingface.wav2vec2 import POSITIONS, Wav2vec2


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, {"norm_place": "post", "conv_norm": "group", "conv_bias": False}),
        ({"do_stable_layer_norm": True, "feat_extract_norm": "layer", "conv_bias": True}, {"norm_place": "pre", "conv_norm": "layer", "conv_bias": True}),
    ],
)  # fmt: skip
def test_settings_are_ours(said: dict[str, Any], expected: dict[str, Any], tmp_path: Path) -> None:
    found = read(folder(tmp_path / "there", "wav2vec2", **said)).model
    assert expected.items() <= found.backbone.plain().items() and found.backbone.plain()["conv_windows"] == [10, 4]
    assert found.modality.plain()["features"] == "raw" and found.modality.plain()["rate"] == 8_000


def test_a_weight_of_lengths_and_directions_is_torchs(tmp_path: Path) -> None:
    torch.manual_seed(0)
    conv = torch.nn.utils.parametrizations.weight_norm(torch.nn.Conv1d(8, 8, 4, padding=2, groups=2), dim=2)
    with torch.no_grad():
        conv.parametrizations.weight.original0.mul_(1.7)
    stored = {f"{POSITIONS}.{name}": tensor for name, tensor in conv.state_dict().items()}
    path = folder(tmp_path / "there", "wav2vec2")
    retensor(
        path, **{f"{POSITIONS}.weight".replace(".", "__"): None}, **{name.replace(".", "__"): t for name, t in stored.items()}
    )
    places = read(path).model.encoder.body.places.conv
    torch.testing.assert_close(places.weight, conv.weight)
    old = {f"{POSITIONS}.weight_g": stored[f"{POSITIONS}.parametrizations.weight.original0"],
           f"{POSITIONS}.weight_v": stored[f"{POSITIONS}.parametrizations.weight.original1"]}  # fmt: skip
    loose = Wav2vec2().loosen(old, read(path).model.backbone, {})
    torch.testing.assert_close(loose[f"{POSITIONS}.weight"], conv.weight)
    assert set(loose) == {f"{POSITIONS}.weight"}


@pytest.mark.parametrize(
    "changes",
    [
        {"add_adapter": True}, {"adapter_attn_dim": 16}, {"feat_extract_activation": "relu"}, {"feat_extract_norm": "batch"}, {"hidden_act": "selu"},
        {"conv_dim": [4]}, {"conv_dim": "4"}, {"conv_kernel": [10, 0]}, {"num_attention_heads": 3}, {"num_conv_pos_embedding_groups": 3},
        {"do_stable_layer_norm": 7}, {"num_hidden_layers": 1 << 20}, {"hidden_size": 16}, {"architectures": ["Wav2Vec2ForXVector"]},
        {"architectures": ["Wav2Vec2ForSequenceClassification"]}, {"conv_bias": True}, {"feat_extract_norm": "layer"},
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(changes: dict[str, Any], tmp_path: Path) -> None:
    path = folder(tmp_path / "there", "wav2vec2")
    reconfigure(path, **changes)
    with pytest.raises(BundleError):
        read(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"feature_size": 2}, {"do_normalize": "no"}, {"sampling_rate": 0}, {"sampling_rate": 500}, {"padding_value": 1.0},
        {"feature_extractor_type": "WhisperFeatureExtractor"},
    ],
)  # fmt: skip
def test_what_hears_otherwise_is_refused(changes: dict[str, Any], tmp_path: Path) -> None:
    path = folder(tmp_path / "there", "wav2vec2")
    reconfigure(path, "preprocessor_config.json", **changes)
    with pytest.raises(BundleError):
        read(path)


@pytest.mark.parametrize(
    "changes",
    [
        {"encoder__pos_conv_embed__conv__weight": None},
        {"encoder__pos_conv_embed__conv__weight": None, "encoder__pos_conv_embed__conv__weight_g": torch.ones(8, 1, 1),
         "encoder__pos_conv_embed__conv__weight_v": torch.ones(8, 4, 4)},
        {"feature_projection__projection__weight": torch.zeros(8, 5)}, {"encoder__layers__0__attention__q_proj__bias": None},
    ],
)  # fmt: skip
def test_tensors_that_do_not_fit_are_refused(changes: dict[str, Any], tmp_path: Path) -> None:
    path = folder(tmp_path / "there", "wav2vec2")
    retensor(path, **changes)
    with pytest.raises(DamagedBundle):
        read(path)


def test_what_stands_on_the_encoder_is_left_out(tmp_path: Path) -> None:
    path = folder(tmp_path / "there", "wav2vec2")
    alone = read(path).model.encoder.body
    stored = load_file(path / "model.safetensors")
    renamed = {name.replace(".", "__"): None for name in stored}
    retensor(path, **renamed, **{f"wav2vec2.{name}".replace(".", "__"): tensor for name, tensor in stored.items()},
             lm_head__weight=torch.ones(3, 8), lm_head__bias=torch.ones(3), wav2vec2__masked_spec_embed=torch.ones(8))  # fmt: skip
    reconfigure(path, architectures=["Wav2Vec2ForCTC"])
    samples = torch.randn(1, 90, 1)
    assert torch.equal(states(read(path).model.encoder.body, samples), states(alone, samples))
