from __future__ import annotations

import random
from pathlib import Path

from tests import many_runs
from zhuji.core import lookup
from zhuji.core.contracts import Task
from zhuji.tools.pages.groups import front, grouped, logged_metric
from zhuji.tools.pages.page import better
from zhuji.tools.pages.runs import Reader, RunFacts, run_folders


def runs(root: Path) -> list[RunFacts]:
    return [Reader(path).look() for path in run_folders(root)]


def names(root: Path) -> list[list[str]]:
    return [[run.name for run in group.runs] for group in grouped(runs(root))]


def test_only_runs_on_the_same_rows_of_the_same_data_stand_together(tmp_path: Path) -> None:
    many_runs.write(tmp_path, "1", (0.7, 0.6, 0.8))
    many_runs.write(tmp_path, "2", (0.9, 0.85, 0.95))
    many_runs.write(tmp_path, "3 renamed file", (0.8, 0.7, 0.9), data="copy.csv")
    many_runs.write(tmp_path, "4 changed file", (0.99, 0.98, 1.0), sha="bb")
    many_runs.write(tmp_path, "5 other test rows", (0.99, 0.98, 1.0), test_rows=(1, 5, 7))
    many_runs.write(tmp_path, "6 under way", None)
    many_runs.write(tmp_path, "7 other task", (0.99, 0.98, 1.0), model={"task": "regress", "parameters": 1})
    assert sorted(names(tmp_path)[1:]) == [["4 changed file"], ["5 other test rows"], ["7 other task"]]
    assert names(tmp_path)[0] == ["2", "3 renamed file", "1", "6 under way"]


def test_less_is_better_of_some_metrics(tmp_path: Path) -> None:
    for name, value in (("1", 3.0), ("2", 1.0), ("3", 2.0)):
        many_runs.write(tmp_path, name, (value, value - 0.1, value + 0.1), metric="rmse")
    [group] = grouped(runs(tmp_path))
    assert [run.name for run in group.runs] == ["2", "3", "1"]
    assert group.baseline is not None and group.baseline[0] == "majority"


def test_the_direction_of_every_metric_of_every_task_is_known() -> None:
    for name in lookup.names(Task):
        task = lookup.find(Task, name).example().task
        for metric, of in {**task.metrics(), **task.answer_metrics()}.items():
            assert (better(metric) > 0) == of.higher_is_better, (name, metric)


def test_the_verdict_says_what_intervals_say(tmp_path: Path) -> None:
    many_runs.write(tmp_path / "a", "1", (0.9, 0.88, 0.92))
    assert "no other run" in grouped(runs(tmp_path / "a"))[0].verdict
    many_runs.write(tmp_path / "a", "2", (0.8, 0.78, 0.82))
    [group] = grouped(runs(tmp_path / "a"))
    assert "1 leads" in group.verdict and "apart from those of all other runs" in group.verdict and group.tie is None
    assert "It beats the best baseline, TF-IDF + linear SVM" in group.verdict
    many_runs.write(tmp_path / "a", "3", (0.89, 0.87, 0.91))
    [group] = grouped(runs(tmp_path / "a"))
    assert "meets that of 3" in group.verdict and group.tie is not None and [run.name for run in group.tie] == ["1", "3"]
    many_runs.write(tmp_path / "b", "1", (0.6, 0.55, 0.65))
    assert "worse than the best baseline" in grouped(runs(tmp_path / "b"))[0].verdict
    many_runs.write(tmp_path / "c", "1", (0.7, 0.65, 0.75))
    assert "not proven better" in grouped(runs(tmp_path / "c"))[0].verdict
    many_runs.write(tmp_path / "d", "1", None)
    assert "No run" in grouped(runs(tmp_path / "d"))[0].verdict


def test_the_front_is_what_trying_all_pairs_gives() -> None:
    rng = random.Random(0)
    for sign in (1, -1):
        for _ in range(200):
            points = [(float(rng.randint(1, 6)), float(rng.randint(1, 6))) for _ in range(rng.randint(0, 8))]

            def beaten(i: int) -> bool:
                return any(x <= points[i][0] and sign * y >= sign * points[i][1] and (x, y) != points[i] for x, y in points)

            assert sorted(front(points, sign)) == [i for i in range(len(points)) if not beaten(i)]


def test_curves_show_the_wanted_metric_where_it_was_logged(tmp_path: Path) -> None:
    many_runs.write(tmp_path, "1", metric="span_f1")
    assert logged_metric(runs(tmp_path), "span_f1") == "span_f1"
    assert logged_metric(runs(tmp_path), "bleu") == "span_f1" and logged_metric([], "bleu") == ""
