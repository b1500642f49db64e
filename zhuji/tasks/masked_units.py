"""Masked units: hide some units of a row and guess them from the others (Devlin et al. 2019); needs no label."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn

from zhuji.core.contracts import Columns, Encoder, Example, Metric, Needs, Prediction, Task, Teaches
from zhuji.core.records import Record
from zhuji.core.units import Batch, Features, Ratio, Units, UnitSpec
from zhuji.metrics import units as metrics
from zhuji.nn.chance import Places
from zhuji.nn.masking import Guess, Hiding, MaskedHead, hide
from zhuji.nn.vocabulary import Said, divergence


class MaskedUnits(Task):
    """Guess hidden units: their ids by a vocabulary tied to the stem, their values by the squared error.

    What is hidden is drawn anew at every step. Of the hidden units 80 % become a learned vector, 10 % another unit of the row, 10 % stay.
    A row that is asked about, one that holds the modality's own mask id, has nothing else hidden: its answer is what stands there.
    """

    per_unit: ClassVar[bool] = True
    needs: ClassVar[Needs] = "nothing"
    teaches: ClassVar[Teaches] = "units"
    writes: ClassVar[bool] = True

    rate: float = Field(default=0.15, gt=0, lt=1)
    """Share of the units that is hidden."""
    whole_words: bool = False
    """Hide whole words, where the modality tells which units are pieces of one."""
    span: float | None = Field(default=None, ge=1)
    """Hide runs of that many units (or whole words) on average, geometrically distributed (Joshi et al. 2020)."""
    transform: bool = True
    """A hidden layer before the vocabulary, as in BERT."""
    norm_eps: float = Field(default=1e-12, gt=0)
    """Added to what the norm of that layer divides by."""
    normalise: bool = False
    """Guess each unit's values less their mean over their deviation: better for patches of pictures (He et al. 2022)."""

    def head(self, spec: UnitSpec, dim: int) -> nn.Module:
        return _Head(spec, dim, transform=self.transform, normalise=self.normalise, eps=self.norm_eps)

    def outputs(self, encoder: Encoder, head: nn.Module, batch: Batch) -> dict[str, Any]:
        """`loss`, `terms`, `id_loss`, `named`, `right`, each (B, K); `said`: what is guessed at these B K places, of a modality with ids; of
        one with a mask id also `row`, `id`, `score` (A,) of the A units asked about."""
        assert isinstance(head, _Head)
        units, asked = batch.units, head.asked(batch.units)
        content = head.content(units)
        if asked is not None:
            content = content & ~asked.flatten(1).any(1).view(-1, *(1,) * len(units.grid))
        hidden = hide(units, content, Hiding(self.rate, self.whole_words, self.span))

        def corrupt(features: Features) -> Features:
            return head.corrupted(features if asked is None else head.blanked(features, asked), hidden)

        features, table = encoder(units, corrupt), encoder.table()
        outputs = head.guess(features, units, hidden.places, table)._asdict() | head.said(features, units, hidden.places, table)
        return outputs if asked is None else outputs | head.answers(features, asked, table)

    def answers(self, encoder: Encoder, head: nn.Module, units: Units) -> dict[str, Tensor]:
        """`asked (B,)`, how many units a row asks about; of a modality with a mask id also `row`, `id`, `score` (A,) of these."""
        assert isinstance(head, _Head)
        asked = head.asked(units)
        if asked is None:
            return {"asked": units.mask.new_zeros(units.mask.shape[0], dtype=torch.int64)}
        features = encoder(units, lambda features: head.blanked(features, asked))
        return {"asked": asked.flatten(1).sum(1)} | head.answers(features, asked, encoder.table())

    def loss(self, outputs: Mapping[str, Tensor], batch: Batch) -> Ratio:
        return Ratio(outputs["loss"].sum(), outputs["terms"].sum())

    def lesson(self, outputs: Mapping[str, Any]) -> Said | None:
        """What is guessed at every hidden unit: the whole distribution over the ids."""
        return outputs.get("said")

    def lesson_loss(self, outputs: Mapping[str, Any], lesson: Said, temperature: float) -> Ratio:
        """Sum over the hidden units with an id, and their number: the same ones are hidden from both."""
        named, each = outputs["named"], divergence(outputs["said"], lesson, temperature)
        return Ratio(torch.where(named.flatten(), each, 0.0).sum(), named.sum())

    def evidence(self, outputs: Mapping[str, Tensor], batch: Batch) -> Columns:
        """Sums by row of what the metrics divide."""
        return {name: outputs[name].detach().sum(1).double().cpu().numpy() for name in Guess._fields}

    def metrics(self) -> Mapping[str, Metric]:
        """The loss chooses the checkpoint: it has a meaning for ids and values alike."""
        return {"masked_loss": metrics.loss, "perplexity": metrics.perplexity, "masked_accuracy": metrics.accuracy}

    def decode(self, outputs: Mapping[str, Tensor]) -> list[Prediction]:
        """The best ids where the row asks; else no id, and where units were hidden the geometric mean of the probabilities of their ids."""
        scores = _hidden_scores(outputs) if "id_loss" in outputs else [math.nan] * len(outputs["asked"])
        found: dict[int, list[tuple[int, float]]] = {}
        if "row" in outputs:
            for row, unit, score in zip(*(outputs[name].tolist() for name in ("row", "id", "score")), strict=True):
                found.setdefault(row, []).append((unit, score))
        return [_answer(found.get(row, []), score) for row, score in enumerate(scores)]

    def reading(self) -> Mapping[str, Any]:
        """`id` with its `score` answers for a unit of the row `row` that asks; there are as many as rows ask about."""
        return {"kind": "units"}

    @classmethod
    def example(cls) -> Example:
        return Example(cls(rate=0.5), [Record(f"row-{i}", "") for i in range(8)])


