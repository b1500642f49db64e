from __future__ import annotations

import re
from xml.dom import minidom

from zhuji.tools.pages.priced import priced

FORMATS = [
    {"format": "onnx", "bytes": 3 << 20, "p50_ms": 2.5, "p95_ms": 4.0, "rows_per_second": 900.0},
    {"format": "safetensors", "bytes": 1 << 20, "p50_ms": 5.0, "p95_ms": 6.0, "rows_per_second": 1200.0},
]


def test_each_format_is_told_and_drawn() -> None:
    picture = priced(FORMATS)
    drawn = minidom.parseString(picture.file).documentElement
    assert drawn is not None and drawn.tagName == "svg"
    words = re.sub(r"<[^>]*>", " ", picture.svg)
    assert "3.0 MiB" in words and "1,200" in words and "2.5" in words
    assert "onnx: 2.5 ms, 900/s, 3.0 MiB" in picture.alt


def test_one_format_or_none_can_be_drawn() -> None:
    assert "onnx" in priced(FORMATS[:1]).alt
    assert priced([]).svg
