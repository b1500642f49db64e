import pytest
import torch

from zhuji.nn.convolution import MaskedConv1d


def by_hand(layer: MaskedConv1d, states: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The sum over the window, one unit at a time; what lies outside of the row or is padding counts as zero."""
    weight, bias, step, behind = layer.conv.weight, layer.conv.bias, layer.conv.dilation[0], layer.margins[0]
    out = torch.zeros(*mask.shape, weight.shape[0])
    for row, at in mask.nonzero().tolist():
        out[row, at] = bias
        for tap in range(weight.shape[2]):
            read = at - behind + tap * step
            if 0 <= read < mask.shape[1] and mask[row, read]:
                out[row, at] = out[row, at] + weight[:, :, tap] @ states[row, read]
    return out


@pytest.mark.parametrize(
    "width, dilation, causal", [(1, 1, False), (3, 1, False), (4, 1, False), (3, 2, False), (3, 2, True), (2, 1, True)]
)
def test_convolution_is_its_formula(width, dilation, causal):
    torch.manual_seed(0)
    layer = MaskedConv1d(3, 4, width, causal=causal, dilation=dilation)
    mask = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0], [0, 1, 0, 1, 1, 0]], dtype=torch.bool)
    states = torch.randn(3, 6, 3)
    torch.testing.assert_close(layer(states, mask), by_hand(layer, states, mask), rtol=1e-5, atol=1e-6)


def test_where_the_window_lies():
    assert MaskedConv1d(1, 1, 3).margins == (1, 1)
    assert MaskedConv1d(1, 1, 4).margins == (1, 2)
    assert MaskedConv1d(1, 1, 4, causal=True).margins == (3, 0)
    assert MaskedConv1d(1, 1, 3, dilation=4, causal=True).margins == (8, 0)


@pytest.mark.parametrize("causal", [False, True])
def test_a_stride_keeps_every_other_unit_and_groups_do_not_see_each_other(causal):
    torch.manual_seed(0)
    layer = MaskedConv1d(4, 4, 3, causal=causal, stride=2, groups=2)
    states, mask = torch.randn(2, 7, 4), torch.arange(7) < torch.tensor([7, 4])[:, None]
    whole = MaskedConv1d(4, 4, 3, causal=causal, groups=2)
    whole.load_state_dict(layer.state_dict())
    torch.testing.assert_close(layer(states, mask), whole(states, mask)[:, ::2])
    alone = layer(torch.cat((states[..., :2], torch.zeros(2, 7, 2)), -1), mask)
    torch.testing.assert_close(alone[..., :2], layer(states, mask)[..., :2])
