import multiprocessing
import os

import psutil
import pytest
import torch

from zhuji.core.errors import ChangedSinceStart, NothingToResume, RunExists
from zhuji.core.files import read_json
from zhuji.training import folder as places
from zhuji.training.run import compose


def test_folders_are_numbered_and_named(tmp_path):
    names = [places.next_run_dir(tmp_path / "runs", name).name for name in ("spam", "my run/no 1", "评论", "..")]
    assert names == ["001-spam", "002-my-run-no-1", "003-评论", "004-run"]
    (tmp_path / "runs" / "017-old").mkdir()
    assert places.next_run_dir(tmp_path / "runs", "x").name == "018-x"


def many(root, names):
    names.extend([str(places.next_run_dir(root, f"run{i % 3}")) for i in range(20)])


def test_no_two_processes_get_the_same_number(tmp_path):
    context = multiprocessing.get_context("fork")
    with context.Manager() as manager:
        names = manager.list()
        workers = [context.Process(target=many, args=(tmp_path, names)) for _ in range(4)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        numbers = [name.rpartition("/")[2].split("-")[0] for name in names]
    assert len(set(numbers)) == len(numbers) == 80
    assert not list(tmp_path.glob(".partial-*"))


def test_claim_takes_an_empty_folder_only(tmp_path):
    assert places.claim(tmp_path / "a").is_dir()
    (tmp_path / "a" / "x").touch()
    with pytest.raises(RunExists):
        places.claim(tmp_path / "a")


def test_run_goes_round(tmp_path):
    run = compose({"data": {"path": "x.csv"}}, sets=["train.steps=5", "backbone.name=recurrent"])
    places.write_run(tmp_path, run)
    assert places.read_run(tmp_path) == run
    with pytest.raises(NothingToResume):
        places.read_run(tmp_path / "none")


def test_an_onlooker_is_told_who_works_and_how_far(tmp_path):
    places.write_process(tmp_path)
    process = read_json(tmp_path / "process.json")
    assert (
        process["pid"] == os.getpid() and psutil.Process(process["pid"]).create_time() == process["started"] and process["host"]
    )
    places.write_plan(tmp_path, 40, {"macro_f1": None, "accuracy": None})
    assert read_json(tmp_path / "plan.json") == {"steps": 40, "metric": "macro_f1"}
    (tmp_path / "run.yaml").touch()
    (tmp_path / "plan.json").unlink()
    places.unclaim(tmp_path)
    assert not tmp_path.exists(), "a run that never began leaves nothing"


def test_changes_are_named():
    with pytest.raises(ChangedSinceStart, match=r"train\.lr, train\.steps"):
        old, new = {"train": {"steps": 1, "lr": 2, "k": 0}}, {"train": {"steps": 2, "k": 0}}
        places.refuse_changes("the settings", places.flat(old), places.flat(new), "run")


def test_environment_names_versions():
    facts = places.environment(2, torch.device("cpu"))
    assert facts["packages"]["torch"] == torch.__version__
    assert facts["threads"] == 2
    assert facts["git"] is None or len(facts["git"]["commit"]) == 40
