"""Contrast: two views of a row, or the two halves of a pair, are to be found among the rows of a batch; needs no label."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from zhuji.core.contracts import Columns, Encoder, Example, Metric, Needs
from zhuji.core.records import Record
from zhuji.core.units import Batch, Features, Ratio, Units, UnitSpec
from zhuji.metrics import embeddings
from zhuji.nn.chance import Places
from zhuji.nn.contrastive import in_chunks, infonce, ntxent, pairwise_sigmoid, rows_of
from zhuji.nn.masking import Hidden, Hiding, MaskedHead, hide
from zhuji.tasks._views import ViewsHead, ViewsTask, equal_rows

_SHARPEST = 100.0
"""A learned temperature does not fall below 1/100 (Radford et al. 2021, section 2.5)."""


class Contrast(ViewsTask):
    """Embeddings that keep what two views of a row share. Equal rows of a batch are no negatives of each other."""

    objective: Literal["infonce", "ntxent", "sigmoid"] = "infonce"
    """ntxent: a row's negatives are the other rows' views of both kinds; sigmoid: every pair is a question of its own."""
    pairs: bool = False
    """The second view is the record's target: a translation, an answer, a caption."""
    temperature: float = Field(default=0.05, gt=0)
    learned: bool = False
    """The temperature is learned; with `sigmoid` it always is, as is a bias."""
    masked: float = Field(default=0.0, ge=0)
    """Weight of guessing hidden units of the first view, in the same pass (Giorgi et al. 2021, section 3.3)."""
    rate: float = Field(default=0.15, gt=0, lt=1)
    """Share of the units hidden for that."""

    @property
    def needs(self) -> Needs:  # pyright: ignore[reportIncompatibleVariableOverride]
        return "target" if self.pairs else "nothing"

    @property
    def sees_twice(self) -> bool:
        return not self.pairs

    @property
    def per_unit(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.masked > 0

    def head(self, spec: UnitSpec, dim: int) -> nn.Module:
        return _Head(self, spec, dim)

    def outputs(self, encoder: Encoder, head: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """`first` and `second (B, E)` of length 1, `same (B, B)`, `scale` and `bias` (), and while training with `masked` the losses of
        the hidden units and how many terms they have, `masked_loss` and `masked_terms (B, K)`."""
        assert isinstance(head, _Head)
        paired = self.pairs and batch.other is not None
        first, other = (batch.units, batch.other) if paired else self.two_views(batch, head)
        hidden = hide(first, head.masked.content(first), Hiding(self.rate)) if head.masked and head.training else None

        def encode(rows: slice) -> tuple[Tensor, ...]:
            part = rows_of(first, rows)
            return (self.embed(encoder, head, part),) if hidden is None else _with_masked(encoder, head, part, hidden, rows)

        embedded, *rest = in_chunks(encode, len(first), self.chunk)
        second = embedded if other is None else self.embedded(encoder, head, other)
        outputs = {"first": embedded, "second": second, "same": equal_rows(batch, pairs=self.pairs)}
        scale = head.log_scale.exp().clamp_max(_SHARPEST)
        return outputs | {"scale": scale, "bias": head.bias} | dict(zip(("masked_loss", "masked_terms"), rest, strict=False))

    def loss(self, outputs: Mapping[str, Tensor], batch: Batch) -> Ratio:
        """Sum over rows, and rows: a mean over the batch, which is another when rows are cut otherwise."""
        views, scale, same = (outputs["first"], outputs["second"]), outputs["scale"], outputs["same"]
        if self.objective == "sigmoid":
            rows = pairwise_sigmoid(*views, scale, outputs["bias"], same)
        else:
            rows = (ntxent if self.objective == "ntxent" else infonce)(*views, scale, same)
        total = rows.sum()
        if "masked_loss" in outputs:
            guessed = outputs["masked_loss"].sum() / outputs["masked_terms"].sum().clamp_min(1)
            total = total + self.masked * len(rows) * guessed
        return Ratio(total, torch.tensor(len(rows), device=total.device))

    def evidence(self, outputs: Mapping[str, Tensor], batch: Batch) -> Columns:
        return {name: outputs[name].detach().cpu().numpy() for name in ("first", "second")}

    def metrics(self) -> Mapping[str, Metric]:
        return embeddings.VIEWED

    @classmethod
    def example(cls) -> Example:
        task = cls(objective="sigmoid", views="delete", temperature=0.5, chunk=3, width=4, masked=0.5, rate=0.4)
        return Example(task, [Record(f"row-{i}", "") for i in range(8)])


class _Head(ViewsHead):
    """The embedding, temperature and bias, and where asked the guesses of hidden units."""

    def __init__(self, contrast: Contrast, spec: UnitSpec, dim: int) -> None:
        super().__init__(contrast, spec, dim)
        sigmoid = contrast.objective == "sigmoid"
        learned = contrast.learned or sigmoid
        self.log_scale = _number(-math.log(contrast.temperature), learned)
        self.bias = _number(-10.0 if sigmoid else 0.0, sigmoid)
        self.masked = MaskedHead(spec, dim) if contrast.masked else None


def _number(value: float, learned: bool) -> Tensor:
    number = torch.tensor(value)
    return nn.Parameter(number) if learned else nn.Buffer(number)


def _with_masked(encoder: Encoder, head: _Head, units: Units, hidden: Hidden, rows: slice) -> tuple[Tensor, ...]:
    """Embedding, losses and terms of rows whose hidden units are corrupted: one pass for both."""
    assert head.masked is not None
    masked = head.masked
    part = Hidden(Places(hidden.places.index[rows], hidden.places.valid[rows]), hidden.fate[rows], hidden.other[rows])

    def corrupt(features: Features) -> Features:
        return masked.corrupted(features, part)

    features = encoder(units, corrupt)
    guess = masked.guess(features, units, part.places, encoder.table())
    return head.embedding(features), guess.loss, guess.terms
