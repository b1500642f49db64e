"""Plain counts over the rows of a data set: classes, lengths, languages, duplicates."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from zhuji.core.records import Medium, Record, boxed, class_names
from zhuji.core.seed import stream
from zhuji.data.alike import cluster_of, exact_key

PERCENTILES = (5, 25, 50, 75, 95, 100)


def by_class(records: Sequence[Record]) -> dict[str, dict[str, int]]:
    """Rows by class and split, the most frequent class first; a row with many labels counts for each."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for record in records:
        names = (
            class_names(record.label)
            if boxed(record.label)
            else record.label
            if isinstance(record.label, tuple)
            else (record.label,)
        )
        for name in names:
            if isinstance(name, str):
                counts[name][record.split or ""] += 1
    return {name: dict(counts[name]) for name in sorted(counts, key=lambda n: (-counts[n].total(), n))}


def lengths(records: Sequence[Record]) -> dict[str, dict[str, list[int]]]:
    """Characters and words of every row, by split. Words are runs without blanks, which Chinese does not have."""
    found: dict[str, dict[str, list[int]]] = {"characters": defaultdict(list), "words": defaultdict(list)}
    for record in texts_among(records):
        text = str(record.input)
        found["characters"][record.split or ""].append(len(text))
        found["words"][record.split or ""].append(len(text.split()))
    return found


def texts_among(records: Sequence[Record]) -> Sequence[Record]:
    """Pictures and sounds have neither characters nor a language."""
    return [record for record in records if not isinstance(record.input, Medium)]


def percentiles(by_split: Mapping[str, Sequence[int]]) -> dict[str, int]:
    values = np.concatenate([np.asarray(v) for v in by_split.values()]) if by_split else np.zeros(1)
    return {f"p{p}": int(np.percentile(values, p)) for p in PERCENTILES}


def languages(records: Sequence[Record], *, sample: int, seed: int) -> dict[str, float]:
    """Share of each language in a random sample, by py3langid (Lui and Baldwin 2012), the most frequent first."""
    import py3langid

    records = texts_among(records)
    some = stream(seed, "check", "languages").permutation(len(records))[:sample]
    found = Counter(py3langid.classify(str(records[int(i)].input)[:1000])[0] for i in some)
    return {name: round(count / max(1, len(some)), 4) for name, count in found.most_common(8)}


def duplicates(records: Sequence[Record], *, near: float, seed: int) -> dict[str, Any]:
    """Rows beyond the first of their kind: `exact` copies and `near` ones, over all rows and within each split."""
    inputs = [r.input for r in records]
    keys = [exact_key(one) for one in inputs]
    cluster = cluster_of(inputs, near, seed).tolist()
    splits = sorted({r.split or "" for r in records})
    within: dict[str, dict[str, int]] = {}
    for split in splits:
        rows = [i for i, r in enumerate(records) if (r.split or "") == split]
        within[split] = _extra([keys[i] for i in rows], [cluster[i] for i in rows])
    return {**_extra(keys, cluster), "within": within}


def _extra(keys: Sequence[bytes], cluster: Sequence[int]) -> dict[str, int]:
    exact = len(keys) - len(set(keys))
    return {"exact": exact, "near": len(cluster) - len(set(cluster)) - exact}
