"""Gram matrices and what is learned from them, against loops and against differences of the loss itself."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from zhuji.backbones.bag import Bag
from zhuji.backbones.convnext import Convnext
from zhuji.backbones.resnet import Resnet
from zhuji.backbones.vgg import Vgg
from zhuji.backbones.vit import Vit
from zhuji.core.contracts import Backbone
from zhuji.core.units import Features
from zhuji.nn.style import Taps, content_loss, gram, roughness, style_loss


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_gram_matrices_are_those_of_the_definition() -> None:
    states = random(2, 3, 4, 5)
    for picture, found in zip(states, gram(states), strict=True):
        for i in range(3):
            for j in range(3):
                total = sum(float(picture[i, y, x] * picture[j, y, x]) for y in range(4) for x in range(5))
                assert float(found[i, j]) == pytest.approx(total / 20)


def test_style_knows_no_places_and_content_does() -> None:
    states = random(1, 3, 4, 5)
    moved = states.roll((1, 2), (2, 3))
    assert float(style_loss([moved], [gram(states)])) == pytest.approx(0, abs=1e-24)
    assert float(content_loss(moved, states)) > 0.5 and float(content_loss(states, states)) == 0


def test_losses_are_those_of_the_paper_as_shares() -> None:
    """Equations 1 and 4 with their own factors left out of both sides."""
    found, wanted = random(1, 2, 3, 3), random(1, 2, 4, 5, seed=1)
    ours, theirs = gram(found)[0], gram(wanted)[0]
    share = sum((float(ours[i, j]) - float(theirs[i, j])) ** 2 for i in range(2) for j in range(2))
    share /= sum(float(theirs[i, j]) ** 2 for i in range(2) for j in range(2))
    assert float(style_loss([found, found], [gram(wanted), gram(found)])) == pytest.approx(share / 2)
    other = random(1, 2, 3, 3, seed=2)
    apart = sum((a - b) ** 2 for a, b in zip(found.flatten().tolist(), other.flatten().tolist(), strict=True))
    assert float(content_loss(found, other)) == pytest.approx(apart / sum(b**2 for b in other.flatten().tolist()))
    assert math.isfinite(float(content_loss(found, torch.zeros_like(found))))


def test_roughness_is_that_of_neighbours() -> None:
    values = random(1, 3, 4, 2)
    picture = values[0].tolist()
    down = [(picture[y + 1][x][k] - picture[y][x][k]) ** 2 for y in range(2) for x in range(4) for k in range(2)]
    across = [(picture[y][x + 1][k] - picture[y][x][k]) ** 2 for y in range(3) for x in range(3) for k in range(2)]
    assert float(roughness(values)) == pytest.approx(sum(down + across) / len(down + across))
    assert float(roughness(torch.ones(1, 1, 1, 3))) == 0


def features(values: Tensor) -> Features:
    return Features(values, torch.ones(values.shape[:3], dtype=torch.bool))


@pytest.mark.parametrize(
    "part", [Vgg(width=2), Resnet(blocks=(1, 1), widths=(3, 4)), Convnext.example()], ids=lambda part: part.name()
)
def test_the_gradient_reaches_the_pixels_and_is_right(part: Backbone) -> None:
    """Against central differences, through a whole backbone: what the hooks keep is part of the graph, also where it was rectified in place."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        body = part.body(causal=False).double().eval()
    stages, wanted = part.stages(body), random(1, 8, 8, 3, seed=5)

    def planes(values: Tensor) -> list[Tensor]:
        with Taps(stages) as taps:
            body(features(values))
        return taps.planes

    target = planes(wanted)
    style = [gram(plane.detach()) for plane in target]

    def loss(values: Tensor) -> Tensor:
        found = planes(values)
        return content_loss(found[1], target[1].detach()) + style_loss(found, style) + roughness(values)

    values = random(1, 8, 8, 3, seed=4).requires_grad_()
    (gradient,) = torch.autograd.grad(loss(values), values)
    for place in ((0, 0, 0, 0), (0, 3, 5, 1), (0, 7, 7, 2)):
        step = torch.zeros_like(values)
        step[place] = 1e-6
        with torch.no_grad():
            slope = (loss(values + step) - loss(values - step)) / 2e-6
        assert float(gradient[place]) == pytest.approx(float(slope), rel=1e-4, abs=1e-8)


def test_stages_of_vgg_are_its_rectified_convolutions_before_pooling() -> None:
    part = Vgg(width=2)
    body = part.body(causal=False).eval()
    with Taps(part.stages(body)) as taps, torch.no_grad():
        body(features(random(1, 32, 48, 3).float()))
    assert [tuple(plane.shape[1:]) for plane in taps.planes] == [(2, 32, 48), (4, 16, 24), (8, 8, 12), (16, 4, 6), (16, 2, 3)]
    assert all(float(plane.min()) >= 0 for plane in taps.planes)


def test_a_backbone_of_one_stage_gives_its_states() -> None:
    part = Bag(width=3, layers=1, hidden=5)
    body = part.body(causal=False).eval()
    with Taps(part.stages(body)) as taps:
        found = body(features(random(1, 2, 4, 3).float()))
    (plane,) = taps.planes
    torch.testing.assert_close(plane, found.states.permute(0, 3, 1, 2))


def test_hooks_go_and_flat_stages_give_nothing() -> None:
    part = Vit.example()
    body = part.body(causal=False)
    with Taps(part.stages(body)) as taps:
        body(features(torch.randn(1, 2, 2, part.stem_width)))
    assert not taps.planes
    assert not any(module._forward_hooks for module in body.modules())
