from __future__ import annotations

import pytest

from zhuji.core.errors import BadSetting
from zhuji.serving.settings import ServeSettings, place_of


@pytest.mark.parametrize(
    ("given", "name", "path"),
    [("runs/001-pets", "001-pets", "runs/001-pets"), ("runs/001-pets/bundle", "001-pets", "runs/001-pets/bundle"),
     ("pets=runs/a=b", "pets", "runs/a=b"), ("runs/a=b", "a=b", "runs/a=b")],
)  # fmt: skip
def test_a_model_is_named_by_its_folder_or_by_hand(given, name, path):
    assert place_of(given) == {"name": name, "path": path}


@pytest.mark.parametrize(
    "wrong",
    [{"models": []}, {"models": [{"name": "../a", "path": "x"}]}, {"models": [{"name": "", "path": "x"}]}, {"port": 70_000},
     {"workers": 0}, {"timeout": 0}, {"models": [{"name": "a", "path": "x"}, {"name": "a", "path": "y"}]}],
)  # fmt: skip
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(BadSetting):
        ServeSettings.parse({"models": [{"name": "a", "path": "x"}], **wrong}, "serve")


def test_only_this_machine_by_default():
    assert ServeSettings.parse({"models": [place_of("x")]}).local
    assert not ServeSettings.parse({"models": [place_of("x")], "host": "0.0.0.0"}).local
