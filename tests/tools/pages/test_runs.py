from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests import many_runs, trained
from zhuji.core.files import read_json
from zhuji.tools.pages.runs import BEGINNING, BROKEN, DONE, RUNNING, STOPPED, Reader, Score, run_folders


def state(folder: Path) -> str:
    return Reader(folder).look().state


def process(folder: Path, **other: object) -> None:
    own = psutil.Process()
    many_runs.dump(folder / "process.json", {"host": platform.node(), "pid": own.pid, "started": own.create_time(), **other})


def silent(folder: Path, seconds: float) -> None:
    """As if nothing had been written for so long."""
    for path in folder.iterdir():
        then = path.stat().st_mtime - seconds
        os.utime(path, (then, then))


def test_the_facts_of_a_real_run_are_those_of_its_records() -> None:
    folder = trained.run()
    run, results = Reader(folder).look(), read_json(folder / "results.json")
    assert (run.state, run.problem, run.metric, run.data) == (DONE, "", "accuracy", "pets.csv")
    assert run.scores["accuracy"] == Score(*(results["test"]["accuracy"][key] for key in ("value", "low", "high")))
    assert (
        run.parameters == results["model"]["parameters"] and run.steps == results["steps"] and run.seconds == results["seconds"]
    )
    assert run.planned == results["steps"] and run.kept == results["best_step"] and run.report
    assert run.bundle_bytes == sum(p.stat().st_size for p in (folder / "bundle").rglob("*") if p.is_file())
    assert run.setting.data == (next(iter(results["fingerprint"].values()))["sha256"],) and run.setting.task == "classify"
    assert run.test_rows == len((folder / "predictions.csv").read_text(encoding="utf-8").splitlines()) - 1
    assert run.trail.points("valid", "accuracy") == [(h["step"], h["accuracy"]) for h in results["history"]]


def test_a_run_goes_on_as_long_as_its_process_does(tmp_path: Path) -> None:
    folder = many_runs.write(tmp_path, "1", None, steps=4)
    process(folder)
    silent(folder, 10_000)
    assert state(folder) == RUNNING
    process(folder, started=1.0)
    assert state(folder) == STOPPED, "another process has taken the number since"
    (folder / "metrics.jsonl").unlink()
    process(folder)
    assert state(folder) == BEGINNING


def test_a_killed_process_is_noticed_at_once(tmp_path: Path) -> None:
    folder = many_runs.write(tmp_path, "1", None, steps=4)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        process(folder, pid=child.pid, started=psutil.Process(child.pid).create_time())
        assert state(folder) == RUNNING
        child.kill()
    found = Reader(folder).look()
    assert found.state == STOPPED and found.since == pytest.approx((folder / "process.json").stat().st_mtime, abs=1e-3)


@pytest.mark.parametrize("known", [{"host": "elsewhere"}, {"pid": "1"}, {"started": None}])
def test_where_the_process_is_unknown_silence_tells(tmp_path: Path, known: dict[str, object]) -> None:
    folder = many_runs.write(tmp_path, "1", None, steps=4)
    process(folder, **known)
    assert state(folder) == RUNNING
    silent(folder, 120)
    assert state(folder) == STOPPED
    lines = [many_runs.train_line(step, 1.0, seconds=step * 100) for step in (1, 2)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    silent(folder, 120)
    assert state(folder) == RUNNING, "a run whose lines come every 100 seconds may be silent for 120"


def test_results_end_a_run_and_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = many_runs.write(tmp_path, "1", None)
    process(folder)
    reader = Reader(folder)
    assert reader.look().state == RUNNING and reader.look().bundle_bytes is None
    done = many_runs.write(tmp_path, "2", (0.9, 0.8, 1.0))
    os.rename(done / "bundle", folder / "bundle")
    os.rename(done / "results.json", folder / "results.json")
    found = reader.look()
    assert (found.state, found.scores["accuracy"].value, found.bundle_bytes) == (DONE, 0.9, 3072)
    monkeypatch.setattr("zhuji.tools.pages.plain.text", lambda *a: pytest.fail("read again"))
    assert reader.look().scores == found.scores


@pytest.mark.parametrize(
    ("name", "content"),
    [("results.json", "{"), ("results.json", "[]"), ("results.json", "[" * 100_000), ("start.json", "nul"), ("run.yaml", "a: ["),
     ("run.yaml", "- 1"), ("splits.jsonl", '{"split"'), ("benchmark.json", "1")],
)  # fmt: skip
def test_a_broken_file_is_told(tmp_path: Path, name: str, content: str) -> None:
    folder = many_runs.write(tmp_path, "1")
    (folder / name).write_text(content)
    found = Reader(folder).look()
    assert found.state == BROKEN and found.problem


@pytest.mark.parametrize("value", [None, 3, "text", [1], {"a": {"b": 1}}, float("nan"), [{"x": None}]])
def test_values_of_another_shape_break_nothing(tmp_path: Path, value: object) -> None:
    folder = many_runs.write(tmp_path, "1")
    results = read_json(folder / "results.json")
    for key in results:
        many_runs.dump(folder / "results.json", {**results, key: value})
        many_runs.dump(folder / "start.json", {"data": value, "corpus": value})
        many_runs.dump(folder / "benchmark.json", {"formats": value, "machine": value})
        many_runs.dump(folder / "plan.json", {"steps": value, "metric": value})
        many_runs.dump(folder / "process.json", {"pid": value, "host": value, "started": value})
        assert Reader(folder).look().state == DONE
    for key in ("data", "corpus", "task", "backbone", "recipe"):
        for inner in (value, {"sources": value, "path": value, "name": value, "label": value, "held": value}):
            many_runs.dump(folder / "run.yaml", {key: inner})
            assert Reader(folder).look().state == DONE


def test_links_are_no_runs_and_a_linked_file_is_not_followed(tmp_path: Path) -> None:
    outside = many_runs.write(tmp_path / "outside", "secret")
    root = tmp_path / "runs"
    own = many_runs.write(root, "001-own")
    (root / "002-link").symlink_to(outside)
    (root / ".hidden").mkdir()
    (root / "notes").mkdir()
    (root / "file").touch()
    assert [path.name for path in run_folders(root)] == ["001-own"] and run_folders(tmp_path / "none") == []
    (own / "results.json").unlink()
    (own / "results.json").symlink_to(outside / "results.json")
    assert Reader(own).look().state == BROKEN


def test_priced_formats_are_read(tmp_path: Path) -> None:
    folder = many_runs.write(tmp_path, "1")
    price = {"format": "onnx", "bytes": 10, "p50_ms": 1.5, "p95_ms": 2.0, "score": many_runs.score(0.7, 0.6, 0.8)}
    many_runs.dump(folder / "benchmark.json", {"formats": [price, "?"], "machine": {"cpu": "one", "threads": 1}})
    first, second = Reader(folder).look().priced
    assert (first.format, first.p50, first.score) == ("onnx", 1.5, Score(0.7, 0.6, 0.8)) and second.p50 is None
    assert Reader(folder).look().machine == "one, 1"
