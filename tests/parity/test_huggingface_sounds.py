"""wav2vec 2.0 and Whisper's encoder of `transformers` give the same states here, of the same sounds heard by their own feature extractors: fp32.

Tolerance: 1e-4 of the largest state; the worst seen is 1.2e-6.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.parity.huggingface_folders import close, quiet, transformers
from zhuji.core.records import Sound
from zhuji.data.sounds import as_wav
from zhuji.modalities.speech import Speech
from zhuji.model.bundle import open_bundle
from zhuji.model.huggingface import looks_like, read
from zhuji.model.predictor import Predictor
from zhuji.tools.convert import convert

pytestmark = pytest.mark.filterwarnings("ignore")
pytest.importorskip("soundfile")

RATE = 16_000
CONVOLUTIONS = {"conv_dim": [8, 12, 10], "conv_kernel": [10, 3, 2], "conv_stride": [5, 2, 2]}
WAV2VEC2 = {
    **CONVOLUTIONS, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 24,
    "num_conv_pos_embeddings": 6, "num_conv_pos_embedding_groups": 2, "layer_norm_eps": 1e-4, "vocab_size": 12,
}  # fmt: skip
KINDS: dict[str, dict[str, Any]] = {
    "base": {},
    "large": {"do_stable_layer_norm": True, "feat_extract_norm": "layer", "conv_bias": True},
    "post-layer": {"feat_extract_norm": "layer", "num_conv_pos_embeddings": 5},
    "pre-group": {"do_stable_layer_norm": True, "hidden_act": "relu"},
}
SECONDS = 1
WHISPER = {
    "d_model": 16, "encoder_layers": 2, "encoder_attention_heads": 4, "encoder_ffn_dim": 24, "decoder_layers": 1,
    "decoder_attention_heads": 2, "decoder_ffn_dim": 8, "num_mel_bins": 12, "max_source_positions": 50 * SECONDS, "vocab_size": 30,
    "pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 0, "decoder_start_token_id": 0,
}  # fmt: skip


def heard(*lengths: int) -> list[np.ndarray]:
    """Sounds of so many samples, with silence in them, as they come out of a file of 16 bits."""
    random = np.random.default_rng(0)
    found: list[np.ndarray] = []
    for length in lengths:
        samples = 0.1 * random.standard_normal(length) * np.abs(np.sin(np.linspace(0, 7, length))) + 0.02
        samples[length // 2 : length // 2 + 50] = 0
        found.append(np.rint(samples * 32_767).astype(np.float32) / 32_768)
    return found


def saved(architecture: str, kind: str, changes: dict[str, Any], folder: Path) -> Any:
    """Weights are larger than the usual ones, so that no mistake stays small."""
    with quiet():
        torch.manual_seed(0)
        config = transformers.AutoConfig.for_model(kind, **changes)
        cls = getattr(transformers, architecture, None) or getattr(transformers.models.whisper.modeling_whisper, architecture)
        model = cls(config).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.copy_(torch.randn_like(parameter) * 0.25 + (parameter == 1))
        model.save_pretrained(folder)
        extractor(kind, config).save_pretrained(folder)
    return model


def extractor(kind: str, config: Any) -> Any:
    if kind == "whisper":
        return transformers.WhisperFeatureExtractor(feature_size=config.num_mel_bins, chunk_length=SECONDS)
    return transformers.Wav2Vec2FeatureExtractor(return_attention_mask=config.feat_extract_norm == "layer")


def ours(predictor: Predictor, sounds: list[np.ndarray], alone: bool = False) -> list[np.ndarray]:
    """States of each sound, in one padded batch."""
    model = predictor.model
    rows = model.modality.encode([Sound(data=as_wav(samples, RATE)) for samples in sounds])
    if alone:
        return [state for samples in sounds for state in ours(predictor, [samples])]
    with torch.no_grad():
        features = model.encoder(model.modality.collate(rows, (max(row.length for row in rows),)))
    return [states[real].numpy() for states, real in zip(features.states, features.mask, strict=True)]


def of_wav2vec2(model: Any, folder: Path, sounds: list[np.ndarray]) -> list[np.ndarray]:
    """In one batch with a mask of attention."""
    with quiet():
        hears = transformers.AutoFeatureExtractor.from_pretrained(folder)
    given = hears(sounds, sampling_rate=RATE, padding=True, return_attention_mask=True, return_tensors="pt")
    body = getattr(model, "wav2vec2", model)
    with torch.no_grad():
        states = body(given["input_values"], attention_mask=given["attention_mask"]).last_hidden_state.numpy()
    lengths = body._get_feat_extract_output_lengths(given["attention_mask"].sum(1)).tolist()
    return [row[:length] for row, length in zip(states, lengths, strict=True)]


def of_whisper(model: Any, folder: Path, sounds: list[np.ndarray]) -> list[np.ndarray]:
    with quiet():
        hears = transformers.AutoFeatureExtractor.from_pretrained(folder)
    given = hears(sounds, sampling_rate=RATE, return_tensors="pt")["input_features"]
    encoder = getattr(getattr(model, "model", model), "encoder", model)
    with torch.no_grad():
        return list(encoder(given).last_hidden_state.numpy())


@pytest.mark.parametrize("bands", [80, 128])
def test_whispers_frames_are_its_extractors(bands: int) -> None:
    """Of sounds filled up to 30 seconds there, the frames that a sound reaches into. Tolerance: sums of floats; the worst seen is 3e-7."""
    hears, speech = transformers.WhisperFeatureExtractor(feature_size=bands), Speech(features="whisper", bands=bands)
    for samples in heard(1, 159, 160, 161, 16_077, 479_900, 480_000):
        theirs = hears(samples, sampling_rate=RATE, return_attention_mask=True, return_tensors="pt")
        row = speech.encoded(samples)
        assert row.length == theirs["attention_mask"].sum()
        values = speech.collate([row], (row.length,)).values
        torch.testing.assert_close(values, theirs["input_features"].mT[:, : row.length], rtol=0, atol=1e-4)


@pytest.mark.parametrize("level", [True, False])
def test_raw_samples_are_their_extractors(level: bool) -> None:
    hears, speech = transformers.Wav2Vec2FeatureExtractor(do_normalize=level), Speech(features="raw", level=level)
    sounds = heard(4_000, 45, 1_237)
    theirs = hears(sounds, sampling_rate=RATE, padding=True, return_attention_mask=True, return_tensors="pt")
    units = speech.collate([speech.encoded(samples) for samples in sounds], (4_000,))
    assert units.values is not None and torch.equal(units.mask, theirs["attention_mask"].bool())
    torch.testing.assert_close(units.values[..., 0], theirs["input_values"], rtol=0, atol=1e-4)


UNEQUAL = heard(4_000, 45, 1_237, 2_999, 400)


@pytest.mark.parametrize("kind", ["large", "post-layer"])
def test_wav2vec2_in_a_padded_batch(kind: str, tmp_path: Path) -> None:
    there = saved("Wav2Vec2Model", "wav2vec2", {**WAV2VEC2, **KINDS[kind]}, tmp_path)
    expected = of_wav2vec2(there, tmp_path, UNEQUAL)
    assert looks_like(tmp_path)
    found = read(tmp_path)
    close(ours(found, UNEQUAL), expected)
    close(ours(found, UNEQUAL, alone=True), expected)


@pytest.mark.parametrize("kind", ["base", "pre-group"])
def test_a_norm_over_a_row_counts_no_padding_here(kind: str, tmp_path: Path) -> None:
    """Theirs does where rows share a batch: its states of a short row are then others than by itself. Ours are the same either way."""
    there = saved("Wav2Vec2Model", "wav2vec2", {**WAV2VEC2, **KINDS[kind]}, tmp_path)
    alone = [of_wav2vec2(there, tmp_path, [samples])[0] for samples in UNEQUAL]
    found = read(tmp_path)
    close(ours(found, UNEQUAL), alone)
    together = of_wav2vec2(there, tmp_path, UNEQUAL)
    close(together[:1], alone[:1])
    with pytest.raises(AssertionError):
        close(together[1:], alone[1:])


@pytest.mark.parametrize("architecture", ["Wav2Vec2ForCTC", "Wav2Vec2ForPreTraining"])
@pytest.mark.parametrize("spelling", ["old", "new"])
def test_whatever_stands_on_wav2vec2_and_however_its_positions_are_spelt(
    architecture: str, spelling: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = saved(architecture, "wav2vec2", {**WAV2VEC2, **KINDS["large"]}, tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    names = {"parametrizations.weight.original0": "weight_g", "parametrizations.weight.original1": "weight_v"}
    for new, old in names.items():
        (found,) = [name for name in weights if name.endswith((new, old))]
        stem = found.removesuffix(new).removesuffix(old)
        weights[stem + (new if spelling == "new" else old)] = weights.pop(found)
    save_file(weights, tmp_path / "model.safetensors")
    close(ours(read(tmp_path), UNEQUAL), of_wav2vec2(there, tmp_path, UNEQUAL))
    assert architecture in capsys.readouterr().err


def test_sounds_that_are_not_levelled(tmp_path: Path) -> None:
    there = saved("Wav2Vec2Model", "wav2vec2", {**WAV2VEC2, **KINDS["large"]}, tmp_path)
    transformers.Wav2Vec2FeatureExtractor(do_normalize=False, return_attention_mask=True).save_pretrained(tmp_path)
    close(ours(read(tmp_path), UNEQUAL), of_wav2vec2(there, tmp_path, UNEQUAL))


WHISPERS = ["WhisperForConditionalGeneration", "WhisperModel", "WhisperEncoder"]


@pytest.mark.parametrize("architecture", WHISPERS)
def test_whisper_of_sounds_of_full_length(architecture: str, tmp_path: Path) -> None:
    """What is longer is cut by both."""
    there = saved(architecture, "whisper", WHISPER, tmp_path)
    sounds = heard(SECONDS * RATE, SECONDS * RATE + 500, SECONDS * RATE - 100)
    close(ours(read(tmp_path), sounds), of_whisper(there, tmp_path, sounds))


def test_whisper_of_shorter_sounds_is_filled_up_there_alone(tmp_path: Path) -> None:
    """With the silence that theirs fills them up with, ours gives the same states; without it as many as the sound has, which see nothing else."""
    there = saved("WhisperModel", "whisper", WHISPER, tmp_path)
    sounds = heard(9_000, 3_333)
    full = [np.pad(samples, (0, SECONDS * RATE - len(samples))) for samples in sounds]
    expected = of_whisper(there, tmp_path, sounds)
    found = read(tmp_path)
    close(ours(found, full), expected)
    short = ours(found, sounds)
    assert [len(row) for row in short] == [29, 11]
    close(ours(found, sounds, alone=True), short)
    with pytest.raises(AssertionError):
        close(short, [row[: len(mine)] for row, mine in zip(expected, short, strict=True)])


@pytest.mark.parametrize("case", [("Wav2Vec2Model", "wav2vec2", WAV2VEC2), ("WhisperModel", "whisper", WHISPER)])
def test_a_bundle_of_it_answers_as_it_does(case: tuple[str, str, dict[str, Any]], tmp_path: Path) -> None:
    saved(*case, tmp_path / "there")
    sounds = [Sound(data=as_wav(samples, RATE)) for samples in UNEQUAL[:3]]
    answers = [one.answer for one in read(tmp_path / "there").predict(sounds)]
    assert convert(tmp_path / "there", tmp_path / "bundle").wrote == "bundle"
    assert [one.answer for one in open_bundle(tmp_path / "bundle").predict(sounds)] == answers
