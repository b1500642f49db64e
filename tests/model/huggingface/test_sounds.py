"""Folders of encoders over speech: which they are, and what they become."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.model.huggingface.made_sounds import EXTRACTORS, folder
from zhuji.core.errors import UnreadableModel, UnwritableModel
from zhuji.core.records import Sound
from zhuji.data.sounds import as_wav
from zhuji.model.huggingface import files, looks_like, read, sounds, write


@pytest.mark.parametrize("kind", ["wav2vec2", "whisper"])
def test_a_folder_is_an_encoder_over_speech(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("soundfile")
    path = folder(tmp_path / "there", kind)
    assert looks_like(path)
    found = read(path)
    assert found.roles.sound == "sound" and not found.roles.text and not found.model.training
    (answer,) = found.predict([Sound(data=as_wav(0.1 * np.random.default_rng(0).standard_normal(4_000), 16_000))])
    assert len(answer.answer) == 8 and np.isclose(np.linalg.norm(answer.answer), 1)


def test_other_folders_are_left_to_others(tmp_path: Path) -> None:
    assert sounds.read(tmp_path) is None
    (tmp_path / files.CONFIG).write_text(json.dumps({"model_type": "bert"}))
    assert sounds.read(tmp_path) is None


def test_settings_of_a_processor_and_none_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder(tmp_path / "there", "wav2vec2")
    (path / sounds.EXTRACTOR).unlink()
    told = {"processor_class": "Wav2Vec2Processor", "feature_extractor": {**EXTRACTORS["wav2vec2"], "do_normalize": False}}
    (path / sounds.PROCESSOR).write_text(json.dumps(told))
    assert read(path).model.modality.plain()["level"] is False
    assert not capsys.readouterr().err
    (path / sounds.PROCESSOR).unlink()
    plain = read(path).model.modality.plain()
    assert plain["level"] is True and plain["rate"] == 16_000
    assert sounds.EXTRACTOR in capsys.readouterr().err


def test_it_is_read_and_not_written(tmp_path: Path) -> None:
    with pytest.raises(UnwritableModel, match="wav2vec2"):
        write(read(folder(tmp_path / "there", "wav2vec2")).model, tmp_path / "back")


def test_weights_that_are_pickled_are_refused(tmp_path: Path) -> None:
    path = folder(tmp_path / "there", "whisper")
    (path / files.WEIGHTS).rename(path / "pytorch_model.bin")
    with pytest.raises(UnreadableModel, match="run code"):
        read(path)
