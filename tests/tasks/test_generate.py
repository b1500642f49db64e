"""Generation: every promise for each kind, what each kind's loss is, what is judged, and what is drawn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, distributions

from tests.contracts import properties
from tests.contracts.properties import Cell
from zhuji.backbones.resnet import Resnet
from zhuji.backbones.strided import Strided
from zhuji.backbones.unet import Unet
from zhuji.backbones.vit import Vit
from zhuji.core.contracts import Backbone, Example
from zhuji.core.errors import BadSetting, ImpossiblePair
from zhuji.core.records import Record
from zhuji.core.units import Batch, Units, Wanted
from zhuji.metrics import sliced
from zhuji.modalities.image import Image
from zhuji.model.assembly import Model, assemble
from zhuji.tasks.generate import CRITIC, MAKER, Generate

SMALL = {"latent": 4, "width": 8, "side": 2, "features": 6}
RECORDS = Generate.example().records
WITH = {"gan": Strided, "vae": Strided, "diffusion": Unet}


def task(kind: str, **settings: object) -> Generate:
    return Generate.parse({"kind": kind, **SMALL, **settings}).fit(RECORDS)


def cell(kind: str, backbone: type[Backbone] | None = None, modality: Image | None = None, **settings: object) -> Cell:
    known, inputs = Image.example()
    made = known if modality is None else modality.fit(inputs)
    body = (backbone or WITH[kind]).example()
    return Cell.of((made, inputs), body, Example(task(kind, **settings), RECORDS))


def parts(kind: str, **settings: object) -> tuple[Model, Batch]:
    found = cell(kind, **settings)
    return found.model(), found.batch()


@pytest.mark.parametrize("promise", properties.EVERY, ids=lambda promise: promise.__name__)
@pytest.mark.parametrize("kind, backbone", [("gan", Strided), ("diffusion", Unet), ("diffusion", Vit), ("vae", Resnet)])
def test_every_promise_is_kept_by_every_kind(kind, backbone, promise) -> None:
    promise(cell(kind, backbone))


@pytest.mark.parametrize("kind", ["gan", "vae", "diffusion"])
def test_patches_and_rows_without_classes_will_do(kind) -> None:
    patched = Image(size=(4, 4), patch=2, channels=1)
    backbone = {"gan": Strided, "vae": Strided, "diffusion": Unet}[kind]
    found = cell(kind, backbone, patched, conditional=False)
    assert found.task.classes == ()
    model = found.model()
    values = model.task.drawn(model.encoder, model.head, Wanted(seeds=(1, 2)))
    assert values.shape == (2, 2, 2, 4) and bool(values.isfinite().all())
    assert [picture.shape for picture in model.modality.pictured(values)] == [(4, 4, 1)] * 2


# ---------------------------------------------------------------------------------------------------- what it learns


def test_classes_are_learned_and_the_unknown_are_none() -> None:
    known = task("vae")
    assert known.classes == ("a", "b", "c") and known.counts == (3, 3, 2)
    labels = ["b", "never met", None, ("a",), ("a", "b"), 3.0]
    assert [int(known.targets(Record("x", "", label=label))["kind"]) for label in labels] == [1, -1, -1, 0, -1, -1]
    assert task("vae", conditional=False).classes == ()


def test_elbo_is_that_of_torchs_distributions() -> None:
    model, batch = parts("vae")
    outputs = model.outputs(batch)
    head, values = model.head, batch.units.values
    state = head.summary(model.encoder(batch.units))
    mean, deviation = head.mean(state), (0.5 * head.spread(state)).exp()
    vector = mean + deviation * head._noise(batch.units, 4)
    guess = head.maker(vector, batch.targets["kind"])
    likely = distributions.Normal(guess, head.log_deviation.exp()).log_prob(values).flatten(1).sum(1)
    apart = distributions.kl_divergence(distributions.Normal(mean, deviation), distributions.Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(outputs["bound"], likely - apart)
    torch.testing.assert_close(outputs["loss"], -(likely - apart))
    scores = {name: metric(model.task.evidence(outputs, batch)) for name, metric in model.task.metrics().items()}
    assert scores["elbo"] == pytest.approx((likely - apart).sum().item() / values.numel(), rel=1e-5)
    assert scores["elbo"] == pytest.approx(-scores["surprise"] - scores["divergence"])
    assert model.task.metrics()["elbo"].higher_is_better


def test_beta_weighs_the_divergence() -> None:
    plain, weighed = parts("vae")[0], parts("vae", beta=3.0)[0]
    batch = parts("vae")[1]
    first, second = plain.outputs(batch), weighed.outputs(batch)
    torch.testing.assert_close(second["loss"] - first["loss"], 2 * first["divergence"])
    torch.testing.assert_close(second["bound"], first["bound"])


def test_judging_draws_nothing_and_a_row_is_judged_alike_in_any_company() -> None:
    for kind in WITH:
        found = cell(kind)
        model, before = found.model(), torch.random.get_rng_state()
        whole = model.task.evidence(model.outputs(found.batch()), found.batch())
        part = model.task.evidence(model.outputs(found.batch(slice(3, 5))), found.batch(slice(3, 5)))
        assert torch.equal(before, torch.random.get_rng_state())
        for name, column in part.items():
            assert np.allclose(column, whole[name][3:5], rtol=1e-4, atol=1e-5)


def test_denoising_error_is_that_of_the_noise_it_is_judged_in() -> None:
    model, batch = parts("diffusion", guess="noise")
    head, values, kinds = model.head, batch.units.values, batch.targets["kind"]
    errors = []
    for time, noise in zip((200, 400, 600, 800), head.noise, strict=True):
        left = float(head.noising.left[time])
        said = head._said(model.encoder, left**0.5 * values + (1 - left) ** 0.5 * noise, torch.full_like(kinds, time), kinds)
        errors.append((said - noise).square().mean((1, 2, 3)))
    outputs = model.outputs(batch)
    torch.testing.assert_close(outputs["output"][:, 0], torch.stack(errors).mean(0))
    score = model.task.metrics()["denoising"](model.task.evidence(outputs, batch))
    assert score == pytest.approx(outputs["output"].mean().item(), rel=1e-5)


def test_a_class_is_left_out_as_often_as_is_asked() -> None:
    found = cell("diffusion", unlabelled=0.25)
    model, seen = found.model().train(), []
    model.head.telling.classes.register_forward_hook(lambda module, args, output: seen.append(args[0]))
    torch.manual_seed(0)
    batch = found.batch()
    for _ in range(250):
        model.outputs(batch)
    left_out = (torch.cat(seen) < 0).float().mean()
    # 2,000 draws: deviation 0.01.
    assert left_out == pytest.approx(0.25, abs=0.03)


# ------------------------------------------------------------------------------------------------------- two players


def test_each_player_owns_its_part() -> None:
    model, _ = parts("gan")
    assert model.task.players == (CRITIC, MAKER)
    owners = {name: model.task.owner(name) for name, _ in model.named_parameters()}
    assert {name.split(".")[1] for name, owner in owners.items() if owner == MAKER} == {"maker"}
    assert all(
        owners[name] == CRITIC for name in owners if name.startswith("encoder.") or ("classes" in name and "maker" not in name)
    )
    assert len(parts("vae")[0].task.players) == 1


def _scores(model: Model, values: Tensor, kinds: Tensor) -> Tensor:
    head = model.head
    state = head.summary(model.encoder(Units(torch.ones(values.shape[:-1], dtype=torch.bool), values=values)))
    return head.score(state)[:, 0] + (head.classes(kinds) * state).sum(1)


def test_the_losses_of_the_players_are_those_of_the_papers() -> None:
    """Goodfellow et al. 2014, equation 1 and the maker's -log D; R1 row by row."""
    model, batch = parts("gan", penalty=3.0)
    values, kinds = batch.units.values, batch.targets["kind"]
    made = model.head.maker(model.head._noise(batch.units, 4), kinds)
    real, fake = _scores(model, values, kinds), _scores(model, made, kinds)
    one = torch.sigmoid
    maker, critic = (model.task.plays(name).outputs(model.encoder, model.head, batch)["loss"] for name in (MAKER, CRITIC))
    torch.testing.assert_close(maker, -one(fake).log())
    rows = [values[n : n + 1].clone().requires_grad_() for n in range(8)]
    slopes = [torch.autograd.grad(_scores(model, row, kinds[n : n + 1]).sum(), row)[0] for n, row in enumerate(rows)]
    steep = torch.stack([slope.square().sum() for slope in slopes])
    torch.testing.assert_close(critic, -one(real).log() - (1 - one(fake)).log() + 3 / 2 * steep)


