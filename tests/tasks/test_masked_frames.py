"""Masked frames: what is hidden, what is guessed of it, and that the encoder never sees it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from zhuji.backbones.conformer import Conformer
from zhuji.backbones.transformer import Transformer
from zhuji.core.contracts import Corrupt
from zhuji.core.errors import BadSetting, ImpossiblePair
from zhuji.core.records import Record
from zhuji.core.units import Batch, Features, Units
from zhuji.modalities.speech import Speech
from zhuji.modalities.text import Text
from zhuji.model.assembly import Model, assemble
from zhuji.nn.quantising import stacked
from zhuji.tasks.masked_frames import MaskedFrames
from zhuji.tasks.transcribe import Transcribe
from zhuji.training.run import StartSettings
from zhuji.training.transfer import take_weights

SPEECH = Speech.example()[0]
CONFORMER = Conformer(width=8, layers=1, heads=2, window=3, subsample=4, dropout=0.0)
FRAMES = MaskedFrames(rate=0.4, span=8, codes=20, code_width=4)


def model(task: MaskedFrames = FRAMES, backbone: Conformer | Transformer = CONFORMER) -> Model:
    return assemble(SPEECH, backbone, task)


def drawn(*lengths: int) -> Batch:
    """Rows of frames of so many units."""
    mask = torch.arange(max(lengths))[None] < torch.tensor(lengths)[:, None]
    values = torch.randn(len(lengths), max(lengths), 6, generator=torch.Generator().manual_seed(1))
    return Batch(Units(mask, values=values * mask[..., None]))


class Watched:
    """An encoder that keeps what it was shown."""

    def __init__(self, encoder) -> None:
        self.encoder, self.plain, self.seen = encoder, torch.zeros(0), torch.zeros(0)

    def __call__(self, units: Units, corrupt: Corrupt | None = None) -> Features:
        assert corrupt is not None

        def keep(features: Features) -> Features:
            self.plain, changed = features.states, corrupt(features)
            self.seen = changed.states
            return changed

        return self.encoder(units, keep)

    def table(self) -> Tensor | None:
        return None


def watched(made: Model, batch: Batch, seed: int = 0) -> tuple[dict[str, Tensor], Tensor, Watched]:
    """Outputs, which units were hidden, and the watcher."""
    torch.manual_seed(seed)
    encoder = Watched(made.encoder)
    outputs = made.task.outputs(encoder, made.head, batch)
    return outputs, (encoder.seen != encoder.plain).any(-1), encoder


def test_whole_pieces_are_hidden_and_their_codes_are_guessed() -> None:
    made, batch = model(), drawn(42, 23)
    outputs, hidden, encoder = watched(made, batch)
    assert hidden.any() and not hidden.all() and not hidden[~batch.units.mask].any()
    pieces = hidden[:, ::4]
    assert torch.equal(hidden, pieces.repeat_interleave(4, 1)[:, :42] & batch.units.mask)
    assert torch.equal(encoder.seen[hidden], made.head.mask.expand(int(hidden.sum()), -1))
    states = made.encoder.body(Features(encoder.seen, batch.units.mask)).states
    whole = stacked(batch.units, 4)
    assert whole.values is not None
    loss, right = torch.zeros(2), torch.zeros(2)
    for row, piece in pieces.nonzero().tolist():
        code = made.head.quantiser(whole.values[row, piece][None])
        logits = made.head.guess(states[row, piece][None])
        loss[row] += F.cross_entropy(logits, code)
        right[row] += (logits.argmax(-1) == code).sum()
    torch.testing.assert_close(outputs["loss"], loss)
    assert outputs["right"].tolist() == right.tolist() and outputs["terms"].tolist() == pieces.sum(1).tolist()
    found = made.task.loss(outputs, batch)
    torch.testing.assert_close(found.mean(), loss.sum() / pieces.sum())


def test_spans_are_as_long_and_as_many_as_asked() -> None:
    """Of 200 rows of 100 pieces; a span of 8 units is 2 pieces. The share's deviation is below 0.01 (2 x 0.49 / sqrt(10,000))."""
    hidden = watched(model(), drawn(*[400] * 100))[1][:, ::4]
    assert abs(hidden[:, 1:].float().mean().item() - 0.4) < 0.02
    runs = F.pad(hidden.long(), (1, 1)).diff(dim=1)
    lengths = (runs == -1).nonzero()[:, 1] - (runs == 1).nonzero()[:, 1]
    assert lengths[((runs == -1).nonzero()[:, 1] < 100)].min() == 2 and lengths.max() > 2


