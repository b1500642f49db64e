from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests import supervised
from zhuji.core.errors import NoCommonRows, NotABundle
from zhuji.tools.compare import _evidence, compare


def made(folder: Path, accuracy: float, rows: int = 300, first: int = 0) -> Path:
    """A run folder whose answers are right with this probability."""
    folder.mkdir()
    rng = np.random.default_rng(int(accuracy * 1000))
    with open(folder / "predictions.csv", "w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["id", "input", "label", "prediction", "score"])
        for i in range(first, first + rows):
            label = "ab"[i % 2]
            out.writerow([f"row-{i}", f"text {i}", label, label if rng.random() < accuracy else "ba"[i % 2], 0.9])
    (folder / "results.json").write_text(json.dumps({"labels": ["a", "b"], "confusion": [[1]], "test": {}}))
    return folder


def test_a_clear_difference_and_none(tmp_path: Path) -> None:
    good, bad, same = made(tmp_path / "g", 0.95), made(tmp_path / "b", 0.7), made(tmp_path / "s", 0.951)
    found = compare(good, bad, sets=["compare.resamples=200"])
    accuracy = found.metrics["accuracy"]
    assert accuracy.better == "a" and accuracy.p < 0.01 and accuracy.difference.low > 0 and "is better" in found.verdict
    assert compare(bad, good, sets=["compare.resamples=200"]).metrics["accuracy"].better == "b"
    assert compare(good, same, sets=["compare.resamples=200"]).metrics["accuracy"].better is None
    assert accuracy.difference.value == pytest.approx(accuracy.a.value - accuracy.b.value)


def test_only_common_rows_count(tmp_path: Path) -> None:
    a, b = made(tmp_path / "a", 0.9), made(tmp_path / "b", 0.8, first=200)
    found = compare(a, b, sets=["compare.resamples=20"])
    assert (found.rows, found.only_a, found.only_b) == (100, 200, 200)
    with pytest.raises(NoCommonRows):
        compare(a, made(tmp_path / "c", 0.8, first=1000))
    with pytest.raises(NotABundle):
        compare(a, tmp_path)


def test_many_labels_and_numbers(tmp_path: Path) -> None:
    for name, labels, rows in (
        ("many", ["x", "y"], ["r1,t,x|y,x|y,", "r2,u,x,y,"]),
        ("numbers", [], ["r1,t,1.0,1.5,", "r2,u,2.0,2.0,"]),
    ):
        (tmp_path / name).mkdir()
        (tmp_path / name / "predictions.csv").write_text("\n".join(["id,input,label,prediction,score", *rows, ""]))
        (tmp_path / name / "results.json").write_text(json.dumps({"labels": labels, "confusion": []}))
    many = compare(tmp_path / "many", tmp_path / "many", sets=["compare.resamples=10"]).metrics
    assert many["subset_accuracy"].a.value == 0.5 and many["micro_f1"].a.value == pytest.approx(2 * 2 / 6)
    numbers = compare(tmp_path / "numbers", tmp_path / "numbers", sets=["compare.resamples=10"]).metrics
    assert numbers["mae"].a.value == 0.25 and numbers["rmse"].a.value == pytest.approx((0.125) ** 0.5)


def test_runs_that_tag_or_translate(tmp_path: Path) -> None:
    for result, names in ((supervised.tagged(), ["span_f1", "accuracy"]), (supervised.translated(), ["bleu", "chrf"])):
        other = tmp_path / names[0]
        shutil.copytree(result.run, other)
        lines = (other / "predictions.csv").read_text(encoding="utf-8").splitlines()
        with open(other / "predictions.csv", encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        with open(other / "predictions.csv", "w", encoding="utf-8", newline="") as file:
            out = csv.DictWriter(file, lines[0].split(","))
            out.writeheader()
            out.writerows({**row, "prediction": " ".join("O" for _ in row["prediction"].split())} for row in rows)
        found = compare(result.run, other, sets=["compare.resamples=50"])
        assert list(found.metrics) == names
        for name, difference in found.metrics.items():
            assert difference.a.value == pytest.approx(result.test[name]["value"]) and difference.b.value <= difference.a.value
        assert any(difference.b.value < difference.a.value for difference in found.metrics.values())


def test_answers_in_pinyin_are_compared_with_pinyin() -> None:
    pytest.importorskip("pypinyin")
    keys = [("valid", "a.wav", "筑基。"), ("valid", "b.wav", "语音")]
    told = {"notes": {"cer": "jiwer 4.0.0, NFKC, case lower, punctuation drop, pinyin, beams 1"}}
    columns = _evidence(keys, dict(zip(keys, ["zhu4 ji1", "yu3 yin2"], strict=True)), told)
    assert columns["word_edits"].tolist() == [0, 1]


def test_clauses_of_chinese_are_compared_as_they_were_judged() -> None:
    keys = [("valid", "a.wav", "筑基，从 头。"), ("valid", "b.wav", "ok，it is")]
    told = {"notes": {"cer": "jiwer 4.0.0, NFKC, case lower, punctuation drop, beams 1"}}
    columns = _evidence(keys, dict(zip(keys, ["筑基从头", "ok it is"], strict=True)), told)
    assert columns["letter_edits"].tolist() == [0, 0] and columns["words"].tolist() == [4, 3]
