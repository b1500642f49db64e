# pyright: basic
# (scikit-learn has no types to be strict about)
"""What simple models score on the same rows: whether the big one earned its keep. Of texts and pictures, through scikit-learn."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zhuji.core.contracts import Columns, Prediction, Task
from zhuji.core.records import Picture, Record, Sound
from zhuji.data.marks import thumbnails
from zhuji.training import dictionary, tagging
from zhuji.training.evaluation import Scores, score_columns
from zhuji.training.summaries import summaries

LONGEST = 20_000
"""Characters of a text that a baseline reads."""
_DENSE_C = 1e-3
"""How much each row counts against small weights, for rows of colours."""
PASSES = 50
"""Most passes over the data of the logistic regression's solver."""


@dataclass(frozen=True)
class Baseline:
    """`note`: what a reader must know, e.g. that the solver stopped early."""

    scores: Scores
    seconds: float
    note: str = ""

    def as_dict(self) -> dict[str, dict[str, float | None]]:
        return self.scores.as_dict()


@dataclass(frozen=True)
class _Rows:
    """Training and test rows as scikit-learn wants them: `train` and `test` are matrices of TF-IDF or of colours, `target` (N,) class indexes,
    (N, C) bool for many labels, or (N,) numbers."""

    train: Any
    test: Any
    target: NDArray[Any]
    columns: Columns
    classes: int


Fit = Callable[[_Rows], Columns]


def baselines(
    task: Task, train: Sequence[Record], test: Sequence[Record], *, resamples: int = 1000, seed: int = 0
) -> dict[str, Baseline]:
    """By name, scored by the task's own metrics on the same test rows: majority, tfidf_svm and tfidf_logistic, or for numbers mean and
    tfidf_ridge; of pictures the same on thumbnails of 8 × 8 colours, of sounds on sums of cepstra; for tags usual_tag and shape_svm; for translations dictionary and copy. `task` must be fitted. Metrics of probabilities are left out where a model gives none."""
    if not train or not test:
        return {}
    if task.needs in WRITTEN:
        return {
            name: _answering(rival, task, train, test, resamples=resamples, seed=seed)
            for name, rival in WRITTEN[task.needs].items()
        }
    if not known(task):
        return {}
    labels: tuple[str, ...] = tuple(task.plain().get("labels", ()))
    target, columns = _targets(task, train), _targets(task, test)
    name = next(iter(columns))
    rows = _Rows(*_matrices(train, test), target[name], columns, len(labels))
    reads = {Picture: "thumbnail", Sound: "mfcc"}.get(type(train[0].input), "tfidf")
    fits: dict[str, Fit] = (
        {"mean": _mean, f"{reads}_ridge": _ridge}
        if name == "target"
        else {
            "majority": _majority,
            f"{reads}_svm": _svm,
            f"{reads}_logistic": _logistic if reads == "tfidf" else _dense_logistic,
        }
    )
    ids = tuple(record.id for record in test)

    def scored(columns: Columns) -> Scores:
        answerable = {key: metric for key, metric in task.metrics().items() if set(metric.columns) <= set(columns)}
        return score_columns(answerable, columns, ids, labels, resamples=resamples, seed=seed)

    return {key: _fitted(fit, rows, scored) for key, fit in fits.items()}


def known(task: Task) -> bool:
    """Whether there are any for such a task."""
    return task.needs == "label" or task.needs in WRITTEN


Answers = Callable[[Task, Sequence[Record], Sequence[Record]], Sequence[Any]]
"""(task, training rows, test rows) -> an answer for each test row."""
WRITTEN: dict[str, dict[str, Answers]] = {
    "tags": {"usual_tag": tagging.usual_tags, "shape_svm": tagging.shape_svm},
    "target": {"dictionary": dictionary.word_by_word, "copy": dictionary.copies},
}
"""Baselines that give whole answers, by what the task needs; they are judged as the model's answers are."""


def _answering(
    rival: Answers, task: Task, train: Sequence[Record], test: Sequence[Record], *, resamples: int, seed: int
) -> Baseline:
    start = time.perf_counter()
    answers = [Prediction(answer) for answer in rival(task, train, test)]
    seconds = time.perf_counter() - start
    columns = task.judge(answers, test)
    known = {**task.answer_metrics(), **task.metrics()}
    metrics = {name: metric for name, metric in known.items() if set(metric.columns) <= set(columns)}
    ids = tuple(record.id for record in test)
    return Baseline(score_columns(metrics, columns, ids, task.classes, resamples=resamples, seed=seed), seconds)


def _fitted(fit: Fit, rows: _Rows, scored: Callable[[Columns], Scores]) -> Baseline:
    from sklearn.exceptions import ConvergenceWarning

    start = time.perf_counter()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        columns = {**rows.columns, **fit(rows)}
    seconds = time.perf_counter() - start
    early = any(issubclass(warning.category, ConvergenceWarning) for warning in caught)
    note = f"its solver stopped after {PASSES} passes, before it converged" if early else ""
    return Baseline(scored(columns), seconds, note)


def _targets(task: Task, records: Sequence[Record]) -> dict[str, NDArray[Any]]:
    rows = [task.targets(record) for record in records]
    return {name: np.stack([row[name].numpy() for row in rows]) for name in rows[0]}