def test_hidden_values_do_not_reach_the_encoder_and_their_codes_stay() -> None:
    made, batch = model(), drawn(42, 23)
    _, hidden, encoder = watched(made, batch)
    assert batch.units.values is not None
    changed = batch.units.values.clone()
    changed[hidden] += 5.0
    states = made.encoder.stem(replace(batch.units, values=changed)).states
    assert torch.equal(torch.where(hidden[..., None], made.head.mask, states), encoder.seen)
    assert hidden[0, 40:].all() or not hidden[0, 40:].any(), "the last, shorter piece is hidden whole"


def test_targets_are_the_same_in_every_model_and_masks_in_every_step_of_one_number() -> None:
    batch = drawn(42, 23)
    first, second = model(), assemble(SPEECH, CONFORMER, FRAMES, seed=9)
    values = stacked(batch.units, 4).values
    assert values is not None
    assert torch.equal(first.head.quantiser(values.flatten(0, 1)), second.head.quantiser(values.flatten(0, 1)))
    once, again, other = (watched(first, batch, seed)[1] for seed in (0, 0, 1))
    assert torch.equal(once, again) and not torch.equal(once, other)
    seeded = model(FRAMES.model_copy(update={"seed": 1}))
    assert not torch.equal(first.head.quantiser(values.flatten(0, 1)), seeded.head.quantiser(values.flatten(0, 1)))


def test_a_backbone_that_keeps_all_units_guesses_one_code_each() -> None:
    made, batch = model(backbone=Transformer(width=8, layers=1, heads=2, dropout=0.0)), drawn(12, 7)
    outputs, hidden, _ = watched(made, batch)
    assert outputs["terms"].tolist() == hidden.sum(1).tolist() and made.head.quantiser.projection.shape == (6, 4)


def test_it_learns_what_can_be_known() -> None:
    """All rows are one sound with a little noise, by which other pieces of each are hidden: where a piece stands tells its code."""
    made = model(backbone=CONFORMER.model_copy(update={"width": 16})).train()
    optimiser = torch.optim.Adam(made.parameters(), 1e-2)
    values = torch.randn(1, 40, 6) + 0.01 * torch.randn(24, 40, 6)
    batch = Batch(Units(torch.ones(24, 40, dtype=torch.bool), values=values))
    losses = []
    for _ in range(60):
        loss = made.loss(batch).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) / 5 < 0.4 * losses[0]


def test_the_encoder_goes_over_into_a_recogniser() -> None:
    made, task = model(), Transcribe(dropout=0.0).fit([Record("0", "", target="ab")])
    heir = assemble(SPEECH, CONFORMER, task, seed=4)
    take_weights(heir, made, StartSettings(path="x"))
    batch = drawn(42, 23)
    assert torch.equal(heir.encoder(batch.units).states, made.encoder(batch.units).states)


def test_answers_are_the_mean_of_the_states() -> None:
    made, batch = model().eval(), drawn(42, 23)
    features = made.encoder(batch.units)
    means = torch.stack([row[real].mean(0) for row, real in zip(features.states, features.mask, strict=True)])
    found = torch.tensor([one.answer for one in made.task.decode(made.answers(batch.units))])
    torch.testing.assert_close(found, F.normalize(means, dim=-1))
    assert all(isinstance(one.answer, float) for one in made.task.decode(made.outputs(batch)))
    json.dumps(made.task.reading())


def test_what_has_no_values_in_time_is_refused() -> None:
    with pytest.raises(ImpossiblePair):
        assemble(Text.example()[0], Transformer.example(), FRAMES)
    with pytest.raises(ImpossiblePair):
        model(backbone=Transformer.example()).task.head(replace(SPEECH.spec, grid_ndim=2), 8)
    with pytest.raises(BadSetting):
        MaskedFrames.parse({"codes": 1})
    assert FRAMES.fit([Record("0", "")]) is FRAMES and not FRAMES.targets(Record("0", ""))
