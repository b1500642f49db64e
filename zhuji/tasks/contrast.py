"""Contrast: two views of a row, or the two halves of a pair, are to be found among the rows of a batch; needs no label."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import ClassVar, Literal, Self

import torch
from pydantic import Field
from torch import Tensor, nn

from zhuji.core.contracts import Columns, Encoder, Example, Metric, Needs, Prediction, Task, Teaches
from zhuji.core.records import Record
from zhuji.core.units import Batch, Features, Ratio, Units, UnitSpec
from zhuji.metrics import embeddings
from zhuji.nn.chance import Places, fingerprint
from zhuji.nn.contrastive import in_chunks, infonce, ntxent, pairwise_sigmoid, rows_of
from zhuji.nn.embed import EmbeddingHead
from zhuji.nn.heads import Pool
from zhuji.nn.masking import Hidden, Hiding, MaskedHead, hide
from zhuji.nn.views import Shares, cropped, deleted, halved

_SHARPEST = 100.0
"""A learned temperature does not fall below 1/100 (Radford et al. 2021, section 2.5)."""


class Contrast(Task):
    """Embeddings that keep what two views of a row share. Equal rows of a batch are no negatives of each other.

    Views: dropout, the row twice, told apart by the backbone's dropout alone (Gao, Yao & Chen 2021); crop, two random spans; delete, two
    random selections of its units or words; halves, both sides of one cut, each less what `delete` leaves out. While evaluating the
    first view is the row as it is.
    """

    compares: ClassVar[bool] = True
    teaches: ClassVar[Teaches] = "vectors"

    objective: Literal["infonce", "ntxent", "sigmoid"] = "infonce"
    """ntxent: a row's negatives are the other rows' views of both kinds; sigmoid: every pair is a question of its own."""
    views: Literal["dropout", "crop", "delete", "halves"] = "dropout"
    pairs: bool = False
    """The second view is the record's target: a translation, an answer, a caption."""
    crop: Shares = (0.3, 0.7)
    """Share of the units that a crop, or the first half, keeps: between these two."""
    delete: float = Field(default=0.2, gt=0, lt=1)
    """Share of the units that are deleted."""
    whole_words: bool = True
    """Delete whole words, where the modality tells which units are pieces of one."""
    temperature: float = Field(default=0.05, gt=0)
    learned: bool = False
    """The temperature is learned; with `sigmoid` it always is, as is a bias."""
    chunk: int | None = Field(default=None, gt=0)
    """Rows encoded at a time; batches may then be as large as their embeddings allow, for one more pass forwards."""
    pool: Pool = "mean"
    width: int | None = Field(default=None, gt=0)
    """Width of an embedding, by two layers above the pooled state; without it that is the embedding."""
    hidden: int | None = Field(default=None, gt=0)
    """Width between the two layers; defaults to that of the pooled state."""
    masked: float = Field(default=0.0, ge=0)
    """Weight of guessing hidden units of the first view, in the same pass (Giorgi et al. 2021, section 3.3)."""
    rate: float = Field(default=0.15, gt=0, lt=1)
    """Share of the units hidden for that."""

    @property
    def needs(self) -> Needs:  # pyright: ignore[reportIncompatibleVariableOverride]
        return "target" if self.pairs else "nothing"

    @property
    def per_unit(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.masked > 0

    def fit(self, records: Sequence[Record]) -> Self:
        return self

    def targets(self, record: Record) -> Mapping[str, Tensor]:
        return {}

    def head(self, spec: UnitSpec, dim: int) -> nn.Module:
        return _Head(self, spec, dim)

    def outputs(self, encoder: Encoder, head: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """`first` and `second (B, E)` of length 1, `same (B, B)`, `scale` and `bias` (), and while training with `masked` the losses of
        the hidden units and how many terms they have, `masked_loss` and `masked_terms (B, K)`."""
        assert isinstance(head, _Head)
        first, other = self._views(batch, head)
        hidden = hide(first, head.masked.content(first), Hiding(self.rate)) if head.masked and head.training else None

        def encode(rows: slice) -> tuple[Tensor, ...]:
            part = rows_of(first, rows)
            return (self.embed(encoder, head, part),) if hidden is None else _with_masked(encoder, head, part, hidden, rows)

        embedded, *rest = in_chunks(encode, len(first), self.chunk)
        outputs = {"first": embedded, "second": self._second(encoder, head, other, embedded), "same": self._same(batch)}
        scale = head.log_scale.exp().clamp_max(_SHARPEST)
        return outputs | {"scale": scale, "bias": head.bias} | dict(zip(("masked_loss", "masked_terms"), rest, strict=False))

    def embed(self, encoder: Encoder, head: nn.Module, units: Units) -> Tensor:
        """Rows as they are to embeddings of length 1, `(B, E)` float32, in one pass."""
        assert isinstance(head, _Head)
        return head.embedding(encoder(units))

    def _second(self, encoder: Encoder, head: _Head, other: Units | None, embedded: Tensor) -> Tensor:
        if other is None:
            return embedded
        return in_chunks(lambda rows: (self.embed(encoder, head, rows_of(other, rows)),), len(other), self.chunk)[0]

    def _views(self, batch: Batch, head: _Head) -> tuple[Units, Units | None]:
        """Both views; None where the second is the first once more."""
        units = batch.units
        if self.pairs and batch.other is not None:
            return units, batch.other
        if self.views == "dropout":
            return units, units if head.training else None
        if self.views == "halves":
            first, second = (self._deleted(side, head) for side in halved(units, head.spec, self.crop))
        else:
            first, second = (self._view(units, head) for _ in range(2))
        return first if head.training else units, second

    def _view(self, units: Units, head: _Head) -> Units:
        return cropped(units, head.spec, self.crop) if self.views == "crop" else self._deleted(units, head)

    def _deleted(self, units: Units, head: _Head) -> Units:
        return deleted(units, head.spec, self.delete, self.whole_words)

    def _same(self, batch: Batch) -> Tensor:
        prints = [fingerprint(units) for units in (batch.units, batch.other if self.pairs else None) if units is not None]
        return torch.stack([each[:, None] == each[None, :] for each in prints]).any(0)

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
        """Alignment plus uniformity first: unlike the loss it does not depend on how rows are cut into batches."""
        return {
            "align_and_spread": embeddings.align_and_spread, "alignment": embeddings.alignment, **embeddings.WATCHED,
            "view_recall": embeddings.view_recall,
        }  # fmt: skip

    def decode(self, outputs: Mapping[str, Tensor]) -> list[Prediction]:
        """The embedding, as a list of numbers."""
        return [Prediction(row) for row in outputs["first"].detach().tolist()]

    def warnings(self, scores: Mapping[str, float]) -> list[str]:
        return embeddings.collapse(scores)

    @classmethod
    def example(cls) -> Example:
        task = cls(objective="sigmoid", views="delete", temperature=0.5, chunk=3, width=4, masked=0.5, rate=0.4)
        return Example(task, [Record(f"row-{i}", "") for i in range(8)])


class _Head(EmbeddingHead):
    """The embedding, temperature and bias, and where asked the guesses of hidden units."""

    def __init__(self, contrast: Contrast, spec: UnitSpec, dim: int) -> None:
        super().__init__(dim, pool=contrast.pool, width=contrast.width, hidden=contrast.hidden)
        self.spec = spec
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
