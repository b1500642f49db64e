"""Imitate: rows lie to each other as a teacher's vectors of them do; needs no label, only what the teacher made of each row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from zhuji.core.contracts import Columns, Encoder, Example, Metric, Needs, Prediction, Task, Teaches
from zhuji.core.records import Record
from zhuji.core.units import Batch, Ratio, UnitSpec
from zhuji.metrics import embeddings
from zhuji.nn.contrastive import relations
from zhuji.nn.embed import EmbeddingHead
from zhuji.nn.heads import Pool, one_of


class Imitate(Task):
    """Embeddings of length 1 whose likeness to each other is the teacher's (Tung & Mori 2019; as distributions: Fang et al. 2021, section
    3.2). Only likeness is learned, so the teacher may have another tokenizer, another backbone and another width."""

    compares: ClassVar[bool] = True
    needs: ClassVar[Needs] = "lesson"
    teaches: ClassVar[Teaches] = "vectors"

    temperature: float = Field(default=0.1, gt=0)
    """Below it the nearest rows count more."""
    pool: Pool = "mean"

    def targets(self, record: Record) -> Mapping[str, Tensor]:
        """`taught`: (W,) float32; of a row that no teacher has seen nothing, (0,)."""
        lesson = np.empty(0) if record.lesson is None else record.lesson
        return {"taught": torch.tensor(lesson, dtype=torch.float32)}

    def head(self, spec: UnitSpec, dim: int) -> nn.Module:
        return EmbeddingHead(dim, pool=self.pool)

    def outputs(self, encoder: Encoder, head: nn.Module, batch: Batch) -> Tensor:
        """Embeddings `(B, E)` float32 of length 1."""
        assert isinstance(head, EmbeddingHead)
        return head.embedding(encoder(batch.units, one=one_of(self.pool)))

    def loss(self, outputs: Tensor, batch: Batch) -> Ratio:
        """Sum over the rows that are taught, and their number: a mean over the batch, which is another when rows are cut otherwise."""
        taught = batch.targets["taught"]
        return Ratio(relations(outputs, taught, self.temperature).sum(), taught.any(1).sum())

    def evidence(self, outputs: Tensor, batch: Batch) -> Columns:
        return {"first": outputs.detach().cpu().numpy(), "taught": batch.targets["taught"].cpu().numpy()}

    def metrics(self) -> Mapping[str, Metric]:
        """How many of the teacher's neighbours are kept first: it is what one searches by."""
        return {
            "neighbours_kept": embeddings.neighbours_kept, "likeness_kept": embeddings.likeness_kept, **embeddings.WATCHED,
        }  # fmt: skip

    def decode(self, outputs: Tensor) -> list[Prediction]:
        """The embedding, as a list of numbers."""
        return [Prediction(row) for row in outputs.detach().tolist()]

    def reading(self) -> Mapping[str, Any]:
        """The output is the vector, of length 1."""
        return {"kind": "vector", "output": "output"}

    def warnings(self, scores: Mapping[str, float]) -> list[str]:
        return embeddings.collapse(scores)

    @classmethod
    def example(cls) -> Example:
        vectors = np.random.default_rng(0).standard_normal((8, 3)).astype(np.float32)
        return Example(cls(temperature=0.5), [Record(f"row-{i}", "", lesson=vectors[i]) for i in range(8)])
