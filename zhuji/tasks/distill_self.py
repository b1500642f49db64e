"""Self-distillation: what a slow copy of the encoder sees of a row is predicted from a part of it; needs no label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from zhuji.core.contracts import Columns, Encoder, Example, Metric, Needs, Prediction, Task, Teaches
from zhuji.core.records import Record
from zhuji.core.units import Batch, Features, Ratio, Units, UnitSpec
from zhuji.metrics import embeddings
from zhuji.metrics.units import ratio_of
from zhuji.nn.heads import Pooling
from zhuji.nn.layers import linear
from zhuji.nn.masking import Blanks, Hiding, hide
from zhuji.nn.views import Shares, Viewing


class DistillSelf(Task):
    """The teacher is a moving average of the student. Nothing pushes rows apart, so embeddings may collapse: the scores tell.

    units: the teacher's states, each normalised, at units that are hidden from the student (Baevski et al. 2022). rows: the teacher's
    pooled state of another view of the row (Grill et al. 2020), without their projection: the predictor alone is the student's own.
    """

    needs: ClassVar[Needs] = "nothing"
    teaches: ClassVar[Teaches] = "vectors"

    level: Literal["units", "rows"] = "units"
    decay: float = Field(default=0.999, gt=0, lt=1)
    """What the teacher keeps of itself at each step."""
    rate: float = Field(default=0.15, gt=0, lt=1)
    """Of units: share that is hidden."""
    span: float | None = Field(default=None, ge=1)
    """Of units: hide runs of that many units (or whole words) on average."""
    whole_words: bool = False
    """Hide or delete whole words, where the modality tells which units are pieces of one."""
    beta: float = Field(default=1.0, gt=0)
    """Of units: differences below it count squared, above it linearly."""
    views: Literal["crop", "delete", "varied"] = "crop"
    """Of rows: how the two views are made; varied: by the modality, as a picture's crops and colours."""
    crop: Shares = (0.5, 1.0)
    """Share of the units that a crop keeps: between these two."""
    delete: float = Field(default=0.2, gt=0, lt=1)
    """Share of the units that are deleted."""

    @property
    def momentum(self) -> float:
        return self.decay

    @property
    def by_variation(self) -> bool:
        return self.level == "rows" and self.views == "varied"

    @property
    def per_unit(self) -> bool:  # pyright: ignore[reportIncompatibleVariableOverride]
        return self.level == "units"

    def head(self, spec: UnitSpec, dim: int) -> nn.Module:
        return _Head(spec, dim, hides=self.level == "units")

    def outputs(self, encoder: Encoder, head: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """`loss` and `terms (B, K)`; while evaluating also the whole row's embedding by the student and by the teacher, `first` and `second
        (B, E)`."""
        assert isinstance(head, _Head)
        outputs = self._units(encoder, head, batch.units) if self.level == "units" else self._rows(encoder, head, batch)
        if not head.training:
            outputs["first"] = self.embed(encoder, head, batch.units)
            outputs["second"] = F.normalize(head.pool(encoder.teacher(batch.units)).float(), dim=-1)
        return outputs

    def answers(self, encoder: Encoder, head: nn.Module, units: Units) -> dict[str, Tensor]:
        """`first (B, E)`."""
        return {"first": self.embed(encoder, head, units)}

    def embed(self, encoder: Encoder, head: nn.Module, units: Units) -> Tensor:
        """Rows to embeddings of length 1, `(B, E)` float32: the mean of their states."""
        assert isinstance(head, _Head)
        return F.normalize(head.pool(encoder(units)).float(), dim=-1)

    def _units(self, encoder: Encoder, head: _Head, units: Units) -> dict[str, Tensor]:
        blanks = head.blanks
        assert blanks is not None
        hidden = hide(units, blanks.content(units), Hiding(self.rate, self.whole_words, self.span))

        def corrupt(features: Features) -> Features:
            return blanks.corrupted(features, hidden)

        axes, places = len(units.grid), hidden.places
        guess = head.predictor(places.of(encoder(units, corrupt).states, axes)).float()
        wanted = places.of(encoder.teacher(units).states, axes).float()
        wanted = F.layer_norm(wanted, wanted.shape[-1:])
        each = F.smooth_l1_loss(guess, wanted, beta=self.beta, reduction="none").mean(-1)
        return {"loss": torch.where(places.valid, each, 0.0), "terms": places.valid}

    def _views(self, batch: Batch, head: _Head) -> list[Units]:
        if self.views == "varied":
            return [batch.units, batch.units if batch.other is None else batch.other]
        viewing = Viewing(self.views, self.crop, self.delete, self.whole_words)
        return [viewing.one(batch.units, head.spec) for _ in range(2)]

    def _rows(self, encoder: Encoder, head: _Head, batch: Batch) -> dict[str, Tensor]:
        views = self._views(batch, head)
        guesses = [head.predictor(head.pool(encoder(view))).float() for view in views]
        wanted = [head.pool(encoder.teacher(view)).float() for view in views]
        likeness = F.cosine_similarity(guesses[0], wanted[1], dim=-1) + F.cosine_similarity(guesses[1], wanted[0], dim=-1)
        each = (2 - likeness)[:, None]
        return {"loss": each, "terms": torch.ones_like(each, dtype=torch.bool)}

    def loss(self, outputs: Mapping[str, Tensor], batch: Batch) -> Ratio:
        """Per hidden unit, or per row: then the squared distance of unit vectors, mean over both directions (equation 2)."""
        return Ratio(outputs["loss"].sum(), outputs["terms"].sum())

    def evidence(self, outputs: Mapping[str, Tensor], batch: Batch) -> Columns:
        sums = {name: outputs[name].sum(1).double() for name in ("loss", "terms")}
        columns = sums | {name: outputs[name] for name in ("first", "second")}
        return {name: column.detach().cpu().numpy() for name, column in columns.items()}

    def metrics(self) -> Mapping[str, Metric]:
        """Agreement with the teacher plus uniformity first: a collapsed encoder has the best loss of all."""
        return {
            "align_and_spread": embeddings.align_and_spread, "distilled_loss": ratio_of("loss", "terms", higher_is_better=False),
            "alignment": embeddings.alignment, **embeddings.WATCHED,
        }  # fmt: skip

    def decode(self, outputs: Mapping[str, Tensor]) -> list[Prediction]:
        """The student's embedding of the whole row, as a list of numbers."""
        return [Prediction(row) for row in outputs["first"].detach().tolist()]

    def reading(self) -> Mapping[str, Any]:
        """`first` is the vector, of length 1."""
        return {"kind": "vector", "output": "first"}

    def warnings(self, scores: Mapping[str, float]) -> list[str]:
        return embeddings.collapse(scores)

    @classmethod
    def example(cls) -> Example:
        return Example(cls(rate=0.5, decay=0.9), [Record(f"row-{i}", "") for i in range(8)])


class _Head(nn.Module):
    """What hides units, and the student's predictor of the teacher's states: two layers."""

    def __init__(self, spec: UnitSpec, dim: int, *, hides: bool) -> None:
        super().__init__()
        self.spec = spec
        self.blanks = Blanks(spec) if hides else None
        self.pool = Pooling("mean", dim)
        self.predictor = nn.Sequential(linear(dim, 2 * dim), nn.GELU(), linear(2 * dim, dim))
