import pytest
import torch
import torch.nn.functional as F

from zhuji.core.units import Features
from zhuji.nn.makers import Classes, Maker, Summary


@pytest.mark.parametrize("grid, begins", [((28, 28), (7, 7)), ((32, 32), (4, 4)), ((3, 5), (3, 5)), ((9, 20), (5, 10))])
def test_a_maker_makes_the_grid_it_was_made_for(grid: tuple[int, int], begins: tuple[int, int]) -> None:
    torch.manual_seed(0)
    maker = Maker(4, 3, grid, 2, 8)
    made = maker(torch.randn(2, 4), torch.tensor([0, -1]))
    assert maker.sides == begins
    assert made.shape == (2, *grid, 2) and made.dtype == torch.float32


def test_vector_and_class_both_matter_and_rows_do_not_see_each_other() -> None:
    torch.manual_seed(0)
    maker, vectors = Maker(4, 3, (8, 8), 1, 8), torch.randn(3, 4)
    vectors[1] = vectors[0]
    made = maker(vectors, torch.tensor([0, 1, 0]))
    assert (made[0] - made[1]).abs().max() > 1e-3 and (made[0] - made[2]).abs().max() > 1e-3
    # Other batches let the kernels add in another order.
    torch.testing.assert_close(maker(vectors[2:], torch.tensor([0])), made[2:], rtol=1e-4, atol=1e-5)


def test_rows_without_a_class_share_a_vector_of_their_own() -> None:
    classes = Classes(2, 3)
    found = classes(torch.tensor([-1, 0, 1, -1]))
    assert torch.equal(found[0], found[3]) and torch.equal(found[0], classes.table.weight[2])
    assert torch.equal(found[1:3], classes.table.weight[:2])


@pytest.mark.parametrize("grid, side", [((8, 8), 4), ((7, 7), 3), ((5, 9), 2), ((2, 2), 4)])
def test_a_summary_averages_equal_parts(grid: tuple[int, int], side: int) -> None:
    """By torch's pooling of the plane enlarged until the parts are whole units."""
    torch.manual_seed(0)
    states = torch.randn(2, *grid, 3)
    summary = Summary(3, 5, side)
    large = states.repeat_interleave(side, 1).repeat_interleave(side, 2).permute(0, 3, 1, 2)
    cells = F.adaptive_avg_pool2d(large, side).permute(0, 2, 3, 1).flatten(1)
    expected = F.leaky_relu(summary.map(cells), 0.2)
    found = summary(Features(states, torch.ones(2, *grid, dtype=torch.bool)))
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
