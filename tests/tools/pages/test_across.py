from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import many_runs
from zhuji.tools.pages.across import across
from zhuji.tools.pages.runs import Reader, run_folders


def found(root: Path, base: str = ""):
    return across([Reader(path).look() for path in run_folders(root)], base)


def cells(row) -> dict[str, tuple[str, object, str]]:
    return {cell.key: (cell.text, cell.sort, cell.small) for cell in row["cells"]}


def test_rows_hold_the_numbers_of_their_runs(tmp_path: Path) -> None:
    cost = {"joules": 4200.0, "joules_from": "RAPL, whole processor"}
    many_runs.write(tmp_path, "001-a", (0.8123, 0.7812, 0.8234), cost=cost, bad_steps=3)
    many_runs.write(tmp_path, "002-b", None, steps=4, planned=40)
    facts = found(tmp_path, "runs/")
    [group] = facts["groups"]
    first, second = group["rows"]
    assert cells(first) == {
        "score": ("0.812", 0.8123, "[0.781, 0.823]"), "model": ("bag", "bag", ""), "parameters": ("1.2k", 1234.0, ""),
        "steps": ("10", 10.0, "kept 5"), "time": ("12s", 12.0, ""), "energy": ("4.2k J", 4200.0, "RAPL, whole processor"),
        "size": ("3.0 KiB", 3072.0, ""), "latency": ("–", None, ""),
    }  # fmt: skip
    assert first["href"] == "runs/001-a/report.html" and first["told"] == "3 bad steps"
    assert cells(second)["score"] == ("–", None, "") and cells(second)["steps"] == ("4", 4.0, "/ 40") and second["href"] == ""
    assert [key for key, _ in facts["columns"]] == ["score", "model", "parameters", "steps", "time", "energy", "size"]
    assert "2 runs: 1 finished, 1 running" in facts["verdict"] and (group["data"], group["test_rows"]) == ("reviews.csv", 3)


def test_marks_bear_the_number_of_the_folder(tmp_path: Path) -> None:
    for name in ("007-a", "120-b", "plain", "1234-c"):
        many_runs.write(tmp_path, name)
    [group] = found(tmp_path)["groups"]
    assert {row["name"]: row["label"] for row in group["rows"]} == {"007-a": "7", "120-b": "120", "1234-c": "3", "plain": "4"}


def test_less_is_better_sorts_the_other_way(tmp_path: Path) -> None:
    many_runs.write(tmp_path, "1", (2.0, 1.0, 3.0), metric="rmse")
    [group] = found(tmp_path)["groups"]
    assert group["lower"] and cells(group["rows"][0])["score"][1] == -2.0


def test_what_is_broken_or_unknown_is_told_apart(tmp_path: Path) -> None:
    many_runs.write(tmp_path, "1")
    broken = many_runs.write(tmp_path, "2")
    (broken / "results.json").write_text("{")
    begun = many_runs.write(tmp_path, "3", None)
    (begun / "start.json").unlink()
    facts = found(tmp_path)
    assert [row["name"] for group in facts["groups"] for row in group["rows"]] == ["1"]
    assert [run["name"] for run in facts["apart"]] == ["2", "3"] and all(run["told"] for run in facts["apart"])
    assert "1 unreadable" in facts["verdict"]


def price(folder: Path, machine: str, p50: float) -> None:
    score = many_runs.score(0.8, 0.7, 0.9)
    many_runs.dump(
        folder / "benchmark.json", {"formats": [{"format": "onnx", "p50_ms": p50, "score": score}], "machine": machine}
    )


def test_score_stands_against_latency_where_that_is_known_and_of_one_machine(tmp_path: Path) -> None:
    folders = [many_runs.write(tmp_path, str(i), (0.8 + i / 100, 0.7, 0.9)) for i in range(4)]
    titles = [picture.title for picture in found(tmp_path)["groups"][0]["pareto"]]
    assert titles == ["accuracy against parameters", "accuracy against training time"]
    for i, folder in enumerate(folders[:3]):
        price(folder, "here" if i < 2 else "elsewhere", 1.0 + i)
    [picture] = found(tmp_path)["groups"][0]["pareto"]
    assert picture.title == "accuracy against latency" and picture.svg.count('class="mark') == 2
    assert "Priced on: here." in picture.note and "1 priced on another machine" in picture.note
    assert cells(found(tmp_path)["groups"][0]["rows"][-1])["latency"] == ("1 ms", 1.0, "onnx")


def test_the_pictures_tell_of_baselines_gaps_and_axes(tmp_path: Path) -> None:
    folder = many_runs.write(tmp_path, "1", steps=100)
    with open(folder / "metrics.jsonl", "a") as file:
        file.write('{"kind": "train", "step": 101, "epoch": 20, "seconds": 50, "loss": NaN}\n')
    [group] = found(tmp_path)["groups"]
    assert "best baseline: TF-IDF + linear SVM" in group["pictures"][0].svg and group["pareto"] == []
    assert [over for over, _, _ in group["curves"]] == ["step", "epoch", "seconds"]
    loss, metric = group["curves"][0][2]
    assert loss.note == "Logarithmic axis. Gaps: values that are not finite." and metric.title == "Validation accuracy"
    assert metric.svg.count('class="kept"') == 1


def test_each_player_has_a_picture_beside_the_loss(tmp_path: Path) -> None:
    folder = many_runs.write(tmp_path, "1")
    lines = [many_runs.train_line(step, 3.0, losses={"critic": 1.0, "<b>": 2.0}) for step in range(1, 9)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    many_runs.write(tmp_path, "2")
    [group] = found(tmp_path)["groups"]
    assert [drawn.title for drawn in group["curves"][0][2]][:3] == ["Loss", "Loss: critic", "Loss: <b>"]
    assert not any("<b>" in drawn.svg for drawn in group["curves"][0][2])


def test_names_that_are_no_text_are_shown_and_linked(tmp_path: Path) -> None:
    try:
        many_runs.write(tmp_path, "odd \udcff name")
    except OSError:
        pytest.skip("this file system takes no such name")
    [group] = found(tmp_path)["groups"]
    row = group["rows"][0]
    assert row["name"] == "odd ? name" and row["href"] == "odd%20%FF%20name/report.html"
