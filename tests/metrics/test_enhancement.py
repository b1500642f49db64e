from __future__ import annotations

import math

import numpy as np
import pytest

from zhuji.core.errors import MissingExtra
from zhuji.metrics import enhancement
from zhuji.metrics.evidence import Evidence
from zhuji.metrics.intervals import bootstrap

RATE = 16_000


def spoken(seconds: float = 1.5, seed: int = 0) -> np.ndarray:
    """Something like speech: a buzz that comes and goes."""
    time = np.arange(round(seconds * RATE)) / RATE
    buzz = sum(np.sin(2 * np.pi * 120 * k * time) / k for k in range(1, 30))
    return (0.05 * buzz * (np.sin(2 * np.pi * 3 * time + seed) > -0.3)).astype(np.float32)


def noisy(clean: np.ndarray, level: float = 0.03, seed: int = 0) -> np.ndarray:
    return (clean + level * np.random.default_rng(seed).standard_normal(len(clean))).astype(np.float32)


def test_si_sdr_by_a_loop() -> None:
    clean = spoken(0.1)
    given = noisy(clean)
    dot, energy = sum(float(a) * float(b) for a, b in zip(given, clean, strict=True)), sum(float(b) ** 2 for b in clean)
    above = below = 0.0
    for a, b in zip(given, clean, strict=True):
        part = dot / energy * float(b)
        above, below = above + part**2, below + (float(a) - part) ** 2
    assert enhancement.si_sdr(given, clean) == pytest.approx(10 * math.log10(above / below), abs=1e-9)
    assert enhancement.si_sdr(0.1 * given, clean) == pytest.approx(enhancement.si_sdr(given, clean), abs=1e-5)


def test_the_ends_of_si_sdr() -> None:
    clean = spoken(0.1)
    assert enhancement.si_sdr(clean, clean) == enhancement.FARTHEST
    assert enhancement.si_sdr(np.zeros_like(clean), clean) == -enhancement.FARTHEST
    assert math.isnan(enhancement.si_sdr(clean, np.zeros_like(clean)))
    # Nothing of what is wanted is in what stands at a right angle to it.
    assert enhancement.si_sdr(np.array([1.0, 0.0]), np.array([0.0, 1.0])) == -enhancement.FARTHEST


def test_pesq_and_stoi_are_those_of_their_packages() -> None:
    pesq, pystoi = pytest.importorskip("pesq"), pytest.importorskip("pystoi")
    clean = spoken(2.0)
    given = noisy(clean)
    assert enhancement.pesq(given, clean, RATE) == pytest.approx(pesq.pesq(RATE, clean, given, "wb"), abs=1e-9)
    assert enhancement.pesq(given[::2], clean[::2], 8_000) == pytest.approx(
        pesq.pesq(8_000, clean[::2], given[::2], "nb"), abs=1e-9
    )
    assert enhancement.stoi(given, clean, RATE) == pytest.approx(pystoi.stoi(clean, given, RATE), abs=1e-9)
    assert enhancement.pesq(clean, clean, RATE) > 4.5 and enhancement.stoi(clean, clean, RATE) == pytest.approx(1.0)
    assert "wb" in enhancement.note("pesq") and "pystoi" in enhancement.note("stoi")


def test_what_cannot_be_measured_has_no_number() -> None:
    pytest.importorskip("pesq"), pytest.importorskip("pystoi")
    clean = spoken(2.0)
    nothing, short = np.zeros_like(clean), clean[:1_000]
    for measure in (enhancement.pesq, enhancement.stoi):
        assert math.isnan(measure(clean, nothing, RATE)) and math.isnan(measure(short, short, RATE))
        assert math.isnan(measure(nothing, nothing, RATE))
    assert math.isnan(enhancement.pesq(clean, clean, 44_100))
    click = nothing.copy()
    click[8_000:8_100] = clean[8_000:8_100]
    assert math.isnan(enhancement.stoi(click, click, RATE))


def test_a_silent_answer_is_the_worst_and_does_not_drop_out() -> None:
    pytest.importorskip("pesq"), pytest.importorskip("pystoi")
    for rate, worst in ((16_000, 1.043), (8_000, 1.017)):
        clean = spoken(2.0)
        assert enhancement.pesq(np.zeros_like(clean), clean, rate) == pytest.approx(worst, abs=5e-4)
        assert enhancement.stoi(np.zeros_like(clean), clean, rate) == 0.0
    columns = enhancement.judged([np.zeros_like(clean)], [clean], RATE, ("si_sdr", "pesq", "stoi"))
    assert all(columns[f"{name}_rows"].tolist() == [1] for name in ("si_sdr", "pesq", "stoi"))


def test_what_pesq_returns_in_place_of_an_error_is_no_score(monkeypatch: pytest.MonkeyPatch) -> None:
    library = pytest.importorskip("pesq")
    monkeypatch.setattr(library, "pesq", lambda *given, **options: -1)
    assert math.isnan(enhancement.pesq(spoken(), spoken(), RATE))


def test_rows_without_an_answer_do_not_count_and_parts_add_up() -> None:
    clean = [spoken(0.2, seed) for seed in range(5)] + [np.zeros(3_200, np.float32)]
    given = [noisy(one, 0.01 * (n + 1), n) for n, one in enumerate(clean)]
    columns = enhancement.judged(given, clean, RATE, ("si_sdr",), "_noisy")
    assert columns["si_sdr_noisy_rows"].tolist() == [1, 1, 1, 1, 1, 0]
    metric = enhancement.mean_of("si_sdr_noisy")
    each = [enhancement.si_sdr(a, b) for a, b in zip(given[:5], clean[:5], strict=True)]
    assert metric(columns) == pytest.approx(np.mean(each)) and metric.higher_is_better
    one, other = Evidence.empty(), Evidence.empty()
    one.add({name: column[:2] for name, column in columns.items()}, np.arange(2))
    other.add({name: column[2:] for name, column in columns.items()}, np.arange(2, 6))
    assert metric(one.merge(other).columns()) == metric(columns)
    found = bootstrap(metric, columns, 50)
    assert min(each) <= found.low <= found.value <= found.high <= max(each)
    assert math.isnan(metric({name: column[5:] for name, column in columns.items()}))


def test_without_the_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pesq", None)
    with pytest.raises(MissingExtra, match=r"zhuji\[enhancement\]"):
        enhancement.pesq(spoken(), spoken(), RATE)
