"""With few labels, the encoder stays as it is and a linear head is fitted to it exactly; which features it reads and how hard it is held
back is chosen by cross-validation on the training split alone.

The features are the pooled states (a linear probe, Alain & Bengio 2017) and the counts of runs of units and of their characters
(`nn.wide`), which the texts of the training split teach to weigh, and those that the encoder was pretrained on where they are still there. The head is a linear support vector machine, one
against the rest, of squared hinge loss (Fan et al. 2008, LIBLINEAR); its margins become logits by one temperature (Guo et al. 2017). The
outcome is an ordinary task whose head holds what was fitted. What is tried is fitted to the rows' products, in as many dimensions as there
are rows (Schölkopf & Smola 2002, theorem 4.2); what is chosen, by LIBLINEAR itself.

Shapes: N labelled rows, D width of a pooled state, F buckets of runs, O outputs.
"""

# torch and its like are typed in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportMissingTypeStubs=false

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from zhuji.core.contracts import Encoded, Modality, Task
from zhuji.core.log import in_language, say
from zhuji.core.seed import stream
from zhuji.model.assembly import Model, assemble
from zhuji.nn.heads import PooledHead
from zhuji.nn.wide import WideHead, WideLinear
from zhuji.tasks.classify import Classify
from zhuji.training.features import LONGEST, HeadFeatures, Matrix, Way
from zhuji.training.feed import pretrained_on
from zhuji.training.material import Rows
from zhuji.training.run import Run, StartSettings

MOST_LABELS = 5000
"""Labels up to which a head is fitted to any encoder: with more, learning all of it gains more."""
MOST_COMPARED = 100_000
"""The same for an encoder that was taught to compare rows: its states are meant to be used as they are."""
FOLDS = 5
PENALTIES = (0.1, 0.3, 1.0, 3.0, 10.0)
"""C: how much the rows' loss counts against the penalty."""
BACKGROUND = 15_000
"""Texts of the pretraining that say which runs are rare."""
USUAL = 1.0
"""The penalty at which ways are compared: rows have length 1."""
LOUDNESS = (0.5, 1.0, 2.0)
"""How loud runs of characters may speak beside runs of units."""
_CHOOSING = 2000
"""Labels on which settings are chosen; what suits these suits more."""
_STEPS = 100
_TEMPERATURES = np.geomspace(0.3, 30.0, 81)


WAYS = (
    Way("states"), Way("states of length 1", True), Way("runs", deep=0.0, wide=LONGEST), Way("states and runs", wide=LONGEST),
    Way("very quiet states of length 1 and runs", True, 0.35, LONGEST), Way("quiet states of length 1 and runs", True, 0.5, LONGEST),
    Way("soft states of length 1 and runs", True, 0.7, LONGEST), Way("states of length 1 and runs", True, 1.0, LONGEST),
    Way("loud states of length 1 and runs", True, 1.5, LONGEST),
)  # fmt: skip
LISTENER = WAYS[5]
"""The way by which loudness is compared."""


@dataclass(frozen=True)
class Trial:
    """One way at one penalty: the accuracy on each fold."""

    way: str
    penalty: float
    folds: tuple[float, ...]

    @property
    def score(self) -> float:
        return float(np.mean(self.folds))


@dataclass(frozen=True)
class Choice:
    """What was tried and what was chosen; `labels` rows had one."""

    way: Way
    penalty: float
    score: float
    labels: int
    tried: Sequence[Trial]

    def as_dict(self) -> dict[str, Any]:
        return {
            "chosen": {**asdict(self.way), "penalty": self.penalty, "score": self.score}, "labels": self.labels,
            "tried": [{**asdict(trial), "folds": list(trial.folds), "score": trial.score} for trial in self.tried],
        }  # fmt: skip


