"""Masked autoencoding: most units of a row are taken away, the encoder sees what is left, and a small decoder guesses the rest (He et al.
2022, Masked Autoencoders Are Scalable Vision Learners); needs no label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import torch.nn.functional as F
from pydantic import Field, model_validator
from torch import Tensor, nn

from zhuji.core.contracts import Columns, Encoder, Example, Metric, Needs, Prediction, Task
from zhuji.core.records import Record
from zhuji.core.rules import divides
from zhuji.core.units import Batch, Features, Ratio, Units, UnitSpec
from zhuji.metrics import units as metrics
from zhuji.nn.chance import chance, chosen, fingerprint
from zhuji.nn.heads import Pooling
from zhuji.nn.masking import Guesser
from zhuji.nn.restoring import Restorer, without


class MaskedPatches(Task):
    """Guess units that the encoder never saw: values by the squared error, ids by a vocabulary tied to the stem.

    What is taken away is drawn anew at every step. Unlike `masked_units` the encoder meets nothing that stands for a hidden unit, so what it
    learns on is what it is used on, and a backbone that computes real units alone (vit) is spared what is hidden.
    """

    per_unit: ClassVar[bool] = True
    needs: ClassVar[Needs] = "nothing"

    rate: float = Field(default=0.75, gt=0, lt=1)
    """Share of the units that is taken away."""
    normalise: bool = True
    """Guess each unit's values less their mean over their deviation (section 4.1 there)."""
    decoder_width: int = Field(default=128, gt=0)
    decoder_layers: int = Field(default=2, gt=0)
    decoder_heads: int = Field(default=4, gt=0)
    pool: Literal["mean", "summary"] = "mean"
    """Of a row that is asked about: how its embedding is made of the encoder's states."""

    @model_validator(mode="after")
    def _heads_divide(self) -> Self:
        divides("decoder_heads", self.decoder_heads, "decoder_width", self.decoder_width)
        return self

    def head(self, spec: UnitSpec, dim: int) -> nn.Module:
        return _Head(self, spec, dim)

    def outputs(self, encoder: Encoder, head: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """`loss`, `terms`, each (B, K): of the K units taken away from a row."""
        assert isinstance(head, _Head)
        units = batch.units
        places = chosen(chance(units.mask, fingerprint(units)), head.content(units), self.rate)

        def corrupt(features: Features) -> Features:
            return without(features, places)

        restored = Features(head.restorer(encoder(units, corrupt), units), units.mask)
        guess = head.guess(restored, units, places, encoder.table())
        return {"loss": guess.loss, "terms": guess.terms}

    def answers(self, encoder: Encoder, head: nn.Module, units: Units) -> dict[str, Tensor]:
        """`first (B, E)`: the whole row's embedding, of length 1."""
        assert isinstance(head, _Head)
        return {"first": F.normalize(head.pool(encoder(units)).float(), dim=-1)}

    def loss(self, outputs: Mapping[str, Tensor], batch: Batch) -> Ratio:
        return Ratio(outputs["loss"].sum(), outputs["terms"].sum())

    def evidence(self, outputs: Mapping[str, Tensor], batch: Batch) -> Columns:
        """Sums by row of what the metric divides."""
        return {name: outputs[name].detach().sum(1).double().cpu().numpy() for name in ("loss", "terms")}

    def metrics(self) -> Mapping[str, Metric]:
        return {"masked_loss": metrics.loss}

    def decode(self, outputs: Mapping[str, Tensor]) -> list[Prediction]:
        """The row's embedding, as a list of numbers; where units were taken away, how far off they were guessed on average."""
        if "first" in outputs:
            return [Prediction(row) for row in outputs["first"].detach().tolist()]
        each = outputs["loss"].detach().sum(1) / outputs["terms"].sum(1).clamp_min(1)
        return [Prediction(loss) for loss in each.tolist()]

    def reading(self) -> Mapping[str, Any]:
        """`first` is the vector, of length 1."""
        return {"kind": "vector", "output": "first"}

    @classmethod
    def example(cls) -> Example:
        task = cls(rate=0.5, decoder_width=8, decoder_layers=1, decoder_heads=2)
        return Example(task, [Record(f"row-{i}", "") for i in range(8)])


class _Head(Guesser):
    def __init__(self, task: MaskedPatches, spec: UnitSpec, dim: int) -> None:
        super().__init__(spec, task.decoder_width, normalise=task.normalise)
        self.restorer = Restorer(dim, task.decoder_width, task.decoder_layers, task.decoder_heads)
        self.pool = Pooling(task.pool, dim)
