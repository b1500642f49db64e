"""Settings and tensors of Whisper's encoder. States are compared in tests/parity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.model.huggingface.made import reconfigure, retensor
from tests.model.huggingface.made_sounds import folder, states
from zhuji.core.errors import BundleError, DamagedBundle, UnreadableModel
from zhuji.model.huggingface import read


def test_settings_are_ours(tmp_path: Path) -> None:
    found = read(folder(tmp_path / "there", "whisper")).model
    speech = found.modality.plain()
    assert (speech["features"], speech["bands"], speech["high"], speech["longest"]) == ("whisper", 6, 8_000, 1.0)
    assert found.modality.span == 400 and found.modality.step == 160 and found.backbone.plain()["max_positions"] == 50


def test_its_own_table_of_positions_is_kept(tmp_path: Path) -> None:
    path = folder(tmp_path / "there", "whisper")
    stored = load_file(path / "model.safetensors")["embed_positions.weight"]
    assert torch.equal(read(path).model.encoder.body.places, stored)


@pytest.mark.parametrize(
    ("architecture", "prefix"), [("WhisperModel", "encoder."), ("WhisperForConditionalGeneration", "model.encoder.")]
)
def test_the_decoder_is_left_out(architecture: str, prefix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder(tmp_path / "there", "whisper")
    alone = read(path).model.encoder.body
    assert "left out" not in capsys.readouterr().err
    stored = load_file(path / "model.safetensors")
    renamed = {name.replace(".", "__"): None for name in stored}
    retensor(path, **renamed, **{f"{prefix}{name}".replace(".", "__"): tensor for name, tensor in stored.items()},
             **{f"{prefix}".replace("encoder.", "decoder.").replace(".", "__") + "layers__0__fc1__weight": torch.ones(3, 8)})  # fmt: skip
    reconfigure(path, architectures=[architecture])
    frames = torch.randn(1, 21, 6)
    assert torch.equal(states(read(path).model.encoder.body, frames), states(alone, frames))
    assert architecture in capsys.readouterr().err


@pytest.mark.parametrize(
    "changes",
    [
        {"activation_function": "selu"}, {"encoder_attention_heads": 3}, {"d_model": 0}, {"d_model": 16}, {"encoder_layers": 1 << 20},
        {"num_mel_bins": 7}, {"max_source_positions": 100}, {"architectures": ["WhisperForAudioClassification"]}, {"architectures": ["WhisperForCausalLM"]},
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(changes: dict[str, Any], tmp_path: Path) -> None:
    path = folder(tmp_path / "there", "whisper")
    reconfigure(path, **changes)
    with pytest.raises(BundleError):
        read(path)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"feature_size": 80}, "feature_size"), ({"chunk_length": 30}, "chunk_length"), ({"chunk_length": "1"}, "chunk_length"), ({"dither": 0.1}, "dither"),
        ({"n_fft": 0}, "n_fft"), ({"sampling_rate": 8_000, "hop_length": 80}, "high"), ({"feature_extractor_type": "SeamlessM4TFeatureExtractor"}, "type"),
    ],
)  # fmt: skip
def test_what_hears_otherwise_is_refused(changes: dict[str, Any], named: str, tmp_path: Path) -> None:
    path = folder(tmp_path / "there", "whisper")
    reconfigure(path, "preprocessor_config.json", **changes)
    with pytest.raises(UnreadableModel, match=named):
        read(path)


@pytest.mark.parametrize("changes", [{"conv1__weight": None}, {"embed_positions__weight": torch.zeros(49, 8)}])
def test_tensors_that_do_not_fit_are_refused(changes: dict[str, Any], tmp_path: Path) -> None:
    path = folder(tmp_path / "there", "whisper")
    retensor(path, **changes)
    with pytest.raises(DamagedBundle):
        read(path)