def applies(run: Run, origin: Model | None, task: Task, rows: Rows) -> bool:
    """Whether the way of learning is ours to choose: the run starts from a model, `origin`, the person left it to us, and labels are few."""
    start = run.start
    if start is None or origin is None or start.choose == "off" or not isinstance(task, Classify):
        return False
    most = MOST_COMPARED if origin.task.compares else MOST_LABELS
    ours = StartSettings(path=start.path, hash=start.hash) == start
    plain = task.hidden is None and not task.wide and not task.unit_length and task.objective == "cross_entropy"
    enough = len(task.labels) >= 2 and task.rows >= 2 * FOLDS
    return ours and plain and enough and task.pool != "attention" and task.rows <= most and len(rows) > 0


# ---------------------------------------------------------------------------------------------------------- choice


def background(start: StartSettings | None, modality: Modality) -> list[Encoded]:
    """Texts that the start was pretrained on, where its run's folder still holds them: they say which runs of units are rare."""
    return [] if start is None else pretrained_on(Path(start.path), modality, BACKGROUND)


def choose(model: Model, rows: Rows, seed: int, others: Sequence[Encoded] = ()) -> tuple[Choice, Classify, nn.Module]:
    """The best way for these training rows, the task that has it, and its fitted head. `model`: the encoder, under any head; `others`: more
    rows, which bear no labels."""
    task = model.task
    assert isinstance(task, Classify)
    features = HeadFeatures.of(model, rows.encoded, task, others)
    target = rows.targets["label"]
    assert isinstance(target, Tensor), "a class is one number a row"
    known = torch.arange(len(target)) if task.many else (target >= 0).nonzero()[:, 0]
    goal = target[known]
    some = stream(seed, "few labels").permutation(len(known))[:_CHOOSING]
    loudness, trials = _loudness(features, known[some], goal[some])
    ways = [replace(way, spelled=loudness) for way in WAYS if not way.wide or features.counter is not None]
    axes = {way.name: _axes(features.gram(way, known[some])) for way in ways}
    trials += [_trial(way.name, USUAL, axes[way.name], goal[some]) for way in ways]
    # The first of equals: fewer features.
    usual = max(trials[-len(ways) :], key=lambda trial: trial.score)
    way = next(way for way in ways if way.name == usual.way)
    more = [_trial(way.name, penalty, axes[way.name], goal[some]) for penalty in PENALTIES if penalty != USUAL]
    best = max([usual, *(trial for trial in more if _surpasses(trial, usual))], key=lambda trial: trial.score)
    scale = _sharpness(_left_out(axes[way.name], goal[some], best.penalty), goal[some])
    head, fitted = _head(model, features, way, known, goal, penalty=best.penalty, scale=scale)
    return Choice(way, best.penalty, best.score, len(known), [*trials, *more]), fitted, head


def _loudness(features: HeadFeatures, rows: Tensor, goal: Tensor) -> tuple[float, list[Trial]]:
    """How loud runs of characters speak, which differs by script and so is found first; and what was tried for it."""
    if not features.spelled:
        return LOUDNESS[0], []
    ways = [replace(LISTENER, name=f"{LISTENER.name}, characters x {loudness:g}", spelled=loudness) for loudness in LOUDNESS]
    trials = [_trial(way.name, USUAL, _axes(features.gram(way, rows)), goal) for way in ways]
    best = max(zip(trials, LOUDNESS, strict=True), key=lambda pair: pair[0].score)
    return best[1], trials


def chosen(model: Model, rows: Rows, seed: int, others: Sequence[Encoded] = ()) -> tuple[Choice, Model]:
    """`choose`, told to the person; and the model whose head was fitted: its encoder is the same and learns no more."""
    choice, task, head = choose(model, rows, seed, others)
    tell(choice)
    ready = assemble(model.modality, model.backbone, task, seed)
    ready.encoder.load_state_dict(model.encoder.state_dict())
    ready.encoder.requires_grad_(False)
    ready.head.load_state_dict(head.state_dict())
    return choice, ready.to(next(model.parameters()).device)


