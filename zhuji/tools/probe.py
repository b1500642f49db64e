"""What a frozen encoder knows: a linear probe and nearest neighbours on its pooled states, beside models of counted words.

Shapes: N training rows, M test rows, W width of a pooled state, C classes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from zhuji.core.contracts import Columns, Task
from zhuji.core.errors import BadSetting
from zhuji.core.log import in_language
from zhuji.core.seed import stream
from zhuji.data.prepare import prepare
from zhuji.metrics.intervals import Interval
from zhuji.model.pooled import Vectors, embed_rows, unit_length
from zhuji.model.predictor import Predictor
from zhuji.tasks.classify import Classify
from zhuji.tasks.regress import Regress
from zhuji.tools._rows import settings_for
from zhuji.training import threads
from zhuji.training.baselines import baselines
from zhuji.training.evaluation import score_columns
from zhuji.training.transfer import open_model

NEIGHBOURS = (1, 3, 5, 10, 20, 50)
PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0)
"""C of logistic regression; of numbers, 1 over the ridge."""
_CHUNK = 1024
_TUNED = 5000
"""Rows by which C is chosen."""

Target = NDArray[Any]


@dataclass(frozen=True)
class Probed:
    """By probe (`linear`, `neighbours`, then the models of counted words) and metric, scores on the test rows; `settings`: what
    cross-validation on the training rows chose."""

    model: str
    data: str
    scores: Mapping[str, Mapping[str, Interval]]
    settings: Mapping[str, float]
    rows: Mapping[str, int]
    ledger: Mapping[str, Any]
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        return {
            "model": self.model, "data": self.data,
            "scores": {probe: {name: i.as_dict() for name, i in found.items()} for probe, found in self.scores.items()},
            "settings": dict(self.settings), "rows": dict(self.rows), "ledger": dict(self.ledger), "seconds": round(self.seconds, 3),
        }  # fmt: skip


def probe(
    model: Path | str,
    data: Path | str,
    *,
    seed: int = 0,
    resamples: int = 1000,
    sets: Sequence[str] = (),
    columns: Mapping[str, Any] | None = None,
    predictor: Predictor | None = None,
) -> Probed:
    """Score probes of a model's encoder on the test rows of `data`, split as in training. The validation rows are not used.

    Raises what `prepare` and opening raise, and BadSetting for rows of tags or texts."""
    begun = time.monotonic()
    threads.use(None)
    predictor = predictor or open_model(str(model))
    settings = settings_for(predictor, data, sets, columns)
    prepared = prepare(settings, seed)
    train, test = prepared.split("train"), prepared.split("test")
    task = _task(prepared.roles.kind).fit(train)
    vectors, targets = dict[str, Vectors](), dict[str, dict[str, Target]]()
    for name, records in (("train", train), ("test", test)):
        encoded = predictor.model.modality.encode([record.input for record in records])
        for record, row in zip(records, encoded, strict=True):
            fate, cause = ("cut", predictor.model.modality.cut_by) if row.cut else ("used", "")
            prepared.ledger.settle(fate, cause, split=name, label=record.label)
        vectors[name] = embed_rows(predictor.model, encoded)
        rows = [task.targets(record) for record in records]
        targets[name] = {key: np.stack([row[key].numpy() for row in rows]) for key in rows[0]}
    for record in prepared.split("valid"):
        prepared.ledger.drop("not used", split="valid", label=record.label)
    goal, chosen = next(iter(targets["train"].values())), dict[str, float]()
    answers: dict[str, Columns] = {}
    for name, fit in (("linear", _linear), ("neighbours", _neighbours)):
        found, chosen[name] = fit(vectors["train"], vectors["test"], goal, seed)
        answers[name] = {**targets["test"], **_columns(task, found)}
    ids, labels = tuple(record.id for record in test), tuple(task.plain().get("labels", ()))
    scores = {
        name: score_columns(task.metrics(), columns, ids, labels, resamples=resamples, seed=seed).metrics
        for name, columns in answers.items()
    }
    rivals = baselines(task, train, test, resamples=resamples, seed=seed)
    scores |= {name: rival.scores.metrics for name, rival in rivals.items()}
    rows = {"train": len(train), "test": len(test)}
    return Probed(str(model), str(data), scores, chosen, rows, prepared.ledger.as_dict(), time.monotonic() - begun)


def _task(kind: str) -> Task:
    if kind == "regress":
        return Regress()
    if kind not in ("classify", "classify_many"):
        rule = in_language("must hold class names or numbers to be probed", "必须是类别或数值才能探测")
        raise BadSetting(key="data.label", rule=rule, value=kind)
    return Classify(many=kind == "classify_many")


def _columns(task: Task, found: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Evidence from probabilities `(M, C)`, or from numbers `(M,)`."""
    if isinstance(task, Regress):
        return {"prediction": found}
    assert isinstance(task, Classify)
    found = np.pad(found, ((0, 0), (0, len(task.labels) - found.shape[1])))
    chosen = found >= task.threshold if task.many else found.argmax(1)
    return {"prediction": chosen, "probabilities": found}


