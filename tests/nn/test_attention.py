import pytest
import torch

from zhuji.nn import attention as attention_module
from zhuji.nn.attention import SelfAttention, allowed, attend, biases


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


def test_allowed_in_packed_rows_is_the_own_document():
    mask = torch.tensor([[True, True, True, False]])
    segments = torch.tensor([[4, 9, 9, 9]])
    assert allowed(mask, False, segments)[0, 0].int().tolist() == [[1, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 1, 1, 1]]
    assert allowed(mask, True, segments)[0, 0].int().tolist() == [[1, 0, 0, 0], [0, 1, 0, 0], [0, 1, 1, 0], [0, 1, 1, 1]]


@pytest.mark.parametrize("segments", [None, torch.tensor([[0, 0, 1, 1, 1]])])
@pytest.mark.parametrize("causal", [True, False])
def test_allowed_for_the_last_units_is_the_end_of_all(segments, causal):
    mask = torch.tensor([[True, False, True, True, True]])
    if not causal and segments is None:
        return
    assert torch.equal(allowed(mask, causal, segments, seen=3), allowed(mask, causal, segments)[:, :, 3:])


def test_biases_are_the_same_for_the_softmax():
    torch.manual_seed(0)
    attention, states = SelfAttention(8, 2), torch.randn(2, 5, 8)
    may_see = allowed(torch.rand(2, 5) < 0.7, True)
    assert torch.equal(attention(states, may_see), attention(states, biases(may_see)))


@pytest.mark.parametrize("as_biases", [False, True])
@pytest.mark.parametrize("kv_heads", [4, 2])
def test_products_written_out_are_the_fused_kernel(as_biases, kv_heads):
    """bfloat16 has 8 bits: the fused kernel itself is off by as much from float32."""
    torch.manual_seed(0)
    query, key, value = (torch.randn(3, heads, 6, 8, requires_grad=True) for heads in (4, kv_heads, kv_heads))
    may_see = allowed(torch.rand(3, 6) < 0.7, True)
    seen = biases(may_see) if as_biases else may_see
    low = [t.detach().bfloat16().requires_grad_() for t in (query, key, value)]
    got, expected = attend(*low, seen), attend(*(t.bfloat16().float() for t in (query, key, value)), may_see)
    assert got.dtype == torch.bfloat16
    torch.testing.assert_close(got.float(), expected, rtol=0.02, atol=0.02)
    got.float().square().sum().backward()
    expected.square().sum().backward()
    for one, other in zip(low, (query, key, value), strict=True):
        torch.testing.assert_close(one.grad.float(), other.grad, rtol=0.05, atol=0.1)


def test_very_many_scores_are_left_to_the_fused_kernel(monkeypatch):
    called = []
    monkeypatch.setattr(attention_module, "_written_out", lambda *a: called.append(1) or a[0])
    states = torch.randn(1, 1, 4, 8, dtype=torch.bfloat16)
    may_see = torch.ones(1, 1, 4, 4, dtype=torch.bool)
    attend(states, states, states, may_see)
    monkeypatch.setattr(attention_module, "_WRITTEN_OUT", 15)
    attend(states, states, states, may_see)
    attend(*[states.float()] * 3, may_see)
    assert called == [1]


@pytest.mark.parametrize("bias, key_bias", [(True, True), (True, False), (False, False)])
def test_which_biases_there_are(bias, key_bias):
    attention = SelfAttention(8, 2, bias=bias, key_bias=key_bias)
    assert [layer.bias is not None for layer in (attention.query, attention.key, attention.value, attention.out)] == [
        bias, key_bias, bias, bias,
    ]  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_without_a_mask_everything_is_seen(dtype):
    torch.manual_seed(0)
    parts = [torch.randn(2, 2, 3, 4, dtype=dtype) for _ in range(3)]
    assert torch.equal(attention_module.attend(*parts, None), attention_module.attend(*parts, torch.zeros(2, 1, 1, 3)))
