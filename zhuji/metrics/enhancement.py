# pyright: basic
# (pesq and pystoi have no types to be strict about)
"""How well a sound was cleaned: SI-SDR, PESQ and STOI.

Each is a mean over rows of what is measured in a row, so that it is right however rows are cut and merged, and an interval can be drawn from resampled
rows. A row of which a measure knows no answer (nothing is said; no speech that PESQ finds) counts in none of them, and how many rows counted stands in the
evidence. N rows, S samples.
"""

from __future__ import annotations

import importlib
import importlib.util
import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np

from zhuji.core.contracts import Columns
from zhuji.core.errors import MissingExtra
from zhuji.metrics.units import ratio_of
from zhuji.metrics.weighted import WeightedMetric

FARTHEST = 100.0
"""Decibels of SI-SDR beyond which nothing is told apart: a sound that is right to the last bit would have infinitely many."""
MODES = {16_000: "wb", 8_000: "nb"}
"""Rates that PESQ knows: wide band (ITU-T P.862.2) and narrow band (P.862)."""
SHORTEST = 0.4
"""Seconds from which a row is measured by PESQ and STOI: both look at pieces of about that length."""
WORST = {16_000: 0.999 + 4 / (1 + math.exp(1.3669 * 0.5 + 3.8224)), 8_000: 0.999 + 4 / (1 + math.exp(1.4945 * 0.5 + 4.6607))}
"""What is made of the lowest raw score, -0.5 (ITU-T P.862.2, section 5; P.862.1, equation 1): that of an answer which is silent where somebody speaks."""
PACKAGES = ("pesq", "pystoi")


def si_sdr(found: np.ndarray, wanted: np.ndarray) -> float:
    """Decibels by which what is wanted of `found (S,)` exceeds the rest, at whatever level (Le Roux et al. 2019, equations 4 and 5), within FARTHEST;
    means are not taken away. NaN where nothing is wanted."""
    found, wanted = found.astype(np.float64), wanted.astype(np.float64)
    energy = wanted @ wanted
    if not energy:
        return float("nan")
    target = (found @ wanted / energy) * wanted
    rest = found - target
    signal, noise = target @ target, rest @ rest
    if not noise:
        return FARTHEST if signal else -FARTHEST
    return float(np.clip(10 * np.log10(signal / noise), -FARTHEST, FARTHEST)) if signal else -FARTHEST


def pesq(found: np.ndarray, wanted: np.ndarray, rate: int) -> float:
    """Mean opinion score from 1 to 4.6 that people would give (ITU-T P.862, through the package pesq); NaN where it finds no speech, or knows no such
    rate or length. Raises MissingExtra."""
    library = _library("pesq")
    if rate not in MODES or not _measurable(wanted, rate):
        return float("nan")
    if not found.any():
        # The package has no number for silence. Left out, it would flatter a model that mutes.
        return WORST[rate] if math.isfinite(pesq(wanted, wanted, rate)) else float("nan")
    score = library.pesq(rate, wanted, found, MODES[rate], on_error=library.PesqError.RETURN_VALUES)
    return float(score) if score >= 1 else float("nan")


def stoi(found: np.ndarray, wanted: np.ndarray, rate: int) -> float:
    """How much can be understood, from 0 to 1 (Taal et al. 2011, through the package pystoi); NaN where too little is said. Raises MissingExtra."""
    library = _library("pystoi")
    if not _measurable(wanted, rate):
        return float("nan")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        score = float(library.stoi(wanted, found, rate))
    # With fewer than 30 frames of speech it warns and gives a number that means nothing.
    return float("nan") if any(issubclass(one.category, RuntimeWarning) for one in caught) else score


def _measurable(wanted: np.ndarray, rate: int) -> bool:
    return len(wanted) >= SHORTEST * rate and bool(wanted.any())


def _library(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        raise MissingExtra(what="enhance", package=name, extra="enhancement") from None


def installed() -> bool:
    """Whether PESQ and STOI can be measured here."""
    return all(importlib.util.find_spec(name) is not None for name in PACKAGES)


def note(name: str) -> str:
    """What stands beside a score of PESQ or STOI for others to know what it is."""
    package = {"pesq": "pesq", "stoi": "pystoi"}[name]
    return f"{package} {version(package)}" + (", wb at 16 kHz, nb at 8 kHz" if name == "pesq" else "")


# -------------------------------------------------------------------------------------------------------- over rows

MEASURES: Mapping[str, Callable[[np.ndarray, np.ndarray, int], float]] = {
    "si_sdr": lambda found, wanted, rate: si_sdr(found, wanted), "pesq": pesq, "stoi": stoi,
}  # fmt: skip


def judged(
    found: Sequence[np.ndarray], wanted: Sequence[np.ndarray], rate: int, measures: Sequence[str], suffix: str = ""
) -> Columns:
    """For each measure `<measure><suffix> (N,)` float64, 0 where it has no answer, and `<measure><suffix>_rows (N,)` int64, 1 where it has one."""
    columns: dict[str, np.ndarray] = {}
    for name in measures:
        values = np.array([MEASURES[name](ours, theirs, rate) for ours, theirs in zip(found, wanted, strict=True)], np.float64)
        known = np.isfinite(values)
        columns |= {name + suffix: np.where(known, values, 0.0), f"{name}{suffix}_rows": known.astype(np.int64)}
    return columns


def mean_of(name: str) -> WeightedMetric:
    """The mean of a measure, suffix and all, over the rows that it has an answer for; NaN without any."""
    return ratio_of(name, f"{name}_rows", higher_is_better=True)
