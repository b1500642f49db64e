"""With few labels, the encoder stays as it is and a linear head is fitted to it exactly; which features it reads and how hard it is held
back is chosen by cross-validation on the training split alone.

The features are the pooled states (a linear probe, Alain & Bengio 2017) and the counts of runs of units (`nn.wide`), which every text of the
training split teaches to weigh, labelled or not. The outcome is an ordinary task whose head holds what was fitted. A linear model under
an L2 penalty depends on its rows through their products only, so it is fitted in as many dimensions as there are labels, however many
features there are (Schölkopf & Smola 2002, theorem 4.2).

Shapes: N labelled rows, D width of a pooled state, F buckets of runs, O outputs.
"""

# torch and its like are typed in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false, reportMissingTypeStubs=false

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from zhuji.core.contracts import Task
from zhuji.core.log import in_language, say
from zhuji.core.seed import stream
from zhuji.model.assembly import Model, assemble, collate
from zhuji.model.pooled import embed_rows, unit_length
from zhuji.model.predictor import cut
from zhuji.nn.heads import PooledHead, Pooling
from zhuji.nn.wide import WideHead, WideLinear, rarities
from zhuji.tasks.classify import Classify
from zhuji.training.material import Rows
from zhuji.training.run import Run, StartSettings

MOST_LABELS = 5000
"""Labels up to which a fitted head is tried: it solves a system with as many unknowns."""
FOLDS = 5
PENALTIES = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
"""C: how much the rows' loss counts against the penalty."""
_CHOOSING = 2000
"""Labels on which settings are chosen; what suits these suits more."""
_STEPS = 60
_BLOCK = 1024

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class Way:
    """Features of a head: the pooled state as it is or at length 1, and runs of up to `wide` units. `deep`: how loud the states speak
    beside the runs."""

    name: str
    unit_length: bool = False
    deep: float = 1.0
    wide: int = 0

    def on(self, task: Task) -> Classify:
        """The task with these features."""
        return Classify.parse({**task.plain(), "unit_length": self.unit_length, "wide": self.wide})


WAYS = (
    Way("states"), Way("states of length 1", unit_length=True), Way("runs", deep=0.0, wide=2),
    Way("states and runs", deep=1.0, wide=2), Way("loud states and runs", deep=2.0, wide=2),
    Way("quiet states of length 1 and runs", True, 0.5, 2),
    Way("states of length 1 and runs", True, 1.0, 2), Way("loud states of length 1 and runs", True, 2.0, 2),
)  # fmt: skip


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


def applies(run: Run, task: Task, rows: Rows) -> bool:
    """Whether the way of learning is ours to choose: the run starts from a model, the person left it to us, and labels are few."""
    start = run.start
    if start is None or start.choose == "off" or not isinstance(task, Classify):
        return False
    ours = StartSettings(path=start.path, hash=start.hash) == start
    plain = task.hidden is None and not task.wide and not task.unit_length and task.objective == "cross_entropy"
    enough = len(task.labels) >= 2 and task.rows >= 2 * FOLDS
    return ours and plain and enough and task.pool != "attention" and task.rows <= MOST_LABELS and len(rows) > 0


# ---------------------------------------------------------------------------------------------------------- choice


def choose(model: Model, rows: Rows, seed: int) -> tuple[Choice, Classify, nn.Module]:
    """The best way for these training rows, the task that has it, and its fitted head. `model`: the encoder, under any head."""
    task = model.task
    assert isinstance(task, Classify)
    features = _Features.of(model, rows, task)
    target = rows.targets["label"]
    assert isinstance(target, Tensor), "a class is one number a row"
    known = torch.arange(len(target)) if task.many else (target >= 0).nonzero()[:, 0]
    goal, ways = target[known], [way for way in WAYS if not way.wide or model.modality.spec.num_ids]
    some = stream(seed, "few labels").permutation(len(known))[:_CHOOSING]
    trials = [trial for way in ways for trial in _trials(way, features.gram(way, known[some]), goal[some])]
    # The first of equals: fewer features, and a stronger penalty.
    best = max(trials, key=lambda trial: trial.score)
    way = next(way for way in ways if way.name == best.way)
    head, fitted = features.head(way, best.penalty, known, goal)
    return Choice(way, best.penalty, best.score, len(known), trials), fitted, head


def chosen(model: Model, rows: Rows, seed: int) -> tuple[Choice, Model]:
    """`choose`, told to the person; and the model whose head was fitted: its encoder is the same and learns no more."""
    choice, task, head = choose(model, rows, seed)
    tell(choice)
    ready = assemble(model.modality, model.backbone, task, seed)
    ready.encoder.load_state_dict(model.encoder.state_dict())
    ready.encoder.requires_grad_(False)
    ready.head.load_state_dict(head.state_dict())
    return choice, ready.to(next(model.parameters()).device)


