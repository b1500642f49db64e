import json
import shutil

import pytest
import torch

import zhuji
from tests import trained
from tests.formats.made import predictor
from zhuji.core.errors import AnswersDiffer, BadSetting, CannotExport, NoWeights, RunExists, UnknownName
from zhuji.formats import find, open_model
from zhuji.model.bundle import open_bundle
from zhuji.model.parity import Parity
from zhuji.tools.export import export
from zhuji.tools.report import write_report


@pytest.fixture
def run(tmp_path):
    shutil.copytree(trained.run(), tmp_path / "run")
    return tmp_path / "run"


def test_each_format_is_measured_and_told_in_the_run_and_its_report(run):
    found = export(run, ["safetensors", "torch-export"])
    assert list(found.folders) == ["safetensors", "torch-export"]
    for folder in found.folders.values():
        told = json.loads((folder / "parity.json").read_text())["hops"]
        assert [hop["name"] for hop in told] == ["reload", folder.name] and all(hop["passed"] for hop in told)
        assert open_model(folder).golden == open_bundle(run).golden
    assert [hop.name for hop in Parity.read(run).hops] == ["reload", "safetensors", "torch-export"]
    assert found.as_dict()["formats"][1]["bytes"] > 1000
    page = write_report(run).page.read_text()
    assert "torch-export" in page and "answers that flip" in page


def test_scores_are_those_of_the_model(run):
    export(run, ["torch-export"])
    data = trained.data()
    ours, theirs = (zhuji.evaluate(path, data).scores for path in (run, run / "export" / "torch-export"))
    assert {name: of.value for name, of in ours.items()} == pytest.approx(
        {name: of.value for name, of in theirs.items()}, abs=1e-5
    )


def test_what_answers_otherwise_is_kept_aside(run, tmp_path, monkeypatch):
    kind, original = type(find("torch-export")), type(find("torch-export")).network

    def broken(self, network):
        with torch.no_grad():
            network.module.model.head.out.weight.mul_(1.5)
        return original(self, network)

    monkeypatch.setattr(kind, "network", broken)
    with pytest.raises(AnswersDiffer, match="torch-export"):
        export(run, ["torch-export"], tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["torch-export.refused"]
    told = json.loads((tmp_path / "out" / "torch-export.refused" / "refused.json").read_text())
    assert told["differing"] and told["gap"] > 1e-4 and not told["passed"]


def test_what_cannot_be_is_told_before_anything_is_written(run, tmp_path):
    (tmp_path / "out" / "onnx").mkdir(parents=True)
    for error, names, sets in (
        (UnknownName, ["onnx", "nowhere"], ()), (RunExists, ["safetensors", "onnx"], ()), (BadSetting, [], ()),
        (BadSetting, ["safetensors"], ("export.gap=2",)),
    ):  # fmt: skip
        with pytest.raises(error):
            export(run, names, tmp_path / "out", sets=sets)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["onnx"]


def test_a_model_that_writes_goes_where_it_can_be_held(tmp_path):
    find("safetensors").write(predictor("writer"), tmp_path / "writer")
    with pytest.raises(CannotExport, match="safetensors, huggingface"):
        export(tmp_path / "writer", ["safetensors", "torch-export"])
    assert not (tmp_path / "writer-export").exists()
    assert export(tmp_path / "writer", ["safetensors"]).folders["safetensors"] == tmp_path / "writer-export" / "safetensors"


def test_an_exported_folder_is_no_source(run, tmp_path):
    made = export(run, ["torch-export"]).folders["torch-export"]
    with pytest.raises(NoWeights):
        export(made, ["onnx"], tmp_path / "out")
