"""Masked patches: the loss is that of the units taken away, which the encoder never sees."""

from __future__ import annotations

import json

import pytest
import torch
from torch import Tensor

from tests.contracts import doubles
from tests.contracts.properties import Cell
from zhuji.backbones.transformer import Transformer
from zhuji.backbones.vit import Vit
from zhuji.core.contracts import Corrupt
from zhuji.core.errors import BadSetting, ImpossiblePair
from zhuji.core.records import Record
from zhuji.core.units import Batch, Features, Units
from zhuji.modalities.text import Text
from zhuji.model.assembly import assemble
from zhuji.tasks.masked_patches import MaskedPatches
from zhuji.tasks.masked_units import MaskedUnits

PATCHES = MaskedPatches(decoder_width=8, decoder_layers=1, decoder_heads=2)
VIT = Vit(width=8, layers=1, heads=2, grid=(4, 4))


class Patched(doubles.Picture):
    """Patches of three numbers."""

    @property
    def spec(self):
        from zhuji.core.units import UnitSpec

        return UnitSpec(grid_ndim=2, num_values=3)


def drawn(rows: int = 3) -> Batch:
    return Batch(Units(torch.ones(rows, 4, 4, dtype=torch.bool), values=torch.randn(rows, 4, 4, 3)))


class Watched:
    """An encoder that keeps what it was shown."""

    def __init__(self, encoder) -> None:
        self.encoder, self.seen = encoder, None

    def __call__(self, units: Units, corrupt: Corrupt | None = None) -> Features:
        def keep(features: Features) -> Features:
            self.seen = corrupt(features) if corrupt else features
            return self.seen

        return self.encoder(units, keep)

    def table(self) -> Tensor | None:
        return self.encoder.table()


def model(task: MaskedPatches = PATCHES, backbone=VIT):
    return assemble(Patched(), backbone, task)


def test_three_quarters_are_taken_away_and_the_loss_is_theirs() -> None:
    torch.manual_seed(0)
    made, batch = model(MaskedPatches(rate=0.75, decoder_width=8, decoder_heads=2, normalise=True)), drawn()
    encoder = Watched(made.encoder)
    torch.manual_seed(1)
    outputs = made.task.outputs(encoder, made.head, batch)
    assert encoder.seen is not None
    hidden = ~encoder.seen.mask
    assert hidden.flatten(1).sum(1).tolist() == [12, 12, 12]
    assert not encoder.seen.states[hidden].any()
    restored = made.head.restorer(made.encoder.body(encoder.seen), batch.units)
    values = batch.units.values
    assert values is not None
    wanted = (values - values.mean(-1, keepdim=True)) / (values.var(-1, keepdim=True, correction=0) + 1e-6).sqrt()
    each = (made.head.values(restored) - wanted).square().mean(-1)
    torch.testing.assert_close(made.task.loss(outputs, batch).mean(), each[hidden].mean())
    assert made.task.loss(outputs, batch).count.item() == 36


def test_pixels_as_they_are_where_asked() -> None:
    made, batch = model(PATCHES.model_copy(update={"normalise": False})), drawn()
    with torch.no_grad():
        made.head.values.weight.zero_()
        made.head.values.bias.fill_(2.0)
    torch.manual_seed(0)
    outputs = made.outputs(batch)
    values = batch.units.values
    assert values is not None
    torch.manual_seed(0)
    encoder = Watched(made.encoder)
    made.task.outputs(encoder, made.head, batch)
    assert encoder.seen is not None
    torch.testing.assert_close(made.task.loss(outputs, batch).mean(), (values[~encoder.seen.mask] - 2).square().mean())


def test_what_was_taken_away_does_not_reach_the_encoder() -> None:
    """The fingerprint of a row decides what is hidden, so it is drawn once and held."""
    torch.manual_seed(3)
    made, batch = model().eval(), drawn(1)
    encoder = Watched(made.encoder)
    made.task.outputs(encoder, made.head, batch)
    assert encoder.seen is not None
    before = made.encoder.body(encoder.seen)
    changed = batch.units.values.clone()  # pyright: ignore[reportOptionalMemberAccess]
    changed[~encoder.seen.mask] += 5.0
    states = made.encoder.stem(Units(batch.units.mask, values=changed))
    kept = Features(states.states * encoder.seen.mask.unsqueeze(-1), encoder.seen.mask)
    assert torch.equal(made.encoder.body(kept).states, before.states)


def test_ids_are_guessed_as_well() -> None:
    cell = Cell.of(Text.example(), Transformer.example(), MaskedPatches.example())
    made = cell.model()
    loss = made.loss(cell.batch()).mean().item()
    assert 0.5 < loss / torch.tensor(float(made.modality.spec.num_ids)).log().item() < 2


def test_it_learns_what_is_constant() -> None:
    """Pictures that are all alike but for a little noise, by which other patches of each are hidden: where a patch stands tells what it is."""
    torch.manual_seed(0)
    made = model(PATCHES.model_copy(update={"normalise": False}), Vit(width=16, layers=1, heads=2, grid=(4, 4))).train()
    optimiser = torch.optim.AdamW(made.parameters(), 1e-2)
    values = torch.randn(1, 4, 4, 3) + 0.01 * torch.randn(32, 4, 4, 3)
    batch = Batch(Units(torch.ones(32, 4, 4, dtype=torch.bool), values=values))
    losses: list[float] = []
    for _ in range(150):
        loss = made.loss(batch).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 * losses[0]


def test_answers_are_embeddings() -> None:
    summed = PATCHES.model_copy(update={"pool": "summary"})
    made, batch = model(summed).eval(), drawn()
    told = made.task.decode(made.answers(batch.units))
    expected = made.encoder(batch.units).summary
    assert expected is not None
    found = torch.tensor([one.answer for one in told])
    torch.testing.assert_close(found, torch.nn.functional.normalize(expected.detach(), dim=-1))
    assert all(isinstance(one.answer, float) for one in made.task.decode(made.outputs(batch)))
    json.dumps(made.task.reading())
    with pytest.raises(ImpossiblePair):
        model(summed, VIT.model_copy(update={"summary": False}))


def test_a_label_is_not_asked_for() -> None:
    assert MaskedPatches.needs == MaskedUnits.needs == "nothing"
    assert PATCHES.fit([Record("0", "")]) is PATCHES and not PATCHES.targets(Record("0", ""))
    with pytest.raises(BadSetting):
        MaskedPatches.parse({"decoder_width": 9})
    with pytest.raises(BadSetting):
        MaskedPatches.parse({"rate": 1.0})