def tell(choice: Choice) -> None:
    """One line to the person."""
    about = f"C = {choice.penalty:g}, {choice.score:.4f} ± {_spread(choice):.4f}"
    say(in_language(f"{choice.labels:,} labels: a head is fitted to {choice.way.name} ({about} in cross-validation on the training split).",
                    f"{choice.labels:,} 个标签：在冻结的编码器上拟合分类头（{_CHINESE[choice.way.name]}，训练集交叉验证：{about}）。"))  # fmt: skip


_CHINESE = {
    "states": "池化状态", "states of length 1": "单位长度状态", "runs": "单元序列", "states and runs": "状态与单元序列",
    "loud states and runs": "加强的状态与单元序列", "states of length 1 and runs": "单位长度状态与单元序列",
    "quiet states of length 1 and runs": "减弱的单位长度状态与单元序列",
    "loud states of length 1 and runs": "加强的单位长度状态与单元序列",
}  # fmt: skip


def _spread(choice: Choice) -> float:
    folds = next(t.folds for t in choice.tried if (t.way, t.penalty) == (choice.way.name, choice.penalty))
    return float(np.std(folds))


def _trials(way: Way, gram: Tensor, goal: Tensor) -> list[Trial]:
    """Every penalty, on every fold. Rows are in random order already."""
    axes, _ = _axes(gram)
    scores: dict[float, list[float]] = {penalty: [] for penalty in PENALTIES}
    for fold in range(FOLDS):
        out = torch.zeros(len(goal), dtype=torch.bool)
        out[fold::FOLDS] = True
        start = None
        for penalty in PENALTIES:
            start = logistic(axes[~out], goal[~out], penalty, start)
            answers = axes[out] @ start[0] + start[1]
            scores[penalty].append(_right(answers, goal[out]))
    return [Trial(way.name, penalty, tuple(found)) for penalty, found in scores.items()]


def _right(answers: Tensor, goal: Tensor) -> float:
    """Share of right answers; with many labels, of right yes and no."""
    right = (answers > 0) == goal if goal.ndim == 2 else answers.argmax(1) == goal
    return float(right.float().mean())


# ------------------------------------------------------------------------------------------------------------- fit


