"""Next unit: from the units so far, the one that follows (Bengio et al. 2003; Radford et al. 2019); needs no label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from zhuji.core.contracts import Columns, Encoder, Example, Metric, Needs, Prediction, Task, Teaches
from zhuji.core.records import Record
from zhuji.core.units import Batch, Features, Ratio, Units, UnitSpec
from zhuji.data.chat import Chat
from zhuji.metrics import units as metrics
from zhuji.nn.layers import embedding, linear
from zhuji.nn.vocabulary import Said, TiedVocabulary, divergence


class NextUnit(Task):
    """Guess each unit from those before it in its document: its id by cross entropy, its values by the squared error."""

    causal: ClassVar[bool] = True
    loops: ClassVar[bool] = True
    per_unit: ClassVar[bool] = True
    needs: ClassVar[Needs] = "nothing"
    teaches: ClassVar[Teaches] = "units"

    tied: bool = True
    """Ids are guessed through the vectors by which they come in (Press & Wolf 2017); otherwise the head has a table of its own."""
    transform: bool = False
    """A hidden layer before the vocabulary, as in BERT; GPT-2 and Llama have none."""
    bias: bool = False
    """Each id has a bias."""
    chat: Chat | None = None
    """How conversations are written, for a model that is talked with: chatml, llama-3 … (the name of a format), or a description."""

    def head(self, spec: UnitSpec, dim: int) -> nn.Module:
        return NextHead(spec, dim, tied=self.tied, transform=self.transform, bias=self.bias)

    def outputs(self, encoder: Encoder, head: nn.Module, batch: Batch) -> dict[str, Any]:
        """`loss`, `terms`, `id_loss`, `named`, `right`, each (B, N): of the guess that stands at a unit, about its follower; `said`: what
        is guessed at the M units whose follower has an id, of a modality with ids."""
        assert isinstance(head, NextHead)
        features, table = encoder(batch.units), encoder.table()
        guess = head.guess(features, batch.units, table)
        said = {} if head.ids is None else {"said": Said(features.flat()[0][guess.named], head.ids, head.table(table))}
        return guess._asdict() | said

    def answers(self, encoder: Encoder, head: nn.Module, units: Units) -> dict[str, Tensor]:
        """`loss`, `terms`, `id_loss`, `named`, each (B, N)."""
        assert isinstance(head, NextHead)
        guess = head.guess(encoder(units), units, encoder.table())
        return {name: each for name, each in guess._asdict().items() if name != "right"}

    def loss(self, outputs: Mapping[str, Tensor], batch: Batch) -> Ratio:
        return Ratio(outputs["loss"].sum(), outputs["terms"].sum())

    def lesson(self, outputs: Mapping[str, Any]) -> Said | None:
        """What is guessed at every unit: the whole distribution over the ids."""
        return outputs.get("said")

    def lesson_loss(self, outputs: Mapping[str, Any], lesson: Said, temperature: float) -> Ratio:
        """Sum over the units with a follower, and their number."""
        each = divergence(outputs["said"], lesson, temperature)
        return Ratio(each.sum(), torch.tensor(len(each), device=each.device))

    def evidence(self, outputs: Mapping[str, Tensor], batch: Batch) -> Columns:
        """Sums by row of what the metrics divide."""
        return {name: outputs[name].detach().double().sum(1).cpu().numpy() for name in Guess._fields}

    def metrics(self) -> Mapping[str, Metric]:
        """The loss chooses the checkpoint: it has a meaning for ids and values alike, and orders models as perplexity does."""
        return {
            "next_loss": metrics.loss, "perplexity": metrics.perplexity, "bits_per_unit": metrics.bits, "next_accuracy": metrics.accuracy,
        }  # fmt: skip

    def decode(self, outputs: Mapping[str, Tensor]) -> list[Prediction]:
        """The perplexity of a row, with the geometric mean of the probabilities of its ids; of values the mean loss; None for a row in
        which nothing follows."""
        columns = (outputs[name].detach().double().sum(1).cpu() for name in ("loss", "terms", "id_loss", "named"))
        return [_answer(*row) for row in torch.stack(list(columns), 1).tolist()]

    @classmethod
    def example(cls) -> Example:
        return Example(cls(), [Record(f"row-{i}", "") for i in range(8)])


def _answer(loss: float, terms: float, id_loss: float, named: float) -> Prediction:
    if named:
        mean = torch.tensor(id_loss / named, dtype=torch.float64)
        return Prediction(float(mean.exp()), float((-mean).exp()))
    return Prediction(loss / terms if terms else None)


class Guess(NamedTuple):
    """What was made of every unit's follower, each `(B, N)` over the flattened grid: the loss, of how many terms (an id, values), the
    part of the ids alone, whether there was an id, and whether it was right (False while training: it is not even computed)."""

    loss: Tensor
    terms: Tensor
    id_loss: Tensor
    named: Tensor
    right: Tensor


class NextHead(nn.Module):
    """From a unit's state to the unit that follows."""

    def __init__(self, spec: UnitSpec, dim: int, *, tied: bool = True, transform: bool = False, bias: bool = False) -> None:
        super().__init__()
        self.ids = TiedVocabulary(dim, spec.stem_width, spec.num_ids, transform, bias) if spec.num_ids else None
        self.own = None if tied or not spec.num_ids else embedding(spec.num_ids, spec.stem_width)
        self.values = linear(dim, spec.num_values) if spec.num_values else None

    def table(self, shared: Tensor | None) -> Tensor:
        """`(V, W)`: the vectors of the ids."""
        table = shared if self.own is None else self.own.weight
        assert table is not None, "a modality with ids has a table of vectors"
        return table

    def logits(self, states: Tensor, shared: Tensor | None) -> Tensor:
        """`states (..., D)` -> `(..., V)`; `shared` is the encoder's table."""
        assert self.ids is not None, "these units have no ids"
        return self.ids.logits(states, self.table(shared))

    def guess(self, features: Features, units: Units, shared: Tensor | None) -> Guess:
        """Only units that have a follower meet the vocabulary."""
        states, mask = features.flat()
        after = follower(mask, None if units.segments is None else units.segments.flatten(1))
        real = mask & (after < mask.shape[1])
        after = after.clamp_max(mask.shape[1] - 1)
        named = valued = torch.zeros_like(mask)
        loss, right = torch.zeros(mask.shape, device=mask.device), torch.zeros_like(mask)
        id_loss = loss
        if units.ids is not None:
            named = real if units.ids_mask is None else real & units.ids_mask.flatten(1).gather(1, after)
            id_loss, right = self._named(states[named], units.ids.flatten(1).gather(1, after)[named], named, shared)
            loss = loss + id_loss
        if units.values is not None:
            valued = real if units.values_mask is None else real & units.values_mask.flatten(1).gather(1, after)
            loss = loss + self._valued(states[valued], units.values.flatten(1, -2), after, valued)
        return Guess(loss, named.long() + valued.long(), id_loss, named, right)

    def _named(self, states: Tensor, ids: Tensor, where: Tensor, shared: Tensor | None) -> tuple[Tensor, Tensor]:
        assert self.ids is not None
        table = self.table(shared)
        loss = _put(self.ids.loss(states, ids, table), where)
        return loss, torch.zeros_like(where) if self.training else _put(self.ids.best(states, table) == ids, where)

    def _valued(self, states: Tensor, values: Tensor, after: Tensor, where: Tensor) -> Tensor:
        assert self.values is not None
        wanted = values.gather(1, after.unsqueeze(-1).expand(*after.shape, values.shape[-1]))[where]
        return _put((self.values(states).float() - wanted).square().mean(-1), where)


def _put(each: Tensor, where: Tensor) -> Tensor:
    """`each (M,)` at the M places where `where (B, N)` is True, zero elsewhere."""
    return torch.zeros(where.shape, dtype=each.dtype, device=each.device).masked_scatter(where, each)


def follower(mask: Tensor, segments: Tensor | None = None) -> Tensor:
    """`mask (B, N)` -> `(B, N)` int64: index of the first real unit after each unit, N where there is none or where it is of another
    document, by `segments (B, N)`."""
    size = mask.shape[1]
    real = torch.where(mask, torch.arange(size, device=mask.device), size)
    behind = F.pad(real[:, 1:], (0, 1), value=size)
    after = behind.flip(1).cummin(1).values.flip(1)
    if segments is None:
        return after
    same = segments == segments.gather(1, after.clamp_max(size - 1))
    return torch.where(same, after, size)