def unfitted(fitted: Task, task: Task) -> Task:
    """The task as its settings say it, before it learned labels, with the features that were chosen."""
    assert isinstance(fitted, Classify)
    features = {name: getattr(fitted, name) for name in ("unit_length", "wide", "spelled")}
    return Classify.parse({**task.plain(), **features})


def tell(choice: Choice) -> None:
    """One line to the person."""
    about = f"C = {choice.penalty:g}, {choice.score:.4f} ± {_spread(choice):.4f}"
    say(in_language(f"{choice.labels:,} labels: a head is fitted to {choice.way.name} ({about} in cross-validation on the training split).",
                    f"{choice.labels:,} 个标签：在冻结的编码器上拟合分类头（{_CHINESE[choice.way.name]}，训练集交叉验证：{about}）。"))  # fmt: skip


_CHINESE = {
    "states": "池化状态", "states of length 1": "单位长度状态", "runs": "单元序列", "states and runs": "状态与单元序列",
    "very quiet states of length 1 and runs": "大幅减弱的单位长度状态与单元序列",
    "quiet states of length 1 and runs": "减弱的单位长度状态与单元序列", "soft states of length 1 and runs": "略减弱的单位长度状态与单元序列",
    "states of length 1 and runs": "单位长度状态与单元序列", "loud states of length 1 and runs": "加强的单位长度状态与单元序列",
}  # fmt: skip


def _spread(choice: Choice) -> float:
    folds = next(t.folds for t in choice.tried if (t.way, t.penalty) == (choice.way.name, choice.penalty))
    return float(np.std(folds))


def _trial(way: str, penalty: float, axes: Tensor, goal: Tensor) -> Trial:
    answers = _left_out(axes, goal, penalty)
    return Trial(way, penalty, tuple(_right(answers[fold::FOLDS], goal[fold::FOLDS]) for fold in range(FOLDS)))


def _surpasses(trial: Trial, usual: Trial) -> bool:
    """Whether the folds agree that it is better: by more than the standard error of the mean of their differences."""
    gains = np.subtract(trial.folds, usual.folds)
    return bool(gains.mean() > gains.std(ddof=1) / np.sqrt(FOLDS))


def _left_out(axes: Tensor, goal: Tensor, penalty: float) -> Tensor:
    """`(N, O)`: margins of each row by a machine that never saw its fold. Rows are in random order already."""
    signs = _signs(goal)
    answers = torch.empty_like(signs)
    for fold in range(FOLDS):
        out = torch.zeros(len(goal), dtype=torch.bool)
        out[fold::FOLDS] = True
        # Each begins at zero: weights from another fold would have seen this one.
        answers[out] = axes[out] @ squared_hinge(axes[~out], signs[~out], penalty)
    return answers


def _right(answers: Tensor, goal: Tensor) -> float:
    """Share of right answers; with many labels, of right yes and no."""
    right = (answers > 0) == goal if goal.ndim == 2 else answers.argmax(1) == goal
    return float(right.float().mean())


def _sharpness(margins: Tensor, goal: Tensor) -> float:
    """What to multiply margins with so that, as logits, they are most likely to have given these labels."""
    if goal.ndim == 2:
        wanted = goal.to(margins.dtype)
        losses = [float(F.binary_cross_entropy_with_logits(scale * margins, wanted)) for scale in _TEMPERATURES]
    else:
        losses = [float(F.cross_entropy(scale * margins, goal)) for scale in _TEMPERATURES]
    return float(_TEMPERATURES[int(np.argmin(losses))])


# ------------------------------------------------------------------------------------------------------------- fit


def _signs(goal: Tensor) -> Tensor:
    """`(N, O)` float32 of 1 and -1: one against the rest."""
    return (goal if goal.ndim == 2 else F.one_hot(goal)).float() * 2 - 1


