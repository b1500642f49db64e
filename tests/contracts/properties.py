"""What every model must be able to do, whatever parts it is made of. Each function takes a `Cell` and fails if a promise is broken."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import cycle, islice, pairwise
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from zhuji.core.contracts import About, Backbone, Encoded, Example, Modality, Prediction, Task
from zhuji.core.errors import CannotExplain
from zhuji.core.records import Record
from zhuji.core.units import Batch, Features, Ratio, Units
from zhuji.model.assembly import Model, assemble, collate, stacked
from zhuji.model.attribution import attributed
from zhuji.training.players import losses, moves

ROWS = 8


@dataclass(frozen=True)
class Cell:
    """One modality, one backbone, one task, and rows for them."""

    modality: Modality
    backbone: Backbone
    task: Task
    records: Sequence[Record]

    @classmethod
    def of(cls, example: tuple[Modality, list[Any]], backbone: Backbone, task: Example) -> Cell:
        (modality, inputs), taught = example, task.records
        others = islice(cycle(inputs), 1, None)
        rows = islice(zip(cycle(inputs), others, cycle(taught)), ROWS)
        # A second input, where the task has one, is another of the modality's own.
        second = task.task.needs == "target"
        records = [
            replace(record, id=f"row-{n}", input=value, target=other if second and record.target is not None else record.target)
            for n, (value, other, record) in enumerate(rows)
        ]
        return cls(modality, backbone, task.task, records)

    def model(self, seed: int = 0) -> Model:
        return assemble(self.modality, self.backbone, self.task, seed).eval()

    @cached_property
    def encoded(self) -> list[Encoded]:
        return self.modality.encode([record.input for record in self.records])

    def batch(self, rows: slice = slice(None), padding: int = 0) -> Batch:
        """These rows, padded to the largest of them and `padding` units more along every axis of the grid."""
        encoded, records = self.encoded[rows], self.records[rows]
        grid = tuple(int(side) + padding for side in np.array([row.grid for row in encoded]).max(0))
        placed = [self.modality.placed(record, row) for record, row in zip(records, encoded, strict=True)]
        targets = stacked([self.task.targets(record) for record in placed])
        return Batch(self.modality.collate(encoded, grid), targets, self._other(records, padding))

    def _other(self, records: Sequence[Record], padding: int) -> Units | None:
        if self.task.needs != "target":
            return None
        encoded = self.modality.encode([record.target for record in records])
        return self.modality.collate(encoded, (max(row.length for row in encoded) + padding,))


def _loss(model: Model, batch: Batch, seed: int = 5) -> Ratio:
    """What a task draws, it draws the same each time."""
    torch.default_generator.manual_seed(seed)
    return model.loss(batch)


def _losses(model: Model, batch: Batch, seed: int = 5) -> list[Ratio]:
    """The judge's loss, and where there are several players each one's."""
    found = [_loss(model, batch, seed)]
    for loss in losses(model).values() if len(model.task.players) > 1 else ():
        torch.default_generator.manual_seed(seed)
        found.append(loss(batch))
    return found


def _features(model: Model, units: Units) -> Features:
    features = model.encoder(units)
    assert isinstance(features, Features)
    return features


def _real(features: Features) -> Tensor:
    return features.states[features.mask]


def _same(loss: Ratio, other: Ratio, tolerance: float) -> None:
    torch.testing.assert_close(loss.count.double(), other.count.double(), rtol=tolerance, atol=0)
    torch.testing.assert_close(loss.total.double(), other.total.double(), rtol=tolerance, atol=tolerance)


def shapes(cell: Cell) -> None:
    model, batch = cell.model(), cell.batch()
    features = _features(model, batch.units)
    assert features.states.shape == (*features.mask.shape, cell.backbone.out_width)
    if not cell.backbone.strides:
        assert torch.equal(features.mask, batch.units.mask)
    outputs = model.outputs(batch)
    assert len(cell.task.decode(outputs)) == ROWS
    evidence = cell.task.evidence(outputs, batch)
    assert all(len(column) == ROWS for column in evidence.values())
    for metric in cell.task.metrics().values():
        assert isinstance(metric({name: evidence[name] for name in metric.columns}), float)
    loss = model.loss(batch)
    assert loss.total.shape == loss.count.shape == ()
    assert torch.isfinite(loss.total) and not loss.count.requires_grad
    for answer in cell.task.decode(outputs):
        json.dumps([answer.answer, answer.score, None if answer.scores is None else dict(answer.scores)])


def collates(cell: Cell) -> None:
    """`collate` of the model room makes what the parts make by themselves."""
    encoded, expected = cell.encoded, cell.batch()
    model = cell.model()
    batch = collate(model, encoded, cell.records, max(row.length for row in encoded))
    assert torch.equal(batch.units.mask, expected.units.mask)
    assert batch.targets.keys() == expected.targets.keys()
    assert all(torch.equal(batch.targets[name], expected.targets[name]) for name in batch.targets)
    assert not collate(model, encoded, None, 64).targets


def answers_are_what_decode_reads(cell: Cell) -> None:
    """Of plain units, without chance: named tensors, unless the task loops; the same answers as from outputs, unless these hide something;
    and for rows with labels or tags all the evidence."""
    model, batch, task = cell.model(), cell.batch(), cell.task
    before = torch.random.get_rng_state()
    found = model.answers(batch.units)
    told = task.decode(found)
    assert len(told) == ROWS
    assert torch.equal(before, torch.random.get_rng_state()), "answers must draw nothing"
    assert told == task.decode(cell.model().answers(batch.units))
    if not task.loops:
        named = {"output": found} if isinstance(found, Tensor) else found
        assert isinstance(named, dict) and named
        assert all(isinstance(tensor, Tensor) and name.isidentifier() for name, tensor in named.items())
    outputs = model.outputs(Batch(batch.units))
    if torch.equal(before, torch.random.get_rng_state()):
        assert told == task.decode(outputs)
    if task.needs in ("label", "tags", "boxes"):
        ours, whole = task.evidence(found, batch), task.evidence(model.outputs(batch), batch)
        assert ours.keys() == whole.keys()
        assert all(np.array_equal(ours[name], whole[name]) for name in whole)


def padding_changes_nothing(cell: Cell) -> None:
    """More padding, and anything written into it, leaves the real states and the loss as they were.

    Tolerance: another shape lets the matrix kernels add in another order; the worst seen is 4e-7.
    """
    model, batch, padded = cell.model(), cell.batch(), cell.batch(padding=3)
    expected = _features(model, batch.units)
    for units in (padded.units, _scribbled(padded.units)):
        features = _features(model, units)
        torch.testing.assert_close(_real(features), _real(expected), rtol=1e-5, atol=2e-6)
        for ours, expected_loss in zip(_losses(model, replace(padded, units=units)), _losses(model, batch), strict=True):
            _same(ours, expected_loss, 5e-6)


def _scribbled(units: Units) -> Units:
    padding = ~units.mask
    ids = None if units.ids is None else units.ids.masked_fill(padding, 3)
    values = None if units.values is None else units.values.masked_fill(padding[..., None], 7.0)
    parts = None if units.parts is None else units.parts.masked_fill(padding[..., None], 3)
    return replace(units, ids=ids, values=values, parts=parts)


def _through_a_leaf(model: Model, units: Units) -> tuple[Tensor, Tensor]:
    """The states between stem and body as a leaf (B, N, D), and what the body makes of them (B, N, D')."""
    leaves: list[Tensor] = []

    def keep(features: Features) -> Features:
        leaves.append(features.states.detach().requires_grad_())
        return replace(features, states=leaves[0])

    out = model.encoder(units, keep).flat()[0]
    return leaves[0], out


def sees_no_future(cell: Cell) -> None:
    """The gradient of outputs up to a unit with respect to every later unit is exactly zero, and not so for earlier ones."""
    model, units = cell.model(), cell.batch().units
    size = units.mask[0].numel()
    for last in range(size):
        leaf, out = _through_a_leaf(model, units)
        (gradient,) = torch.autograd.grad(out[:, : last + 1].square().sum(), leaf)
        gradient = gradient.flatten(1, -2)
        assert not gradient[:, last + 1 :].any(), f"outputs up to unit {last} depend on later units"
        assert gradient[:, : last + 1].any()


def gradient_reaches_everything(cell: Cell) -> None:
    """Each player's loss reaches all that is its own and nothing else. A task that draws may leave a part out for once, but not at thirty draws."""
    model, batch = cell.model().train(), cell.batch()
    learned = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    for player, loss in moves(model):
        own = {name: parameter for name, parameter in learned.items() if cell.task.owner(name) == player}
        model.zero_grad(set_to_none=True)
        for seed in range(30):
            torch.default_generator.manual_seed(seed)
            loss(batch).mean().backward()
            if all(parameter.grad is not None and parameter.grad.any() for parameter in own.values()):
                break
        for name, parameter in own.items():
            assert parameter.grad is not None, f"no gradient at {name}"
            assert parameter.grad.isfinite().all(), f"gradient at {name} is not finite"
            assert parameter.grad.any(), f"gradient at {name} is zero"
        assert all(parameter.grad is None for name, parameter in learned.items() if name not in own)
    assert all(parameter.requires_grad for parameter in learned.values())


def everything_has_one_owner(cell: Cell) -> None:
    """Every parameter belongs to one of the players, and none of them has nothing; whoever plays is the same task with the same settings."""
    model, players = cell.model(), cell.task.players
    assert players and len(set(players)) == len(players)
    assert {cell.task.owner(name) for name, _ in model.named_parameters()} == set(players)
    for player in players if len(players) > 1 else ():
        played = cell.task.plays(player)
        assert type(played) is type(cell.task) and played.described() == cell.task.described()
        assert played.players == players
    _losses(model, cell.batch())
    assert cell.task.described() == cell.model().task.described()


def saves_and_loads(cell: Cell) -> None:
    model, other, batch = cell.model(0), cell.model(1), cell.batch()
    written = safetensors.torch.save(dict(model.state_dict()))
    other.load_state_dict(safetensors.torch.load(written), strict=True)
    given = []
    for one in (model, other):
        torch.default_generator.manual_seed(5)
        given.append(list(_tensors(one.outputs(batch))))
    assert given[0]
    assert all(torch.equal(a, b) for a, b in zip(*given, strict=True))


def _tensors(outputs: Any) -> Iterator[Tensor]:
    if isinstance(outputs, Tensor):
        yield outputs
    elif outputs is not None and not isinstance(outputs, nn.Module):
        for value in outputs.values() if isinstance(outputs, dict) else outputs:
            yield from _tensors(value)


def cuts_add_up(cell: Cell) -> None:
    """The loss of all rows is the sum of the losses of any cut into batches, but for tasks that compare rows. Tolerance: 1e-6, as
    promised for fp32."""
    if cell.task.compares:
        return
    model = cell.model()
    whole = _losses(model, cell.batch())
    for cuts in ((0, 3, ROWS), tuple(range(ROWS + 1))):
        cut = [_losses(model, cell.batch(slice(a, b))) for a, b in pairwise(cuts)]
        for one, parts in zip(whole, zip(*cut, strict=True), strict=True):
            total = Ratio(
                sum((p.total.double() for p in parts), torch.tensor(0.0)), sum((p.count for p in parts), torch.tensor(0))
            )
            _same(one, total, 1e-6)


def is_deterministic(cell: Cell) -> None:
    torch.default_generator.manual_seed(5)
    before = torch.random.get_rng_state()
    first, second, other = cell.model(3), cell.model(3), cell.model(4)
    assert torch.equal(before, torch.random.get_rng_state()), "assembling draws from torch's own stream"
    weights = first.state_dict()
    assert all(torch.equal(weights[name], tensor) for name, tensor in second.state_dict().items())
    differing = [name for name, tensor in other.named_parameters() if not torch.equal(weights[name], tensor)]
    assert differing, "another seed gives the same weights"
    results = []
    for model in (first, second):
        found = _losses(model.train(), cell.batch(slice(0, 3)), seed=7)
        torch.stack([loss.mean() for loss in found]).sum().backward()
        results.append([*(loss.total for loss in found), *(p.grad for p in model.parameters() if p.grad is not None)])
    assert all(torch.equal(a, b) for a, b in zip(*results, strict=True))


def explains_or_says_that_it_cannot(cell: Cell) -> None:
    """Every answer that can be explained is, unit by unit, and what is missing from the sum is told; the others are refused with one clear error.
    How complete the sum is depends on what was learned: `tests/model/test_attribution.py`."""
    model = cell.model()
    batch = cell.batch(slice(0, 1))
    outputs = model.outputs(batch)
    if not cell.task.explains:
        for ask in (lambda: cell.task.abouts(Prediction("x")), lambda: cell.task.spoken_for(outputs, About("x"))):
            with pytest.raises(CannotExplain):
                ask()
        return
    words = ["word"] * batch.units.mask.numel()
    for about in cell.task.abouts(cell.task.decode(outputs)[0], None, words):
        assert cell.task.spoken_for(outputs, about).shape == (1,)
        found = attributed(model, batch.units, about)
        assert found.weights.shape == (batch.units.mask.numel(),) and np.isfinite(found.weights).all()
        assert found.value == pytest.approx(cell.task.spoken_for(outputs, about).item(), abs=1e-4)
        assert not found.weights[~batch.units.mask.flatten().numpy()].any()


EVERY = [
    shapes, collates, answers_are_what_decode_reads, padding_changes_nothing, gradient_reaches_everything, everything_has_one_owner, saves_and_loads, cuts_add_up, is_deterministic,
    explains_or_says_that_it_cannot,
]  # fmt: skip
