from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.heard import RATE, tone, written
from zhuji.backbones.conformer import Conformer
from zhuji.backbones.recurrent import Recurrent
from zhuji.core.contracts import Backbone
from zhuji.core.errors import BadSetting, ImpossiblePair, MissingFile
from zhuji.core.records import Record, Sound
from zhuji.core.units import Batch
from zhuji.data.noises import noises
from zhuji.data.sounds import as_wav
from zhuji.metrics import enhancement
from zhuji.modalities.speech import Speech
from zhuji.modalities.waveform import Waveform
from zhuji.model.assembly import Model, assemble, collate
from zhuji.nn.heads import PerUnitHead
from zhuji.nn.sounds import masks
from zhuji.nn.sounds.powers import Powers
from zhuji.nn.sounds.spectra import stft
from zhuji.nn.sounds.waves import samples_of
from zhuji.nn.sounds.wiener import wiener
from zhuji.tasks.enhance import Enhance, Masker

pytest.importorskip("soundfile")
SOUNDS = [Sound(data=as_wav(tone(300 + 200 * n, length, seed=n), RATE)) for n, length in enumerate((0.4, 0.31, 0.2, 0.4))]
RECORDS = [Record(str(n), sound) for n, sound in enumerate(SOUNDS)]
WAVES = Waveform(rate=RATE, hop=0.004, window=0.016).fit(SOUNDS)
GRU = Recurrent(cell="gru", width=16, hidden=16, layers=1, directions=2)


def model(backbone: Backbone = GRU, **options: object) -> Model:
    return assemble(WAVES, backbone, Enhance.parse(options)).eval()


def batch(one: Model, rows: slice = slice(None), more: int = 0) -> Batch:
    encoded = WAVES.encode(SOUNDS[rows])
    return collate(one, encoded, RECORDS[rows], max(row.length for row in encoded) + more)


