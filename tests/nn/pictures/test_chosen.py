import pytest
import torch

from zhuji.nn.pictures.chosen import CHANGES, rand_augment
from zhuji.nn.pictures.places import Marked


def pictures(rows=6):
    chance = torch.Generator().manual_seed(0)
    return torch.rand(rows, 16, 12, 3, generator=chance)


@pytest.mark.parametrize("number", range(len(CHANGES)))
@pytest.mark.parametrize("strength", [-1.0, -0.3, 0.0, 0.7, 1.0])
def test_each_keeps_shape_and_scale(number, strength):
    values = pictures(2)
    found = CHANGES[number](Marked(values), torch.full((2,), strength)).values
    assert found.shape == values.shape and found.isfinite().all()
    assert found.min() >= -1e-6 and found.max() <= 1 + 1e-6
    # Autocontrast and equalise have no strength, and the identity is one.
    assert strength == 0 or number == 0 or (found - values).abs().max() > 1e-4


@pytest.mark.parametrize("number", [n for n in range(len(CHANGES)) if n not in (1, 2)])
def test_none_does_anything_without_strength(number):
    values = (pictures(2) * 255).round() / 255
    values = values.clamp(max=254 / 255)
    found = CHANGES[number](Marked(values), torch.zeros(2)).values
    torch.testing.assert_close(found, values, atol=1e-4, rtol=0)


def test_there_are_the_papers_fourteen():
    assert len(CHANGES) == 14


def test_one_generator_decides():
    first, again, other = (
        rand_augment(Marked(pictures()), 2, 0.5, torch.Generator().manual_seed(seed)).values for seed in (1, 1, 2)
    )
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert torch.equal(rand_augment(Marked(pictures()), 0, 0.5, torch.Generator()).values, pictures())
