"""Where the three shelves meet: a model is a modality's stem, a backbone's body and a task's head."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, Self

import numpy as np
import torch
from torch import Tensor, nn

from zhuji.core.contracts import Backbone, Corrupt, Encoded, Modality, One, Task
from zhuji.core.errors import ImpossiblePair
from zhuji.core.log import in_language
from zhuji.core.records import Record
from zhuji.core.seed import derive
from zhuji.core.units import Batch, Features, Ratio, Units
from zhuji.nn.heads import Pooling

LESSON = "lesson"
"""The target that holds a teacher's lesson, where it was given beforehand."""


@dataclass(frozen=True)
class Teaching:
    """How a teacher's lessons count: their `weight` beside the task's own loss, and their `temperature`. `teacher`: the model that gives
    them batch by batch; None: they come with the batch."""

    weight: float
    temperature: float
    teacher: Model | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """A teacher never changes, so copies of its student share it."""
        return self

    def lesson(self, task: Task, batch: Batch) -> Any:
        """What is taught about this batch; None: nothing."""
        return batch.targets.get(LESSON) if self.teacher is None else self.teacher.lesson(task, batch)


class Parts(Protocol):
    """Whatever knows how raw rows become a batch."""

    @property
    def modality(self) -> Modality: ...

    @property
    def task(self) -> Task: ...


class StemAndBody(nn.Module):
    """`Units` -> `Features`; `corrupt` sees the states between stem and body. `follower`: a copy of both that follows slowly; `narrows`: the body
    can be asked for one unit of each row."""

    def __init__(self, stem: nn.Module, body: nn.Module, follows: bool = False, narrows: bool = False) -> None:
        super().__init__()
        self.stem, self.body, self.narrows = stem, body, narrows
        pair = nn.ModuleDict({"stem": stem, "body": body})
        self.follower = copy.deepcopy(pair).requires_grad_(False) if follows else None

    def forward(self, units: Units, corrupt: Corrupt | None = None, one: One | None = None) -> Features:
        features = self.stem(units)
        features = corrupt(features) if corrupt else features
        return self.body(features, one=one) if self.narrows and one is not None else self.body(features)

    def train(self, mode: bool = True) -> Self:
        """An encoder of which nothing learns is never in training mode: no dropout, and the same features at every step."""
        return super().train(mode and any(p.requires_grad for p in self.parameters()))

    def table(self) -> Tensor | None:
        """The stem's vectors, one an id; None where it has none."""
        return getattr(getattr(self.stem, "table", None), "weight", None)

    @torch.no_grad()
    def teacher(self, units: Units) -> Features:
        """The follower's view of `units`."""
        assert self.follower is not None, "this task has no momentum"
        return self.follower["body"](self.follower["stem"](units))

    @torch.no_grad()
    def follow(self, decay: float) -> None:
        """The follower moves towards stem and body."""
        if self.follower is None:
            return
        for part in ("stem", "body"):
            leading, following = getattr(self, part), self.follower[part]
            for new, slow in zip(leading.parameters(), following.parameters(), strict=True):
                slow.lerp_(new.detach(), 1 - decay)
            for new, slow in zip(leading.buffers(), following.buffers(), strict=True):
                slow.copy_(new)


