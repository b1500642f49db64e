"""Models over sounds in formats that hold a network: for any number of rows, of any length."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import torch

from tests.heard import RATE, coded, tone
from zhuji.backbones.recurrent import Recurrent
from zhuji.backbones.transformer import Transformer
from zhuji.backbones.wav2vec2 import Wav2vec2
from zhuji.backbones.whisper import Whisper
from zhuji.core.contracts import Backbone
from zhuji.core.records import Record, Sound
from zhuji.formats import find, open_model
from zhuji.modalities.speech import Speech
from zhuji.model.assembly import assemble
from zhuji.model.golden import told
from zhuji.model.parity import EXACT, hop
from zhuji.model.predictor import Predictor
from zhuji.tasks.classify import Classify

pytest.importorskip("soundfile")
SMALL = {"rate": RATE, "bands": 8}
MODELS: dict[str, tuple[Speech, Backbone]] = {
    "gru": (Speech(**SMALL, trim=40, loudness=-20), Recurrent(cell="gru", width=6, hidden=5, layers=1, directions=2)),
    "whisper": (
        Speech(**SMALL, features="whisper", longest=0.6),
        Whisper(bands=8, width=8, layers=1, heads=2, max_positions=40, feedforward="relu"),
    ),
    "wav2vec2": (
        Speech(**SMALL, features="raw"),
        Wav2vec2(
            conv_channels=(4, 6),
            conv_windows=(40, 4),
            conv_strides=(20, 2),
            position_window=4,
            position_groups=2,
            width=8,
            layers=1,
            heads=2,
        ),
    ),
    "cepstra": (Speech(**SMALL, features="mfcc", coefficients=5, scale="htk"), Transformer(width=8, layers=1, heads=2)),
}


def given(folder: Path) -> list[Sound]:
    found: list[Sound] = []
    for number, (hertz, seconds, rate) in enumerate(
        ((300, 0.3, RATE), (900, 0.5, 16_000), (1_500, 0.7, RATE), (500, 0.03, 11_025))
    ):
        path = folder / f"{number}.{'flac' if number % 2 else 'wav'}"
        path.write_bytes(coded(tone(hertz, seconds, rate), rate, format="FLAC" if number % 2 else "WAV"))
        found.append(Sound(str(path)))
    return found


@cache
def predictor(name: str, folder: Path) -> Predictor:
    """A model that prefers some classes, with golden rows."""
    speech, backbone = MODELS[name]
    sounds = given(folder)
    task = Classify().fit([Record(str(n), one, label="abc"[n % 3]) for n, one in enumerate(sounds)])
    made = Predictor(assemble(speech.fit(sounds), backbone, task, seed=3))
    chance = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for tensor in filter(torch.is_floating_point, (*made.model.head.parameters(), *made.model.buffers())):
            tensor.add_(torch.rand(tensor.shape, generator=chance))
    made.golden = told(made, sounds)
    return made


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sounds")


def holds(name: str, format: str, shared: Path, folder: Path) -> None:
    """It answers as the model does, all rows at once and one by one."""
    made = predictor(name, shared)
    find(format).write(made, folder)
    opened = open_model(folder)
    assert hop(format, made.golden, opened.predict, EXACT).passed
    assert hop(format, made.golden, lambda raws: [next(opened.predict([raw])) for raw in raws], EXACT).passed


def answers_by_itself(name: str, shared: Path, folder: Path) -> None:
    """`client.py` of what `holds` has written there as ONNX."""
    made, paths = predictor(name, shared), [sound.path for sound in given(shared)]
    done = subprocess.run([sys.executable, "-P", str(folder / "client.py"), *paths], capture_output=True, text=True,
                          cwd=shared, env={"PATH": "/usr/bin", "PYTHONUTF8": "1"}, check=False)  # fmt: skip
    assert not done.returncode, done.stderr
    for line, expected in zip(done.stdout.splitlines(), made.predict(given(shared)), strict=True):
        # Its spectra are sums of doubles, ours of floats.
        assert json.loads(line)["scores"] == pytest.approx(expected.scores, abs=1e-4)


@pytest.mark.parametrize(
    "name", ["gru", pytest.param("whisper", marks=pytest.mark.slow), pytest.param("wav2vec2", marks=pytest.mark.slow)]
)
def test_an_exported_network_and_its_client_answer_as_the_model_does(name: str, shared: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    holds(name, "onnx", shared, tmp_path / "there")
    answers_by_itself(name, shared, tmp_path / "there")


def test_safetensors_hold_it_with_what_was_measured(shared: Path, tmp_path: Path) -> None:
    made = predictor("gru", shared)
    find("safetensors").write(made, tmp_path / "out")
    opened = open_model(tmp_path / "out")
    assert opened.model.modality == made.model.modality and dict(opened.model.modality.files()) == dict(
        made.model.modality.files()
    )
