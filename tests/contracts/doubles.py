"""Parts that only tests know. They show that the contracts hold beyond the shelves: a modality on a two-dimensional grid, one
with ids and values side by side, a backbone that strides and one that always looks ahead, a task that answers for every unit,
one that predicts the next unit, and one in which two players learn from each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import PrivateAttr
from torch import Tensor, nn

from zhuji.core.contracts import Backbone, Columns, Encoded, Encoder, Example, Metric, Modality, Prediction, Task
from zhuji.core.records import Record
from zhuji.core.units import Batch, Features, Ratio, Units, UnitSpec
from zhuji.nn.chance import chance, fingerprint
from zhuji.nn.heads import PerUnitHead
from zhuji.nn.layers import embedding, linear, zeroed


class ValueStem(nn.Module):
    """Values, and where there are any also ids, to states."""

    def __init__(self, spec: UnitSpec, dim: int) -> None:
        super().__init__()
        self.values = linear(spec.num_values, dim)
        self.table = embedding(spec.num_ids, dim) if spec.num_ids else None

    def forward(self, units: Units) -> Features:
        assert units.values is not None
        states = self.values(units.values)
        if self.table is not None:
            assert units.ids is not None and units.ids_mask is not None and units.values_mask is not None
            states = zeroed(states, units.values_mask) + zeroed(self.table(units.ids), units.ids_mask)
        return Features(zeroed(states, units.mask), units.mask)


class Picture(Modality):
    """A grey picture of any size: `values (H, W, 1)`."""

    @property
    def spec(self) -> UnitSpec:
        return UnitSpec(grid_ndim=2, num_values=1)

    def fit(self, inputs: Iterable[Any], seed: int = 0) -> Self:
        return self

    def encode(self, inputs: Sequence[Any]) -> list[Encoded]:
        return [Encoded(values=np.asarray(picture, dtype=np.float32)[..., None]) for picture in inputs]

    def collate(self, rows: Sequence[Encoded], grid: tuple[int, ...]) -> Units:
        values = np.zeros((len(rows), *grid, 1), dtype=np.float32)
        mask = np.zeros((len(rows), *grid), dtype=bool)
        for place, real, row in zip(values, mask, rows, strict=True):
            high, wide = row.grid
            place[:high, :wide], real[:high, :wide] = row.values, True
        return Units(mask=torch.from_numpy(mask), values=torch.from_numpy(values))

    def stem(self, dim: int) -> nn.Module:
        return ValueStem(self.spec, dim)

    @classmethod
    def example(cls) -> tuple[Self, list[Any]]:
        random = np.random.default_rng(0)
        return cls(), [random.normal(size=size) for size in ((2, 3), (3, 2), (1, 1), (3, 3))]


class Cells(Modality):
    """Named cells of a table, each with a category or a number: `ids (T,)` and `values (T, 1)`; the sign of an id says which."""

    @property
    def spec(self) -> UnitSpec:
        return UnitSpec(grid_ndim=1, num_ids=8, num_values=1)

    def fit(self, inputs: Iterable[Any], seed: int = 0) -> Self:
        return self

    def encode(self, inputs: Sequence[Any]) -> list[Encoded]:
        def row(cells: Sequence[Any]) -> Encoded:
            ids = np.array([cell if isinstance(cell, int) else -1 for cell in cells], dtype=np.int32)
            values = np.array([[0.0 if isinstance(cell, int) else cell] for cell in cells], dtype=np.float32)
            return Encoded(ids=ids, values=values)

        return [row(cells) for cells in inputs]

    def collate(self, rows: Sequence[Encoded], grid: tuple[int, ...]) -> Units:
        ids, values = np.zeros((len(rows), *grid), dtype=np.int64), np.zeros((len(rows), *grid, 1), dtype=np.float32)
        mask, named = np.zeros((len(rows), *grid), dtype=bool), np.zeros((len(rows), *grid), dtype=bool)
        for number, row in enumerate(rows):
            assert row.ids is not None
            ids[number, : row.length], values[number, : row.length] = row.ids.clip(0), row.values
            mask[number, : row.length], named[number, : row.length] = True, row.ids >= 0
        known, by_name = torch.from_numpy(mask), torch.from_numpy(named)
        return Units(known, torch.from_numpy(ids), torch.from_numpy(values), by_name, known & ~by_name)

    def stem(self, dim: int) -> nn.Module:
        return ValueStem(self.spec, dim)

    @classmethod
    def example(cls) -> tuple[Self, list[Any]]:
        return cls(), [[1, 0.5, 3], [2, -1.0, 7, 2.0], [0.1], [5, 5, 0.0, 1, 2]]


class Halving(Backbone):
    """Keeps every other unit of a sequence, with the one before it: a backbone that strides."""

    grids: ClassVar[tuple[int, ...]] = (1,)
    width: int = 4

    @property
    def stride(self) -> int:
        return 2

    @property
    def stem_width(self) -> int:
        return self.width

    def body(self, causal: bool) -> nn.Module:
        return HalvingBody()

    @classmethod
    def example(cls) -> Self:
        return cls()


class HalvingBody(nn.Module):
    def forward(self, features: Features) -> Features:
        before = F.pad(features.states[:, :-1], (0, 0, 1, 0))
        mask = features.mask[:, ::2]
        return Features(zeroed((features.states + before)[:, ::2], mask), mask)


class Everywhere(Backbone):
    """Adds the mean of all units to each: a backbone that always looks ahead."""

    can_be_causal: ClassVar[bool] = False
    width: int = 4

    @property
    def stem_width(self) -> int:
        return self.width

    def body(self, causal: bool) -> nn.Module:
        return EverywhereBody()

    @classmethod
    def example(cls) -> Self:
        return cls()


class EverywhereBody(nn.Module):
    def forward(self, features: Features) -> Features:
        states, mask = features.flat()
        mean = zeroed(states, mask).sum(1, keepdim=True) / mask.sum(1)[:, None, None].clamp_min(1)
        out = zeroed(states + mean, mask)
        return Features(out.view(features.states.shape), features.mask)


@dataclass(frozen=True)
class Share:
    """Share of rows that are right."""

    columns: tuple[str, ...] = ("right",)
    higher_is_better: bool = True

    def __call__(self, evidence: Columns) -> float:
        return float(evidence["right"].mean())


class _PerUnit(Task):
    per_unit: ClassVar[bool] = True

    def metrics(self) -> Mapping[str, Metric]:
        return {"share": Share()}


LONGEST = 32


class Tag(_PerUnit):
    """A tag for every unit; here each record's label is one tag for all of its units."""

    num_tags: int = 3

    def targets(self, record: Record) -> Mapping[str, Tensor]:
        return {"tags": torch.full((LONGEST,), int(str(record.label)))}

    def head(self, spec: UnitSpec, dim: int) -> nn.Module:
        return PerUnitHead(dim, self.num_tags)

    def loss(self, outputs: Tensor, batch: Batch) -> Ratio:
        mask, logits = batch.units.mask.flatten(1), outputs.flatten(1, -2)
        each = F.cross_entropy(logits.transpose(1, 2), self._tags(batch), reduction="none")
        return Ratio(each.masked_fill(~mask, 0.0).sum(), mask.sum())

    def evidence(self, outputs: Tensor, batch: Batch) -> Columns:
        right = (outputs.flatten(1, -2).argmax(-1) == self._tags(batch)) | ~batch.units.mask.flatten(1)
        return {"right": right.all(1).numpy()}

    def decode(self, outputs: Tensor) -> list[Prediction]:
        return [Prediction(tuple(row.argmax(-1).tolist())) for row in outputs.flatten(1, -2)]

    def _tags(self, batch: Batch) -> Tensor:
        return batch.targets["tags"][:, :1].expand(-1, batch.units.mask[0].numel())

    @classmethod
    def example(cls) -> Example:
        return Example(cls(), [Record(id=str(n), input=None, label=str(n % 3)) for n in range(4)])


