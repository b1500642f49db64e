from pathlib import Path

import pytest

import zhuji
from tests import sounder, trained
from tests.cli.test_listening import listener
from tests.heard import tone, written
from tests.model.test_streaming import RATE, cut, noise
from tests.tools.test_enhance import cleaner
from zhuji.core.errors import BadSetting, ImpossiblePair, UnknownKey


def test_a_stream_is_heard_while_it_comes() -> None:
    model, sound = listener()
    parts = zhuji.transcribe(model, cut(noise(6.0), 800), rate=RATE, chunk=1, left=0.3, right=0.3)
    assert [part.last for part in parts] == [False] * 5 + [True]
    assert zhuji.transcribe(model, sound).whole().text


def test_only_a_model_that_transcribes_listens() -> None:
    model, sound = listener()
    with pytest.raises(ImpossiblePair):
        zhuji.transcribe(trained.run(), sound)
    with pytest.raises(BadSetting):
        zhuji.transcribe(model, sound, chunk=-1)


def test_a_sound_from_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zhuji.api.pictures.opened", lambda model: cleaner())
    file = written(tmp_path / "a.wav", tone(440, 0.2))
    found = zhuji.enhance("run", file, tmp_path / "out", piece=1.0, overlap=0.1)
    assert found.done[0].out == tmp_path / "out" / "a.wav" and found.rate == 8_000
    with pytest.raises(BadSetting):
        zhuji.enhance("run", file, tmp_path / "out", sets=["enhance.piece=0"])


def test_settings_reach_the_sounds(tmp_path: Path) -> None:
    run, prompt = sounder.result().run, sounder.data() / "clips" / "3.wav"
    made = zhuji.sounds(run, prompt, tmp_path / "one", seconds=0.05, seed=4, sets=["generate.heard=0.02"])
    assert made.settings["seed"] == 4 and [file["heard"] for file in made.files] == [0.02]
    several = zhuji.sounds(run, [prompt, prompt], tmp_path / "two", seconds=0.01, temperature=0.5)
    assert len(several.files) == 2 and several.settings["temperature"] == 0.5


def test_only_a_model_of_samples_does_so(tmp_path: Path) -> None:
    with pytest.raises(ImpossiblePair, match="next sample"):
        zhuji.sounds(trained.run(), [], tmp_path / "out")
    with pytest.raises(UnknownKey):
        zhuji.sounds(sounder.result().run, [], tmp_path / "out", beams=3)
    with pytest.raises(ImpossiblePair, match="--out FOLDER"):
        zhuji.generate(sounder.result().run, "x")