def squared_hinge(axes: Tensor, signs: Tensor, penalty: float) -> Tensor:
    """Weights `(A, O)` of one linear support vector machine for each column of `signs (N, O)` on `axes (N, A)`: they minimise |W|^2 / 2 +
    penalty x the sum of max(0, 1 - sign x answer)^2."""
    from scipy.optimize import minimize

    seen, wanted = axes.double().numpy(), signs.double().numpy()
    shape = (axes.shape[1], signs.shape[1])

    def whole(flat: NDArray[Any]) -> tuple[float, NDArray[Any]]:
        weight = flat.reshape(shape)
        short = np.maximum(1 - wanted * (seen @ weight), 0)
        slope = weight - 2 * penalty * (seen.T @ (wanted * short))
        # Divided by what it is a sum over, so that one tolerance fits all.
        return (penalty * np.square(short).sum() + np.square(weight).sum() / 2) / len(wanted), slope.ravel() / len(wanted)

    told = {"maxiter": _STEPS, "maxcor": 10, "gtol": 1e-6}
    found = minimize(whole, np.zeros(shape).ravel(), jac=True, method="L-BFGS-B", options=told)
    return torch.from_numpy(found.x.reshape(shape)).float()


def machine(rows: Any, goal: Tensor, penalty: float) -> tuple[Matrix, Matrix]:
    """The same by LIBLINEAR on `rows (N, F)`, dense or sparse, to which a 1 is appended: weights `(F, O)` and biases `(O,)`."""
    from sklearn.svm import LinearSVC

    def fitted(labels: NDArray[Any]) -> tuple[Matrix, Matrix]:
        found = LinearSVC(C=penalty, random_state=0, max_iter=10_000).fit(rows, labels)
        return np.asarray(found.coef_.T, np.float32), np.asarray(found.intercept_, np.float32)

    labels = goal.numpy()
    if labels.ndim == 1 and labels.max() > 1:
        return fitted(labels)
    alone = [
        fitted(column) if 0 < column.sum() < len(column)
        # Nothing to tell apart: the answer is always the same.
        else (np.zeros((rows.shape[1], 1), np.float32), np.array([2 * float(column[0]) - 1], np.float32))
        for column in (labels.T if labels.ndim == 2 else [labels == 0, labels == 1])
    ]  # fmt: skip
    return np.concatenate([weight for weight, _ in alone], 1), np.concatenate([bias for _, bias in alone])


def _axes(gram: Tensor) -> Tensor:
    """`gram (N, N)`, the rows' products, to rows `(N, N)` with the same products but for one in 100,000, which tells equal rows apart."""
    gram = gram.double()
    small = 1e-5 * gram.diagonal().mean()
    return torch.linalg.cholesky(gram + small * torch.eye(len(gram), dtype=gram.dtype)).float()


@torch.no_grad()
def _head(
    model: Model, features: HeadFeatures, way: Way, known: Tensor, goal: Tensor, *, penalty: float, scale: float
) -> tuple[nn.Module, Classify]:
    """The head fitted to all labelled rows, its margins times `scale`, and the task whose head it is."""
    assert isinstance(model.task, Classify)
    task, counter, width = way.on(model.task, features.spelled), features.counter, model.backbone.out_width
    weight, bias = machine(features.columns(way, known), goal, penalty)
    _, mean, factor = features.scaled(way)
    split = features.states.shape[1] if way.deep else 0  # a pooling may be wider than a state
    spread = np.zeros((len(mean), len(bias)), np.float32) if not split else weight[:split] * factor[:, None]
    deep = PooledHead(width, len(task.labels), pool=task.pool, dropout=task.dropout, unit_length=way.unit_length)
    deep.out.weight.copy_(torch.from_numpy(scale * spread.T))
    deep.out.bias.copy_(torch.from_numpy(scale * (bias - mean @ spread)))
    if not way.wide or counter is None:
        return deep, task
    spelled = 0 if counter.spelling is None else len(counter.spelling)
    wide = WideLinear(task.wide_size, len(task.labels), way.wide, spelled, task.spelled)
    wide.load_state_dict({**counter.state_dict(), "weight": torch.from_numpy(scale * weight[split:])})
    return WideHead(deep, wide), task
