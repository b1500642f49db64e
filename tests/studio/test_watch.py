from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests import many_runs
from zhuji.core.log import speaking
from zhuji.studio import watch as watching
from zhuji.studio.watch import Watch, time_left
from zhuji.tools.pages.runs import Reader


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look is a new one."""
    monkeypatch.setattr(watching, "_FRESH", 0.0)


def test_a_run_appears_goes_on_ends_and_vanishes(tmp_path: Path) -> None:
    watch = Watch(tmp_path / "runs")
    assert list(watch.parts()) == ["summary"] and "not there" in watch.parts()["summary"]
    (tmp_path / "runs").mkdir()
    assert "No run yet" in watch.parts()["summary"]
    folder = many_runs.write(tmp_path / "runs", "001-a", None, steps=4, planned=40)
    parts = watch.parts()
    assert list(parts) == ["summary", "live-0", "table", "g0"]
    assert '<progress max="40.0" value="4.0"' in parts["live-0"] and ">4</b> of 40" in parts["live-0"]
    before = parts["live-0"]
    with open(folder / "metrics.jsonl", "a") as file:
        file.write(json.dumps(many_runs.train_line(8, 0.125)) + '\n{"kind": "tra')
    parts = watch.parts()
    assert ">8</b> of 40" in parts["live-0"] and parts["live-0"] != before and watch.parts() == parts
    done = many_runs.write(tmp_path / "other", "x")
    for name in ("results.json", "report.html"):
        shutil.move(done / name, folder / name)
    parts = watch.parts()
    assert list(parts) == ["summary", "table", "g0"] and "runs/001-a/report.html" in parts["table"]
    shutil.rmtree(folder)
    assert list(watch.parts()) == ["summary"]


def test_what_is_shown_of_a_run_under_way(tmp_path: Path) -> None:
    folder = many_runs.write(tmp_path, "1", None, steps=10, planned=40)
    run = Reader(folder).look()
    assert time_left(run) == pytest.approx(15.0), "5 seconds for 10 steps"
    (folder / "plan.json").unlink()
    assert time_left(Reader(folder).look()) is None
    html = Watch(tmp_path).parts()["live-0"]
    for text in ("0.1", "validation accuracy", "0.7", "200", "300.0 MiB", "1.00e-02", "5.0s"):
        assert text in html
    assert "<progress" not in html


def test_the_last_step_and_the_first(tmp_path: Path) -> None:
    many_runs.write(tmp_path, "1", None, steps=10, planned=10)
    begun = many_runs.write(tmp_path, "2", None)
    (begun / "metrics.jsonl").unlink()
    parts = Watch(tmp_path).parts()
    assert "testing and saving" in parts["live-0"] and "Getting ready" in parts["live-1"]


def test_one_run_alone_and_both_languages(tmp_path: Path) -> None:
    folder = many_runs.write(tmp_path, "001-a", None, steps=4, planned=40)
    watch = Watch(folder)
    with speaking("zh"):
        assert "训练中" in watch.parts()["live-0"]
    assert "Training" in watch.parts()["live-0"]


def test_only_reports_of_runs_are_given_out(tmp_path: Path) -> None:
    root = tmp_path / "runs"
    many_runs.write(root, "1")
    (tmp_path / "report.html").write_text("secret")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "report.html").write_text("secret")
    (root / "2").symlink_to(tmp_path / "outside")
    linked = many_runs.write(root, "3")
    (linked / "report.html").unlink()
    (linked / "report.html").symlink_to(tmp_path / "report.html")
    many_runs.write(root, "4", None)
    watch = Watch(root)
    assert watch.report("1") == (root / "1" / "report.html").resolve()
    for name in ("2", "3", "4", "..", "../outside", ".", "", "1/", "1/../1", str(root / "1"), "1\0"):
        assert watch.report(name) is None, name


def test_many_who_ask_share_one_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many_runs.write(tmp_path, "1")
    monkeypatch.setattr(watching, "_FRESH", 60.0)
    watch = Watch(tmp_path)
    first = watch.parts()
    monkeypatch.setattr(Reader, "look", lambda self: pytest.fail("looked again"))
    assert watch.parts() is first
