from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from zhuji.cli import pricing

FORMAT: dict[str, Any] = {
    "format": "onnx", "bytes": 3 << 20, "load_seconds": 0.5, "p50_ms": 2.5, "p95_ms": 4.25, "rows_per_second": 1234.0, "peak_mb": 300.0,
    "score": {"metric": "accuracy", "value": 0.8, "low": 0.7, "high": 0.9}, "hop": {"flips": 1, "rows": 16, "gap": 3e-7},
}  # fmt: skip


def shown(**more: Any) -> str:
    out = io.StringIO()
    found = {
        "model": "runs/001 a",
        "formats": [FORMAT],
        "skipped": {},
        "machine": {"cpu": "A processor"},
        "dropped": {},
        "files": ["b.json"],
    }
    pricing._show(Console(file=out, width=110), {**found, **more})
    return out.getvalue()


def test_one_line_a_format_and_what_comes_next() -> None:
    text = shown(skipped={"huggingface": "no family"})
    for word in ("onnx", "3.0 MiB", "2.5 / 4.2", "1,234", "300.0 MiB", "accuracy", "0.800 [0.700, 0.900]", "1/16 (3e-07)"):
        assert word in text
    assert "no family" in text and "A processor" in text and "b.json" in text
    assert "zhuji export 'runs/001 a' --to onnx" in text


@pytest.mark.parametrize("formats", [[], [{**FORMAT, "score": {}}]])
def test_without_scores_or_formats_nothing_breaks(formats: list[Any]) -> None:
    assert "accuracy" not in shown(formats=formats)
