import json

import pytest

from zhuji.core.contracts import Backbone, Modality, Task
from zhuji.core.lookup import find, names
from zhuji.data.infer import Roles
from zhuji.data.settings import CleanSettings
from zhuji.model.assembly import assemble
from zhuji.model.bundle import open_bundle, save
from zhuji.model.parity import reopened
from zhuji.model.predictor import Predictor

ROLES = Roles(text=("title", "body"), label=("class",), kind="classify", reasons={"text": "longest"})


def saved(folder, backbone="bag", task="classify", clean=None):
    body = find(Backbone, backbone).example()
    modality, texts = find(Modality, "text" if 1 in body.grids else "image").example()
    model = assemble(modality, body, find(Task, task).example().task)
    clean = clean or CleanSettings()
    answers = Predictor(model, clean).predict(texts)
    golden = [
        {"input": t, "answer": a.answer, "score": a.score, "scores": a.scores and dict(a.scores)}
        for t, a in zip(texts, answers)
    ]
    save(model, folder, clean=clean, roles=ROLES, golden=golden, card="# 模型\n", run={"seed": 3})
    return model, texts


@pytest.mark.parametrize("backbone", names(Backbone))
@pytest.mark.parametrize("task", ["classify", "regress"])
def test_what_comes_out_is_what_went_in(tmp_path, backbone, task):
    model, texts = saved(tmp_path / "b", backbone, task)
    opened = open_bundle(tmp_path / "b")
    assert list(opened.predict(texts)) == list(Predictor(model).predict(texts))
    reload = reopened(opened)
    assert (reload.flips, reload.gap, reload.passed) == (0, 0, True)
    assert (opened.roles, opened.run, opened.card) == (ROLES, {"seed": 3}, "# 模型\n")
    assert opened.model.task == model.task
    assert not opened.model.training


def test_the_same_model_gives_the_same_bytes(tmp_path):
    saved(tmp_path / "a")
    saved(tmp_path / "b")
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes(), file.name


def test_saving_what_was_opened_gives_the_same_bytes(tmp_path):
    saved(tmp_path / "a")
    p = open_bundle(tmp_path / "a")
    save(p.model, tmp_path / "b", clean=p.clean, roles=p.roles, golden=p.golden, card=p.card, run=p.run)
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes(), file.name


def test_cleaning_travels(tmp_path):
    saved(tmp_path / "b", clean=CleanSettings(whitespace=False, unicode="NFKC"))
    assert open_bundle(tmp_path / "b").clean == CleanSettings(whitespace=False, unicode="NFKC")


def test_a_run_folder_will_do(tmp_path):
    saved(tmp_path / "run" / "bundle")
    (tmp_path / "run" / "results.json").write_text("{}")
    assert open_bundle(tmp_path / "run").run == {"seed": 3}
    assert open_bundle(str(tmp_path / "run")).run == {"seed": 3}


def test_opening_leaves_chance_alone(tmp_path):
    import torch

    saved(tmp_path / "b")
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    open_bundle(tmp_path / "b")
    assert (torch.rand(3) == expected).all()


def test_a_bundle_is_never_half_there(tmp_path, monkeypatch):
    monkeypatch.setattr("os.rename", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        saved(tmp_path / "b")
    assert list(tmp_path.iterdir()) == []


def test_what_the_files_say(tmp_path):
    saved(tmp_path / "b")
    config = json.loads((tmp_path / "b" / "config.json").read_text())
    assert config["format"] == 1
    assert [config[part]["name"] for part in ("modality", "backbone", "task")] == ["text", "bag", "classify"]
    assert json.loads((tmp_path / "b" / "labels.json").read_text()) == ["a", "b", "c"]
    hashes = json.loads((tmp_path / "b" / "hashes.json").read_text())
    assert set(hashes) == {f.name for f in (tmp_path / "b").iterdir()} - {"hashes.json"}
