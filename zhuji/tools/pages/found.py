"""A run folder as the report reads it, and the tables that follow from it."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zhuji.core.config import read_yaml
from zhuji.core.errors import NotABundle
from zhuji.core.files import read_json
from zhuji.core.log import in_language as say_in
from zhuji.core.seed import stream
from zhuji.data.cells import joined
from zhuji.data.conll import words_of
from zhuji.data.tags import spans
from zhuji.data.words import told
from zhuji.tools.pages.commands import EMBEDS
from zhuji.tools.pages.trail import spread

Scores = Mapping[str, Mapping[str, float | None]]

BASELINES = {
    "majority": ("majority", "多数类"), "mean": ("mean", "均值"), "tfidf_svm": ("TF-IDF + linear SVM", "TF-IDF + 线性 SVM"),
    "thumbnail_svm": ("8 × 8 colours + linear SVM", "8 × 8 颜色 + 线性 SVM"),
    "thumbnail_logistic": ("8 × 8 colours + logistic regression", "8 × 8 颜色 + 逻辑回归"),
    "mfcc_svm": ("MFCC + linear SVM", "MFCC + 线性 SVM"),
    "mfcc_logistic": ("MFCC + logistic regression", "MFCC + 逻辑回归"),
    "mfcc_ridge": ("MFCC + ridge", "MFCC + 岭回归"),
    "thumbnail_ridge": ("8 × 8 colours + ridge", "8 × 8 颜色 + 岭回归"),
    "tfidf_logistic": ("TF-IDF + logistic regression", "TF-IDF + 逻辑回归"), "tfidf_ridge": ("TF-IDF + ridge", "TF-IDF + 岭回归"),
    "dictionary": ("word by word", "逐词对照"), "copy": ("copy", "照抄原文"),
    "mixture": ("mixture as it is", "原混合音"), "wiener": ("Wiener filter", "维纳滤波"),
    "unigram": ("how often each unit comes", "各单元的频率"), "previous_unit": ("what follows the previous unit", "前一单元之后的频率"),
    "usual_tag": ("usual tag of each word", "各词最常见的标签"), "shape_svm": ("word shapes + linear SVM", "词形 + 线性 SVM"),
}  # fmt: skip
"""Names of baselines as a page shows them; others stand as they are."""


def shown_name(baseline: str) -> str:
    """The name of a baseline in the person's language."""
    return say_in(*BASELINES[baseline]) if baseline in BASELINES else baseline


@dataclass(frozen=True)
class Found:
    """A run folder as read: JSON files by name, logged lines and test predictions."""

    folder: Path
    results: dict[str, Any]
    ledger: dict[str, Any]
    leaks: dict[str, Any]
    log: list[dict[str, Any]]
    predictions: list[dict[str, str]]
    rows: list[dict[str, Any]]
    run: dict[str, Any]
    hops: Sequence[Mapping[str, Any]] = ()
    """What the golden rows went through, in order."""

    @property
    def boxed(self) -> bool:
        """Are the answers places of objects?"""
        return self.results.get("kind") == "detect"

    @property
    def labels(self) -> list[str]:
        return [str(name) for name in self.results.get("labels") or []]


def read(folder: Path) -> Found:
    """Everything that a finished run's folder holds for its page. Raises NotABundle."""
    results = folder / "results.json"
    if not results.is_file():
        raise NotABundle(file=folder, why=say_in("no results.json: the run has not ended", "没有 results.json：运行尚未结束"))
    data = read_json(results)
    run = folder / "run.yaml"
    return Found(
        folder,
        data,
        _json(folder / "ledger.json") or data.get("ledger") or {},
        _json(folder / "leaks.json") or data.get("leaks") or {},
        [spread(line) for line in _lines(folder / "metrics.jsonl")],
        _rows(folder / "predictions.csv"),
        _lines(folder / "splits.jsonl"),
        read_yaml(run.read_text(encoding="utf-8"), file=str(run)) if run.is_file() else {},
        (_json(folder / "parity.json") or {}).get("hops", ()),
    )


def _json(path: Path) -> Any:
    return read_json(path) if path.is_file() else None


def _lines(path: Path) -> list[dict[str, Any]]:
    if not path.is_file():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def models(found: Found) -> list[tuple[str, Scores, bool]]:
    """The model first, then the baselines as they stand."""
    own = str(found.results.get("recipe") or found.run.get("recipe") or say_in("this model", "本模型"))
    first = next(iter(found.results.get("test") or {}), None)
    rivals = (found.results.get("baselines") or {}).items()
    rest = [(shown_name(name), scores, False) for name, scores in rivals if first in scores]
    return [(own, found.results.get("test") or {}, True), *rest]