def test_the_class_counts_by_projection() -> None:
    model, batch = parts("gan")
    values = batch.units.values
    state = model.head.summary(model.encoder(batch.units))
    apart = _scores(model, values, torch.zeros(8, dtype=torch.int64)) - _scores(model, values, torch.ones(8, dtype=torch.int64))
    rows = model.head.classes.table.weight
    torch.testing.assert_close(apart, state @ (rows[0] - rows[1]))
    torch.testing.assert_close(model.answers(batch.units), model.head.score(state))


def test_made_rows_stand_beside_real_ones() -> None:
    model, batch = parts("gan")
    outputs = model.outputs(batch)
    evidence = model.task.evidence(outputs, batch)
    assert evidence["real"].shape == evidence["made"].shape == (8, sliced.LINES)
    assert np.allclose(evidence["real"], sliced.laid_on_lines(batch.units.values))
    assert model.task.metrics()["sliced_distance"](evidence) > 0


# ------------------------------------------------------------------------------------------------------------ drawing


@pytest.mark.parametrize("kind", ["gan", "vae", "diffusion"])
def test_a_row_is_drawn_from_its_seed_and_class_alone(kind) -> None:
    model, _ = parts(kind)
    steps = 3 if kind == "diffusion" else None

    def drawn(seeds, labels) -> Tensor:
        with torch.no_grad():
            return model.task.drawn(model.encoder, model.head, Wanted(seeds, labels, steps))

    whole = drawn((5, 6, 5), ("a", "b", "c"))
    assert whole.shape == (3, 4, 4, 3)
    torch.testing.assert_close(drawn((6,), ("b",))[0], whole[1], rtol=1e-4, atol=1e-5)
    assert (whole[0] - whole[2]).abs().max() > 1e-5, "the class must count"
    assert (drawn((7,), ("b",))[0] - whole[1]).abs().max() > 1e-3, "the seed must count"


