import pytest
import torch
from torch import nn

from zhuji.core.units import Features
from zhuji.nn.attention import allowed
from zhuji.nn.decoder import CrossAttention, LstmDecoder, TransformerDecoder


def decoders():
    shape = {"layers": 2, "heads": 2, "hidden": 12}
    yield "rotary", TransformerDecoder(8, 6, **shape)
    yield "learned", TransformerDecoder(8, 6, positions="learned", feedforward="gelu", **shape)
    yield "lstm", LstmDecoder(8, 6, layers=2)


@pytest.fixture(params=["rotary", "learned", "lstm"])
def decoder(request):
    torch.manual_seed(0)
    return dict(decoders())[request.param].eval()


def memory(rows=3, units=5):
    torch.manual_seed(1)
    mask = torch.arange(units) < torch.tensor([5, 2, 1])[:rows, None]
    return Features(torch.randn(rows, units, 6) * mask[..., None], mask)


def test_one_by_one_is_all_at_once(decoder):
    """KV cache and recurrent state against the whole sequence. Tolerance: other kernels for other shapes; the worst seen is 1e-6."""
    states, read = torch.randn(3, 4, 8), memory()
    whole, so_far = decoder(states, read), decoder.begin(read)
    for place in range(4):
        found, so_far = decoder.step(states[:, place], so_far)
        torch.testing.assert_close(found, whole[:, place], rtol=1e-4, atol=1e-5)


def test_hypotheses_change_places(decoder):
    states, read = torch.randn(4, 3, 8), memory()
    index = torch.tensor([2, 0, 0, 1])
    rows = Features(read.states[index], read.mask[index])
    straight, moved = decoder.begin(rows), decoder.begin(read).select(index)
    # Twice the first row's two hypotheses change places, then rows leave.
    for step, order in enumerate(([0, 2, 1, 3], [0, 2, 1, 3], [3, 1])):
        expected, straight = decoder.step(states[: len(straight.rows), step], straight)
        found, moved = decoder.step(states[: len(moved.rows), step], moved)
        torch.testing.assert_close(found, expected)
        kept = torch.tensor(order)
        straight, moved = straight.select(kept), moved.select(kept)
    assert moved.rows.tolist() == [1, 0]


def test_selecting_leaves_the_old_state_as_it_was(decoder):
    states, so_far = torch.randn(3, 8), decoder.begin(memory())
    before, _ = decoder.step(states, so_far)
    _, after = decoder.step(states, so_far)
    after.select(torch.tensor([2, 2]))
    again, _ = decoder.step(states, so_far)
    assert torch.equal(before, again)


def test_sees_no_unit_to_come_and_no_padding(decoder):
    states, read = torch.randn(3, 4, 8, requires_grad=True), memory()
    source = read.states.clone().requires_grad_()
    out = decoder(states, Features(source, read.mask))
    ahead, behind = torch.autograd.grad(out[:, :2].square().sum(), (states, source))
    assert not ahead[:, 2:].any() and ahead[:, :2].any()
    assert not behind[~read.mask].any() and behind[read.mask].any()
    wider = Features(nn.functional.pad(read.states, (0, 0, 0, 3), value=9.0), nn.functional.pad(read.mask, (0, 3)))
    torch.testing.assert_close(decoder(states, wider), out)


def test_cross_attention_is_torchs():
    torch.manual_seed(0)
    ours, theirs = CrossAttention(8, 6, 2), nn.MultiheadAttention(8, 2, kdim=6, vdim=6, batch_first=True)
    theirs.q_proj_weight.data = ours.query.weight.data
    theirs.k_proj_weight.data, theirs.v_proj_weight.data = ours.key.weight.data, ours.value.weight.data
    theirs.out_proj.weight.data, theirs.out_proj.bias.data = ours.out.weight.data, ours.out.bias.data
    states, read = torch.randn(3, 4, 8), memory()
    expected, _ = theirs(states, read.states, read.states, key_padding_mask=~read.mask)
    found = ours(states, ours.keys(read.states), allowed(read.mask, causal=False))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_a_memory_without_units_gives_finite_states(decoder):
    empty = Features(torch.zeros(1, 2, 6), torch.zeros(1, 2, dtype=torch.bool))
    assert decoder(torch.randn(1, 3, 8), empty).isfinite().all()
