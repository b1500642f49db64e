"""The way to the network, without a network: what is asked of the hub, and where it comes to lie."""

import sys
from types import SimpleNamespace

import pytest

from zhuji.core.errors import BadSetting, MissingExtra
from zhuji.model.huggingface import fetch


@pytest.fixture
def asked(monkeypatch, tmp_path):
    calls = []

    def snapshot_download(repository, **options):
        calls.append((repository, options))
        if repository == "no/body":
            raise OSError("404 Client Error")

    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(snapshot_download=snapshot_download))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return calls


def test_only_settings_vocabularies_and_safetensors_are_fetched(asked, tmp_path):
    assert fetch("hf:some/model") == tmp_path / "zhuji" / "hf" / "some--model"
    ((repository, options),) = asked
    assert repository == "some/model" and options["local_dir"] == fetch("hf:some/model")
    assert not any(pattern.endswith((".bin", ".py", ".pt", "*")) for pattern in options["allow_patterns"])


def test_a_model_that_is_not_there(asked):
    with pytest.raises(BadSetting, match="404"):
        fetch("hf:no/body")


@pytest.mark.parametrize("name", ["hf:", "hf:..", "hf:a/../b", "hf:/etc", "hf:a/b/c", "hf:a b"])
def test_what_is_no_name_is_not_even_asked_for(name, asked):
    with pytest.raises(BadSetting, match="owner/model"):
        fetch(name)
    assert not asked


def test_without_the_package_it_says_so(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtra, match="huggingface_hub"):
        fetch("hf:some/model")
