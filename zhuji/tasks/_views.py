"""What the tasks share that embed rows and compare two views of each."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from zhuji.core.contracts import Encoder, Prediction, Task, Teaches
from zhuji.core.units import Batch, Units, UnitSpec
from zhuji.metrics import embeddings
from zhuji.nn.chance import fingerprint
from zhuji.nn.contrastive import in_chunks, rows_of
from zhuji.nn.embed import EmbeddingHead
from zhuji.nn.heads import Pool, one_of
from zhuji.nn.views import Shares, View, Viewing

Views = View | Literal["varied"]


class ViewsTask(Task):
    """Embeddings of length 1, learned by comparing the rows of a batch, of which each may be seen twice.

    Views: dropout, the row twice, told apart by the backbone's dropout alone (Gao, Yao & Chen 2021); crop, two random spans; delete, two
    random selections of its units or words; halves, both sides of one cut, each less what `delete` leaves out; varied, two of the
    modality's own variations, such as crops and colours of a picture (Chen et al. 2020). While evaluating the first view is the row as it is.
    """

    compares: ClassVar[bool] = True
    teaches: ClassVar[Teaches] = "vectors"

    views: Views = "dropout"
    crop: Shares = (0.3, 0.7)
    """Share of the units that a crop, or the first half, keeps: between these two."""
    delete: float = Field(default=0.2, gt=0, lt=1)
    """Share of the units that are deleted."""
    whole_words: bool = True
    """Delete whole words, where the modality tells which units are pieces of one."""
    chunk: int | None = Field(default=None, gt=0)
    """Rows encoded at a time; batches may then be as large as their embeddings allow, for one more pass forwards."""
    pool: Pool = "mean"
    width: int | None = Field(default=None, gt=0)
    """Width of an embedding, by two layers above the pooled state; without it that is the embedding."""
    hidden: int | None = Field(default=None, gt=0)
    """Width between the two layers; defaults to that of the pooled state."""

    @property
    @abstractmethod
    def sees_twice(self) -> bool:
        """Whether the second embedding is that of another view of the row."""

    @property
    def by_dropout(self) -> bool:
        return self.sees_twice and self.views == "dropout"

    @property
    def by_variation(self) -> bool:
        return self.sees_twice and self.views == "varied"

    def embed(self, encoder: Encoder, head: nn.Module, units: Units) -> Tensor:
        """Rows as they are to embeddings of length 1, `(B, E)` float32, in one pass."""
        assert isinstance(head, ViewsHead)
        return head.embedding(encoder(units, one=one_of(self.pool)))

    def two_views(self, batch: Batch, head: ViewsHead) -> tuple[Units, Units | None]:
        """Both views of these rows; None where the second is the first once more."""
        if self.views == "varied":
            return batch.units, batch.other
        viewing = Viewing(self.views, self.crop, self.delete, self.whole_words)
        return viewing.two(batch.units, head.spec, training=head.training)

    def embedded(self, encoder: Encoder, head: ViewsHead, units: Units) -> Tensor:
        """The same as `embed`, `chunk` rows at a time."""
        return in_chunks(lambda rows: (self.embed(encoder, head, rows_of(units, rows)),), len(units), self.chunk)[0]

    def answers(self, encoder: Encoder, head: nn.Module, units: Units) -> dict[str, Tensor]:
        """`first (B, E)`."""
        return {"first": self.embed(encoder, head, units)}

    def decode(self, outputs: Mapping[str, Tensor]) -> list[Prediction]:
        """The embedding, as a list of numbers."""
        return [Prediction(row) for row in outputs["first"].detach().tolist()]

    def reading(self) -> Mapping[str, Any]:
        """`first` is the vector, of length 1."""
        return {"kind": "vector", "output": "first"}

    def warnings(self, scores: Mapping[str, float]) -> list[str]:
        return embeddings.collapse(scores)


class ViewsHead(EmbeddingHead):
    """The embedding, and what a view must know of the units."""

    def __init__(self, task: ViewsTask, spec: UnitSpec, dim: int) -> None:
        super().__init__(dim, pool=task.pool, width=task.width, hidden=task.hidden)
        self.spec = spec


def equal_rows(batch: Batch, *, pairs: bool) -> Tensor:
    """`(B, B)` bool: rows whose units, or with `pairs` those of their other halves, are the same."""
    prints = [fingerprint(units) for units in (batch.units, batch.other if pairs else None) if units is not None]
    return torch.stack([each[:, None] == each[None, :] for each in prints]).any(0)
