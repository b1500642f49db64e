import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from zhuji.core.units import Batch, Features, Ratio, Units, Wanted


@pytest.mark.parametrize("grid", [(5,), (3, 4)])
def test_a_grid_is_unrolled_row_by_row(grid: tuple[int, ...]) -> None:
    states = torch.arange(2 * torch.tensor(grid).prod().item() * 3).reshape(2, *grid, 3).float()
    mask = torch.rand(2, *grid) > 0.5
    flat_states, flat_mask = Features(states, mask).flat()
    assert flat_states.shape == (2, torch.tensor(grid).prod(), 3)
    assert flat_states.reshape(states.shape).equal(states)
    assert flat_mask.equal(mask.flatten(1))


def test_units_know_their_grid_and_rows() -> None:
    units = Units(mask=torch.ones(4, 2, 3, dtype=torch.bool))
    assert (len(units), units.grid) == (4, (2, 3))


def test_moving_keeps_what_is_absent_absent() -> None:
    batch = Batch(Units(mask=torch.ones(2, 3, dtype=torch.bool), ids=torch.zeros(2, 3)), {"label": torch.tensor([0, 1])})
    moved = batch.to("meta")
    assert moved.units.values is None
    assert moved.units.ids is not None
    assert {moved.units.ids.device.type, moved.targets["label"].device.type} == {"meta"}
    assert len(moved) == 2


def ratio(values: Tensor) -> Ratio:
    return Ratio(values.sum(), torch.tensor(len(values)))


@given(st.lists(st.lists(st.integers(-100, 100), max_size=6), min_size=1, max_size=5))
def test_a_ratio_is_the_same_however_rows_are_cut(parts: list[list[int]]) -> None:
    tensors = [torch.tensor(part, dtype=torch.float64) for part in parts]
    whole = ratio(torch.cat(tensors))
    summed = Ratio(torch.zeros((), dtype=torch.float64), torch.tensor(0))
    for tensor in tensors:
        summed = summed.plus(ratio(tensor))
    assert summed.count == whole.count
    torch.testing.assert_close(summed.mean(), whole.mean())


def test_a_mean_of_means_would_be_wrong() -> None:
    uneven = [torch.tensor([1.0]), torch.tensor([0.0, 0.0, 0.0])]
    right = ratio(uneven[0]).plus(ratio(uneven[1])).mean()
    assert right == 0.25 != torch.stack([part.mean() for part in uneven]).mean()


def test_nothing_to_count_is_no_division_by_zero() -> None:
    assert Ratio(torch.zeros(()), torch.tensor(0.0)).mean() == 0


def test_a_ratio_keeps_the_graph_of_its_total() -> None:
    weight = torch.tensor([2.0], requires_grad=True)
    Ratio((weight * 3).sum(), torch.tensor(4)).mean().backward()
    assert weight.grad is not None
    assert weight.grad.item() == 0.75


def test_what_chance_puts_into_a_row_is_decided_by_its_seed() -> None:
    noise = Wanted(seeds=(4, 9, 4)).noise(3, 2)
    assert noise.shape == (3, 3, 2)
    assert torch.equal(noise[0], noise[2]) and not torch.equal(noise[0], noise[1])
    assert torch.equal(Wanted(seeds=(9,)).noise(3, 2)[0], noise[1])
    assert Wanted(seeds=()).noise(3).shape == (0, 3)
