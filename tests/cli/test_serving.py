from __future__ import annotations

import json
import shlex

from tests.serving import house
from zhuji import api
from zhuji.cli.app import main

MODELS = [
    {
        "name": "pets",
        "task": "classify",
        "answers": "class",
        "version": "0123456789ab",
        "example": "it's a cat",
        "reads": "texts",
    }
]


def started(monkeypatch, *words):
    heard = {}

    def serve(*models, ready, **options):
        heard.update(options, models=models)
        ready("http://127.0.0.1:8000", MODELS)

    monkeypatch.setattr(api, "serve", serve)
    assert main(["serve", *words]) == 0
    return heard


def test_what_is_served_is_told_in_one_block(monkeypatch, capsys):
    heard = started(monkeypatch, "pets=run", "--workers", "2", "--set", "serve.rate=3")
    assert (heard["models"], heard["workers"], heard["sets"]) == (("pets=run",), 2, ["serve.rate=3"])
    out = capsys.readouterr().out
    assert all(word in out for word in ("http://127.0.0.1:8000/\n", "/openapi.json", "pets", "0123456789ab"))
    curl = next(line for line in out.splitlines() if "/predict" in line)
    assert json.loads(shlex.split(curl)[-1]) == {"input": "it's a cat"}


def test_a_file_stands_for_the_example_of_a_model_of_files(monkeypatch, capsys):
    """The example is kilobytes of base64."""
    monkeypatch.setitem(MODELS[0], "reads", "sounds")
    monkeypatch.setitem(MODELS[0], "example", {"sound": "AAAA" * 500})
    started(monkeypatch, "run")
    out = capsys.readouterr().out
    assert "/predict -F file=@SOUND.wav\n" in out and len(out) < 600


def test_as_json(monkeypatch, capsys):
    started(monkeypatch, "run", "--json")
    assert json.loads(capsys.readouterr().out) == {"url": "http://127.0.0.1:8000", "models": MODELS}


def test_what_cannot_be_served_is_an_error(capsys, tmp_path):
    assert main(["serve", str(house.bundle()), "--port", "99999"]) == 2
    assert "serve.port" in capsys.readouterr().err