def _hidden_scores(outputs: Mapping[str, Tensor]) -> list[float]:
    loss, named = outputs["id_loss"].detach().sum(1).double(), outputs["named"].sum(1)
    return torch.where(named > 0, (-loss / named.clamp_min(1)).exp(), torch.nan).tolist()


def _answer(found: Sequence[tuple[int, float]], score: float) -> Prediction:
    if not found:
        return Prediction((), None if math.isnan(score) else score)
    return Prediction(tuple(unit for unit, _ in found), min(probability for _, probability in found))


class _Head(MaskedHead):
    """With what answers a row that asks."""

    def __init__(self, spec: UnitSpec, dim: int, *, transform: bool, normalise: bool, eps: float) -> None:
        super().__init__(spec, dim, transform=transform, normalise=normalise, eps=eps)
        self.blank = spec.mask

    def asked(self, units: Units) -> Tensor | None:
        """`(B, *grid)`: the units that ask what they are; None where none can."""
        if self.training or self.blank is None or units.ids is None:
            return None
        return units.mask & (units.ids == self.blank)

    def said(self, features: Features, units: Units, places: Places, table: Tensor | None) -> dict[str, Said]:
        """What the states at the places say; nothing of a modality without ids."""
        if self.ids is None or table is None:
            return {}
        return {"said": Said(places.of(features.states, units.mask.ndim - 1).flatten(0, 1), self.ids, table)}

    def blanked(self, features: Features, asked: Tensor) -> Features:
        return replace(features, states=torch.where(asked.unsqueeze(-1), self.mask.to(features.states.dtype), features.states))

    def answers(self, features: Features, asked: Tensor, table: Tensor | None) -> dict[str, Tensor]:
        """Row, best id that is not reserved, and its probability, of each unit that asks."""
        assert self.ids is not None and table is not None
        logits = self.ids.logits(features.states[asked], table).float()
        best = logits.masked_fill(~self.content.content, -torch.inf).argmax(-1)
        row = asked.flatten(1).nonzero()[:, 0]
        return {"row": row, "id": best, "score": logits.softmax(-1).gather(-1, best[:, None])[:, 0]}
