from __future__ import annotations

import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import zhuji
from tests import trained
from zhuji import formats
from zhuji.core.errors import BadSetting, NotABundle, UnknownName
from zhuji.model.predictor import Predictor
from zhuji.tools import benchmark as tool
from zhuji.tools._pricing import Guest
from zhuji.tools.benchmark import benchmark

QUICK = ("benchmark.rounds=2", "benchmark.singles=3", "benchmark.many=8")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(trained.run(), tmp_path_factory.mktemp("priced") / "run"))


@pytest.mark.slow
def test_a_run_is_priced_on_its_own_test_rows(run: Path) -> None:
    found = benchmark(run, to=["safetensors", "onnx-int8"], sets=QUICK)
    assert [price.format for price in found.formats] == ["safetensors", "onnx-int8"] and not found.skipped
    own = json.loads((run / "results.json").read_text())["test"]
    exact, coarse = found.formats
    metric = next(iter(own))
    assert exact.score["metric"] == metric and exact.score["value"] == pytest.approx(own[metric]["value"])
    assert exact.hop["flips"] == 0 and exact.hop["passed"] and coarse.hop["limit"] > exact.hop["limit"]
    for price in found.formats:
        assert 0 < price.p50_ms <= price.p95_ms and price.rows_per_second > 0 and price.load_seconds > 0
        assert price.peak_mb > 50  # Python and torch alone take more
    assert coarse.bytes < exact.bytes or exact.bytes < 1 << 20  # of a tiny model the graph outweighs the numbers
    kept = json.loads((run / "benchmark.json").read_text())
    assert kept["formats"][0]["p50_ms"] == exact.p50_ms and (run / "pictures" / "benchmark.svg").is_file()


def test_fewer_inputs_than_a_turn_asks_come_again() -> None:
    assert tool._repeated("ab", 5) == list("ababa") and tool._repeated("abc", 4, start=20) == list("cabc")


@pytest.mark.slow
def test_a_bundle_without_data_is_asked_its_golden_rows(run: Path) -> None:
    found = benchmark(run / "bundle", to=["safetensors"], sets=QUICK)
    assert found.formats[0].score == {} and not found.files
    assert found.inputs == len(formats.open_model(run / "bundle").golden)


@pytest.mark.slow
def test_a_bundle_is_scored_on_rows_that_are_named(run: Path) -> None:
    rows = run.parent / "rows.jsonl"
    rows.write_text('{"text": "bark bone"}\n{broken\n', encoding="utf-8")
    few = ("benchmark.rounds=2", "benchmark.singles=3", "benchmark.many=2")
    assert sum(zhuji.benchmark(run / "bundle", rows, to="safetensors", sets=few).dropped.values()) == 1
    found = zhuji.benchmark(run / "bundle", trained.data(), to="safetensors", sets=QUICK)
    told = zhuji.evaluate(run / "bundle", trained.data())
    name, interval = next(iter(told.scores.items()))
    assert found.formats[0].score["metric"] == name and found.formats[0].score["value"] == pytest.approx(interval.value)


def test_what_cannot_hold_the_model_is_told_or_refused(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bag of words is of no family that transformers knows."""
    monkeypatch.setattr(formats, "names", lambda: ["huggingface", "safetensors"])
    written, skipped = tool.written(formats.open_model(run), run.parent / "all", ())
    assert "huggingface" in skipped and list(written) == ["safetensors"]
    monkeypatch.undo()
    with pytest.raises(Exception, match="transformer"):
        benchmark(run, to=["huggingface"], sets=QUICK)
    with pytest.raises(UnknownName):
        benchmark(run, to=["pickle"], sets=QUICK)
    with pytest.raises(BadSetting):
        benchmark(run, to=["safetensors"], sets=("benchmark.rounds=0",))


def test_a_format_whose_answers_differ_is_not_priced(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = type(formats.find("safetensors"))
    honest = kind.open

    def swapped(self: Any, folder: Path, like: Predictor | None = None) -> tuple[Predictor, float]:
        predictor, limit = honest(self, folder, like)
        predictor.model.head.load_state_dict({name: -tensor for name, tensor in predictor.model.head.state_dict().items()})
        return predictor, limit

    monkeypatch.setattr(kind, "open", swapped)
    monkeypatch.setattr(formats, "names", lambda: ["safetensors"])
    written, skipped = tool.written(formats.open_model(run / "bundle"), run.parent / "wrong", ())
    assert "safetensors" not in written and skipped["safetensors"]


def test_a_process_tells_what_went_wrong_and_leaves(tmp_path: Path) -> None:
    with pytest.raises(NotABundle):
        Guest(tmp_path)


def test_latency_is_that_of_the_process(run: Path) -> None:
    with Guest(run / "bundle") as guest:
        begun = time.perf_counter()
        found: Sequence[float] = guest.latencies(["bark"] * 5)
        assert len(found) == 5 and sum(found) <= time.perf_counter() - begun
    assert guest.ended