def _linear(train: Vectors, test: Vectors, goal: Target, seed: int) -> tuple[NDArray[Any], float]:
    """Logistic regression (of numbers: ridge regression) on standardised states, by scikit-learn; C by 5-fold cross-validation."""
    from sklearn.linear_model import LogisticRegression, RidgeCV
    from sklearn.model_selection import GridSearchCV
    from sklearn.multiclass import OneVsRestClassifier

    mean, spread = train.mean(0), np.maximum(train.std(0), 1e-6)
    train, test = (train - mean) / spread, (test - mean) / spread
    if goal.dtype.kind == "f":
        ridge: Any = RidgeCV([1 / penalty for penalty in PENALTIES]).fit(train, goal)
        return ridge.predict(test), float(1 / ridge.alpha_)
    few = stream(seed, "probe").permutation(len(goal))[:_TUNED]
    machine: Any = LogisticRegression(max_iter=300, tol=1e-3)
    many = goal.ndim == 2
    grid = {"estimator__C" if many else "C": PENALTIES}
    folds = _folds(goal[few], seed)
    search: Any = GridSearchCV(OneVsRestClassifier(machine) if many else machine, grid, cv=folds, refit=False)
    with _quiet():
        search.fit(train[few], goal[few])
        best = search.estimator.set_params(**search.best_params_).fit(train, goal)
        found = best.predict_proba(test)
    if many:
        return found, float(next(iter(search.best_params_.values())))
    whole = np.zeros((len(test), int(goal.max()) + 1))
    whole[:, best.classes_] = found
    return whole, float(search.best_params_["C"])


def _folds(goal: Target, seed: int) -> Any:
    """Every class in every fold where it has rows enough; else by chance."""
    from sklearn.model_selection import KFold, StratifiedKFold

    rare = goal.ndim == 2 or np.bincount(goal).min(initial=5, where=np.bincount(goal) > 0) < 5
    return (KFold if rare else StratifiedKFold)(min(5, len(goal)), shuffle=True, random_state=seed)


def _quiet() -> Any:
    """Rare classes miss in a fold, and a search that stopped early is still a search: neither is news to the person."""
    import warnings

    return warnings.catch_warnings(action="ignore", category=UserWarning)


def _neighbours(train: Vectors, test: Vectors, goal: Target, seed: int) -> tuple[NDArray[Any], float]:
    """Votes of the k nearest training rows by the cosine; k by leaving out one row at a time."""
    train, test = unit_length(train), unit_length(test)
    counts = [k for k in NEIGHBOURS if k < len(train)] or [1]
    votes = _votes(goal)
    near = _nearest(train, train, counts[-1], itself=True)
    right = [_agreement(votes[near[:, :k]].mean(1), votes) for k in counts]
    best = counts[int(np.argmax(right))]
    found = votes[_nearest(test, train, best)].mean(1)
    return (found[:, 0] if goal.dtype.kind == "f" else found), float(best)


def _votes(goal: Target) -> NDArray[np.float64]:
    """`(N, C)`: what a row votes for; a number votes for itself, `(N, 1)`."""
    if goal.dtype.kind == "f":
        return goal[:, None].astype(np.float64)
    return goal.astype(np.float64) if goal.ndim == 2 else np.eye(int(goal.max()) + 1)[goal]


def _agreement(found: NDArray[np.float64], votes: NDArray[np.float64]) -> float:
    """How well the neighbours speak for a row: share of right answers; of numbers, minus the squared error."""
    if votes.shape[1] == 1:
        return -float(((found - votes) ** 2).mean())
    if (votes.sum(1) == 1).all():
        return float((found.argmax(1) == votes.argmax(1)).mean())
    return float(((found >= 0.5) == (votes > 0)).mean())


def _nearest(questions: Vectors, rows: Vectors, k: int, itself: bool = False) -> NDArray[np.int64]:
    """`(Q, k)`: places of the nearest rows, best first. `itself`: the questions are the rows, and none answers itself."""
    found: list[NDArray[np.int64]] = []
    for start in range(0, len(questions), _CHUNK):
        scores = torch.from_numpy(questions[start : start + _CHUNK] @ rows.T)
        if itself:
            scores[torch.arange(len(scores)), start + torch.arange(len(scores))] = -torch.inf
        found.append(scores.topk(min(k, len(rows)), dim=1).indices.numpy())
    return np.concatenate(found)
