from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from zhuji.core.errors import DiskFull
from zhuji.modalities.image import Image
from zhuji.training import pixels
from zhuji.training.pixels import kept


@pytest.fixture
def modality() -> tuple[Image, list[Any]]:
    fitted, inputs = Image.example()
    return fitted, inputs * 15


def same(rows: Sequence[Any], expected: Sequence[Any]) -> bool:
    return len(rows) == len(expected) and all(
        np.array_equal(a.values, b.values) and np.array_equal(a.frame, b.frame) for a, b in zip(rows, expected, strict=True)
    )


def test_rows_are_views_into_one_array(modality) -> None:
    fitted, inputs = modality
    rows = kept(fitted, inputs, None)
    assert same(rows, fitted.encode(inputs))
    base = rows[0].values.base
    assert all(row.values.base is base for row in rows) and not isinstance(base, np.memmap)
    assert kept(fitted, [], None) == []


@pytest.mark.parametrize("portion", [1, 100, 1 << 20])
def test_in_portions_and_on_disk(modality, portion: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted, inputs = modality
    monkeypatch.setattr(pixels, "_PORTION", portion)
    monkeypatch.setattr(pixels, "SHARE", 0.0)
    rows = kept(fitted, inputs, tmp_path)
    assert isinstance(rows[0].values, np.memmap) and same(rows, fitted.encode(inputs))
    assert not list(tmp_path.iterdir()), "the file must have no name, so that nothing is left of it"


def test_a_full_disk_is_told_before_anything_is_written(modality, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted, inputs = modality
    monkeypatch.setattr(pixels, "SHARE", 0.0)
    monkeypatch.setattr(pixels.shutil, "disk_usage", lambda folder: SimpleNamespace(free=10))
    with pytest.raises(DiskFull, match="decoded pictures"):
        kept(fitted, inputs, tmp_path)