class Model(nn.Module):
    """The network and the three parts it was built from. `model(batch)` is `model.outputs(batch)`."""

    def __init__(self, modality: Modality, backbone: Backbone, task: Task) -> None:
        super().__init__()
        self.modality, self.backbone, self.task = modality, backbone, task
        self.teaching: Teaching | None = None
        """While a teacher's lessons are learned."""
        stem, body = modality.stem(backbone.stem_width), backbone.body(task.causal)
        self.encoder = StemAndBody(stem, body, follows=task.momentum > 0, narrows=backbone.narrows)
        spec = replace(modality.spec, stem_width=backbone.stem_width, grid=modality.grid, stride=backbone.stride)
        self.head = task.head(spec, backbone.out_width)
        _refuse_unsummed(backbone, task, self.head)

    def forward(self, batch: Batch) -> Any:
        return self.outputs(batch)

    def outputs(self, batch: Batch) -> Any:
        """What the task's `loss`, `evidence` and `decode` read."""
        return self.task.outputs(self.encoder, self.head, batch)

    def answers(self, units: Units) -> Any:
        """What the task's `decode` reads of plain units."""
        return self.task.answers(self.encoder, self.head, units)

    def loss(self, batch: Batch, player: str | None = None) -> Ratio:
        """(total, count) over the batch; of one about which there is a teacher's lesson, both losses by their weights. `player`: of the task's
        several, whose loss; None: the judge's, which is the only one there is where one player moves everything."""
        if player is not None:
            task = self.task.plays(player)
            return task.loss(task.outputs(self.encoder, self.head, batch), batch)
        teaching = self.teaching
        lesson = None if teaching is None else teaching.lesson(self.task, batch)
        outputs = self.outputs(batch)
        own = self.task.loss(outputs, batch)
        if teaching is None or lesson is None:
            return own
        weight, taught = teaching.weight, self.task.lesson_loss(outputs, lesson, teaching.temperature)
        mixed = ((1 - weight) * a + weight * b for a, b in ((own.total, taught.total), (own.count, taught.count)))
        return Ratio(*mixed)

    @torch.no_grad()
    def lesson(self, task: Task, batch: Batch) -> Any:
        """What this model says to a student's `task` about a batch. Chance is left as it was found: the student, asked next, draws what its
        teacher drew, so that the same units are hidden from both."""
        device = batch.units.mask.device
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            return task.lesson(task.outputs(self.encoder, self.head, batch))

    def follow(self) -> None:
        """To be called after every move of the optimiser: where the task has momentum, the follower moves too."""
        self.encoder.follow(self.task.momentum)

    def parameter_counts(self) -> dict[str, int]:
        """Learned numbers in stem, body and head."""
        parts = {"stem": self.encoder.stem, "body": self.encoder.body, "head": self.head}
        return {name: sum(p.numel() for p in part.parameters()) for name, part in parts.items()}

    @property
    def parameter_count(self) -> int:
        return sum(self.parameter_counts().values())


def assemble(modality: Modality, backbone: Backbone, task: Task, seed: int = 0) -> Model:
    """A model whose initial weights depend on `seed` and the three parts alone; torch's own random state is left as it was.

    Raises ImpossiblePair when two of the parts cannot work together.
    """
    _refuse_impossible(modality, backbone, task)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "weights"))
        return Model(modality, backbone, task)


def _refuse_impossible(modality: Modality, backbone: Backbone, task: Task) -> None:
    axes = modality.spec.grid_ndim
    if axes not in backbone.grids:
        raise ImpossiblePair(
            first=modality.called(),
            second=backbone.called(),
            rule=in_language(
                f"the one gives grids of {axes} axes, the other reads grids of {_listed(backbone.grids)}",
                f"前者给出 {axes} 维网格，后者只读取 {_listed(backbone.grids)} 维网格",
            ),
            advice=in_language("choose another --set backbone.name", "请换用其他 --set backbone.name"),
        )
    if task.causal and not backbone.can_be_causal:
        raise ImpossiblePair(
            first=task.called(),
            second=backbone.called(),
            rule=in_language("the one must not look ahead, the other always does", "前者不得看到后文，后者必然看到"),
            advice=in_language("choose a backbone that can be causal", "请换用可以不看后文的骨干网络"),
        )
    if task.per_unit and backbone.strides:
        raise ImpossiblePair(
            first=task.called(),
            second=backbone.called(),
            rule=in_language("the one answers for every unit, the other merges units", "前者逐单元作答，后者会合并单元"),
            advice=in_language("choose a backbone that keeps the grid", "请换用保持网格的骨干网络"),
        )
    if task.tells and not backbone.takes:
        raise ImpossiblePair(
            first=task.called(),
            second=backbone.called(),
            rule=in_language(
                "the one tells how noisy a row is and of which class, the other does not listen",
                "前者要告知每行的噪声强度与类别，后者不接收这些信息",
            ),
            advice=in_language("--set backbone.name=unet, or vit", "请用 --set backbone.name=unet 或 vit"),
        )
    _refuse_equal_views(modality, backbone, task)