class Next(_PerUnit):
    """The next unit of the flattened grid: its id or its values."""

    causal: ClassVar[bool] = True

    def head(self, spec: UnitSpec, dim: int) -> nn.Module:
        return PerUnitHead(dim, spec.num_ids + spec.num_values)

    def loss(self, outputs: Tensor, batch: Batch) -> Ratio:
        units, scores, mask = batch.units, outputs.flatten(1, -2), batch.units.mask.flatten(1)
        follower = _next_real(mask)
        here = mask & (follower < mask.shape[1])
        follower = follower.clamp_max(mask.shape[1] - 1)
        named = 0 if units.ids is None else scores.shape[-1] - (0 if units.values is None else units.values.shape[-1])
        loss = Ratio(scores.new_zeros(()), torch.tensor(0))
        if units.ids is not None:
            where = here if units.ids_mask is None else here & units.ids_mask.flatten(1).gather(1, follower)
            wanted = units.ids.flatten(1).gather(1, follower)
            each = F.cross_entropy(scores[..., :named].transpose(1, 2), wanted, reduction="none")
            loss = loss.plus(Ratio(each.masked_fill(~where, 0.0).sum(), where.sum()))
        if units.values is not None:
            where = here if units.values_mask is None else here & units.values_mask.flatten(1).gather(1, follower)
            wanted = units.values.flatten(1, -2).gather(1, follower[..., None].expand(*follower.shape, units.values.shape[-1]))
            each = (scores[..., named:] - wanted).square().mean(-1)
            loss = loss.plus(Ratio(each.masked_fill(~where, 0.0).sum(), where.sum()))
        return loss

    def evidence(self, outputs: Tensor, batch: Batch) -> Columns:
        return {"right": np.ones(len(batch), dtype=bool)}

    def decode(self, outputs: Tensor) -> list[Prediction]:
        return [Prediction(float(row.detach().mean())) for row in outputs]

    @classmethod
    def example(cls) -> Example:
        return Example(cls(), [Record(id=str(n), input=None) for n in range(4)])


