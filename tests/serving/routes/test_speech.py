"""Said for the `openai` client by a server in a process of its own."""

from __future__ import annotations

import io
from urllib.parse import unquote

import numpy as np
import openai
import pytest
import soundfile

from tests import vocoder, voiced
from tests.serving import live
from tests.serving.house import post, settings
from zhuji.core.framing import Framing
from zhuji.model.bundle import open_bundle
from zhuji.model.speak import SpeakSettings, spoken
from zhuji.model.vocode import TrainedVocoder
from zhuji.serving.app import create
from zhuji.serving.settings import ServeSettings

pytestmark = pytest.mark.enable_socket


def ask(client, **more):
    more = {"model": "voice", "input": "ab cd", "voice": "default", "response_format": "wav", **more}
    return client.audio.speech.create(**more)


def expected(**more):
    return spoken(open_bundle(voiced.voice()), ["ab cd"], SpeakSettings(**more))[0]


@pytest.mark.parametrize("form", ["wav", "flac", "pcm"])
def test_the_sound_is_that_of_python(client, form):
    answer, wanted = ask(client, response_format=form), expected()
    assert answer.response.headers["content-type"] == f"audio/{form}"
    assert answer.response.headers["x-sample-rate"] == str(voiced.RATE)
    if form == "pcm":
        samples = np.frombuffer(answer.content, "<i2") / 32_767
    else:
        samples, rate = soundfile.read(io.BytesIO(answer.content))
        assert rate == voiced.RATE and soundfile.info(io.BytesIO(answer.content)).format == form.upper()
    assert len(samples) == len(wanted.samples)
    # Threads add in another order, and sixty steps of Griffin-Lim carry that on, in a few samples far; 16 bits on top of it.
    assert np.sqrt(((samples - wanted.samples) ** 2).mean()) < 0.01 * np.sqrt((wanted.samples**2).mean())


def test_speed_and_voice(client):
    fast, slow = (len(ask(client, speed=speed, response_format="pcm").content) for speed in (2.0, 0.5))
    assert slow > 2 * fast
    low, wanted = ask(client, voice="low", response_format="pcm").content, expected(speaker="low")
    assert len(low) == 2 * len(wanted.samples)


@pytest.mark.parametrize(("asked", "error", "param"), [
    ({"model": "nobody"}, openai.NotFoundError, "model"),
    ({"model": "pets"}, openai.BadRequestError, "model"),
    ({"voice": "alloy"}, openai.BadRequestError, "voice"),
    ({"input": ""}, openai.BadRequestError, "input"),
    ({"input": "naïve"}, openai.BadRequestError, "input"),
    ({"input": "ab" * 30}, openai.BadRequestError, "input"),
    ({"input": "a" * 5_000}, openai.UnprocessableEntityError, "input"),
    ({"response_format": "mp3"}, openai.UnprocessableEntityError, "response_format"),
    ({"speed": 5.0}, openai.UnprocessableEntityError, "speed"),
    ({"instructions": "whisper"}, openai.BadRequestError, "instructions"),
    ({"extra_body": {"stream_format": "sse"}}, openai.BadRequestError, "stream_format"),
])  # fmt: skip
def test_what_cannot_be_is_refused_by_name(client, asked, error, param):
    with pytest.raises(error) as caught:
        ask(client, **asked)
    assert caught.value.type == "invalid_request_error" and caught.value.param == param


def test_a_refusal_names_the_voices(client):
    with pytest.raises(openai.BadRequestError, match="default, high, low"):
        ask(client, voice="alloy")


def test_a_voice_that_attends_is_served_like_another():
    answer = post(settings(voiced.voice("attention")), "/v1/audio/speech", json={"input": "ab cd", "response_format": "pcm"})
    (wanted,) = spoken(open_bundle(voiced.voice("attention")), ["ab cd"])
    assert answer.status_code == 200 and len(answer.content) == 2 * len(wanted.samples) > 0


def test_a_vocoder_beside_the_voice_makes_the_samples():
    places = settings(voiced.voice(), vocoder.bundled())
    answer = post(places, "/v1/audio/speech", json={"input": "ab cd", "response_format": "pcm"})
    trained = TrainedVocoder(open_bundle(vocoder.bundled()))
    (wanted,) = spoken(open_bundle(voiced.voice()), ["ab cd"], vocoder=trained)
    assert answer.headers["x-vocoder"] == "model1" and answer.headers["x-sample-rate"] == str(voiced.RATE)
    np.testing.assert_allclose(np.frombuffer(answer.content, "<i2") / 32_767, wanted.samples, atol=1e-3)


def test_a_vocoder_may_have_any_name_that_a_model_may_have():
    """A header holds Latin letters alone."""
    places = ServeSettings.parse({
        "models": [{"name": "voice", "path": str(voiced.voice())}, {"name": "声码器", "path": str(vocoder.bundled())}], "threads": 1,
    })  # fmt: skip
    answer = post(places, "/v1/audio/speech", json={"input": "ab cd", "response_format": "pcm"})
    assert answer.status_code == 200 and unquote(answer.headers["x-vocoder"]) == "声码器"


def test_a_vocoder_of_other_frames_is_left_alone(tmp_path):
    other = vocoder.saved(tmp_path / "other", Framing(**{**voiced.FRAMING.plain(), "bands": 16}))
    answer = post(settings(voiced.voice(), other), "/v1/audio/speech", json={"input": "ab cd", "response_format": "pcm"})
    assert answer.status_code == 200 and answer.headers["x-vocoder"] == "griffin-lim"


def test_the_description_holds_a_request_that_is_answered():
    described = create(settings(voiced.voice())).openapi()["paths"]["/v1/audio/speech"]["post"]
    example = described["requestBody"]["content"]["application/json"]["example"]
    assert example == {"model": "model", "input": "ab cd", "voice": "default", "response_format": "wav", "speed": 1.0}
    assert live.server()
