"""A voice on the page, over the true server: a text is said as Python says it, heard, seen and saved; the same from curl and Python."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch

from tests import voiced
from tests.browser import violations
from tests.serving import house, made
from tests.serving.browser import LOOKS, answering, assert_clean, choose, code, ran, until, watched
from zhuji.core.records import Sound
from zhuji.data import sounds
from zhuji.model.bundle import open_bundle
from zhuji.model.speak import SpeakSettings, spoken
from zhuji.nn.sounds.mel import filters, log_mel
from zhuji.nn.sounds.spectra import stft

pytestmark = [pytest.mark.slow, pytest.mark.enable_socket]
TEXT = "ab cd dcba"
RATE, DEPTH = 16_000, 12.0
"""At which the page looks at sounds; the softest band that is seen, below the loudest."""


@pytest.fixture(scope="module")
def address():
    with answering({"voice": voiced.voice(), "pets": house.bundle(), "coarse": made.of_task("speak")}) as found:
        yield found


def ask(page: Any, text: str = TEXT, speaker: str | None = None, speed: str = "1") -> None:
    page.evaluate("document.querySelector('#result').replaceChildren()")
    page.locator("#input textarea").fill(text)
    if speaker:
        page.get_by_label("Speaker").select_option(speaker)
    page.locator("#settings input").fill(speed)
    page.locator("#input textarea").press("Control+Enter")
    page.wait_for_selector("#result .times")


def saved(page: Any) -> np.ndarray:
    with page.expect_download() as told:
        page.get_by_role("link", name="Save as WAV").click()
    assert told.value.suggested_filename == "speech.wav"
    sound = Sound(str(told.value.path()))
    assert sounds.header(sound).rate == voiced.RATE
    return sounds.samples(sound, voiced.RATE).samples


def expected(**more: Any) -> np.ndarray:
    return spoken(open_bundle(voiced.voice()), [TEXT], SpeakSettings(**more))[0].samples


def same(found: np.ndarray, wanted: np.ndarray) -> bool:
    """Threads add in another order, and sixty steps of Griffin-Lim carry that on, in a few samples far."""
    return len(found) == len(wanted) and np.sqrt(((found - wanted) ** 2).mean()) < 0.01 * np.sqrt((wanted**2).mean())


def test_a_text_is_said_as_python_says_it(view):
    page = view.open("lang=en&model=voice")
    assert "Type a text" in page.locator("#result").inner_text()
    assert page.get_by_label("Speaker").locator("option").all_inner_texts() == ["high", "low"]
    for speaker, speed in (("high", "1"), ("low", "0.5")):
        ask(page, speaker=speaker, speed=speed)
        wanted = expected(speaker=speaker, speed=float(speed))
        assert same(saved(page), wanted), (speaker, speed)
        seconds = round(len(wanted) / voiced.RATE, 2)
        assert f"speech.wav, {seconds:g} s" in page.locator("#result figcaption").inner_text()
        assert f"Said, {seconds:g} s" in page.locator("#said").inner_text()
    assert violations(page) == []


def test_it_is_heard(view):
    page = view.open("lang=en&model=voice")
    ask(page)
    until(page, "document.querySelector('#result audio').readyState >= 1")
    lasting = page.evaluate("document.querySelector('#result audio').duration")
    assert lasting == pytest.approx(len(expected()) / voiced.RATE, abs=0.01)
    page.evaluate("document.querySelector('#result audio').play()")
    until(page, "document.querySelector('#result audio').currentTime > 0.1")


def test_the_page_measures_bands_as_python_does(view):
    page, random = view.open("lang=en&model=voice"), np.random.default_rng(0)
    times = np.arange(RATE) / RATE
    samples = (0.4 * np.sin(2 * np.pi * (200 + 3_000 * times) * times) + 1e-3 * random.standard_normal(RATE)).astype(np.float32)
    told = page.evaluate(
        """async (samples) => { const { bands } = await import("./page/spectrogram.js");
        return bands({ samples: Float32Array.from(samples), rate: 16000 }); }""",
        samples.tolist(),
    )
    spectra = stft(torch.from_numpy(samples)[None], 400, 160, 512)
    logs = log_mel(spectra, filters(RATE, 512, 80, (0.0, RATE / 2), "slaney"))[0].numpy()
    # float64 there, float32 here: what is almost silent differs in its last digits.
    np.testing.assert_allclose(np.array(told["columns"]), logs, atol=2e-3)
    assert told["loudest"] == pytest.approx(logs.max(), abs=1e-4)


def test_a_spectrogram_has_low_tones_at_the_bottom_and_no_more_columns_than_are_seen(view):
    page = view.open("lang=en&model=voice")
    told = page.evaluate(
        """async () => { const { bands, spectrogram } = await import("./page/spectrogram.js");
        const samples = Float32Array.from({ length: 16000 * 20 }, (_, at) => (at < 160000 ? Math.sin(at * 2 * Math.PI * 300 / 16000) : 0));
        const seen = bands({ samples, rate: 16000 });
        const canvas = spectrogram(seen, seen.loudest, { name: "a", seconds: 20 });
        const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
        return [canvas.width, canvas.height, [...data].filter((_, at) => at % 4 === 3), canvas.getAttribute("aria-label")]; }"""
    )
    shades = np.array(told[2]).reshape(told[1], told[0])
    assert told[0] == 639 and "20 s" in told[3] and "low pitches at the bottom" in told[3]
    assert shades[:, 100].argmax() > 65 and shades[:, 100].max() > 250 and shades[:, 500].max() == 0


def test_what_is_drawn_is_what_was_said(view):
    page = view.open("lang=en&model=voice")
    ask(page)
    found = page.evaluate(
        """(() => { const one = document.querySelector('#result .spectrogram');
        return [one.height, one.width, [...one.getContext('2d').getImageData(0, 0, one.width, one.height).data]]; })()"""
    )
    strength = np.array(found[2]).reshape(found[0], found[1], 4)[..., 3][::-1].T / 255
    heard = torch.from_numpy(sounds.samples(Sound(data=sounds.as_wav(saved(page), voiced.RATE)), RATE).samples)
    logs = log_mel(stft(heard[None], 400, 160, 512), filters(RATE, 512, 80, (0.0, RATE / 2), "slaney"))[0].numpy()
    wanted = np.clip(1 - (logs.max() - logs) / DEPTH, 0, 1)
    # The browser and the library resample each in its own way: below 1.8 kHz, where no filter of theirs ends, the pictures are alike.
    frames, low = min(len(strength), len(wanted)), 45
    assert abs(len(strength) - len(wanted)) <= 1
    assert np.abs(strength[:frames, :low] - wanted[:frames, :low]).mean() < 0.02


@pytest.mark.parametrize(("text", "said"), [("naïve", "training never met"), ("ab" * 30, "units"), ("a" * 5_000, "4096")])
def test_what_cannot_be_said_is_refused_in_the_servers_words(view, text, said):
    page = view.open("lang=en&model=voice")
    page.locator("#input textarea").fill(text)
    page.click("#send")
    page.wait_for_selector("[data-trouble=refused]")
    assert said in page.locator(".trouble").inner_text() and page.locator("#input textarea").input_value() == text
    ask(page)
    assert page.locator("#result audio").count() == 1


def test_a_speed_out_of_bounds_is_refused_and_nothing_typed_is_asked_for(view):
    page = view.open("lang=en&model=voice")
    page.locator("#settings input").fill("9")
    page.locator("#input textarea").fill(TEXT)
    page.click("#send")
    page.wait_for_selector("[data-trouble=refused]")
    assert "speed" in page.locator(".trouble").inner_text()
    page.locator("#input textarea").fill(" ")
    page.click("#send")
    assert "Type a text first" in page.locator("#said").inner_text()


def test_seconds_can_be_predicted_and_other_models_are_as_they_were(view):
    page = view.open("lang=en&model=voice")
    page.get_by_label("Predict seconds").check(force=True)
    page.locator("#input textarea").fill(TEXT)
    assert not page.locator("#settings").is_visible()
    page.click("#send")
    page.wait_for_selector("#result .times")
    (wanted,) = open_bundle(voiced.voice()).predict([TEXT])
    shown = float(page.locator("#result [data-answer]").get_attribute("data-answer"))
    assert shown == pytest.approx(wanted.answer, rel=1e-5)
    choose(page, "pets")
    assert not page.locator("#mode").is_visible() and not page.locator("#settings").is_visible()
    choose(page, "voice")
    page.get_by_label("Say the text").check(force=True)
    ask(page)
    page.locator("#history-body button", has_text="Said").first.click()
    assert page.locator("#input textarea").input_value() == TEXT


def test_curl_and_python_give_the_same(view, tmp_path):
    page = view.open("lang=en&model=voice")
    ask(page, speaker="low", speed="0.8")
    shown = saved(page)
    body = json.loads(code(page, "curl").split("--data-raw '")[1].split("'")[0])
    assert (body["voice"], body["speed"], body["input"]) == ("low", 0.8, TEXT)
    for way in ("Python", "curl"):
        (tmp_path / way).mkdir()
        ran(page, way, tmp_path / way)
        assert same(sounds.samples(Sound(str(tmp_path / way / "speech.wav")), voiced.RATE).samples, shown), way


@pytest.mark.parametrize(("language", "theme", "width"), LOOKS)
def test_it_is_clean_in_both_languages_and_themes(browser, address, language, theme, width):
    with watched(browser, address, viewport={"width": width, "height": 800}) as view:
        page = view.open(f"lang={language}&theme={theme}&model=voice")
        ask(page)
        assert_clean(page, width)


def test_what_the_browser_cannot_play_is_said_and_can_be_saved(view):
    page = view.open("lang=en&model=coarse")
    ask(page, "the cat sat")
    assert "cannot play speech.wav" in page.locator("#result").inner_text()
    assert "cannot play speech.wav" in page.locator("#said").inner_text() and page.locator("#result audio").count() == 0
    with page.expect_download() as told:
        page.get_by_role("link", name="Save as WAV").click()
    assert sounds.header(Sound(str(told.value.path()))).rate == 1_000
    assert violations(page) == []
