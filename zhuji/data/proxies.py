"""Columns beside the text that give the label away: a copy of it, a code for it, or something known only afterwards."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from zhuji.core.records import Record
from zhuji.core.seed import stream

GIVES_AWAY = 0.9
"""Share of what the majority guess gets wrong that a column must put right to be called a proxy."""
BINS = 32
"""Quantiles that a column of many different numbers is cut into."""


@dataclass(frozen=True, slots=True)
class Proxy:
    """A column that gives the label away. On held-out rows it predicts the label with `score` (accuracy; for numbers the share of
    the variance explained) where the plain guess gets `plain`. `one_to_one`: the label by another name."""

    column: str
    score: float
    plain: float
    one_to_one: bool


def proxies(records: Sequence[Record]) -> list[Proxy]:
    """The proxy columns among the records' `extra` values, by name.

    Each column alone predicts the label by a table learned on one half of the rows and tried on the other; values not seen in
    the first half get the plain guess, so that a column of unique values gains nothing.
    """
    labelled = [r for r in records if r.label is not None]
    names = sorted({name for r in labelled for name in r.extra})
    half = stream(0, "proxies").permutation(len(labelled)).tolist()
    tried = [_tried(name, labelled, half) for name in names] if len(labelled) >= 4 else []
    return [proxy for proxy in tried if proxy is not None]


def _tried(name: str, records: Sequence[Record], order: Sequence[int]) -> Proxy | None:
    values = _binned([r.extra.get(name) for r in records])
    labels = [r.label for r in records]
    one_to_one = _one_to_one(values, labels)
    middle = len(order) // 2
    known = [(values[i], labels[i]) for i in order[:middle]]
    asked = [(values[i], labels[i]) for i in order[middle:]]
    score, plain = (_variance if all(isinstance(label, float) for label in labels) else _accuracy)(known, asked)
    if one_to_one or (plain < 1 and (score - plain) / (1 - plain) >= GIVES_AWAY):
        return Proxy(name, round(score, 4), round(plain, 4), one_to_one)
    return None


def _binned(values: Sequence[Any]) -> list[str]:
    """Values as text; many different numbers as the quantile they lie in."""
    texts = ["" if v is None else str(v).strip() for v in values]
    if len(set(texts)) <= BINS:
        return texts
    try:
        numbers = np.array([float(text or "nan") for text in texts])
    except ValueError:
        return texts
    finite = numbers[np.isfinite(numbers)]
    edges = np.unique(np.quantile(finite, np.linspace(0, 1, BINS + 1)[1:-1])) if len(finite) else finite
    return [str(b) for b in np.searchsorted(edges, numbers, side="right")]


def _one_to_one(values: Sequence[str], labels: Sequence[Any]) -> bool:
    """Each value stands with one label and each label with one value; at least two of them, and not all rows different."""
    pairs = set(zip(values, labels, strict=True))
    return 1 < len(pairs) < len(labels) and len(pairs) == len(set(values)) == len(set(labels))


def _accuracy(known: Sequence[tuple[str, Any]], asked: Sequence[tuple[str, Any]]) -> tuple[float, float]:
    counts: Mapping[str, Counter[Any]] = defaultdict(Counter)
    for value, label in known:
        counts[value][label] += 1
    usual = Counter(label for _, label in known).most_common(1)[0][0]
    answer = {value: count.most_common(1)[0][0] for value, count in counts.items()}
    score = fmean(answer.get(value, usual) == label for value, label in asked)
    return score, fmean(usual == label for _, label in asked)


def _variance(known: Sequence[tuple[str, Any]], asked: Sequence[tuple[str, Any]]) -> tuple[float, float]:
    held: Mapping[str, list[float]] = defaultdict(list)
    for value, label in known:
        held[value].append(label)
    usual = fmean(label for _, label in known)
    answer = {value: fmean(labels) for value, labels in held.items()}
    error = fmean((answer.get(value, usual) - label) ** 2 for value, label in asked)
    spread = fmean((usual - label) ** 2 for _, label in asked)
    return (1 - error / spread if spread else 0.0), 0.0
