"""Triplets: a row lies nearer to rows of its class, or to another view of itself, than to others, by a margin (Schroff et al. 2015)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Literal, Self

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from zhuji.core.contracts import Columns, Encoder, Example, Metric, Needs
from zhuji.core.records import Record
from zhuji.core.units import Batch, Ratio, Units, UnitSpec
from zhuji.metrics import embeddings
from zhuji.nn import losses
from zhuji.nn.chance import chance, fingerprint
from zhuji.nn.triplets import Mining, distances, mined
from zhuji.tasks._views import Views, ViewsHead, ViewsTask, equal_rows


class Triplet(ViewsTask):
    """Embeddings of length 1 in which classes, or where there are none rows, keep apart. Triplets are found among a batch; one that holds
    none teaches nothing.

    With labels a batch should hold several rows of a class; rows of a class that training never met, or of none, count nowhere. Without
    labels anchor and positive are two views of a row, both in turn, and the negatives all views of other rows; equal rows are one.
    """

    mining: Mining = "semi_hard"
    """Which negative stands against a pair of a class: any, the nearest of those farther than the positive, or the nearest of all against
    the farthest positive. The last may collapse (Schroff et al. 2015, section 3.2)."""
    margin: float = Field(default=0.2, gt=0)
    """In the unit of `distance`."""
    distance: Literal["squared", "plain"] = "squared"
    """Euclidean distance of unit vectors, squared as in the paper or plain."""
    views: Views = "crop"
    labels: tuple[str, ...] = ()
    """Learned: class names, sorted."""

    @property
    def needs(self) -> Needs:  # pyright: ignore[reportIncompatibleVariableOverride]
        return "label" if self.labels else "nothing"

    @property
    def sees_twice(self) -> bool:
        return not self.labels

    def fit(self, records: Sequence[Record]) -> Self:
        found = {record.label for record in records if isinstance(record.label, str | int | float)}
        return type(self).parse({**self.plain(), "labels": tuple(sorted(str(label) for label in found))})

    def targets(self, record: Record) -> Mapping[str, Tensor]:
        """With labels `label`: () int64, -1 if unseen."""
        if not self.labels:
            return {}
        label = record.label if isinstance(record.label, str | int | float) else None
        return {"label": torch.tensor(self._index.get(str(label), losses.UNSEEN) if label is not None else losses.UNSEEN)}

    def head(self, spec: UnitSpec, dim: int) -> nn.Module:
        return ViewsHead(self, spec, dim)

    def outputs(self, encoder: Encoder, head: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """`first (B, E)`: embeddings; without labels also `second (B, E)`, those of the other views, and `row (B,)`, equal for equal
        rows. `draws`: chance for random triplets, a number for every two embeddings, first ones ahead."""
        assert isinstance(head, ViewsHead)
        if self.labels:
            first = self.embedded(encoder, head, batch.units)
            return {"first": first, "draws": _draws(batch.units, 1)}
        view, other = self.two_views(batch, head)
        first = self.embedded(encoder, head, view)
        second = first if other is None else self.embedded(encoder, head, other)
        row = equal_rows(batch, pairs=False).int().argmax(1)
        return {"first": first, "second": second, "row": row, "draws": _draws(batch.units, 2)}

    def loss(self, outputs: Mapping[str, Tensor], batch: Batch) -> Ratio:
        """Sum over the batch's triplets, and how many there are."""
        if self.labels:
            points, kind = outputs["first"], batch.targets["label"]
        else:
            points, kind = torch.cat((outputs["first"], outputs["second"])), outputs["row"].repeat(2)
        found = mined(distances(points, self.distance == "squared"), kind, self.mining, outputs["draws"])
        each = F.relu(self.margin + found.positive - found.negative)
        return Ratio(torch.where(found.valid, each, 0.0).sum(), found.valid.sum())

    def evidence(self, outputs: Mapping[str, Tensor], batch: Batch) -> Columns:
        other = {"group": batch.targets["label"]} if self.labels else {"second": outputs["second"].detach()}
        return {name: column.cpu().numpy() for name, column in {"first": outputs["first"].detach(), **other}.items()}

    def metrics(self) -> Mapping[str, Metric]:
        """Of classes recall@1 first: whether the nearest row is of the class, which is what such embeddings are for."""
        if not self.labels:
            return embeddings.VIEWED
        return {"recall_at_1": embeddings.class_recall, "mrr": embeddings.class_mrr, **embeddings.WATCHED}

    @cached_property
    def _index(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.labels)}

    @classmethod
    def example(cls) -> Example:
        records = [Record(f"row-{i}", "", label="ab"[i % 2]) for i in range(8)]
        return Example(cls(margin=3.0, width=4).fit(records), records)


def _draws(units: Units, views: int) -> Tensor:
    """`(V * B, V * B)`, uniform in [0, 1): V views of each row, those of the first kind ahead."""
    rows = len(units)
    every = torch.ones(rows, views * views * rows, dtype=torch.bool, device=units.mask.device)
    return chance(every, fingerprint(units)).view(rows, views, -1).transpose(0, 1).reshape(views * rows, -1)