def posed(one: Model, given: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    assert isinstance(one.task, Enhance) and isinstance(one.head, Masker)
    return one.task.posed(one.head, given.units)


def alike(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether rows are the same but for their levels, which are those of mixtures."""
    return torch.allclose(*(of / of.abs().amax(1, keepdim=True) for of in (one, other)), atol=1e-6)


def ratio(given: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    rest = given.double() - wanted.double()
    return 10 * torch.log10(wanted.double().square().sum(1) / rest.square().sum(1))


def test_the_same_seed_gives_the_same_mixture_and_the_next_step_another() -> None:
    one = model(snr=[-5, 15]).train()
    data = batch(one)
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(posed(one, data))
    assert torch.equal(found[0][0], found[1][0]) and not torch.equal(found[0][0], found[2][0])
    # A row is posed alike wherever it stands in the batch, and however it is padded.
    torch.manual_seed(1)
    alone = posed(one, batch(one, slice(1, 2), more=5))[0]
    size = 78 * WAVES.step
    assert torch.equal(alone[0, :size], found[0][0][1, :size]) and not alone[0, size:].any()


def test_while_it_is_judged_a_mixture_is_always_the_same() -> None:
    one = model()
    torch.manual_seed(1)
    first = posed(one, batch(one))[0]
    torch.manual_seed(2)
    assert torch.equal(first, posed(one, batch(one))[0])
    # Rows 0 and 3 are equally long, and each has noise of its own, whatever its level.
    noise = first - posed(one, batch(one))[1]
    assert abs(torch.nn.functional.cosine_similarity(noise[0], noise[3], dim=0).item()) < 0.5


@pytest.mark.parametrize("learning", [True, False])
def test_the_ratio_lies_where_it_is_asked_for(learning: bool) -> None:
    one = model(snr=[7, 7]).train(learning)
    given, wanted = posed(one, batch(one))
    # To 1e-4 dB; what is compared is a difference of float32 numbers of twice the size.
    assert (ratio(given, wanted) - 7).abs().max() < 1e-4
    wide = model(snr=[-5, 15]).train(learning)
    found = torch.cat([ratio(*posed(wide, batch(wide))) for _ in range(20)])
    assert found.min() >= -5 and found.max() <= 15 and (not learning or found.max() - found.min() > 12)


@pytest.mark.parametrize("learning", [True, False])
def test_a_network_hears_every_mixture_equally_loud(learning: bool) -> None:
    one = model(snr=[-20, -20]).train(learning)
    data = batch(one)
    for row, count in zip(posed(one, data)[0], data.units.mask.sum(1).tolist(), strict=True):
        assert row[: count * WAVES.step].square().mean().sqrt().item() == pytest.approx(0.1, rel=1e-4)


def test_the_loss_is_what_is_written_and_padding_has_no_share_in_it() -> None:
    one, size = model(spectral=7.0).requires_grad_(False), 78 * WAVES.step
    data = batch(one)
    outputs = one.outputs(data)
    decibels = masks.si_sdr(outputs["sound"], outputs["wanted"])
    assert float(one.loss(data).total) == pytest.approx(float((7 * outputs["spectral"] - decibels).sum()), rel=1e-4)
    alone = one.outputs(batch(one, slice(1, 2)))
    torch.testing.assert_close(alone["spectral"][0], outputs["spectral"][1], atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(alone["sound"][0], outputs["sound"][1, :size], atol=1e-5, rtol=1e-4)
    mask = data.units.mask.clone()
    mask[2:] = False
    fewer, two = replace(data, units=replace(data.units, mask=mask)), batch(one, slice(0, 2))
    assert float(one.loss(fewer).count) == 2
    assert float(one.loss(fewer).total) == pytest.approx(float(one.loss(two).total), rel=1e-4)


def test_softer_and_louder_rows_are_cleaned_alike() -> None:
    """What is left of a row played at another level is what is left of it, at that level: float32 of a network's logarithms."""
    one = model()
    data = batch(one)
    given, _ = posed(one, data)
    plain = replace(data.units, values=given.unflatten(1, (-1, WAVES.step)))
    with torch.inference_mode():
        found = one.answers(plain)["sound"]
        for level in (0.01, 30.0):
            units = replace(plain, values=level * plain.values)
            other = one.answers(units)["sound"]
            torch.testing.assert_close(other / level, found, atol=1e-5, rtol=1e-3)


def test_noise_of_a_folder_is_kept_apart(tmp_path: Path) -> None:
    for number, part in enumerate(("train", "train", "valid", "test")):
        written(tmp_path / part / f"{number}.wav", tone(500 + 300 * number, 1.0, seed=number))
    known = noises(str(tmp_path), RATE)
    for learning, allowed in ((True, known.learned), (False, known.judge)):
        one = model(noise_folder=str(tmp_path)).train(learning)
        given, wanted = posed(one, batch(one))
        noise = (given - wanted)[0, :3_200].numpy()
        likeness = [max(np.abs(np.correlate(side, noise)) / np.sqrt((noise**2).sum() * (side[:3_200] ** 2).sum())) for side in
                    (*known.learned, *known.judge)]  # fmt: skip
        best = int(np.argmax(likeness))
        side = (*known.learned, *known.judge)[best]
        assert likeness[best] > 0.99 and any(side is other for other in allowed)


def test_what_is_varied_in_training_is_never_judged(tmp_path: Path) -> None:
    for number, part in enumerate(("train", "train", "valid", "test")):
        written(tmp_path / part / f"{number}.wav", tone(500 + 300 * number, 1.0, seed=number))
    folder = str(tmp_path)
    plain = model(noise_folder=folder)
    data = batch(plain)
    given, clean = posed(plain, data)
    for changed, value in (
        ("speed", [0.8, 1.25]),
        ("layered", 1.0),
        ("narrow", 1.0),
        ("microphone", 1.0),
        ("swell", 10.0),
    ):
        varied = assemble(WAVES, GRU, Enhance.parse({"noise_folder": folder, changed: value})).eval()
        assert all(torch.equal(*pair) for pair in zip(posed(varied, data), (given, clean), strict=True)), changed
        torch.manual_seed(0)
        other = posed(varied.train(), data)
        torch.manual_seed(0)
        same = posed(plain.train(), data)
        plain.eval()
        assert not torch.equal(other[0], same[0])
        # Another noise under the first is all that changes there.
        assert alike(other[1], same[1]) == (changed == "layered")


def test_narrow_rows_have_nothing_in_their_upper_half() -> None:
    one = model(narrow=1.0).train()
    for of in posed(one, batch(one)):
        power = torch.fft.rfft(of[0]).abs().square()
        assert power[len(power) // 2 + 1 :].sum() < 1e-6 * power.sum()


@pytest.mark.parametrize("kind", ["complex", "real"])
def test_intelligibility_is_weighed_beside_the_rest(kind: str) -> None:
    """A row of 0.4 s holds a segment, one of 0.2 s does not."""
    found = []
    for weight in (0, 3):
        one = model(mask=kind, intelligibility=weight)
        torch.manual_seed(0)
        for parameter in one.parameters():
            torch.nn.init.normal_(parameter, std=0.1)
        data = batch(one)
        outputs = one.outputs(data)
        found.append((one.loss(data).mean().item(), outputs["missed"]))
    assert abs(found[1][0] - found[0][0] - 3 * found[1][1].mean().item()) < 1e-3
    assert not found[0][1].any() and found[1][1][0] < -0.1 and found[1][1][2] == 0


def test_a_variational_mask_is_learned_by_its_bound() -> None:
    one = model(mask="variational", hidden=5)
    data = batch(one, more=6)
    task, head = one.task, one.head
    assert isinstance(task, Enhance) and isinstance(head, Masker) and isinstance(head.each, Powers)
    outputs = one.outputs(data)
    with torch.no_grad():
        units = replace(data.units, values=outputs["given"].unflatten(1, (-1, head.hop)))
        told = head.each(one.encoder(units).states, None)
        clean, given = (stft(outputs[name], head.points, head.hop, head.points)[:, :-1] for name in ("wanted", "given"))
        total = 0.0
        for logs, of in ((told.speech, clean), (told.noise, given - clean)):
            ratio = (of.abs().double().square() + 1e-6) / logs.double().exp()
            total += float((ratio - ratio.log() - 1).sum(-1)[units.mask].sum())
        hidden = torch.distributions.Normal(told.mean, (0.5 * told.log_variance).exp())
        nats = torch.distributions.kl_divergence(hidden, torch.distributions.Normal(0.0, 1.0)).sum(-1)[units.mask].sum()
    # Nats of hundreds of units: float32 keeps five digits of the sum.
    assert abs(one.loss(data).total.item() / (total + nats.item()) - 1) < 1e-4
    assert one.loss(data).count.item() == data.units.mask.sum()
    # Judging draws nothing, learning does.
    assert torch.equal(one.outputs(data)["sound"], outputs["sound"])
    torch.manual_seed(0)
    first, second = (one.train().outputs(data)["divergence"] for _ in range(2))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("overlap", [2, 4])
def test_the_ideal_mask_leaves_the_recording(overlap: int) -> None:
    one = model(overlap=overlap)
    data = batch(one)
    given, wanted = posed(one, data)
    head = one.head
    assert isinstance(head, Masker) and isinstance(one.task, Enhance)
    units = replace(data.units, values=given.unflatten(1, (-1, head.hop)))
    frames = [stft(x, head.points, head.hop, head.points) for x in (given, wanted)]
    there = torch.cat((torch.ones(len(given), 1, dtype=torch.bool), units.mask), 1)
    left = frames[0] * masks.ideal(frames[1], frames[0], "complex") * there.unsqueeze(-1)
    torch.testing.assert_close(one.task._sound(left, head, units)["sound"], wanted, atol=2e-5, rtol=0)


def test_of_the_mixture_so_much_is_left_in_an_answer_alone() -> None:
    left, none = model(leave=0.25), model()
    left.load_state_dict(none.state_dict())
    given = batch(none)
    with torch.no_grad():
        whole, kept = (one.task.answers(one.encoder, one.head, given.units)["sound"] for one in (none, left))
        mixture = samples_of(given.units)
        torch.testing.assert_close(kept, 0.25 * mixture + 0.75 * whole, atol=1e-5, rtol=0)
        for one in (none, left):
            one.train()
        torch.manual_seed(0)
        first = none.task.outputs(none.encoder, none.head, given)["sound"]
        torch.manual_seed(0)
        assert torch.equal(first, left.task.outputs(left.encoder, left.head, given)["sound"])


@pytest.mark.parametrize("more", [0, 7])
def test_a_mask_of_ones_changes_nothing_but_padding(more: int) -> None:
    one = model(mask="real")
    data = batch(one, more=more)
    assert isinstance(one.head, Masker) and isinstance(one.head.each, PerUnitHead)
    with torch.no_grad():
        one.head.each.out.weight.zero_()
        one.head.each.out.bias.fill_(100.0)
    torch.testing.assert_close(one.answers(data.units)["sound"], samples_of(data.units), atol=1e-6, rtol=0)


ATTENDING = Conformer(width=16, layers=1, heads=2, window=3, subsample=1, dropout=0.0)


@pytest.mark.parametrize(
    ("kind", "backbone"),
    [
        *((kind, GRU) for kind in ("real", "complex", "variational")),
        ("complex", ATTENDING),
        *(pytest.param(kind, ATTENDING, marks=pytest.mark.slow) for kind in ("real", "variational")),
    ],
)
def test_it_learns_to_leave_tones(kind: str, backbone: Backbone) -> None:
    torch.manual_seed(0)
    one = model(backbone, mask=kind, snr=[0, 0])
    data = batch(one)
    before = one.loss(data).mean().item()
    optimiser = torch.optim.Adam(one.train().parameters(), 0.01)
    for step in range(40):
        torch.manual_seed(step)
        optimiser.zero_grad()
        one.loss(data).mean().backward()
        optimiser.step()
    one.eval()
    columns = one.task.evidence(one.outputs(data), data)
    gain = enhancement.mean_of("si_sdr")(columns) - enhancement.mean_of("si_sdr_mixture")(columns)
    assert one.loss(data).mean().item() < before - 5 and gain > 3


def test_a_row_of_silence_costs_nothing_and_breaks_nothing() -> None:
    one = model().train()
    data = collate(one, WAVES.encode([Sound(data=as_wav(np.zeros(2_000, np.float32), RATE)), SOUNDS[0]]), RECORDS[:2], 100)
    loss = one.loss(data)
    loss.mean().backward()
    assert loss.total.isfinite() and all(p.grad is None or p.grad.isfinite().all() for p in one.parameters())
    columns = one.task.evidence(one.outputs(data), data)
    assert columns["si_sdr_rows"].tolist() == [0, 1]
    assert np.isfinite(enhancement.mean_of("si_sdr")(columns))


def test_an_answer_is_a_sound_and_how_loud_it_is() -> None:
    one = model()
    data = batch(one, slice(1, 2), more=4)
    (told,) = one.task.decode(one.answers(data.units))
    assert told.waves is not None and len(told.waves.sound) == 78 * WAVES.step and told.waves.given is None
    first = told.waves.sound[: 16 * WAVES.step].astype(np.float64)
    assert len(told.answer) == 5 and told.answer[0] == pytest.approx(np.sqrt((first**2).mean()), abs=1e-6)
    (judged,) = one.task.decode(one.outputs(data))
    assert judged.waves is not None and judged.waves.rate == RATE and judged.waves.wanted is not None


def test_answers_are_measured_beside_the_mixture_and_a_filter() -> None:
    one = model()
    data = batch(one)
    answers = one.task.decode(one.outputs(data))
    columns = one.task.judge(answers, RECORDS)
    names = one.task.answer_metrics()
    assert set(one.task.metrics()) == {"si_sdr", "si_sdr_mixture"}
    for row, waves in enumerate(answer.waves for answer in answers):
        assert waves is not None and waves.given is not None and waves.wanted is not None
        # Windows of 32 ms, of which each begins 8 ms after the one before.
        filtered = wiener(torch.from_numpy(waves.given)[None], 256, 64)[0].numpy()
        assert columns["si_sdr_wiener"][row] == pytest.approx(enhancement.si_sdr(filtered, waves.wanted), abs=1e-4)
        if enhancement.installed() and columns["pesq_mixture_rows"][row]:
            assert columns["pesq_mixture"][row] == enhancement.pesq(waves.given, waves.wanted, RATE)
            assert columns["pesq"][row] == enhancement.pesq(waves.sound, waves.wanted, RATE)
    assert "si_sdr_wiener" in names and ("pesq_mixture" in names) == enhancement.installed()
    assert all(len(columns[name]) == len(RECORDS) for metric in names.values() for name in metric.columns)
    assert one.task.notes().keys() <= names.keys()


def test_what_cannot_be(tmp_path: Path) -> None:
    with pytest.raises(ImpossiblePair, match="waveform"):
        assemble(Speech(rate=RATE, bands=8).fit(SOUNDS), GRU, Enhance())
    with pytest.raises(MissingFile):
        Enhance(noise_folder=str(tmp_path / "none")).fit(RECORDS)
    for bad in ({"snr": [5, 0]}, {"overlap": 3}, {"echo": [0, 1]}, {"direct": [1, 0]}, {"speed": [1.2, 0.9]}, {"hidden": 0}):
        with pytest.raises(BadSetting):
            Enhance.parse(bad)