def logistic(axes: Tensor, goal: Tensor, penalty: float, start: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
    """Weights `(A, O)` and bias `(O,)` of logistic regression on `axes (N, A)`: they minimise |W|^2 / 2 + penalty x the sum of the rows'
    losses. `goal (N,)` int64 is softmax over its classes, `(N, O)` bool independent yes and no. `start`: where the search begins."""
    outputs = goal.shape[1] if goal.ndim == 2 else int(goal.max()) + 1
    outputs = max(outputs, start[0].shape[1] if start else 0)
    weight, bias = start or (axes.new_zeros(axes.shape[1], outputs), axes.new_zeros(outputs))
    if weight.shape[1] < outputs:
        weight, bias = F.pad(weight, (0, outputs - weight.shape[1])), F.pad(bias, (0, outputs - len(bias)))
    weight, bias = weight.clone().requires_grad_(), bias.clone().requires_grad_()
    mover = torch.optim.LBFGS(
        [weight, bias], max_iter=_STEPS, history_size=10, tolerance_grad=1e-5, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        mover.zero_grad()
        answers = axes @ weight + bias
        if goal.ndim == 2:
            loss = F.binary_cross_entropy_with_logits(answers, goal.to(answers.dtype), reduction="sum")
        else:
            loss = F.cross_entropy(answers, goal, reduction="sum")
        # Divided by what it is a sum over, so that one tolerance fits all.
        whole = (loss + weight.square().sum() / (2 * penalty)) / len(goal)
        whole.backward()
        return whole

    mover.step(closure)
    return weight.detach(), bias.detach()


def _axes(gram: Tensor) -> tuple[Tensor, Tensor]:
    """`gram (N, N)`, the rows' products, to rows `(N, A)` with the same products in at most N dimensions, and `(N, A)` that leads back:
    weights w there are the weights X^T back w over the features X."""
    values, vectors = torch.linalg.eigh(gram.double())
    kept = values > values.max() * 1e-7
    root = values[kept].sqrt()
    return (vectors[:, kept] * root).float(), (vectors[:, kept] / root).float()


@dataclass(frozen=True)
class _Features:
    """Of all training rows: pooled states `(N, D)`, as they are and at length 1; of the runs, buckets and values `(nnz,)` row by row."""

    task: Classify
    width: int
    states: Matrix
    runs: Any
    """`(N, F)` scipy sparse rows of length 1."""
    rarity: NDArray[np.float64]

    @classmethod
    def of(cls, model: Model, rows: Rows, task: Classify) -> _Features:
        pool = Pooling(task.pool, model.backbone.out_width)
        states = embed_rows(model, rows.encoded, pool=pool)
        longest = max(way.wide for way in WAYS)
        runs, rarity = (
            _runs(model, rows, WideLinear(task.wide_size, 1, longest)) if model.modality.spec.num_ids else (None, np.empty(0))
        )
        return cls(task, model.backbone.out_width, states, runs, rarity)

    def scaled(self, way: Way) -> tuple[Matrix, Matrix, Matrix]:
        """The states `(N, D)` of mean 0 and deviation 1 / sqrt(D), times the way's loudness; the mean and the factor `(D,)` for that."""
        states = unit_length(self.states) if way.unit_length else self.states
        mean, spread = states.mean(0), states.std(0)
        factor = way.deep / (np.maximum(spread, 1e-6 + spread.max(initial=0) * 1e-3) * np.sqrt(states.shape[1]))
        return ((states - mean) * factor).astype(np.float32), mean, factor

    def gram(self, way: Way, rows: Tensor) -> Tensor:
        """`(n, n)`: products of these rows."""
        chosen = self.scaled(way)[0][rows.numpy()]
        gram = torch.from_numpy(chosen @ chosen.T)
        if way.wide:
            runs = self.runs[rows.numpy()]
            gram = gram + torch.from_numpy((runs @ runs.T).toarray().astype(np.float32))
        return gram

    @torch.no_grad()
    def head(self, way: Way, penalty: float, known: Tensor, goal: Tensor) -> tuple[nn.Module, Classify]:
        """The head fitted to all labelled rows, and the task whose head it is."""
        task = way.on(self.task)
        axes, back = _axes(self.gram(way, known))
        with torch.enable_grad():
            weight, bias = logistic(axes, goal, penalty)
        duals = F.pad(back @ weight, (0, len(task.labels) - weight.shape[1]))
        bias = F.pad(bias, (0, len(task.labels) - len(bias)), value=-1e4)
        deep = PooledHead(self.width, len(task.labels), pool=task.pool, dropout=task.dropout, unit_length=way.unit_length)
        states, mean, factor = self.scaled(way)
        spread = torch.from_numpy(states[known.numpy()].T.copy()) @ duals * torch.from_numpy(factor.astype(np.float32))[:, None]
        deep.out.weight.copy_(spread.T)
        deep.out.bias.copy_(bias - torch.from_numpy(mean.astype(np.float32)) @ spread)
        if not way.wide:
            return deep, task
        wide = WideLinear(task.wide_size, len(task.labels), way.wide)
        wide.weight.copy_(torch.from_numpy((self.runs[known.numpy()].T @ duals.numpy()).astype(np.float32)))
        wide.rarity.copy_(torch.from_numpy(self.rarity))
        return WideHead(deep, wide), task


@torch.no_grad()
def _runs(model: Model, rows: Rows, layer: WideLinear) -> tuple[Any, NDArray[np.float64]]:
    """Counts of runs of every row, weighed by how rare they are among all rows, labelled or not."""
    from scipy import sparse

    having = np.zeros(layer.buckets)
    for places, length in cut([row.length for row in rows.encoded], _BLOCK * 64):
        units = collate(model, [rows.encoded[place] for place in places], None, length).units
        buckets, real = layer.runs(units)
        for row, ok in zip(buckets.numpy(), real.numpy(), strict=True):
            having[np.unique(row[ok])] += 1
    rarity = rarities(having, len(rows))
    layer.rarity.copy_(torch.from_numpy(rarity))
    at, column, value = list[NDArray[Any]](), list[NDArray[Any]](), list[NDArray[Any]]()
    for places, length in cut([row.length for row in rows.encoded], _BLOCK * 64):
        units = collate(model, [rows.encoded[place] for place in places], None, length).units
        buckets, values = layer.values(units)
        real = values > 0
        at.append(np.repeat(places, real.sum(1).numpy()))
        column.append(buckets[real].numpy())
        value.append(values[real].numpy())
    whole = tuple(map(np.concatenate, (value, at, column)))
    return sparse.csr_matrix((whole[0], (whole[1], whole[2])), shape=(len(rows), layer.buckets)), rarity
