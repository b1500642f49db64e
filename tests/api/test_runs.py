"""The Python face of Zhuji: what `train` leaves, and that every way to a score gives the same numbers."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import zhuji
from tests import trained
from tests.serving import made
from zhuji import api
from zhuji.core.errors import ChangedSinceStart, MissingFile, UnknownKey
from zhuji.training import transfer


def test_train_hands_back_what_the_folder_holds() -> None:
    result = trained.result()
    assert result.run.is_dir() and result.bundle.is_dir() and result.report.is_file()
    assert set(next(iter(result.test.values()))) == {"value", "low", "high"}
    assert len(result.baselines) >= 3 and result.ledger["balanced"] and result.labels == tuple(sorted(trained.WORDS))


def test_three_ways_to_the_same_scores() -> None:
    result = trained.result()
    first = {name: score.as_dict() for name, score in zhuji.evaluate(result.run).scores.items()}
    second = {
        name: score.as_dict()
        for name, score in result.load().evaluate(trained.data(), seed=0, sets=["evaluate.bootstrap=50"]).scores.items()
    }
    loaded = {name: score.as_dict() for name, score in zhuji.load(result.run).evaluate().scores.items()}
    assert first == dict(result.test) == loaded
    assert set(second) == set(first)


def test_a_loaded_model_predicts() -> None:
    answers = trained.result().load().predict(["bark bone leash", "飞 翅膀 羽毛"])
    assert [a.answer for a in answers] == ["dogs", "鸟类"]
    assert zhuji.load(trained.run()).predict("purr whisker meow")[0].answer == "cats"
    assert trained.result().load().labels == tuple(sorted(trained.WORDS))


def test_layers_lie_in_order(tmp_path: Path) -> None:
    config = tmp_path / "mine.yaml"
    config.write_text("train: {epochs: 7, optim: {lr: 0.5}}\nseed: 3\n")
    run, folder = api.planned(
        "x.csv", model="bilstm", config=config, epochs=2, run_dir=tmp_path / "r", sets=["train.optim.lr=0.25"], text="body"
    )
    assert (run.train.epochs, run.train.optim.lr, run.train.optim.name, run.seed) == (2, 0.25, "adam", 3)
    assert run.data.text == ("body",) and run.recipe == "bilstm" and run.name == "x-bilstm" and folder == tmp_path / "r"


def test_runs_are_numbered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert [api.planned("x.csv")[1].name for _ in range(2)] == ["001-x-bag", "002-x-bag"]


def test_wrong_requests_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownKey):
        api.planned("x.csv", run_dir=tmp_path, sets=["train.epoch=3"])
    with pytest.raises(MissingFile):
        api.planned("x.csv", config=tmp_path / "none.yaml")
    with pytest.raises(ChangedSinceStart):
        api.resume(trained.run(), seed=9)


def test_resume_of_a_finished_run_hands_it_back() -> None:
    assert zhuji.resume(trained.run()).test == trained.result().test


def test_the_room_of_training_and_the_call_share_a_name() -> None:
    import zhuji.training.run

    assert callable(zhuji.train) and zhuji.training.run.Run
    with pytest.raises(MissingFile):
        zhuji.train("x.csv", config="none.yaml")


def test_names_are_lazy_and_polite() -> None:
    code = (
        "import sys, os, zhuji; assert 'torch' not in sys.modules and 'pydantic' not in sys.modules;"
        "assert os.environ['OMP_WAIT_POLICY'] == 'PASSIVE'; assert all(getattr(zhuji, n) is not None for n in zhuji.__all__)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError):
        _ = zhuji.nothing_of_the_kind


def test_pictures_from_folder_to_answers(tmp_path):
    from tests import pictured

    result = pictured.result()
    assert result.test["accuracy"]["value"] > 0.8
    assert {"majority", "thumbnail_svm", "thumbnail_logistic"} == set(result.baselines)
    assert result.ledger["dropped"] == 1 and result.ledger["balanced"]
    model = result.load()
    path = sorted((pictured.data() / "test/red").iterdir())[0]
    [by_path], [by_text], [by_bytes] = (model.predict(one) for one in (path, str(path), path.read_bytes()))
    assert by_path == by_text == by_bytes and by_path.answer == "red"
    ours = api.evaluate(result.run)
    assert {name: interval.value for name, interval in ours.scores.items()} == {
        name: of["value"] for name, of in result.test.items()
    }
    assert (
        api.evaluate(result.bundle, pictured.data(), sets=["data.max_dropped=0.1"]).scores["accuracy"].value
        == ours.scores["accuracy"].value
    )
    assert (result.run / "report.html").is_file()
    assert "one label to a picture" in (result.bundle / "README.md").read_text()


@pytest.mark.parametrize(("task", "recipe"), [("classify", "finetune"), ("generate", "finetune-pictures")])
def test_what_learns_on_from_a_model_is_told_by_what_that_reads(
    task: str, recipe: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without opening it, which the run does: what opening says would be said twice."""
    monkeypatch.setattr(transfer, "open_model", lambda path: pytest.fail("it is opened"))
    run, _ = api.planned("x", start=made.of_task(task), run_dir=tmp_path)
    assert run.recipe == recipe
    assert api.planned("x", start=made.of_task(task), model="finetune", run_dir=tmp_path)[0].recipe == "finetune"
