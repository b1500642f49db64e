"""Between bundles and the folders of Hugging Face."""

import json

import pytest
import torch

from tests.model.huggingface.made import folder, model, states
from zhuji.core.errors import NotABundle, RunExists
from zhuji.data.infer import Roles
from zhuji.data.settings import CleanSettings
from zhuji.model.bundle import open_bundle, save
from zhuji.model.huggingface import read
from zhuji.tools.convert import convert


def test_there_and_back(tmp_path):
    folder(tmp_path / "theirs")
    here = convert(tmp_path / "theirs", tmp_path / "ours")
    assert here.wrote == "bundle" and here.parameters == read(tmp_path / "theirs").model.parameter_counts()
    there = convert(tmp_path / "ours", tmp_path / "again")
    assert there.wrote == "BertModel"
    expected = states(read(tmp_path / "theirs").model)
    for found in (open_bundle(tmp_path / "ours"), read(tmp_path / "again")):
        torch.testing.assert_close(states(found.model), expected, rtol=0, atol=0)
    assert json.loads(json.dumps(there.as_dict()))["source"] == str(tmp_path / "ours")


def test_the_bundle_of_a_run(tmp_path):
    save(model("llama"), tmp_path / "run" / "bundle", clean=CleanSettings(), roles=Roles(text=("text",)))
    assert convert(tmp_path / "run", tmp_path / "there").wrote == "LlamaForCausalLM"


def test_nothing_is_overwritten_and_nothing_comes_of_nothing(tmp_path):
    with pytest.raises(RunExists):
        convert(folder(tmp_path / "theirs"), tmp_path)
    with pytest.raises(NotABundle):
        convert(tmp_path / "nowhere", tmp_path / "there")