def classes(found: Found) -> list[dict[str, Any]]:
    """Precision, recall, F1 and test rows of every class, as the run's own evaluation counted them."""
    return [dict(row) for row in found.results.get("per_class") or []]


_NO_LABELS = frozenset({"generate", "next_unit", "masked_units", "replaced_unit", "enhance", "vocode"})
"""Tasks beside those that embed which ask for no label."""


def answers_labels(found: Found) -> bool:
    """Do answers stand for the labels, so that they can be wrong? A vector, a critic's score, a perplexity or the loudness of a sound cannot."""
    task = (found.results.get("model") or {}).get("task")
    return task not in EMBEDS and task not in _NO_LABELS


def holds_numbers(found: Found) -> bool:
    """Are the answers numbers?"""
    return not found.labels and found.results.get("kind") not in ("tag", "pair") and answers_labels(found)


def mistakes(found: Found, limit: int, seed: int) -> list[dict[str, Any]]:
    """Wrong answers given with the highest confidence, or numbers that are furthest off; none where answers cannot be wrong."""
    if not answers_labels(found):
        return []
    wrong: list[dict[str, Any]] = []
    numbers = holds_numbers(found)
    for row in found.predictions:
        if not numbers and row["label"] != row["prediction"]:
            wrong.append({**row, "score": float(row["score"]) if row.get("score") else None})
        elif numbers:
            wrong.append({**row, "score": abs(float(row["label"]) - float(row["prediction"]))})
    ties = stream(seed, "report", "mistakes").random(len(wrong))
    order = sorted(range(len(wrong)), key=lambda i: (-(wrong[i]["score"] or 0.0), ties[i]))
    return [wrong[i] for i in order[:limit]]


def samples(found: Found, limit: int, seed: int) -> list[dict[str, Any]]:
    """Rows drawn by chance, in their order, for answers that are hardly ever the expected text letter by letter."""
    chosen = stream(seed, "report", "samples").permutation(len(found.predictions))[:limit]
    rows = [found.predictions[i] for i in sorted(chosen)]
    return [{**row, "score": float(row["score"]) if row.get("score") else None} for row in rows]


def marked(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of tagged words with what its tags mark, in words; as it stands where words and tags cannot be matched any more."""
    words = next((w for w in (words_of(row["input"]), row["input"].split()) if len(w) == len(row["label"].split())), None)
    if words is None:
        return dict(row)

    def shown(tags: str) -> str:
        return ", ".join(f"{kind} {joined(tuple(words[a : b + 1]))}" for kind, a, b in spans(tags.split())) or "–"

    return {**row, "label": shown(row["label"]), "prediction": shown(row["prediction"])}


def confusions(matrix: np.ndarray, labels: Sequence[str], limit: int = 10) -> list[dict[str, Any]]:
    """The most frequent mistakes of a confusion matrix (C, C), rows true, columns predicted."""
    off = matrix - np.diag(np.diag(matrix))
    order = np.argsort(-off, axis=None, kind="stable")[:limit]
    cells = (divmod(int(flat), len(matrix)) for flat in order)
    return [
        {"actual": labels[i], "predicted": labels[j], "rows": int(off[i, j]), "share": off[i, j] / max(1, int(matrix[i].sum()))}
        for i, j in cells
        if off[i, j]
    ]


def ledger_by_split(ledger: Mapping[str, Any]) -> dict[str, Any]:
    """The ledger with its rows added up over classes: by split, fate and cause."""
    sums: dict[tuple[str, str, str], int] = {}
    for row in ledger.get("rows") or []:
        key = (row["split"], row["fate"], row["cause"])
        sums[key] = sums.get(key, 0) + row["rows"]
    order = {"train": 0, "valid": 1, "test": 2}
    fates = {"used": say_in("used", "使用"), "cut": say_in("cut", "截断"), "dropped": say_in("dropped", "丢弃")}
    table = [
        {"split": told(split), "fate": fates.get(fate, fate), "cause": told(cause), "rows": rows}
        for (split, fate, cause), rows in sorted(sums.items(), key=lambda item: (order.get(item[0][0], 3), item[0]))
    ]
    empty = {"read": 0, "used": 0, "cut": 0, "dropped": 0, "balanced": False, "changes": {}, "moved": {}, "added": {}}
    return {**empty, "units": 0, "units_cut": 0, **ledger, "table": table}
