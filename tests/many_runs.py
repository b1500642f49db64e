"""Run folders written by hand: what a run leaves, with numbers that a test chose."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

Scores = tuple[float, float, float]


def score(value: float, low: float, high: float) -> dict[str, float]:
    return {"value": value, "low": low, "high": high}


def write(
    root: Path, name: str, accuracy: Scores | None = (0.8, 0.78, 0.82), *, data: str = "reviews.csv", sha: str = "aa",
    test_rows: tuple[int, ...] = (2, 5, 7), metric: str = "accuracy", steps: int = 10, planned: int = 10, **more: Any,
) -> Path:  # fmt: skip
    """A run of `steps` steps with a falling loss and two validations; finished if it has a score. `more` goes into `results.json`."""
    folder = root / name
    folder.mkdir(parents=True)
    (folder / "run.yaml").write_text(
        json.dumps(
            {"recipe": "bag", "data": {"path": f"/somewhere/{data}"}, "backbone": {"name": "bag"}, "task": {"name": "classify"}}
        )
    )
    dump(folder / "start.json", {"data": {data: {"sha256": sha, "bytes": 9}}})
    dump(folder / "plan.json", {"steps": planned, "metric": metric})
    splits = [{"id": f"r{i}", "row": i, "file": data, "split": "test" if i in test_rows else "train"} for i in range(10)]
    (folder / "splits.jsonl").write_text("".join(json.dumps(line) + "\n" for line in splits))
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in log(steps, metric)))
    if accuracy is not None:
        (folder / "report.html").write_text("<!doctype html><title>its own report</title>")
        (folder / "bundle").mkdir()
        (folder / "bundle" / "model.safetensors").write_bytes(b"x" * 3072)
        facts = {
            "metric": metric, "test": {metric: score(*accuracy)}, "steps": steps, "best_step": steps // 2, "seconds": 12.0,
            "model": {"task": "classify", "parameters": 1234}, "fingerprint": {data: {"sha256": sha, "bytes": 9}},
            "baselines": {"majority": {metric: score(0.5, 0.48, 0.52)}, "tfidf_svm": {metric: score(0.7, 0.68, 0.72)}}, "bad_steps": 0,
        }  # fmt: skip
        dump(folder / "results.json", {**facts, **more})
    return folder


def dump(path: Path, data: Any) -> None:
    path.write_text(json.dumps(data))


def train_line(step: int, loss: float, **more: Any) -> dict[str, Any]:
    """A line of the log as the loop writes it."""
    return {
        "kind": "train", "step": step, "epoch": step / 5, "seconds": step * 0.5, "loss": loss, "lr": 0.01, "units": step * 100,
        "waste": 0.1, "bad_steps": 0, "units_per_second": 200.0, "rss_mb": 300.0, **more,
    }  # fmt: skip


def log(steps: int, metric: str) -> list[dict[str, Any]]:
    lines = [train_line(step, 1 / step) for step in range(1, steps + 1)]
    for step in (steps // 2, steps):
        lines.append(
            {"kind": "valid", "step": step, "epoch": step / 5, "seconds": step * 0.5, metric: 0.6 + step / 100, "loss": 0.5}
        )
    return lines
