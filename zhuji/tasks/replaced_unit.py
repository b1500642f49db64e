"""Replaced units: which units of a row were replaced by likely ones (Clark et al. 2020); needs no label."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from zhuji.core.contracts import Columns, Encoder, Example, Metric, Needs, Prediction, Task, Teaches
from zhuji.core.records import Record
from zhuji.core.units import Batch, Ratio, Units, UnitSpec
from zhuji.metrics.units import ratio_of
from zhuji.nn.chance import Places, chance, fingerprint
from zhuji.nn.generator import Generator
from zhuji.nn.layers import linear
from zhuji.nn.masking import Content, Hidden, Hiding, another, hide


class ReplacedUnit(Task):
    """The encoder tells for every unit whether it was replaced, so it learns from all of them and not from the hidden ones alone.

    Ids are replaced by what a small generator proposes, which reads the stem's states and learns to guess hidden units; values by those of
    another unit of the row. What is handed on to other tasks is the encoder.
    """

    per_unit: ClassVar[bool] = True
    needs: ClassVar[Needs] = "nothing"
    teaches: ClassVar[Teaches] = "vectors"

    rate: float = Field(default=0.15, gt=0, lt=1)
    """Share of the units that is replaced."""
    whole_words: bool = False
    """Replace whole words, where the modality tells which units are pieces of one."""
    weight: float = Field(default=50.0, gt=0)
    """Of the encoder's loss beside the generator's."""
    generator_width: int | None = Field(default=None, gt=1, multiple_of=2)
    """Defaults to a quarter of the stem's."""
    generator_layers: int = Field(default=2, gt=0)

    def head(self, spec: UnitSpec, dim: int) -> nn.Module:
        return _Head(self, spec, dim)

    def outputs(self, encoder: Encoder, head: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Of the generator `guessed (B, K)`, its losses, and `hidden (B, K)`; of every unit `(B, N)` whether it is `judged` and was
        `replaced`, the `logit` that it was, and its `judgement`, the loss."""
        assert isinstance(head, _Head)
        units, content = batch.units, head.content(batch.units)
        hidden = hide(units, content, Hiding(self.rate, self.whole_words))
        swapped, guessed = _swapped(encoder, head, units, content, hidden)
        logit = head.judge(encoder(swapped).flat()[0])[..., 0].float()
        replaced, judged = _differ(units, swapped).flatten(1) & content.flatten(1), content.flatten(1)
        each = F.binary_cross_entropy_with_logits(logit, replaced.float(), reduction="none")
        return {
            "guessed": guessed, "hidden": hidden.places.valid, "judged": judged, "replaced": replaced, "logit": logit,
            "judgement": torch.where(judged, each, 0.0),
        }  # fmt: skip

    def answers(self, encoder: Encoder, head: nn.Module, units: Units) -> dict[str, Tensor]:
        """`judged` and `logit` `(B, N)` of the units as they are: nothing is replaced."""
        assert isinstance(head, _Head)
        logit = head.judge(encoder(units).flat()[0])[..., 0].float()
        return {"judged": head.content(units).flatten(1), "logit": logit}

    def loss(self, outputs: Mapping[str, Tensor], batch: Batch) -> Ratio:
        """Per hidden unit. There are 1 / rate as many judged ones, so the judgement's share of the mean is `weight` times its own mean,
        and the sum still adds up over any cut."""
        return Ratio(self._by_row(outputs).sum(), outputs["hidden"].sum())

    def _by_row(self, outputs: Mapping[str, Tensor]) -> Tensor:
        return outputs["guessed"].sum(1) + self.weight * self.rate * outputs["judgement"].sum(1)

    def evidence(self, outputs: Mapping[str, Tensor], batch: Batch) -> Columns:
        """Sums by row of what the metrics divide."""
        replaced, judged = outputs["replaced"], outputs["judged"]
        said = (outputs["logit"] > 0) & judged
        sums = {
            "loss": self._by_row(outputs)[:, None], "terms": outputs["hidden"], "judged": judged, "replaced": replaced, "said": said,
            "right": (said == replaced) & judged, "hit": said & replaced,
        }  # fmt: skip
        return {name: each.detach().sum(1).double().cpu().numpy() for name, each in sums.items()}

    def metrics(self) -> Mapping[str, Metric]:
        """The loss of both networks first: as the generator improves, the judgement alone grows harder."""
        return {
            "replaced_loss": ratio_of("loss", "terms", higher_is_better=False),
            "replaced_accuracy": ratio_of("right", "judged", higher_is_better=True),
            "replaced_recall": ratio_of("hit", "replaced", higher_is_better=True),
            "replaced_precision": ratio_of("hit", "said", higher_is_better=True),
        }

    def decode(self, outputs: Mapping[str, Tensor]) -> list[Prediction]:
        """How much of the row seems replaced: the mean probability of its units."""
        judged = outputs["judged"]
        likely = (outputs["logit"].detach().sigmoid() * judged).sum(1) / judged.sum(1).clamp_min(1)
        return [Prediction(share) for share in likely.tolist()]

    def reading(self) -> Mapping[str, Any]:
        """The mean of the sigmoid of `logit` where `judged`."""
        return {"kind": "share"}

    @classmethod
    def example(cls) -> Example:
        return Example(cls(rate=0.5, generator_width=4), [Record(f"row-{i}", "") for i in range(8)])


class _Head(nn.Module):
    """The generator, where units have ids, and what judges a unit: two layers."""

    def __init__(self, task: ReplacedUnit, spec: UnitSpec, dim: int) -> None:
        super().__init__()
        width = task.generator_width or max(4, spec.stem_width // 8 * 2)
        self.content = Content(spec)
        self.generator = Generator(spec, width, task.generator_layers) if spec.num_ids else None
        self.judge = nn.Sequential(linear(dim, dim), nn.GELU(), linear(dim, 1))


def _swapped(encoder: Encoder, head: _Head, units: Units, content: Tensor, hidden: Hidden) -> tuple[Units, Tensor]:
    """The units with replacements, and the generator's losses `(B, K)`."""
    places, axes, rows = hidden.places, len(units.grid), fingerprint(units)
    draws = places.of(chance(units.mask, rows), axes)
    swapped, guessed = units, torch.zeros_like(draws)
    table = encoder.table()
    if head.generator is not None and units.ids is not None and table is not None:
        guess, states = head.generator(encoder.stem(units), units, hidden, table)
        proposed = head.generator.sampled(states, draws, table)
        swapped, guessed = replace(swapped, ids=Places(places.index, guess.named).put(units.ids, proposed, axes)), guess.loss
    if units.values is not None:
        holding = content if units.values_mask is None else content & units.values_mask
        other = Places(another(holding, draws), places.valid).of(units.values, axes)
        valued = Places(places.index, places.valid & places.of(holding, axes))
        swapped = replace(swapped, values=valued.put(units.values, other, axes))
    return swapped, guessed


def _differ(units: Units, swapped: Units) -> Tensor:
    """`(B, *grid)`: where a unit is another; a proposal that happens to be right replaces nothing."""
    differ = torch.zeros_like(units.mask)
    if units.ids is not None and swapped.ids is not None:
        differ = differ | (units.ids != swapped.ids)
    if units.values is not None and swapped.values is not None:
        differ = differ | (units.values != swapped.values).any(-1)
    return differ