def _next_real(mask: Tensor) -> Tensor:
    """`mask (B, N)` -> `(B, N)`: index of the first real unit after each unit, N where there is none."""
    size = mask.shape[1]
    real = torch.where(mask, torch.arange(size), size)
    behind = F.pad(real[:, 1:], (0, 1), value=size)
    return behind.flip(1).cummin(1).values.flip(1)


class Duel(Task):
    """A critic, the encoder and a linear layer, tells rows from made-up ones; a maker makes up the states that a stem gives of a row
    (Goodfellow et al. 2014, section 3, with the loss that does not saturate)."""

    needs: ClassVar[Any] = "nothing"
    noise: int = 3
    _player: str | None = PrivateAttr(default=None)

    @property
    def players(self) -> tuple[str, ...]:
        return ("critic", "maker")

    def owner(self, parameter: str) -> str:
        return "maker" if parameter.startswith("head.maker.") else "critic"

    def plays(self, player: str) -> Task:
        played = self.model_copy()
        played._player = player
        return played

    def head(self, spec: UnitSpec, dim: int) -> nn.Module:
        return DuelHead(self.noise, spec.stem_width, dim)

    def outputs(self, encoder: Encoder, head: nn.Module, batch: Batch) -> dict[str, Tensor]:
        assert isinstance(head, DuelHead)
        rows = fingerprint(batch.units)
        outputs = {} if self._player == "maker" else self.answers(encoder, head, batch.units)
        made = encoder(batch.units, lambda features: head.made_up(features, rows))
        return {**outputs, "made": head(made)}

    def answers(self, encoder: Encoder, head: nn.Module, units: Units) -> dict[str, Tensor]:
        return {"real": head(encoder(units))}

    def loss(self, outputs: dict[str, Tensor], batch: Batch) -> Ratio:
        apart = [F.softplus(-outputs["real"]), F.softplus(outputs["made"])] if self._player != "maker" else []
        alike = [F.softplus(-outputs["made"])] if self._player != "critic" else []
        return Ratio(torch.stack([*apart, *alike]).sum(), torch.tensor(len(batch)))

    def evidence(self, outputs: dict[str, Tensor], batch: Batch) -> Columns:
        return {"right": (outputs["real"] > outputs["made"]).numpy()}

    def metrics(self) -> Mapping[str, Metric]:
        return {"share": Share()}

    def decode(self, outputs: dict[str, Tensor]) -> list[Prediction]:
        return [Prediction(score) for score in outputs["real"].tolist()]

    @classmethod
    def example(cls) -> Example:
        return Example(cls(), [Record(id=str(n), input=None) for n in range(4)])


class DuelHead(nn.Module):
    """`Features` -> `(B,)`; `maker` makes states out of chance."""

    def __init__(self, noise: int, stem_width: int, dim: int) -> None:
        super().__init__()
        self.noise, self.critic, self.maker = noise, linear(dim, 1), linear(noise, stem_width)

    def forward(self, features: Features) -> Tensor:
        states, mask = features.flat()
        mean = zeroed(states, mask).sum(1) / mask.sum(1, keepdim=True).clamp_min(1)
        return self.critic(mean).squeeze(-1)

    def made_up(self, features: Features, rows: Tensor) -> Features:
        noise = torch.stack([chance(features.mask, rows) for _ in range(self.noise)], dim=-1)
        return replace(features, states=zeroed(self.maker(noise - 0.5), features.mask))