def _refuse_equal_views(modality: Modality, backbone: Backbone, task: Task) -> None:
    """What compares two views of a row needs something that tells them apart."""
    if task.by_dropout and not backbone.drops:
        raise ImpossiblePair(
            first=task.called(),
            second=backbone.called(),
            rule=in_language(
                "the one tells two views of a row apart by dropout alone (views=dropout), and the other has none",
                "前者只靠 dropout 区分同一行的两个视图（views=dropout），后者没有 dropout",
            ),
            advice=in_language(
                "--set task.views=crop, delete or halves, or give the backbone dropout",
                "请用 --set task.views=crop（或 delete、halves），或为骨干网络设置 dropout",
            ),
        )
    if task.by_variation and not modality.varies:
        raise ImpossiblePair(
            first=task.called(),
            second=modality.called(),
            rule=in_language(
                "the one compares two variations of a row (views=varied), and the other varies nothing",
                "前者比较同一行的两种变化（views=varied），后者不作任何变化",
            ),
            advice=in_language(
                "--set modality.variation.zoom=[0.3, 1] and the like, or another task.views",
                "请设置 --set modality.variation.zoom=[0.3, 1] 等，或换用其他 task.views",
            ),
        )


def _refuse_unsummed(backbone: Backbone, task: Task, head: nn.Module) -> None:
    asks = any(module.kind == "summary" for module in head.modules() if isinstance(module, Pooling))
    if asks and not backbone.summarises:
        raise ImpossiblePair(
            first=task.called(),
            second=backbone.called(),
            rule=in_language(
                "the one reads a state for the row as a whole (pool=summary), and the other keeps none",
                "前者读取整行的状态（pool=summary），后者没有这种状态",
            ),
            advice=in_language(
                "--set task.pool=mean, or a backbone that can keep one: --set backbone.name=vit --set backbone.summary=true",
                "请用 --set task.pool=mean，或换用可以保留它的骨干网络：--set backbone.name=vit --set backbone.summary=true",
            ),
        )


def _listed(numbers: Sequence[int]) -> str:
    return "/".join(map(str, numbers))


def collate(parts: Parts, encoded: Sequence[Encoded], records: Sequence[Record] | None, length: int) -> Batch:
    """One batch of these rows. Sequences are padded to `length` units, other grids to the largest among the rows; without
    `records` there are no targets."""
    units = parts.modality.collate(encoded, grid_of(encoded, length))
    if records is None:
        return Batch(units)
    other = None
    if parts.task.needs == "target":
        second = parts.modality.encode([record.target for record in records])
        other = parts.modality.collate(second, (max(row.length for row in second),))
    targets = [parts.task.targets(parts.modality.placed(record, row)) for record, row in zip(records, encoded, strict=True)]
    return Batch(units, stacked(targets), other)


def grid_of(encoded: Sequence[Encoded], length: int) -> tuple[int, ...]:
    """The grid of a batch of these rows: `length` units of sequences, else the largest among the rows."""
    grids = np.array([row.grid for row in encoded])
    return (length,) if grids.shape[1] == 1 else tuple(int(side) for side in grids.max(0))


def stacked(targets: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    """Targets of rows along a new first axis; a target whose first axis differs from row to row is filled up with -1."""
    return {name: _level([row[name] for row in targets]) for name in (targets[0] if targets else ())}


def _level(rows: Sequence[Tensor]) -> Tensor:
    if len({row.shape for row in rows}) == 1:
        return torch.stack(list(rows))
    return torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True, padding_value=-1)
