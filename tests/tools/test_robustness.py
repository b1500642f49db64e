"""Scores on worse pictures, against `evaluate` on the same pictures written to files."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from types import SimpleNamespace
from xml.dom import minidom

import pytest

from tests import pictured, trained
from zhuji.core.errors import BadSetting
from zhuji.core.records import Record
from zhuji.data.corruptions import SEVERITIES, STRENGTHS, corrupted
from zhuji.metrics.intervals import Interval
from zhuji.tools import robustness as tool
from zhuji.tools.robustness import Robustness, names, robustness

FEW = ("robustness.bootstrap=20",)


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> Robustness:
    return robustness(pictured.result().run, out=tmp_path_factory.mktemp("out") / "new", sets=FEW)


def test_as_they_are_the_score_is_that_of_the_run(found: Robustness) -> None:
    run = pictured.result()
    assert found.clean.value == next(iter(run.test.values()))["value"] and found.metric == next(iter(run.test))
    assert set(found.by) == set(STRENGTHS) == set(names()) and all(
        len(scores) == len(SEVERITIES) for scores in found.by.values()
    )
    assert found.clean.low <= found.clean.value <= found.clean.high


def test_what_is_scored_are_the_worse_pictures_with_their_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every score but the first is of the pictures that `corrupted` gives for a name, a severity, the seed and the row's id."""
    seen: list[list[Record]] = []

    def score(predictor: object, records: Iterable[Record], **more: object) -> object:
        seen.append(list(records))
        return SimpleNamespace(metrics={"accuracy": Interval(0.5)})

    monkeypatch.setattr(tool, "score", score)
    robustness(pictured.result().bundle, pictured.data() / "test", seed=3, sets=("robustness.rows=2",))
    clean, *worse = seen
    told = [(name, severity) for name in STRENGTHS for severity in SEVERITIES]
    assert len(clean) == 2 and len(worse) == len(told)
    for (name, severity), rows in zip(told, worse, strict=True):
        assert [(row.id, row.label) for row in rows] == [(row.id, row.label) for row in clean]
        assert [row.input.data for row in rows] == [corrupted(row.input, name, severity, 3, row.id).data for row in clean]


def test_the_same_seed_gives_the_same_numbers_and_files(found: Robustness) -> None:
    again = robustness(pictured.result().run, out=found.out, sets=FEW)
    assert again.by == found.by and again.clean == found.clean
    assert found.out is not None and {path.name for path in found.out.iterdir()} == {
        "robustness.json",
        "robustness.svg",
        "samples.png",
    }
    told = json.loads((found.out / "robustness.json").read_text())
    assert told["by"]["noise"][0]["value"] == found.by["noise"][0].value and told["rows"] == found.rows
    minidom.parse(str(found.out / "robustness.svg"))


def test_rows_are_drawn_and_data_may_be_named(tmp_path: Path) -> None:
    few = robustness(pictured.result().bundle, pictured.data() / "test", sets=(*FEW, "robustness.rows=5"))
    assert few.rows == 5 and few.out is None and few.data == str(pictured.data() / "test")


def test_means_and_shares() -> None:
    scores = [Interval(value) for value in (0.4, 0.2)]
    told = Robustness("m", "d", "accuracy", 9, Interval(0.6), {"a": scores, "b": scores}, 0, None, 1.0)
    assert told.mean == pytest.approx(0.3) and told.kept == pytest.approx(0.5)
    nothing = Robustness("m", "d", "accuracy", 9, Interval(0.0), {"a": scores}, 0, None, 1.0)
    assert nothing.as_dict()["kept"] is None


def test_a_model_of_texts_is_refused() -> None:
    with pytest.raises(BadSetting, match="must read pictures"):
        robustness(trained.run())
