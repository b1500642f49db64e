"""Triplets: a row lies nearer to rows of its class than to those of others, by a margin (Schroff et al. 2015)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import ClassVar, Literal, Self

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from zhuji.core.contracts import Columns, Encoder, Example, Metric, Prediction, Task, Teaches
from zhuji.core.records import Record
from zhuji.core.units import Batch, Ratio, Units, UnitSpec
from zhuji.metrics import embeddings
from zhuji.nn import losses
from zhuji.nn.chance import chance, fingerprint
from zhuji.nn.embed import EmbeddingHead
from zhuji.nn.heads import Pool
from zhuji.nn.triplets import Mining, distances, mined


class Triplet(Task):
    """Embeddings of length 1 in which classes keep apart. Triplets are found among the rows of a batch, so it should hold several rows of
    a class; one that holds no triplet teaches nothing. Rows of a class that training never met, or of none, count nowhere."""

    compares: ClassVar[bool] = True
    teaches: ClassVar[Teaches] = "vectors"

    mining: Mining = "semi_hard"
    """Which negative stands against a pair of a class: any, the nearest of those farther than the positive, or the nearest of all against
    the farthest positive."""
    margin: float = Field(default=0.2, gt=0)
    """In the unit of `distance`."""
    distance: Literal["squared", "plain"] = "squared"
    """Euclidean distance of unit vectors, squared as in the paper or plain."""
    pool: Pool = "mean"
    width: int | None = Field(default=None, gt=0)
    """Width of an embedding, by two layers above the pooled state; without it that is the embedding."""
    hidden: int | None = Field(default=None, gt=0)
    """Width between the two layers; defaults to that of the pooled state."""
    labels: tuple[str, ...] = ()
    """Learned: class names, sorted."""

    def fit(self, records: Sequence[Record]) -> Self:
        found = {record.label for record in records if isinstance(record.label, str | int | float)}
        return type(self).parse({**self.plain(), "labels": tuple(sorted(str(label) for label in found))})

    def targets(self, record: Record) -> Mapping[str, Tensor]:
        """`label`: () int64, -1 if unseen."""
        label = record.label if isinstance(record.label, str | int | float) else None
        return {"label": torch.tensor(self._index.get(str(label), losses.UNSEEN) if label is not None else losses.UNSEEN)}

    def head(self, spec: UnitSpec, dim: int) -> nn.Module:
        return EmbeddingHead(dim, pool=self.pool, width=self.width, hidden=self.hidden)

    def outputs(self, encoder: Encoder, head: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """`first (B, E)`: embeddings; `draws (B, B)`: chance for random triplets."""
        rows = torch.ones(len(batch), len(batch), dtype=torch.bool, device=batch.units.mask.device)
        return {"first": self.embed(encoder, head, batch.units), "draws": chance(rows, fingerprint(batch.units))}

    def embed(self, encoder: Encoder, head: nn.Module, units: Units) -> Tensor:
        """Rows to embeddings of length 1, `(B, E)` float32."""
        assert isinstance(head, EmbeddingHead)
        return head.embedding(encoder(units))

    def loss(self, outputs: Mapping[str, Tensor], batch: Batch) -> Ratio:
        """Sum over the batch's triplets, and how many there are."""
        distance = distances(outputs["first"], self.distance == "squared")
        found = mined(distance, batch.targets["label"], self.mining, outputs["draws"])
        each = F.relu(self.margin + found.positive - found.negative)
        return Ratio(torch.where(found.valid, each, 0.0).sum(), found.valid.sum())

    def evidence(self, outputs: Mapping[str, Tensor], batch: Batch) -> Columns:
        return {"first": outputs["first"].detach().cpu().numpy(), "group": batch.targets["label"].cpu().numpy()}

    def metrics(self) -> Mapping[str, Metric]:
        """Recall@1 first: whether the nearest row is of the class, which is what such embeddings are for."""
        return {"recall_at_1": embeddings.class_recall, "mrr": embeddings.class_mrr, **embeddings.WATCHED}

    def decode(self, outputs: Mapping[str, Tensor]) -> list[Prediction]:
        """The embedding, as a list of numbers."""
        return [Prediction(row) for row in outputs["first"].detach().tolist()]

    def warnings(self, scores: Mapping[str, float]) -> list[str]:
        return embeddings.collapse(scores)

    @cached_property
    def _index(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.labels)}

    @classmethod
    def example(cls) -> Example:
        records = [Record(f"row-{i}", "", label="ab"[i % 2]) for i in range(8)]
        return Example(cls(margin=3.0, width=4).fit(records), records)