def test_guidance_draws_away_from_no_class() -> None:
    model, _ = parts("diffusion")

    def drawn(guidance: float | None, labels=("a",)) -> Tensor:
        with torch.no_grad():
            return model.task.drawn(model.encoder, model.head, Wanted((3,), labels, 1, guidance))

    none, one = drawn(None, None), drawn(1.0)
    torch.testing.assert_close(drawn(None), one)
    # One step is linear in what is said.
    torch.testing.assert_close(drawn(3.0), none + 3 * (one - none), rtol=1e-3, atol=1e-4)


def test_wishes_that_only_diffusion_meets_are_refused_elsewhere() -> None:
    for kind in ("gan", "vae"):
        model, _ = parts(kind)
        for wish in ({"steps": 5}, {"guidance": 2.0}):
            with pytest.raises(BadSetting):
                model.task.drawn(model.encoder, model.head, Wanted((1,), None, **wish))
    model, _ = parts("diffusion")
    with pytest.raises(BadSetting):
        model.task.drawn(model.encoder, model.head, Wanted((1,), None, None, 2.0))
    with pytest.raises(BadSetting, match="course"):
        model.task.drawn(model.encoder, model.head, Wanted((1,), None, model.task.noise_steps + 1))


def test_a_backbone_that_does_not_listen_is_refused() -> None:
    with pytest.raises(ImpossiblePair) as caught:
        cell("diffusion", Resnet).model()
    assert "strid" in str(caught.value) or "grid" in str(caught.value)

    class Deaf(Unet):
        takes = False

    modality, _ = Image.example()
    with pytest.raises(ImpossiblePair) as caught:
        assemble(modality, Deaf.example(), task("diffusion"))
    assert "listen" in str(caught.value)
