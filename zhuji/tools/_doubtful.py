"""Labels that are probably wrong, found by what cross-validated predictions say against them."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from zhuji.core.records import Picture, Record, Sound
from zhuji.core.seed import derive, stream
from zhuji.data.marks import thumbnails
from zhuji.training.summaries import summaries

FOLDS = 3
FEATURES = 20_000


@dataclass(frozen=True)
class Doubtful:
    """A row whose label the other rows speak against. `probability` is that of the suggested label."""

    id: str
    file: str
    row: int
    label: str
    suggested: str
    probability: float
    input: str


def doubtful_labels(records: Sequence[Record], *, sample: int, seed: int) -> tuple[list[Doubtful], int]:
    """Doubtful rows, worst first, and how many rows were looked at (a random `sample` at most).

    Confident learning (Northcutt, Jiang and Chuang 2021, section 3.1): a row is doubtful when another class reaches that class's
    own mean confidence and beats the label's; ranked by the margin. Probabilities come from TF-IDF (of pictures: thumbnails, of sounds: sums of cepstra) and logistic
    regression, each row judged by a model that never saw it. Classes with fewer rows than folds are left out.
    """
    counts = Counter(r.label for r in records if isinstance(r.label, str))
    usable = [r for r in records if isinstance(r.label, str) and counts[r.label] >= 2 * FOLDS]
    if len(usable) > sample:
        usable = [usable[i] for i in sorted(stream(seed, "check", "doubtful").choice(len(usable), sample, replace=False))]
        counts = Counter(r.label for r in usable)
        usable = [r for r in usable if counts[r.label] >= FOLDS]
    names = sorted({str(r.label) for r in usable})
    if len(names) < 2:
        return [], 0
    label = np.array([names.index(str(r.label)) for r in usable])
    features = _features([r.input for r in usable])
    probabilities = _held_out(features, label, seed)
    return [_found(usable[i], names, int(other), probabilities[i]) for i, other in _confident(probabilities, label)], len(
        usable
    )


def _features(inputs: Sequence[Any]) -> Any:
    """Texts, or `(N, F)` numbers of pictures or sounds."""
    if isinstance(inputs[0], Picture):
        return thumbnails(inputs) / 255
    if isinstance(inputs[0], Sound):
        found = summaries(inputs)
        return (found - found.mean(0)) / (found.std(0) + 1)
    return [str(one) for one in inputs]


def _held_out(features: Any, label: np.ndarray, seed: int) -> np.ndarray:
    """`features`: texts, or rows of colours."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline

    # Characters, not words: the same for languages that write no spaces.
    words = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), min_df=2, max_features=FEATURES, sublinear_tf=True)
    steps = [words] if isinstance(features, list) else []
    model = make_pipeline(*steps, LogisticRegression(C=10 if steps else 1, max_iter=60, tol=1e-2))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=derive(seed, "check", "folds") % 2**32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return np.asarray(cross_val_predict(model, features, label, cv=folds, method="predict_proba"))


def _confident(probabilities: np.ndarray, label: np.ndarray) -> list[tuple[int, int]]:
    """(row, other class) by margin: the confident off-diagonal of the joint."""
    rows, classes = probabilities.shape
    threshold = np.array([probabilities[label == j, j].mean() for j in range(classes)])
    above = np.where(probabilities >= threshold, probabilities, -1.0)
    best = above.argmax(1)
    own = probabilities[np.arange(rows), label]
    margin = above[np.arange(rows), best] - own
    doubtful = np.flatnonzero((best != label) & (margin > 0))
    return [(int(i), int(best[i])) for i in doubtful[np.argsort(-margin[doubtful], kind="stable")]]


def _found(record: Record, names: Sequence[str], other: int, probabilities: np.ndarray) -> Doubtful:
    text = " ".join(str(record.input).split())[:200]
    facts: dict[str, Any] = {"id": record.id, "file": record.file, "row": record.row, "label": str(record.label)}
    return Doubtful(**facts, suggested=names[other], probability=round(float(probabilities[other]), 4), input=text)
