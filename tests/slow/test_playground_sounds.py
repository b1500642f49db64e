"""Sounds on the page, over the true server: chosen, dropped, recorded; played and seen; classes, transcripts, what speaks for them; the same from
curl and Python."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from tests.browser import violations
from tests.serving import browser as served
from tests.serving.browser import (
    LOOKS,
    answering,
    assert_clean,
    browsing,
    choose,
    clear_and_bring_back,
    hand,
    ran,
    scores,
    until,
    watched,
)
from zhuji.core.contracts import Backbone, Modality, Task
from zhuji.core.lookup import find
from zhuji.core.records import Sound
from zhuji.data import sounds
from zhuji.data.infer import Roles
from zhuji.data.settings import CleanSettings
from zhuji.data.sounds import as_wav
from zhuji.model import golden
from zhuji.model.assembly import assemble
from zhuji.model.bundle import save
from zhuji.model.explain import explain
from zhuji.model.predictor import Predictor

pytestmark = [pytest.mark.slow, pytest.mark.enable_socket]
pytest.importorskip("soundfile")
TASKS = {"kinds": "classify", "words": "transcribe", "clean": "enhance", "codes": "masked_frames"}
SECONDS = 1.3


@cache
def predictor(name: str) -> Predictor:
    torch.manual_seed(0)
    modality, _ = find(Modality, "waveform" if name == "clean" else "speech").example()
    task = find(Task, TASKS[name]).example().task
    return Predictor(assemble(modality, find(Backbone, "recurrent").example(), task).eval())


@cache
def sound() -> Sound:
    """A tone that comes and goes."""
    times = np.arange(int(SECONDS * 8_000)) / 8_000
    return Sound(data=as_wav(0.5 * np.sin(2 * np.pi * 440 * times) * (np.sin(8 * times) > 0), 8_000))


@pytest.fixture(scope="module")
def address(browser, tmp_path_factory):
    place = tmp_path_factory.mktemp("models")
    for name in TASKS:
        told = golden.told(predictor(name), find(Modality, "speech").example()[1])
        save(predictor(name).model, place / name, clean=CleanSettings(), roles=Roles(text=(), sound="file_name"), golden=told)
    with answering({name: place / name for name in TASKS}) as found:
        yield found


@pytest.fixture(scope="module")
def browser():
    # A microphone of the browser's own, that beeps.
    with browsing("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream") as found:
        yield found


def give(page: Any, data: bytes | None = None, name: str = "a sound's.wav") -> None:
    served.give(page, data or sounds.read_bytes(sound()), name, "audio/wav")


def shades(page: Any, which: str) -> np.ndarray:
    """What a canvas shows, `(H, W, 4)`."""
    page.wait_for_selector(f"{which} canvas")
    told = page.evaluate(
        f"""(() => {{ const one = document.querySelector('{which} canvas');
        return [one.height, one.width, [...one.getContext('2d').getImageData(0, 0, one.width, one.height).data]]; }})()"""
    )
    return np.array(told[2]).reshape(told[0], told[1], 4)


def test_a_class_is_that_of_python_and_the_sound_is_seen_and_played(view):
    page = view.open("lang=en&model=kinds")
    assert "Choose, drop or record" in page.locator("#result").inner_text()
    give(page)
    expected = next(predictor("kinds").predict([sound()]))
    assert page.locator("#result [data-answer]").first.get_attribute("data-answer") == expected.answer
    assert scores(page) == pytest.approx(dict(expected.scores), abs=1e-5)
    assert "a sound's.wav, 1.3 s" in page.locator("#input figcaption").inner_text()
    inked = (shades(page, "#input")[..., 3] > 0).sum(0)
    assert inked[50] > 60 and inked[300] <= 3, "loud, then silent"
    until(page, "document.querySelector('#input audio').readyState >= 1")
    assert page.evaluate("document.querySelector('#input audio').duration") == pytest.approx(SECONDS, abs=0.02)
    page.evaluate("document.querySelector('#input audio').play()")
    until(page, "document.querySelector('#input audio').currentTime > 0.1")
    assert violations(page) == []


def test_a_transcript_is_that_of_python(view):
    page = view.open("lang=en&model=words")
    give(page)
    expected = next(predictor("words").predict([sound()])).answer
    assert page.locator("#result [data-answer]").get_attribute("data-answer") == expected
    assert violations(page) == []


def test_what_was_not_read_is_said(view):
    page = view.open("lang=en&model=kinds")
    give(page)
    assert "not read" not in page.locator("#result").inner_text()
    longest = predictor("kinds").model.modality.longest
    give(page, as_wav(np.zeros(int(8_000 * (longest + 1.5))), 8_000), "long.wav")
    page.wait_for_selector("#result [data-words=not_read]")
    assert "The last 1.5 s were not read" in page.locator("#result").inner_text()


def test_a_vector_is_that_of_python_and_one_sound_is_asked_for(view):
    page = view.open("lang=en&model=codes")
    assert page.locator("#input .field").count() == 1, "a file is one input: there is none to compare it with"
    give(page)
    expected = next(predictor("codes").predict([sound()])).answer
    assert json.loads(page.locator("#result [data-answer]").first.get_attribute("data-answer")) == pytest.approx(
        expected, abs=1e-5
    )
    assert violations(page) == []


def test_a_cleaned_sound_is_played_and_saved(view):
    page = view.open("lang=en&model=clean")
    give(page)
    page.wait_for_selector("#result audio")
    assert page.locator("#result h3").all_inner_texts() == ["Before", "After"] and page.locator("#result audio").count() == 2
    names = page.locator("#result canvas.spectrogram").evaluate_all("all => all.map(one => one.getAttribute('aria-label'))")
    assert [name.split(",")[0] for name in names] == ["Spectrogram of a sound's.wav", "Spectrogram of cleaned.wav"]
    places = page.locator("#result .plate").evaluate_all("all => all.map(one => one.getBoundingClientRect().toJSON())")
    assert places[0]["top"] == places[1]["top"] and places[0]["right"] < places[1]["left"], "side by side"
    expected = next(predictor("clean").predict([sound()]))
    with page.expect_download() as told:
        page.get_by_role("link", name="Save").click()
    got = sounds.samples(Sound(str(told.value.path())), 8_000).samples
    assert np.abs(got - np.clip(expected.waves.sound, -1, 1)).max() < 1e-4
    until(page, "[...document.querySelectorAll('#result audio')].every(one => one.readyState >= 1)")
    pictures = page.evaluate(
        """[...document.querySelectorAll('#result .spectrogram')].map((one) =>
        [...one.getContext('2d').getImageData(0, 0, one.width, one.height).data].filter((_, at) => at % 4 === 3))"""
    )
    before, after = (np.array(one).reshape(80, -1) for one in pictures)
    # The tone of 440 Hz is loud, then silent; the untaught network makes something else of it, seen on the same scale.
    assert before[60:70, 20].max() == 255 and before[:, 60].max() < 30
    assert after.max() > 0 and before.shape == after.shape and np.abs(before - after).mean() > 1
    assert (shades(page, "#result")[..., 3] > 0).any() and violations(page) == []


def test_what_speaks_for_an_answer_lies_under_its_seconds(view):
    page = view.open("lang=en&model=kinds")
    give(page)
    page.get_by_role("button", name="Explain on the sound").click()
    (expected,) = explain(predictor("kinds"), sound())
    said = {part.text: part.weight for part in expected.parts if part.text.strip()}
    found = shades(page, ".more")
    edge = found[1].astype(int)
    for text, weight in said.items():
        middle = int((float(text.partition("–")[0]) + 0.05) / SECONDS * found.shape[1])
        here = edge[middle - 8 : middle + 8].max(0) if middle + 8 < found.shape[1] else None
        if here is not None and abs(weight) > 0.2 * max(map(abs, said.values())):
            assert (here[0] > here[2]) == (weight > 0), f"{text}: orange for, blue against"
    page.locator(".more").get_by_text("As a table").click()
    rows = page.locator(".more tbody tr").evaluate_all(
        "rows => rows.map(row => [row.querySelector('th').textContent, Number(row.dataset.weight)])"
    )
    assert dict(rows) == pytest.approx(said, rel=1e-3, abs=1e-5) and "Part" in page.locator(".more thead").inner_text()
    assert violations(page) == []


def test_a_recording_is_answered_like_a_file(view):
    page = view.open("lang=en&model=kinds")
    page.get_by_role("button", name="Record").click()
    page.wait_for_selector("#input button:has-text('Stop recording (1 s)')")
    page.get_by_role("button", name="Stop recording").click()
    page.wait_for_selector("#result .times")
    page.wait_for_selector("#input figcaption:has-text('recording.wav')")
    seconds = page.evaluate("document.querySelector('#input audio').duration")
    assert 0.5 < seconds < 10
    assert page.get_by_role("button", name="Record", exact=True).is_enabled()
    assert violations(page) == []


def test_a_sound_can_be_dropped_and_comes_back(view):
    page = view.open("lang=en&model=kinds")
    hand(page, "drop", sounds.read_bytes(sound()), "dropped.wav", "audio/wav")
    clear_and_bring_back(page, "dropped.wav", "example.wav", empty="No sound yet", asked="Choose or record a sound first")


def test_what_is_no_sound_is_said(view):
    page = view.open("lang=en&model=kinds")
    page.set_input_files("#file input", {"name": "a.wav", "mimeType": "audio/wav", "buffer": b"no sound"})
    page.wait_for_selector("[data-trouble=refused]")
    assert "cannot play a.wav" in page.locator("#input").inner_text()
    assert "sound" in page.locator(".trouble").inner_text()


def test_curl_and_python_give_the_same(view, tmp_path):
    page, name = view.open("lang=en&model=kinds"), 'it\'s "a" $sound.wav'
    give(page, name=name)
    told = scores(page)
    (tmp_path / name).write_bytes(sounds.read_bytes(sound()))
    printed = ran(page, "Python", tmp_path)
    assert all(repr(score) in printed for score in told.values())
    assert json.loads(ran(page, "curl", tmp_path))["predictions"][0]["scores"] == pytest.approx(told)


@pytest.mark.parametrize(("language", "theme", "width"), LOOKS)
def test_it_is_clean_in_both_languages_and_themes(browser, address, language, theme, width):
    with watched(browser, address, viewport={"width": width, "height": 800}) as view:
        page = view.open(f"lang={language}&theme={theme}")
        for name in TASKS:
            choose(page, name)
            give(page)
            if name == "kinds":
                page.locator("#result button", has_text={"en": "Explain on the sound", "zh": "在声音上解释"}[language]).click()
                page.wait_for_selector(".more canvas")
            assert_clean(page, width, name)
