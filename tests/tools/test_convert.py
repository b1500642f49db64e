"""Between bundles and the folders of Hugging Face."""

import json

import pytest
import torch

from tests.model.huggingface.made import folder, model, states
from tests.model.talkers import talker
from zhuji.core.errors import ImpossiblePair, NotABundle, RunExists
from zhuji.data.chat import named
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


def test_a_format_is_given_on_the_way(tmp_path):
    chat = named()["plain"]
    place = folder(tmp_path / "theirs", "llama", {"name": "next_unit"})
    with pytest.raises(ImpossiblePair, match="give back the mark"):
        convert(place, tmp_path / "ours", chat)  # its words forget blanks
    with pytest.raises(ImpossiblePair, match="chat format"):
        convert(folder(tmp_path / "vectors"), tmp_path / "ours", chat)
    save(talker(), tmp_path / "chatml", clean=CleanSettings(), roles=Roles(text=("text",)))
    convert(tmp_path / "chatml", tmp_path / "there", chat)
    assert read(tmp_path / "there").model.task.chat == chat
    convert(tmp_path / "there", tmp_path / "back", named()["zephyr"])
    assert open_bundle(tmp_path / "back").model.task.chat == named()["zephyr"]
    assert not (tmp_path / "ours").exists()
