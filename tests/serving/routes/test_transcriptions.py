"""Transcribed for the `openai` client and for `curl`, each in a process of its own, by a server in another."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import openai
import pytest

from tests.serving import live, made
from tests.serving.house import post, settings
from zhuji.core.contracts import Backbone, Task
from zhuji.core.lookup import find
from zhuji.core.records import Sound
from zhuji.data.sounds import as_wav
from zhuji.modalities.speech import Speech
from zhuji.model.assembly import assemble
from zhuji.model.bundle import open_bundle
from zhuji.tools.transcribe import transcribe

pytestmark = pytest.mark.enable_socket

SOUND = as_wav(0.3 * np.random.default_rng(3).standard_normal(12_000), 8_000)


def ask(client, **more):
    more = {"model": "ear", "file": ("said.wav", SOUND), **more}
    return client.audio.transcriptions.create(**more)


def expected():
    [answer] = open_bundle(made.listener()).predict([Sound(data=SOUND)])
    return answer


def test_the_text_is_that_of_python(client):
    answer = expected()
    assert answer.answer and answer.times
    assert ask(client).text == answer.answer
    assert ask(client, response_format="text").strip() == answer.answer


def test_words_and_segments_have_times(client):
    answer = expected()
    found = ask(client, response_format="verbose_json", timestamp_granularities=["word", "segment"], language="en")
    assert [(one.word, one.start, one.end) for one in found.words] == [
        (one.word, pytest.approx(one.begin), pytest.approx(one.end)) for one in answer.times
    ]
    assert found.language == "en" and found.duration == pytest.approx(1.5) and found.text == answer.answer
    assert " ".join(one.text for one in found.segments).split() == answer.answer.split()
    assert all(0 <= one.start <= one.end <= 1.5 for one in (*found.words, *found.segments))
    plain = ask(client, response_format="verbose_json")
    assert plain.words is None and plain.segments and plain.language == "unknown"


def test_what_is_longer_than_the_model_reads_at_once_is_heard_to_its_end(client):
    """As `zhuji transcribe` hears it, in windows."""
    long = as_wav(0.3 * np.random.default_rng(4).standard_normal(8_000 * 34), 8_000)
    wanted = transcribe(open_bundle(made.listener()), long).whole()
    found = ask(client, file=("long.wav", long), response_format="verbose_json", timestamp_granularities=["word"])
    assert found.text == wanted.text and found.duration == wanted.seconds == 34.0
    assert [(one.word, one.start, one.end) for one in found.words] == [
        (one.word, pytest.approx(one.begin), pytest.approx(one.end)) for one in wanted.times
    ]
    assert 33 < found.words[-1].end <= 34


def test_what_is_too_long_for_a_model_that_cannot_listen_is_refused():
    speech = Speech(rate=8_000, features="raw", longest=1.0)
    body, task = find(Backbone, "wav2vec2").example(), find(Task, "transcribe").example()
    place = made.saved(assemble(speech, body, task.task), [Sound(data=as_wav(np.ones(900), 8_000))])
    form = {"files": {"file": ("said.wav", SOUND)}}
    answer = post(settings(place), "/v1/audio/transcriptions", **form)
    assert answer.status_code == 400 and answer.json()["error"]["param"] == "file"
    assert "windows are joined" in answer.json()["error"]["message"]


def test_subtitles(client):
    srt, vtt = (ask(client, response_format=form) for form in ("srt", "vtt"))
    assert srt.startswith("1\n00:00:0") and " --> " in srt and vtt.startswith("WEBVTT\n\n00:00:0")
    said = [line for line in srt.splitlines() if line and not line[0].isdigit()]
    assert " ".join(said).split() == expected().answer.split()


def test_what_asks_for_nothing_is_passed_over(client):
    assert ask(client, temperature=0, extra_body={"user": "ada", "prompt": ""}).text == expected().answer


@pytest.mark.parametrize(("asked", "error", "param"), [
    ({"model": "nobody"}, openai.NotFoundError, "model"),
    ({"model": "pets"}, openai.BadRequestError, "model"),
    ({"prompt": "names"}, openai.BadRequestError, "prompt"),
    ({"temperature": 0.7}, openai.BadRequestError, "temperature"),
    ({"response_format": "docx"}, openai.UnprocessableEntityError, "response_format"),
    ({"timestamp_granularities": ["word"]}, openai.BadRequestError, "timestamp_granularities[]"),
    ({"stream": True}, openai.BadRequestError, "stream"),
    ({"include": ["logprobs"]}, openai.BadRequestError, "include[]"),
    ({"file": ("said.wav", b"")}, openai.UnprocessableEntityError, "file"),
    ({"file": ("said.wav", b"RIFF no sound at all")}, openai.UnprocessableEntityError, "file"),
])  # fmt: skip
def test_what_cannot_be_is_refused_by_name(client, asked, error, param):
    with pytest.raises(error) as caught:
        ask(client, **asked)
    assert caught.value.type == "invalid_request_error" and caught.value.param == param


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
def test_curl_is_answered(tmp_path):
    (tmp_path / "said.wav").write_bytes(SOUND)
    words = ["curl", "-sS", f"{live.server()}/v1/audio/transcriptions", "-F", f"file=@{tmp_path}/said.wav", "-F", "model=ear"]
    told = subprocess.run([*words, "-F", "response_format=text"], capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout.strip() == expected().answer
    nothing = subprocess.run([*words[:3], "-F", "model=ear"], capture_output=True, text=True, check=True, timeout=60)
    assert '"param":"file"' in nothing.stdout
