"""Classification: which label, or which of many, a row bears."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field, field_validator, model_validator
from torch import Tensor, nn

from zhuji.core.contracts import About, Columns, Encoder, Example, Metric, Prediction, Task
from zhuji.core.errors import BadSetting, UnknownName
from zhuji.core.log import in_language
from zhuji.core.records import Label, Record, named
from zhuji.core.units import Batch, Ratio, UnitSpec
from zhuji.metrics import classification, probabilities
from zhuji.nn import losses
from zhuji.nn.heads import Pool, PooledHead, one_of
from zhuji.nn.layers import Activation
from zhuji.nn.wide import WideHead, WideLinear


def names_of(label: Label) -> tuple[str, ...]:
    """The label names of a row: none, one or many."""
    if label is None:
        return ()
    return named(label) if isinstance(label, tuple) else (str(label),)


class Classify(Task):
    """A pooled head with one logit a class; softmax for one label a row, sigmoids for many.

    A label that training never met has the target -1: it teaches nothing (loss 0, count 0) and counts as wrong in every metric.
    With many labels a row's unmet labels are left out of its target.
    """

    explains: ClassVar[bool] = True
    per_unit: ClassVar[bool] = False

    many: bool = False
    objective: Literal["cross_entropy", "focal"] = "cross_entropy"
    focal_gamma: float = Field(default=2.0, ge=0, le=10)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    class_weights: Literal["none", "balanced"] = "none"
    """balanced: each class weighs as if all were equally frequent."""
    pool: Pool = "mean"
    hidden: int | None = Field(default=None, gt=0, le=65536)
    activation: Activation = "relu"
    """With `hidden`: what stands between the two layers."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    unit_length: bool = False
    """The pooled state is scaled to length 1."""
    wide: int = Field(default=0, ge=0, le=5)
    """Runs of up to so many units speak to the classes directly as well, counted as in TF-IDF (Cheng et al. 2016); 0: none do."""
    wide_size: int = Field(default=1 << 18, gt=0, le=1 << 24)
    """Weights a class that these runs share."""
    spelled: float = Field(default=0.0, ge=0, le=100)
    """Learned: with few labels, how loud runs of characters inside the units speak beside them; 0: they do not."""
    threshold: float = Field(default=0.5, gt=0, lt=1)
    """With many labels: probability from which a label is given."""
    labels: tuple[str, ...] = ()
    """Learned: class names, sorted."""
    counts: tuple[int, ...] = ()
    """Learned: training rows by class."""
    rows: int = 0
    """Learned: training rows with a label."""

    @field_validator("spelled", mode="before")
    @classmethod
    def _a_loudness(cls, spelled: Any) -> Any:
        """Bundles once said yes or no; where characters spoke, all runs shared one length, which they no longer do."""
        if spelled is True:
            raise ValueError(
                in_language(
                    "must be a number: this head is older than that, fit it anew", "必须是数值：此分类头早于该格式，请重新拟合"
                )
            )
        return spelled

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.objective == "focal" and self.label_smoothing:
            raise ValueError(
                in_language(
                    "label_smoothing must be 0 with objective=focal: it smooths the cross entropy",
                    "objective=focal 时 label_smoothing 必须为 0：它平滑的是交叉熵",
                )
            )
        if len(self.labels) != len(self.counts):
            raise ValueError(in_language("labels and counts must be equally long", "labels 与 counts 必须等长"))
        if len(set(self.labels)) != len(self.labels):
            raise ValueError(in_language("labels must differ", "labels 不得重复"))
        return self

    @property
    def classes(self) -> tuple[str, ...]:
        return self.labels

    def fit(self, records: Sequence[Record]) -> Self:
        found = Counter(name for record in records for name in set(names_of(record.label)))
        labels = tuple(sorted(found))
        rows = sum(record.label is not None for record in records)
        learned = {"labels": labels, "counts": tuple(found[name] for name in labels), "rows": rows}
        return type(self).parse({**self.plain(), **learned})

    def targets(self, record: Record) -> Mapping[str, Tensor]:
        """`label`: () int64, -1 if unseen, or (C,) bool with many labels."""
        names = names_of(record.label)
        if self.many:
            return {"label": torch.tensor([name in names for name in self.labels], dtype=torch.bool)}
        known = len(names) == 1 and names[0] in self._index
        return {"label": torch.tensor(self._index[names[0]] if known else losses.UNSEEN)}

    def head(self, spec: UnitSpec, dim: int) -> nn.Module:
        if self.wide and not spec.num_ids:
            rule = in_language("needs units that have ids, such as text", "需要有编号的单元，例如文本")
            raise BadSetting(key="task.wide", rule=rule, value=self.wide)
        deep = PooledHead(
            dim, len(self.labels), pool=self.pool, hidden=self.hidden, activation=self.activation, dropout=self.dropout,
            unit_length=self.unit_length,
        )  # fmt: skip
        if not self.wide:
            return deep
        spelled = spec.num_ids if self.spelled else 0
        return WideHead(deep, WideLinear(self.wide_size, len(self.labels), self.wide, spelled, self.spelled))

    def outputs(self, encoder: Encoder, head: nn.Module, batch: Batch) -> Tensor:
        features = encoder(batch.units, one=one_of(self.pool))
        return head(features, batch.units) if self.wide else head(features)

    def loss(self, outputs: Tensor, batch: Batch) -> Ratio:
        """Weighted sum and sum of weights. `outputs (B, C)` are logits. Of rows that were mixed (Zhang et al. 2018, section 2) both labels count, by
        their shares: `label_other` and `label_share (B,)`, the share of the first."""
        targets = batch.targets
        if "label_share" not in targets:
            return self._named(outputs, targets["label"])
        share = targets["label_share"]
        return self._named(outputs, targets["label"], share).plus(self._named(outputs, targets["label_other"], 1 - share))

    def _named(self, outputs: Tensor, label: Tensor, share: Tensor | None = None) -> Ratio:
        weights, focused = self._weights(outputs.device), self.objective == "focal"
        options: dict[str, Any] = {"gamma": self.focal_gamma} if focused else {"smoothing": self.label_smoothing}
        if self.many:
            rows = (losses.binary_focal if focused else losses.binary_cross_entropy)(outputs, label, weights=weights, **options)
            counts = losses.positive_weight(label.float(), weights).mean(-1)
        else:
            rows = (losses.focal if focused else losses.cross_entropy)(outputs, label, weights=weights, **options)
            known = label != losses.UNSEEN
            counts = known if weights is None else known * weights[label.clamp_min(0)]
        return Ratio(rows.sum(), counts.sum()) if share is None else Ratio((rows * share).sum(), (counts * share).sum())

    def lesson(self, outputs: Tensor) -> Tensor:
        """The logits: how much the teacher doubts."""
        return outputs.detach().float()

    def lesson_loss(self, outputs: Tensor, lesson: Tensor, temperature: float) -> Ratio:
        """See `losses.soft_cross_entropy`; of many labels that of each question, averaged."""
        if self.many:
            mine, theirs = outputs.float() / temperature, lesson / temperature
            soft = theirs.sigmoid()
            rows = F.binary_cross_entropy_with_logits(mine, soft, reduction="none").mean(-1)
            rows = (rows - F.binary_cross_entropy_with_logits(theirs, soft, reduction="none").mean(-1)) * temperature**2
        else:
            rows = losses.soft_cross_entropy(outputs, lesson, temperature)
        return Ratio(rows.sum(), torch.tensor(len(rows), device=rows.device))

    def evidence(self, outputs: Tensor, batch: Batch) -> Columns:
        """`label`, `prediction` and float64 `probabilities (B, C)`."""
        scores = self._probabilities(outputs)
        chosen = scores >= self.threshold if self.many else scores.argmax(axis=1)
        return {"label": batch.targets["label"].cpu().numpy(), "prediction": chosen, "probabilities": scores}

    def reading(self) -> Mapping[str, Any]:
        """Softmax, or with many labels sigmoids, over the labels in order."""
        return {"kind": "classes", "labels": list(self.labels), "many": self.many, "threshold": self.threshold}

    def metrics(self) -> Mapping[str, Metric]:
        """First the one that chooses the checkpoint. Accuracy is what is asked of a classifier and varies least on a small validation
        split, where a rare class of a few rows would let macro-F1 choose by chance; who weighs classes or focuses on hard rows asks
        for the rare ones, so then macro-F1 comes first. With many labels micro-F1: most answers are a trivial no."""
        if self.many:
            return _MANY
        rare_count = self.class_weights != "none" or self.objective == "focal"
        return {"macro_f1": _ONE["macro_f1"], **_ONE} if rare_count else _ONE

    def decode(self, outputs: Tensor) -> list[Prediction]:
        """One label name, or a tuple of them, with its probability; with many labels that of the least sure yes or no."""
        return [self._answer(row) for row in self._probabilities(outputs)]

    def _answer(self, row: np.ndarray) -> Prediction:
        scores = {name: float(p) for name, p in zip(self.labels, row, strict=True)}
        if not self.many:
            best = self.labels[int(row.argmax())]
            return Prediction(best, scores[best], scores)
        given = tuple(name for name in self.labels if scores[name] >= self.threshold)
        least = min((p if p >= self.threshold else 1 - p for p in scores.values()), default=0.0)
        return Prediction(given, least, scores)

    def abouts(self, answer: Prediction, asked: str | None = None, words: Sequence[str] = ()) -> list[About]:
        """The class, or every class, that was answered; of many labels of which none was given, the likeliest."""
        if asked is not None:
            if asked not in self._index:
                kind = in_language("class", "类别")
                raise UnknownName(kind=kind, name=asked, choices=", ".join(self.labels))
            return [About(asked)]
        scores = answer.scores or {}
        given = answer.answer if self.many else (answer.answer,)
        return [About(name) for name in given or (max(scores, key=lambda name: scores[name]),)]

    def spoken_for(self, outputs: Tensor, about: About) -> Tensor:
        """Log-odds of the class: its logit against those of the rest, or with many labels against its no."""
        place = self._index[about.name]
        if self.many:
            return outputs[:, place]
        rest = torch.arange(len(self.labels), device=outputs.device) != place
        return outputs[:, place] - outputs[:, rest].logsumexp(1)

    def _probabilities(self, outputs: Tensor) -> np.ndarray:
        logits = outputs.detach().double()
        return (logits.sigmoid() if self.many else logits.softmax(-1)).cpu().numpy()

    @cached_property
    def _index(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.labels)}

    def _weights(self, device: torch.device) -> Tensor | None:
        """(C,): inverse frequency with mean 1 over the training rows; with many labels negatives per positive."""
        if self.class_weights == "none":
            return None
        counts = torch.tensor(self.counts, dtype=torch.float64)
        balanced = (self.rows - counts).clamp_min(1) / counts if self.many else self.rows / (len(counts) * counts)
        return balanced.float().to(device)

    @classmethod
    def example(cls) -> Example:
        records = [Record(f"row-{i}", "", label="abc"[i % 3]) for i in range(8)]
        return Example(cls(hidden=6).fit(records), records)


_OF_PROBABILITIES: dict[str, Metric] = {
    "auroc": probabilities.auroc,
    "average_precision": probabilities.average_precision,
    "log_loss": probabilities.log_loss,
    "brier": probabilities.brier,
    "ece": probabilities.ece,
    "ece_width": probabilities.ece_width,
}
_ONE: dict[str, Metric] = {
    "accuracy": classification.accuracy,
    "macro_f1": classification.macro_f1,
    "weighted_f1": classification.weighted_f1,
    "balanced_accuracy": classification.balanced_accuracy,
    "mcc": classification.mcc,
    **_OF_PROBABILITIES,
}
_MANY: dict[str, Metric] = {
    "micro_f1": classification.micro_f1,
    "macro_f1": classification.macro_f1,
    "weighted_f1": classification.weighted_f1,
    "subset_accuracy": classification.subset_accuracy,
    "hamming_loss": classification.hamming_loss,
    **_OF_PROBABILITIES,
}
