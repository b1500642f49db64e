"""Hiding units and guessing them, for units with ids, with values and with both (Devlin et al. 2019, section 3.1).

Shapes: B rows, K chosen places of a row, N units of the flattened grid, D width of a body's state, S width of a stem's state, C channels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zhuji.core.units import Features, Units, UnitSpec
from zhuji.nn.chance import Places, chance, chosen, fingerprint, numbered
from zhuji.nn.layers import linear
from zhuji.nn.vocabulary import TiedVocabulary

BLANK, OTHER = 0.8, 0.1
"""Shares of the hidden units that become the mask vector, and another unit of the row; the others stay as they are."""


@dataclass(frozen=True)
class Hiding:
    """Which units are hidden: `rate` of those with content; of words only whole ones; as spans of `span` units or words on average."""

    rate: float
    whole_words: bool = False
    span: float | None = None


class Hidden(NamedTuple):
    """What became of the hidden units: `fate (B, K)` in [0, 1) and `other (B, K)`, the unit whose state it may get."""

    places: Places
    fate: Tensor
    other: Tensor


class Guess(NamedTuple):
    """What was made of the hidden units, each `(B, K)`: the loss, of how many terms (an id, values), the part of the ids alone, whether
    there was an id, and whether it was right (False while training: the guess is not even computed)."""

    loss: Tensor
    terms: Tensor
    id_loss: Tensor
    named: Tensor
    right: Tensor


class Content(nn.Module):
    """`Units` -> `(B, *grid)` bool: real units whose id is not reserved."""

    content: Tensor

    def __init__(self, spec: UnitSpec) -> None:
        super().__init__()
        content = torch.ones(max(1, spec.num_ids), dtype=torch.bool)
        content[list(spec.reserved)] = False
        self.register_buffer("content", content, persistent=False)

    def forward(self, units: Units) -> Tensor:
        if units.ids is None:
            return units.mask
        named = self.content[units.ids.masked_fill(~units.mask, 0)]
        return units.mask & (named if units.ids_mask is None else named | ~units.ids_mask)


def runs(units: Units, rows: Tensor, whole_words: bool, span: float | None) -> Tensor:
    """`(B, *grid)` int64: units of one number are hidden together. Spans are geometrically long (Joshi et al. 2020, section 3.1; there
    cut at 10), begin with a word and end with the document."""
    numbers = numbered(units.mask)
    if whole_words and units.words is not None:
        numbers = torch.where(units.words >= 0, units.words, -2 - numbers)
    if span is None:
        return numbers
    begins = _differs(numbers) & (chance(units.mask, rows, numbers) < 1 / span)
    if units.segments is not None:
        begins = begins | _differs(units.segments)
    return begins.flatten(1).cumsum(1).view(units.mask.shape)


def _differs(numbers: Tensor) -> Tensor:
    """Where a number is another than that of the unit before; True at the first."""
    flat = numbers.flatten(1)
    return F.pad(flat[:, 1:] != flat[:, :-1], (1, 0), value=True).view(numbers.shape)


def hide(units: Units, content: Tensor, hiding: Hiding) -> Hidden:
    """Draw which of the units `content (B, *grid)` are hidden, and how."""
    rows = fingerprint(units)
    numbers = runs(units, rows, hiding.whole_words, hiding.span)
    places = chosen(chance(units.mask, rows, numbers), content, hiding.rate)
    fate = places.of(chance(units.mask, rows), units.mask.ndim - 1)
    return Hidden(places, fate, another(content, places.of(chance(units.mask, rows), units.mask.ndim - 1)))


def in_spans(mask: Tensor, rows: Tensor, rate: float, size: int) -> Tensor:
    """`(B, T)` bool: units of `mask (B, T)` that lie in spans of `size` units, which begin anywhere and may overlap, as often as it takes to hide each
    unit with probability `rate`, but for the first few of a row (Baevski et al. 2020, wav2vec 2.0, section 3.1). `rows (B,)`: `fingerprint`."""
    begins = mask & (chance(mask, rows) < 1 - (1 - rate) ** (1 / size))
    begun = begins.long().cumsum(1)
    return mask & (begun > F.pad(begun, (size, 0))[:, : begun.shape[1]])


def another(eligible: Tensor, draws: Tensor) -> Tensor:
    """For each of `draws (B, K)` in [0, 1) one of the row's `eligible (B, *grid)` units: `(B, K)` into the flattened grid. A row's own
    units, so that what is drawn does not depend on the batch; without any it is the last place."""
    counted = eligible.flatten(1).cumsum(1)
    wanted = (draws * counted[:, -1:]).long() + 1
    return torch.searchsorted(counted, wanted).clamp_max(counted.shape[1] - 1)


class Blanks(nn.Module):
    """Hides units between stem and body: `mask (S,)` stands there for a unit that cannot be seen."""

    def __init__(self, spec: UnitSpec) -> None:
        super().__init__()
        self.content = Content(spec)
        self.mask = nn.Parameter(torch.randn(spec.stem_width) * spec.stem_width**-0.5)

    def corrupted(self, features: Features, hidden: Hidden) -> Features:
        return corrupted(features, hidden, self.mask)


def corrupted(features: Features, hidden: Hidden, mask: Tensor) -> Features:
    """80 % of the hidden units become `mask (S,)`, 10 % another unit of the row, 10 % stay."""
    axes = features.mask.ndim - 1
    other = Places(hidden.other, hidden.places.valid).of(features.states, axes)
    fate = hidden.fate.unsqueeze(-1)
    old = hidden.places.of(features.states, axes)
    new = torch.where(fate < BLANK, mask.to(old.dtype), torch.where(fate < BLANK + OTHER, other, old))
    return replace(features, states=hidden.places.put(features.states, new, axes))


class Guesser(nn.Module):
    """Guesses the ids and values of hidden units from their states `(…, D)`."""

    def __init__(
        self, spec: UnitSpec, dim: int, *, transform: bool = True, normalise: bool = False, eps: float = 1e-12
    ) -> None:
        super().__init__()
        self.content = Content(spec)
        self.normalise = normalise
        self.ids = (
            TiedVocabulary(dim, spec.stem_width, spec.num_ids, transform=transform, bias=True, eps=eps)
            if spec.num_ids
            else None
        )
        self.values = linear(dim, spec.num_values) if spec.num_values else None

    def guess(self, features: Features, units: Units, places: Places, table: Tensor | None) -> Guess:
        """From the body's states at the places alone: no other unit meets the vocabulary."""
        axes = units.mask.ndim - 1
        states = places.of(features.states, axes)
        nothing = torch.zeros_like(places.index, dtype=torch.float32)
        named = valued = right = torch.zeros_like(places.valid)
        id_loss = value_loss = nothing
        if self.ids is not None and units.ids is not None:
            named = places.valid if units.ids_mask is None else places.valid & places.of(units.ids_mask, axes)
            # An id below zero costs nothing: padding and cells that hold values are not compared with the vocabulary.
            id_loss, right = self._named(states, places.of(units.ids, axes).masked_fill(~named, -1), table)
        if self.values is not None and units.values is not None:
            valued = places.valid if units.values_mask is None else places.valid & places.of(units.values_mask, axes)
            each = (self.values(states).float() - self._wanted(places.of(units.values, axes))).square().mean(-1)
            value_loss = torch.where(valued, each, 0.0)
        return Guess(id_loss + value_loss, named.long() + valued.long(), id_loss, named, right)

    def _named(self, states: Tensor, ids: Tensor, table: Tensor | None) -> tuple[Tensor, Tensor]:
        assert self.ids is not None and table is not None, "a modality with ids has a table of vectors"
        flat = states.flatten(0, 1)
        loss = self.ids.loss(flat, ids.flatten(), table).view(ids.shape)
        hit = torch.zeros_like(ids, dtype=torch.bool) if self.training else self.ids.best(flat, table).view(ids.shape) == ids
        return loss, hit

    def _wanted(self, values: Tensor) -> Tensor:
        """Each unit's values, or with `normalise` those less their mean over their deviation (He et al. 2022, section 4.1)."""
        if not self.normalise:
            return values.float()
        variance, mean = torch.var_mean(values.float(), -1, keepdim=True, correction=0)
        return (values - mean) * (variance + 1e-6).rsqrt()


class MaskedHead(Guesser):
    """With the vector `mask (S,)` that stands between stem and body for a unit that cannot be seen."""

    def __init__(
        self, spec: UnitSpec, dim: int, *, transform: bool = True, normalise: bool = False, eps: float = 1e-12
    ) -> None:
        mask = torch.randn(spec.stem_width) * spec.stem_width**-0.5
        super().__init__(spec, dim, transform=transform, normalise=normalise, eps=eps)
        self.mask = nn.Parameter(mask)

    def corrupted(self, features: Features, hidden: Hidden) -> Features:
        return corrupted(features, hidden, self.mask)
