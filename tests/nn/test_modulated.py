import pytest
import torch
import torch.nn.functional as F

from zhuji.nn.modulated import GroupNorm, PlaneAttention, ToldBlock, groups_of
from zhuji.nn.planes import Plane


@pytest.mark.parametrize("dim, groups", [(8, 1), (16, 2), (32, 4), (12, 1), (20, 2), (3, 1)])
def test_groups_divide_the_channels(dim: int, groups: int) -> None:
    assert groups_of(dim) == groups and dim % groups == 0


def _padded() -> tuple[Plane, Plane]:
    """A picture, and the same with scribbles in the padding below and to the right."""
    torch.manual_seed(0)
    states = torch.randn(2, 16, 4, 3)
    larger = torch.full((2, 16, 6, 7), 9.0)
    larger[:, :, :4, :3] = states
    padding = torch.ones(2, 6, 7, dtype=torch.bool)
    padding[:, :4, :3] = False
    return Plane(states, None), Plane(larger, padding)


def test_without_padding_it_is_torchs_group_norm() -> None:
    plane, _ = _padded()
    norm = GroupNorm(16)
    torch.nn.init.normal_(norm.weight)
    torch.testing.assert_close(norm(plane).states, F.group_norm(plane.states, 2, norm.weight, norm.bias))


def test_padding_is_not_counted_and_stays_zero() -> None:
    plane, larger = _padded()
    norm = GroupNorm(16)
    torch.nn.init.normal_(norm.bias)
    found = norm(larger).states
    # Sums over another shape are added in another order.
    torch.testing.assert_close(found[:, :, :4, :3], norm(plane).states, rtol=1e-4, atol=1e-5)
    assert not found[:, :, 4:].any() and not found[:, :, :, 3:].any()


def test_what_is_told_scales_and_shifts_each_channel() -> None:
    plane, _ = _padded()
    norm, told = GroupNorm(16, 5), torch.randn(2, 5)
    assert norm.told is not None
    scale, shift = (told @ norm.told.weight.T).chunk(2, 1)
    expected = F.group_norm(plane.states, 2) * (1 + scale)[:, :, None, None] + shift[:, :, None, None]
    torch.testing.assert_close(norm(plane, told).states, expected)


def test_a_block_listens_and_does_not_see_padding() -> None:
    plane, larger = _padded()
    block, told = ToldBlock(16, 8, 5), torch.randn(2, 5)
    found = block(plane, told).states
    assert found.shape == (2, 8, 4, 3)
    torch.testing.assert_close(block(larger.zeroed(), told).states[:, :, :4, :3], found, rtol=1e-4, atol=1e-5)
    assert (block(plane, told + 1).states - found).abs().max() > 1e-3


def test_attention_sees_all_real_units_and_no_padding() -> None:
    plane, larger = _padded()
    attention = PlaneAttention(16, 2)
    found = attention(plane).states
    torch.testing.assert_close(attention(larger.zeroed()).states[:, :, :4, :3], found, rtol=1e-4, atol=1e-5)
    changed = plane.states.clone()
    changed[:, 0, 3, 2] += 5
    assert (attention(plane.with_states(changed)).states - found)[:, :, 0, 0].abs().max() > 1e-6
