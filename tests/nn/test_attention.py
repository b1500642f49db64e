import pytest
import torch

from zhuji.nn.attention import SelfAttention, allowed


def test_allowed_without_direction_is_the_mask_of_the_keys():
    mask = torch.tensor([[True, True, False]])
    assert allowed(mask, False).tolist() == [[[[True, True, False]]]]


def test_allowed_with_direction_is_the_lower_triangle_and_every_unit_sees_itself():
    mask = torch.tensor([[False, True, True]])
    assert allowed(mask, True)[0, 0].tolist() == [[True, False, False], [False, True, False], [False, True, True]]


@pytest.mark.parametrize("causal", [False, True])
def test_a_row_without_real_units_stays_finite(causal):
    attention = SelfAttention(4, 2)
    mask = torch.zeros(1, 3, dtype=torch.bool)
    states = torch.randn(1, 3, 4, requires_grad=True)
    out = attention(states, allowed(mask, causal))
    out.sum().backward()
    assert out.isfinite().all()
    assert states.grad.isfinite().all()


def test_grouped_queries_share_keys():
    full, grouped = SelfAttention(8, 4), SelfAttention(8, 4, 2)
    assert grouped.key.weight.numel() * 2 == full.key.weight.numel()
    assert grouped.value.weight.numel() * 2 == full.value.weight.numel()


def test_what_does_not_divide_is_refused():
    with pytest.raises(AssertionError, match="3 heads"):
        SelfAttention(8, 3)
    with pytest.raises(AssertionError, match="key heads"):
        SelfAttention(8, 4, 3)