def is_spaced(texts: Sequence[str]) -> bool:
    """Whether words stand apart: at least one blank in 15 characters. English has one in 6; Chinese, Japanese and Thai hardly any."""
    sample = "".join(texts[:: max(1, len(texts) // 1000)])
    return sum(map(str.isspace, sample)) * 15 >= len(sample)


def _dense(train: Sequence[Record], test: Sequence[Record]) -> tuple[Any, Any]:
    """Thumbnails or sums of cepstra, each number of mean 0 and deviation 1 over the training rows: what a linear model makes of pixels without growing with
    their number."""
    of = thumbnails if isinstance(train[0].input, Picture) else summaries
    learn, ask = (of([record.input for record in records]).astype(np.float32) for records in (train, test))
    mean, deviation = learn.mean(0), learn.std(0) + 1
    return (learn - mean) / deviation, (ask - mean) / deviation


def _matrices(train: Sequence[Record], test: Sequence[Record]) -> tuple[Any, Any]:
    if isinstance(train[0].input, Picture | Sound):
        return _dense(train, test)
    from sklearn.feature_extraction.text import TfidfVectorizer

    learn, ask = ([str(record.input)[:LONGEST] for record in records] for records in (train, test))
    # Runs of characters where there are no blanks to cut words at.
    shape: dict[str, Any] = {"ngram_range": (1, 2)} if is_spaced(learn) else {"ngram_range": (1, 3), "analyzer": "char"}
    shape |= {"sublinear_tf": True, "dtype": np.float32}
    fewest = 2 if len(learn) >= 100 else 1
    vectorizer = TfidfVectorizer(min_df=fewest, **shape)
    try:
        return vectorizer.fit_transform(learn), vectorizer.transform(ask)
    except ValueError:
        # No word of two letters anywhere: single characters are all there is.
        vectorizer = TfidfVectorizer(**{**shape, "analyzer": "char"})
        return vectorizer.fit_transform([text or " " for text in learn]), vectorizer.transform(ask)


def _known(rows: _Rows) -> tuple[Any, NDArray[Any]]:
    keep = np.flatnonzero(rows.target >= 0)
    return rows.train[keep], rows.target[keep]


def _majority(rows: _Rows) -> Columns:
    """The most frequent class, or each label that most rows bear; probabilities are the shares in training."""
    tests = rows.test.shape[0]
    if rows.target.ndim == 2:
        shares = rows.target.mean(axis=0)
        return {"prediction": np.tile(shares > 0.5, (tests, 1)), "probabilities": np.tile(shares, (tests, 1))}
    shares = np.bincount(rows.target[rows.target >= 0], minlength=rows.classes) / max(1, (rows.target >= 0).sum())
    return {"prediction": np.full(tests, shares.argmax()), "probabilities": np.tile(shares, (tests, 1))}


def _svm(rows: _Rows) -> Columns:
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.svm import LinearSVC

    # Few columns full of numbers are soon learned by heart, many empty ones are not.
    svm = LinearSVC(C=_DENSE_C) if isinstance(rows.train, np.ndarray) else LinearSVC()
    if rows.target.ndim == 2:
        model = OneVsRestClassifier(svm).fit(rows.train, rows.target)
        return {"prediction": np.asarray(model.predict(rows.test), dtype=bool)}
    return {"prediction": np.asarray(svm.fit(*_known(rows)).predict(rows.test))}


def _dense_logistic(rows: _Rows) -> Columns:
    """By L-BFGS: columns are few."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    model: Any = LogisticRegression(C=10 * _DENSE_C, max_iter=2 * PASSES)
    if rows.target.ndim == 2:
        scores = OneVsRestClassifier(model).fit(rows.train, rows.target).predict_proba(rows.test)
        return {"prediction": scores >= 0.5, "probabilities": scores}
    model.fit(*_known(rows))
    probabilities = np.zeros((rows.test.shape[0], rows.classes))
    probabilities[:, np.asarray(model.classes_)] = model.predict_proba(rows.test)
    return {"prediction": probabilities.argmax(axis=1), "probabilities": probabilities}


def _logistic(rows: _Rows) -> Columns:
    """By stochastic gradient descent, one class against the rest: on 20,000 rows of 20 classes 2 s instead of the 31 s that the
    multinomial one by L-BFGS takes, at a better score."""
    from sklearn.linear_model import SGDClassifier
    from sklearn.multiclass import OneVsRestClassifier

    model: Any = SGDClassifier(loss="log_loss", alpha=0.02 / rows.train.shape[0], max_iter=PASSES, random_state=0)
    if rows.target.ndim == 2:
        many = OneVsRestClassifier(model).fit(rows.train, rows.target)
        scores = many.predict_proba(rows.test)
        return {"prediction": scores >= 0.5, "probabilities": scores}
    model.fit(*_known(rows))
    probabilities = np.zeros((rows.test.shape[0], rows.classes))
    probabilities[:, np.asarray(model.classes_)] = model.predict_proba(rows.test)
    return {"prediction": probabilities.argmax(axis=1), "probabilities": probabilities}


def _mean(rows: _Rows) -> Columns:
    return {"prediction": np.full(rows.test.shape[0], rows.target.mean())}


def _ridge(rows: _Rows) -> Columns:
    from sklearn.linear_model import Ridge

    return {"prediction": Ridge(solver="sparse_cg").fit(rows.train, rows.target).predict(rows.test)}
