"""An encoder in a folder as a model: what is let go, what must fit, what may not be built."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.model.huggingface.made import retensor
from tests.model.huggingface.made_sounds import folder
from zhuji.core.errors import DamagedBundle, UnreadableModel
from zhuji.modalities.speech import Speech
from zhuji.model.huggingface import files
from zhuji.model.huggingface.encoders import Found, filled, names_of
from zhuji.model.huggingface.options import Options
from zhuji.model.huggingface.sound_family import ENCODER
from zhuji.model.huggingface.whisper import Whisper
from zhuji.tasks.contrast import Contrast

SPEECH, TASK = Speech(features="whisper", bands=6), Contrast(views="crop")


def found(path: Path) -> Found:
    return Found(path, Options(files.read_config(path), path / files.CONFIG), Whisper(), "WhisperEncoder")


def test_weights_lie_where_they_belong(tmp_path: Path) -> None:
    there = found(folder(tmp_path / "there", "whisper"))
    body, _ = there.family.read(there.options)
    model = filled(there, SPEECH, body, TASK)
    stored = dict(files.tensors(there.folder, files.WEIGHTS))
    assert torch.equal(model.encoder.body.first.conv.weight, stored["conv1.weight"]) and not model.training
    assert {name.rpartition(".")[0] or name for name in stored} <= {
        *names_of(there.family, body, ENCODER).values(),
        "embed_positions",
    }


def test_a_tensor_without_a_place_is_refused_and_one_that_is_let_go_is_not(tmp_path: Path) -> None:
    there = found(folder(tmp_path / "there", "whisper"))
    body, _ = there.family.read(there.options)
    retensor(there.folder, decoder__layers__0__fc1__weight=torch.ones(2))
    filled(there, SPEECH, body, TASK)
    retensor(there.folder, layers__9__fc1__weight=torch.ones(2))
    with pytest.raises(UnreadableModel, match=r"layers\.9\.fc1"):
        filled(there, SPEECH, body, TASK)


def test_more_blocks_than_tensors_are_not_built(tmp_path: Path) -> None:
    there = found(folder(tmp_path / "there", "whisper"))
    body, _ = there.family.read(Options({**there.options.data, "encoder_layers": 1 << 20}, there.options.path))
    with pytest.raises(DamagedBundle, match="blocks"):
        filled(there, SPEECH, body, TASK)
