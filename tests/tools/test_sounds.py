from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest

from tests import sounder
from zhuji.core.unreadable import NotEmpty
from zhuji.formats import open_model
from zhuji.model.sounding import SoundSettings, sounded
from zhuji.tools.sounds import sounds

soundfile = pytest.importorskip("soundfile")


def test_a_wave_for_each_prompt_a_page_and_a_note(tmp_path: Path) -> None:
    predictor, settings = open_model(sounder.result().run), SoundSettings(seconds=0.2, heard=0.1)
    prompts = [str(sounder.data() / "clips" / f"{number}.wav") for number in (3, 4)]
    made = sounds(predictor, prompts, settings, tmp_path / "out")
    expected = sounded(predictor.model, prompts, settings)
    for file, one, name in zip(made.files, expected, ("0001-3.wav", "0002-4.wav"), strict=True):
        assert (file["file"], file["heard"], file["made"]) == (name, 0.1, 0.2)
        samples, rate = soundfile.read(made.folder / name)
        assert rate == sounder.RATE
        # Rounded to 16 bits, and read in steps of 1 / 32,768.
        np.testing.assert_allclose(samples, one.samples, atol=1.6 / 32_768)
    assert {path.name for path in made.folder.iterdir()} == {"0001-3.wav", "0002-4.wav", "sounds.html", "sounds.json"}
    note = json.loads((made.folder / "sounds.json").read_text())
    assert note["model"] == made.model and note["files"] == [dict(file) for file in made.files]
    assert "0002-4.wav" in made.page.read_text(encoding="utf-8")
    with pytest.raises(NotEmpty):
        sounds(predictor, prompts, settings, tmp_path / "out")


def test_without_prompts(tmp_path: Path) -> None:
    made = sounds(open_model(sounder.result().run), [], SoundSettings(seconds=0.05, count=3), tmp_path / "out")
    assert [file["file"] for file in made.files] == ["0001.wav", "0002.wav", "0003.wav"]
    assert soundfile.info(io.BytesIO((made.folder / "0003.wav").read_bytes())).frames == 50
    assert made.as_dict()["page"] == str(made.page)


def test_its_run_stands_beside_what_counting_foresees() -> None:
    result = sounder.result()
    assert set(result.baselines) == {"unigram", "previous_unit"}
    assert all(0 < of["bits_per_unit"]["low"] < of["bits_per_unit"]["high"] for of in result.baselines.values())
    assert result.test["bits_per_unit"]["value"] == pytest.approx(result.test["next_loss"]["value"] / np.log(2))
