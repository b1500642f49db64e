"""Masked frames: stretches of a sound are hidden, and for each hidden piece its code is guessed, which a random quantiser gives (Chiu et al. 2022,
Self-supervised Learning with Random-projection Quantizer for Speech Recognition: BEST-RQ); needs no transcript."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from zhuji.core.contracts import Columns, Encoder, Example, Metric, Needs, Prediction, Task
from zhuji.core.errors import ImpossiblePair
from zhuji.core.log import in_language
from zhuji.core.records import Record
from zhuji.core.units import Batch, Ratio, Units, UnitSpec
from zhuji.metrics import units as metrics
from zhuji.nn import losses
from zhuji.nn.chance import fingerprint, noise
from zhuji.nn.heads import Pooling
from zhuji.nn.layers import linear
from zhuji.nn.masking import in_spans
from zhuji.nn.quantising import RandomQuantiser, stacked

_NOISE = 0.1
"""Deviation of the noise that stands for what is hidden, where that of all values is 1 (section 3.1 there)."""


class MaskedFrames(Task):
    """Guess the codes of hidden values. A state of the backbone stands for as many units as the backbone makes one of (4 frames of `conformer`), and
    so does a code; what is hidden is replaced by noise, in whole codes, drawn anew at every step. What a backbone guesses it must hear around it: one whose
    units see no others (bag) learns next to nothing.
    """

    needs: ClassVar[Needs] = "nothing"

    rate: float = Field(default=0.35, gt=0, lt=1)
    """Share of the units that is hidden. The paper begins spans at 1 % of the frames, which hides 33 %."""
    span: int = Field(default=40, gt=0)
    """Units that are hidden together: 40 frames of 10 ms, as in the paper."""
    codes: int = Field(default=8192, gt=1, le=1 << 16)
    """Vectors of the codebook."""
    code_width: int = Field(default=16, gt=0)
    """Width of these vectors, onto which values are projected."""
    seed: int = Field(default=0, ge=0)
    """From which projection and codebook are drawn; another gives other codes."""

    def head(self, spec: UnitSpec, dim: int) -> nn.Module:
        """Raises ImpossiblePair where units are no values that follow each other, or no piece of so many units belongs to each state."""
        if not spec.stride:
            raise ImpossiblePair(
                first=in_language("the backbone", "骨干网络"),
                second=self.called(),
                rule=in_language(
                    "the other hides one piece of units for each state, and the one keeps a number of states that depends on the row",
                    "后者为每个状态遮住一段单元，而前者保留的状态数取决于该行",
                ),
                advice=in_language("choose another --set backbone.name", "请换用其他 --set backbone.name"),
            )
        if spec.grid_ndim != 1 or spec.num_ids or not spec.num_values:
            raise ImpossiblePair(
                first=in_language("the modality", "模态"),
                second=self.called(),
                rule=in_language(
                    "the other makes codes of values that follow each other in time", "后者对按时间先后排列的数值编码"
                ),
                advice=in_language(
                    "choose --set modality.name=speech with frames of log_mel or mfcc",
                    "请选用 --set modality.name=speech，并使用 log_mel 或 mfcc 帧",
                ),
            )
        return _Head(self, spec, dim)

    def outputs(self, encoder: Encoder, head: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Sums by row over its hidden codes, each `(B,)`: `loss` (also as `id_loss`), how many there are (`terms`, also as `named`), and how many of the
        guesses were `right`."""
        assert isinstance(head, _Head)
        units = batch.units
        pieces = stacked(units, head.stride)
        hidden = in_spans(pieces.mask, fingerprint(pieces), self.rate, max(1, round(self.span / head.stride)))
        features = encoder(_noisy(units, hidden, head.stride))
        assert features.mask.shape == hidden.shape, "a backbone keeps one of every `stride` units"
        assert pieces.values is not None
        codes, row = head.quantiser(pieces.values[hidden]), hidden.nonzero()[:, 0]
        logits = head.guess(features.states[hidden])
        each = losses.cross_entropy(logits, codes)
        loss = each.new_zeros(len(units)).index_add(0, row, each)
        terms = hidden.sum(1)
        right = torch.zeros_like(terms).index_add(0, row, (logits.argmax(-1) == codes).long())
        return {"loss": loss, "terms": terms, "id_loss": loss, "named": terms, "right": right}

    def answers(self, encoder: Encoder, head: nn.Module, units: Units) -> dict[str, Tensor]:
        """`first (B, D)`: the mean of a row's states, of length 1."""
        assert isinstance(head, _Head)
        return {"first": F.normalize(head.pool(encoder(units)).float(), dim=-1)}

    def loss(self, outputs: Mapping[str, Tensor], batch: Batch) -> Ratio:
        return Ratio(outputs["loss"].sum(), outputs["terms"].sum())

    def evidence(self, outputs: Mapping[str, Tensor], batch: Batch) -> Columns:
        """Sums by row of what the metrics divide."""
        return {name: tensor.detach().double().cpu().numpy() for name, tensor in outputs.items()}

    def metrics(self) -> Mapping[str, Metric]:
        """Of as many codes as are equally likely, `perplexity` says; a guess by chance has as much as there are codes in use."""
        return {"masked_loss": metrics.loss, "perplexity": metrics.perplexity, "masked_accuracy": metrics.accuracy}

    def decode(self, outputs: Mapping[str, Tensor]) -> list[Prediction]:
        """The row's embedding, as a list of numbers; where codes were hidden, the mean loss of a guess."""
        if "first" in outputs:
            return [Prediction(row) for row in outputs["first"].detach().tolist()]
        each = outputs["loss"].detach() / outputs["terms"].clamp_min(1)
        return [Prediction(loss) for loss in each.tolist()]

    def reading(self) -> Mapping[str, Any]:
        """`first` is the vector, of length 1."""
        return {"kind": "vector", "output": "first"}

    @classmethod
    def example(cls) -> Example:
        task = cls(rate=0.5, span=2, codes=12, code_width=4)
        return Example(task, [Record(f"row-{i}", "") for i in range(8)])


class _Head(nn.Module):
    """The quantiser, and a layer that guesses codes."""

    def __init__(self, task: MaskedFrames, spec: UnitSpec, dim: int) -> None:
        super().__init__()
        self.stride = spec.stride
        self.quantiser = RandomQuantiser(spec.stride * spec.num_values, task.codes, task.code_width, task.seed)
        self.guess = linear(dim, task.codes)
        self.pool = Pooling("mean", dim)


def _noisy(units: Units, hidden: Tensor, stride: int) -> Units:
    """The units, with noise in place of all values of the pieces that are `hidden (B, ceil(T / stride))`."""
    assert units.values is not None
    here = hidden.repeat_interleave(stride, 1)[:, : units.mask.shape[1]] & units.mask
    drawn = _NOISE * noise(units.mask, fingerprint(units), units.values.shape[-1])
    return replace(units, values=torch.where(here.unsqueeze(-1), drawn.to(units.values.dtype), units.values))
