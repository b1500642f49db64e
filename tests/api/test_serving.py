from __future__ import annotations

import importlib.util

import pytest

import zhuji
from tests.serving import house
from zhuji.core.errors import BadSetting, MissingExtra, NotABundle
from zhuji.serving import run


def test_what_is_given_becomes_settings(monkeypatch):
    heard = []
    monkeypatch.setattr(run, "run", lambda settings, ready: heard.append(settings))
    zhuji.serve(house.bundle(), f"other={house.bundle()}", port=1234, workers=None, sets=["serve.timeout=5"])
    (settings,) = heard
    assert [model.name for model in settings.models] == ["model", "other"]
    assert (settings.port, settings.workers, settings.timeout, settings.host) == (1234, 1, 5.0, "127.0.0.1")
    with pytest.raises(BadSetting, match="two models are named"):
        zhuji.serve(house.bundle(), house.bundle())


@pytest.mark.enable_socket
def test_what_is_no_bundle_is_not_served(tmp_path):
    with pytest.raises(NotABundle):
        zhuji.serve(tmp_path, port=0)


def test_without_the_packages_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r'pip install "zhuji\[serve\]"'):
        zhuji.serve(house.bundle())
