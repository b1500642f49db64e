"""Regression: which number a row bears."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from zhuji.core.contracts import About, Columns, Encoder, Example, Metric, Prediction, Task
from zhuji.core.errors import NotANumber, UnknownName
from zhuji.core.log import in_language
from zhuji.core.records import Record
from zhuji.core.units import Batch, Ratio, UnitSpec
from zhuji.metrics import regression
from zhuji.nn import losses
from zhuji.nn.heads import Pool, PooledHead, one_of

_NUMBER = "number"


class Regress(Task):
    """A pooled head with one output. The loss is on the standardised scale, so that rates and losses mean the same for any unit;
    answers and evidence are in the target's own unit."""

    explains: ClassVar[bool] = True

    objective: Literal["squared", "huber"] = "squared"
    pool: Pool = "mean"
    hidden: int | None = Field(default=None, gt=0, le=65536)
    dropout: float = Field(default=0.0, ge=0, lt=1)
    mean: float = Field(default=0.0, allow_inf_nan=False)
    """Learned: mean of the training targets."""
    scale: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """Learned: their standard deviation; 1 if all are equal."""

    def fit(self, records: Sequence[Record]) -> Self:
        """Raises NotANumber."""
        values = np.array([number_of(record) for record in records])
        scale = float(values.std()) if len(values) else 0.0
        learned = {"mean": float(values.mean()) if len(values) else 0.0, "scale": scale if scale > 0 else 1.0}
        return type(self).parse({**self.plain(), **learned})

    def targets(self, record: Record) -> Mapping[str, Tensor]:
        """`target`: () float64. Raises NotANumber."""
        return {"target": torch.tensor(number_of(record), dtype=torch.float64)}

    def head(self, spec: UnitSpec, dim: int) -> nn.Module:
        return PooledHead(dim, 1, pool=self.pool, hidden=self.hidden, dropout=self.dropout)

    def outputs(self, encoder: Encoder, head: nn.Module, batch: Batch) -> Tensor:
        return head(encoder(batch.units, one=one_of(self.pool)))

    def loss(self, outputs: Tensor, batch: Batch) -> Ratio:
        """`outputs (B, 1)` are standardised numbers."""
        standard = (batch.targets["target"] - self.mean) / self.scale
        rows = (losses.huber if self.objective == "huber" else losses.squared_error)(outputs[:, 0], standard)
        return Ratio(rows.sum(), torch.tensor(len(rows), device=rows.device))

    def lesson(self, outputs: Tensor) -> Tensor:
        """The teacher's numbers, in the target's own unit."""
        return (outputs[:, 0].detach().double() * self.scale + self.mean).float()

    def lesson_loss(self, outputs: Tensor, lesson: Tensor, temperature: float) -> Ratio:
        """Squared difference on the standardised scale; a number knows no temperature."""
        rows = losses.squared_error(outputs[:, 0], (lesson - self.mean) / self.scale)
        return Ratio(rows.sum(), torch.tensor(len(rows), device=rows.device))

    def evidence(self, outputs: Tensor, batch: Batch) -> Columns:
        return {"target": batch.targets["target"].cpu().numpy(), "prediction": self._numbers(outputs)}

    def metrics(self) -> Mapping[str, Metric]:
        """RMSE first: it is what the squared error minimises, in the target's unit."""
        return {
            "rmse": regression.rmse, "mae": regression.mae, "r2": regression.r2,
            "pearson": regression.pearson, "spearman": regression.spearman,
        }  # fmt: skip

    def decode(self, outputs: Tensor) -> list[Prediction]:
        return [Prediction(float(number)) for number in self._numbers(outputs)]

    def reading(self) -> Mapping[str, Any]:
        """The output times the scale, plus the mean."""
        return {"kind": "number", "scale": self.scale, "mean": self.mean}

    def abouts(self, answer: Prediction, asked: str | None = None, words: Sequence[str] = ()) -> list[About]:
        """The number: there is nothing else to ask for."""
        if asked not in (None, _NUMBER):
            raise UnknownName(kind=in_language("answer", "回答"), name=asked, choices=_NUMBER)
        return [About(_NUMBER)]

    def spoken_for(self, outputs: Tensor, about: About) -> Tensor:
        """The number, in the target's own unit."""
        return outputs[:, 0] * self.scale + self.mean

    def _numbers(self, outputs: Tensor) -> np.ndarray:
        return (outputs[:, 0].detach().double() * self.scale + self.mean).cpu().numpy()

    @classmethod
    def example(cls) -> Example:
        records = [Record(f"row-{i}", "", label=10.0 + i * i) for i in range(8)]
        return Example(cls(hidden=6).fit(records), records)


def number_of(record: Record) -> float:
    """The record's target. Raises NotANumber."""
    label = record.label
    try:
        value = float(label)  # pyright: ignore[reportArgumentType]
    except (TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise NotANumber(file=record.file or None, row=record.row or None, value=label)
    return value
