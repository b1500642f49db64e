import torch

from tests.nn.test_chance import text
from zhuji.core.units import Features, UnitSpec
from zhuji.nn.generator import Generator
from zhuji.nn.masking import Hiding, hide

SPEC = UnitSpec(grid_ndim=1, num_ids=20, num_values=2, reserved=(0, 1), stem_width=6)


def test_it_guesses_the_hidden_ids_and_knows_no_values():
    torch.manual_seed(0)
    generator, table = Generator(SPEC, 8, 1), torch.randn(20, 6)
    units = text([[5, 6, 7, 8], [9, 3]], 4)
    assert generator.masked.values is None
    hidden = hide(units, units.mask, Hiding(0.5))
    guess, states = generator(Features(torch.randn(2, 4, 6), units.mask), units, hidden, table)
    assert states.shape == (2, 2, 8) and guess.loss.shape == (2, 2)
    ids = generator.sampled(states, torch.rand(2, 2), table)
    assert ids.shape == (2, 2) and int(ids.min()) > 1 and int(ids.max()) < 20
    assert not ids.requires_grad


def test_widths_of_every_size_have_heads():
    for width in (2, 6, 64, 96, 192, 250):
        assert Generator(SPEC, width, 1).rise.out_features == width
