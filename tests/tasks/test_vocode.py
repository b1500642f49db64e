"""Vocoding: what pieces are learned from, what each player minimises, what is judged, and what it comes to."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from tests import vocoder, voiced
from zhuji.backbones.convnext_1d import Convnext1d
from zhuji.core.errors import ImpossiblePair
from zhuji.core.records import Record, Sound
from zhuji.core.units import Batch
from zhuji.data.sounds import as_wav
from zhuji.modalities.text import Text
from zhuji.model.assembly import Model, assemble, collate
from zhuji.nn.sounds import critics, framed
from zhuji.nn.sounds.vocoding import spectral_error
from zhuji.tasks.vocode import CRITIC, MAKER, Vocode
from zhuji.training.players import moves


def batch_of(model: Model, records: list[Record]) -> Batch:
    encoded = model.modality.encode([record.input for record in records])
    return collate(model, encoded, records, max(row.length for row in encoded))


@pytest.fixture(autouse=True)
def _resting(request: pytest.FixtureRequest) -> Iterator[None]:
    with torch.set_grad_enabled("by_heart" in request.node.name):
        yield


@pytest.fixture(scope="module")
def parts() -> tuple[Model, Batch]:
    model = vocoder.model()
    return model, batch_of(model, vocoder.records(4))


def test_frames_are_those_of_a_speaking_model(parts: tuple[Model, Batch]) -> None:
    """What the head takes back from the units, to 1e-5 of what `speak` learns."""
    model, batch = parts
    logs = model.head.spectrum.logs(batch.units.values)
    for row, record in enumerate(vocoder.records(4)):
        samples = batch.targets["sound"][row][: len(voiced.said(voiced.texts(4)[row]))]
        expected = framed.frames(samples, voiced.FRAMING)
        torch.testing.assert_close(logs[row, : len(expected)], expected, atol=1e-5, rtol=1e-6)
        assert record.input.data is not None
    assert model.modality.spec.frames.framing.differs(voiced.FRAMING) == ()


@pytest.mark.parametrize(
    "settings", [{"trim": 30}, {"loudness": -20}, {"features": "mfcc", "coefficients": 8}, {"variation": {"gain": 3}}]
)
def test_frames_of_a_sound_that_was_changed_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ImpossiblePair, match="as they are"):
        assemble(vocoder.modality(**settings), Convnext1d.example(), Vocode(rate=voiced.RATE))


def test_other_units_and_another_rate_are_refused() -> None:
    with pytest.raises(ImpossiblePair, match="16000 samples a second"):
        assemble(vocoder.modality(), Convnext1d.example(), Vocode())
    with pytest.raises(ImpossiblePair, match="log-mel"):
        assemble(Text().fit(["a b"]), Convnext1d.example(), Vocode())


def test_a_piece_is_cut_alike_of_frames_and_of_samples(parts: tuple[Model, Batch]) -> None:
    model, batch = parts
    task, head, step = model.task, model.head, voiced.FRAMING.step
    starts = set()
    assert (head.piece - 1) * voiced.FRAMING.seconds == pytest.approx(task.piece, abs=voiced.FRAMING.seconds / 2)
    for seed in range(6):
        torch.manual_seed(seed)
        units, sound = task._piece(head, batch)
        assert units.mask.shape == (4, head.piece) and sound.shape == (4, (head.piece - 1) * step)
        logs, found = head.spectrum.logs(units.values), framed.frames_of_rows(sound, voiced.FRAMING)
        # In the middle of a piece no window reaches beyond it.
        torch.testing.assert_close(found[:, 2:-2], logs[:, 2:-2], atol=1e-4, rtol=1e-4)
        starts.add(round(float(sound[0].sum()), 4))
    assert len(starts) > 1, "pieces must be drawn"


def test_of_a_recording_that_was_cut_no_more_samples_are_held_than_frames() -> None:
    """A folder of lectures would not fit into memory."""
    modality = vocoder.modality(longest=0.5)
    model = assemble(modality, Convnext1d(width=8, layers=1, window=3), Vocode(rate=voiced.RATE, piece=0.25, channels=2)).eval()
    noise = 0.1 * np.random.default_rng(0).standard_normal(20 * voiced.RATE)
    batch = batch_of(model, [Record("a", Sound(data=as_wav(noise, voiced.RATE)))])
    assert batch.targets["sound"].shape == (1, voiced.RATE // 2)
    count, step = batch.units.mask.shape[1], voiced.FRAMING.step
    assert (count - 1) * step <= voiced.RATE // 2 < count * step
    expected = torch.from_numpy(noise[: voiced.RATE // 2]).float()
    torch.testing.assert_close(batch.targets["sound"][0], expected, atol=1e-4, rtol=0)


def test_a_row_that_is_shorter_than_a_piece_is_silent_behind() -> None:
    model = vocoder.model(piece=2.0)
    said = voiced.said("ab")
    # A few samples stand behind the last frame.
    said = said[: len(said) // voiced.FRAMING.step * voiced.FRAMING.step - 7]
    batch = batch_of(model, [Record("a", Sound(data=as_wav(said, voiced.RATE)))])
    torch.manual_seed(0)
    units, sound = model.task._piece(model.head, batch)
    count = int(batch.units.mask.sum())
    assert int(units.mask.sum()) == count and not sound[0, (count - 1) * voiced.FRAMING.step :].any()
    size = (count - 1) * voiced.FRAMING.step
    torch.testing.assert_close(sound[0, :size], batch.targets["sound"][0, :size])
    made = model.head.spectrum(*model.head.said(model.encoder, units), units.mask)
    expected = spectral_error(made[:, :size], sound[:, :size], torch.tensor([size]))

    def loss(spectral: float) -> torch.Tensor:
        torch.manual_seed(0)
        weights = {"mel": 0.0, "magnitude": 0.0, "matching": 0.0, "spectral": spectral}
        return model.task.model_copy(update=weights).plays(MAKER).outputs(model.encoder, model.head, batch)["loss"]

    torch.testing.assert_close(loss(3.0) - loss(0.0), 3 * expected, atol=1e-4, rtol=1e-4)


def test_players_minimise_what_is_written(parts: tuple[Model, Batch]) -> None:
    model, batch = parts
    head, task = model.head, model.task
    torch.manual_seed(3)
    units, wanted = task._piece(head, batch)
    loud, phase = head.said(model.encoder, units)
    made = head.spectrum(loud, phase, units.mask)
    real, fake = head.critics(wanted), head.critics(made)

    def loss(player: str, **weights: float) -> torch.Tensor:
        torch.manual_seed(3)
        return task.model_copy(update=weights).plays(player).outputs(model.encoder, head, batch)["loss"]

    torch.testing.assert_close(loss(CRITIC), critics.told_apart(real, fake))
    alone = {"mel": 0.0, "spectral": 0.0, "magnitude": 0.0, "matching": 0.0}
    torch.testing.assert_close(loss(MAKER, **alone), critics.taken_for_recorded(fake))
    apart = (framed.frames_of_rows(made, voiced.FRAMING) - framed.frames_of_rows(wanted, voiced.FRAMING)).abs().mean((1, 2))
    more = loss(MAKER, **{**alone, "mel": 2.0}) - loss(MAKER, **alone)
    torch.testing.assert_close(more, 2 * apart, atol=1e-5, rtol=1e-4)
    matched = loss(MAKER, **{**alone, "matching": 3.0}) - loss(MAKER, **alone)
    torch.testing.assert_close(matched, 3 * critics.features_apart(real, fake), atol=1e-5, rtol=1e-4)


def test_the_judge_measures_whole_recordings_and_padding_changes_nothing(parts: tuple[Model, Batch]) -> None:
    model, batch = parts
    outputs = model.outputs(batch)
    assert outputs["sound"].shape == (4, (batch.units.mask.shape[1] - 1) * voiced.FRAMING.step)
    (told, *_) = model.task.decode(outputs)
    sound = outputs["sound"][0, : (int(batch.units.mask[0].sum()) - 1) * voiced.FRAMING.step]
    expected = (
        (framed.frames(sound, voiced.FRAMING) - framed.frames(batch.targets["sound"][0, : len(sound)], voiced.FRAMING))
        .abs()
        .mean()
    )
    assert told.answer == pytest.approx(float(expected), rel=1e-3)
    alone = batch_of(model, vocoder.records(4)[:1])
    torch.testing.assert_close(model.outputs(alone)["sound"][0], sound, atol=1e-5, rtol=1e-4)
    evidence = model.task.evidence(outputs, batch)
    for name, column in (("mel_error", "mel_error"), ("spectral_error", "spectral")):
        assert model.task.metrics()[name](evidence) == pytest.approx(float(outputs[column].mean()))
    weighed = model.task.mel * outputs["mel_error"] + model.task.spectral * outputs["spectral"]
    torch.testing.assert_close(outputs["loss"], weighed)


def test_in_a_batch_a_recording_is_judged_as_it_is_alone() -> None:
    """To what the order of sums does; behind the last frame of the shorter one stand samples of which none is made."""
    model, whole = vocoder.model(), voiced.said("abab")
    records = [
        Record(str(size), Sound(data=as_wav(whole[:size], voiced.RATE))) for size in (len(whole), 10 * voiced.FRAMING.step - 7)
    ]
    together = model.outputs(batch_of(model, records))
    for row, record in enumerate(records):
        alone = model.outputs(batch_of(model, [record]))
        for name in ("spectral", "mel_error", "loss"):
            torch.testing.assert_close(together[name][row], alone[name][0], atol=1e-4, rtol=1e-4)


def test_what_the_network_computes_in_changes_no_answer(parts: tuple[Model, Batch]) -> None:
    model, batch = parts
    expected = model.answers(batch.units)["sound"]
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(model.answers(batch.units)["sound"], expected)


def test_critics_teach_the_maker_nothing_while_they_learn(parts: tuple[Model, Batch]) -> None:
    model, batch = parts
    with torch.enable_grad():
        loss = model.task.plays(CRITIC).outputs(model.encoder, model.head, batch)["loss"].sum()
        slopes = torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)
    taught = {
        model.task.owner(name) for (name, _), slope in zip(model.named_parameters(), slopes, strict=True) if slope is not None
    }
    assert taught == {CRITIC}


def test_a_sound_of_a_single_frame_teaches_nothing() -> None:
    model = vocoder.model()
    batch = batch_of(model, [Record("a", Sound(data=as_wav(np.full(10, 0.1, np.float32), voiced.RATE)))])
    assert batch.units.mask.shape[1] == 1
    for _, loss in moves(model):
        assert float(loss(batch).total) == 0 and float(loss(batch).count) == 0
    outputs = model.outputs(batch)
    assert outputs["sound"].shape == (1, 0) and outputs["mel_error"].item() > 0
    assert not any(column.any() for column in model.task.evidence(outputs, batch).values())


@pytest.mark.slow
def test_a_voice_that_it_knows_by_heart_is_copied_better_than_by_griffin_lim() -> None:
    model = vocoder.model(width=48).train()
    batch = batch_of(model, vocoder.records(4))
    owners = {player: [p for n, p in model.named_parameters() if model.task.owner(n) == player] for player in (CRITIC, MAKER)}
    optimisers = {player: torch.optim.AdamW(own, 2e-3, (0.8, 0.99)) for player, own in owners.items()}
    for _ in range(100):
        for player, loss in moves(model):
            optimisers[player].zero_grad(set_to_none=True)
            loss(batch).mean().backward()
            optimisers[player].step()
    ours = model.eval().outputs(batch)["mel_error"].detach().mean()
    old = []
    for row, text in enumerate(voiced.texts(4)):
        frames = framed.frames(torch.from_numpy(voiced.said(text)), voiced.FRAMING)
        assert len(frames) == int(batch.units.mask[row].sum())
        old.append(float((framed.frames(framed.samples(frames, voiced.FRAMING), voiced.FRAMING) - frames).abs().mean()))
    assert float(ours) < 0.8 * np.mean(old)
