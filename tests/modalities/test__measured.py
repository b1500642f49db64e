from __future__ import annotations

import json

import numpy as np
import pytest

from zhuji.modalities._measured import Measured


def test_it_is_measured_written_and_read_again() -> None:
    parts = [np.random.default_rng(n).standard_normal((n + 2, 3)) for n in range(4)]
    found = Measured.of(iter(parts), 3)
    whole = np.concatenate(parts)
    assert found.sounds == 4
    assert found.mean == pytest.approx(whole.mean(0), abs=1e-6) and found.deviation == pytest.approx(whole.std(0), abs=1e-6)
    assert Measured.read(found.written(), 3, "sounds.json") == found


@pytest.mark.parametrize(
    "wrong", [{"mean": [0.0]}, {"deviation": [1.0, 0.0]}, {"mean": [0.0, float("nan")]}, {"deviation": [1.0, 1.0, 1.0]}]
)
def test_a_file_that_does_not_fit_is_refused(wrong: dict[str, list[float]]) -> None:
    data = json.dumps({"mean": [0.0, 1.0], "deviation": [1.0, 1.0], "sounds": 3, **wrong}).encode()
    with pytest.raises(ValueError, match=r"sounds\.json must hold"):
        Measured.read(data, 2, "sounds.json")
