"""Attention by spans against attention by masks, with a stand-in for the kernel that only an accelerator has."""

from __future__ import annotations

import inspect
import math
from itertools import pairwise

import pytest
import torch
from torch import Tensor
from torch.nn.attention import varlen

from zhuji.backbones.transformer import Transformer
from zhuji.core.units import Batch, Features, Units, UnitSpec
from zhuji.modalities.text import Text
from zhuji.model.assembly import assemble
from zhuji.nn import spans as room
from zhuji.nn.attention import SelfAttention, allowed
from zhuji.nn.generator import Generator
from zhuji.nn.masking import Hiding, hide
from zhuji.nn.positions import Rotary, positions
from zhuji.nn.spans import arranged, cut, put_back, spans, trusted
from zhuji.tasks.masked_units import MaskedUnits
from zhuji.tasks.next_unit import NextUnit

CPU = torch.device("cpu")
MASK = torch.tensor(
    [[1, 1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0, 0], [0, 1, 1, 0, 1, 0, 1], [0, 0, 0, 0, 0, 0, 0], [0, 0, 1, 1, 1, 1, 1]],
    dtype=torch.bool,
)
"""Full, padded behind, full of holes, empty, padded in front."""
SEGMENTS = torch.tensor(
    [[4, 4, 4, 9, 9, 7, 7], [5, 5, 6, 6, 6, 0, 0], [1, 1, 1, 1, 2, 2, 2], [0, 0, 1, 1, 2, 2, 2], [3, 3, 3, 3, 8, 8, 8]]
)
PACKED = pytest.mark.parametrize("segments", [None, SEGMENTS], ids=["rows", "packed"])
CAUSAL = pytest.mark.parametrize("causal", [False, True])

PULL = torch.randn(5, 7, 1, generator=torch.Generator().manual_seed(1)) * torch.linspace(-1, 1, 16)
"""A gradient to begin with: the sum of squares of what leaves a norm is the same whatever the attention."""

# float32 both: sums of some tens of products of order 1 in another order, through two layers.
CLOSE = {"rtol": 1e-4, "atol": 1e-5}


def stand_in(query, key, value, cu_seq_q, cu_seq_k, max_q, max_k, *, window_size=(-1, -1)) -> Tensor:
    """The formula, one document after the other, as strict as the kernel; units of no document are not a number."""
    bounds = cu_seq_q.tolist()
    assert cu_seq_q.dtype == cu_seq_k.dtype == torch.int32 and torch.equal(cu_seq_q, cu_seq_k)
    assert bounds[0] == 0 and bounds == sorted(bounds) and bounds[-1] <= len(query)
    assert max(b - a for a, b in pairwise(bounds)) <= max_q == max_k
    assert query.dtype == key.dtype == value.dtype and query.shape == key.shape == value.shape
    assert window_size in ((-1, -1), (-1, 0))
    parts = []
    for begin, end in pairwise(bounds):
        q, k, v = (part[begin:end].transpose(0, 1) for part in (query, key, value))
        scores = q @ k.transpose(1, 2) / math.sqrt(query.shape[-1])
        if window_size == (-1, 0):
            scores = scores.masked_fill(torch.ones(scores.shape[1:], dtype=torch.bool).triu(1), -math.inf)
        parts.append((scores.softmax(-1) @ v).transpose(0, 1))
    return torch.cat([*parts, torch.full_like(query[bounds[-1] :], math.nan)])


@pytest.fixture
def calls(monkeypatch):
    """The processor plays an accelerator whose kernel knows float32 too; how often the kernel was called."""
    made = []

    def counted(*args, **kwargs):
        made.append(1)
        return stand_in(*args, **kwargs)

    monkeypatch.setattr(room, "_DEVICES", ("cpu",))
    monkeypatch.setattr(room, "_BOUNDS", {**room._BOUNDS, torch.float32: 1e-5})
    monkeypatch.setattr(varlen, "varlen_attn", counted)
    trusted.cache_clear()
    yield made
    trusted.cache_clear()


def by_masks(monkeypatch, compute):
    """What `compute` comes to where there is no accelerator."""
    with monkeypatch.context() as patch:
        patch.setattr(room, "_DEVICES", ())
        return compute()


def test_the_stand_in_takes_what_the_kernel_takes():
    real, ours = (inspect.signature(f).parameters for f in (varlen.varlen_attn, stand_in))
    assert {name: real[name].kind for name in ours} == {name: parameter.kind for name, parameter in ours.items()}


def test_bounds_of_packed_rows_are_filled_up_to_a_power_of_two():
    mask, segments = torch.tensor([[True] * 5 + [False], [True] * 6]), torch.tensor([[4, 4, 9, 9, 9, 9], [9, 9, 9, 9, 9, 2]])
    got = cut(mask, segments, False, torch.bfloat16)
    assert got.bounds.tolist() == [0, 2, 5, 6, 7, 12, 12, 12, 12] and got.longest == 6
    assert got.order[1].tolist() == [5, 0, 1, 2, 3, 4] and got.back[1].tolist() == [1, 2, 3, 4, 5, 0]


def test_bounds_of_padded_rows_are_their_units_and_their_padding():
    got = cut(MASK, None, True, torch.bfloat16)
    assert got.bounds.tolist() == [0, 7, 7, 10, 14, 18, 21, 21, 28, 33, *[35] * 7]
    assert got.order[2].tolist() == [1, 2, 4, 6, 0, 3, 5]


@PACKED
@CAUSAL
def test_whom_a_real_unit_sees_is_what_the_mask_says(causal, segments):
    for seed in range(50):
        chance = torch.Generator().manual_seed(seed)
        mask = torch.rand(4, 9, generator=chance) < 0.7
        segment = None if segments is None else torch.randint(0, 4, (4, 9), generator=chance)
        got = cut(mask, segment, causal, torch.bfloat16)
        # The 4 x 9 units in their order: the same span, and not behind.
        at = torch.searchsorted(got.bounds[1:], torch.arange(36), right=True).view(4, 9)
        at, place = put_back(at, got), put_back(torch.arange(36).view(4, 9), got)
        seen = (at[:, :, None] == at[:, None]) & (~torch.tensor(causal) | (place[:, :, None] >= place[:, None]))
        wanted = allowed(mask, causal, segment)[:, 0].expand(4, 9, 9)
        assert torch.equal(seen[mask], wanted[mask])
        assert seen.diagonal(dim1=1, dim2=2).all()


def test_units_come_back_to_their_places():
    states, got = torch.randn(5, 7, 3), cut(MASK, SEGMENTS, False, torch.bfloat16)
    assert torch.equal(put_back(arranged(states, got), got), states)
    assert torch.equal(arranged(states, got)[2, 0], states[2, 1])
    assert arranged(states, None) is states and put_back(states, None) is states


@PACKED
@CAUSAL
@pytest.mark.parametrize("kv_heads", [4, 2, 1])
def test_attention_is_that_of_masks(calls, kv_heads, causal, segments):
    torch.manual_seed(0)
    attention, rotary = SelfAttention(16, 4, kv_heads), Rotary(4)
    states, place = torch.randn(5, 7, 16, requires_grad=True), positions(MASK, segments)
    found = spans(states, MASK, segments, causal=causal, head_dim=4)
    assert found is not None
    before = len(calls)
    got = put_back(attention(arranged(states, found), found, rotary.angles(arranged(place, found))), found)
    assert len(calls) == before + 1 and got.isfinite().all()
    expected = attention(states, allowed(MASK, causal, segments), rotary.angles(place))
    torch.testing.assert_close(got[MASK], expected[MASK], **CLOSE)
    weights = [states, *attention.parameters()]
    grads = zip(*(torch.autograd.grad(out[MASK].square().mean(), weights) for out in (got, expected)), strict=True)
    for one, other in grads:
        torch.testing.assert_close(one, other, **CLOSE)


VARIANTS = [
    {},
    {"kv_heads": 1, "positions": "learned"},
    {"norm_place": "post", "norm": "layer", "positions": "learned", "feedforward": "gelu", "segment_types": 2},
]


@PACKED
@CAUSAL
@pytest.mark.parametrize("settings", VARIANTS)
def test_a_transformer_is_that_of_masks(calls, monkeypatch, settings, causal, segments):
    torch.manual_seed(0)
    body = Transformer.parse({"width": 16, "layers": 2, "heads": 2, "dropout": 0.0, **settings}).body(causal)
    features = Features(torch.randn(5, 7, 16, requires_grad=True), MASK, segments)

    def compute():
        states = body(features).states
        return [states, *torch.autograd.grad((states * PULL).sum(), [features.states, *body.parameters()], allow_unused=True)]

    got, expected = compute(), by_masks(monkeypatch, compute)
    assert len(calls) == 4  # two trials and two layers
    for one, other in zip(got, expected, strict=True):
        torch.testing.assert_close(one, other, **CLOSE)


@pytest.mark.parametrize("task", [MaskedUnits(rate=0.4), NextUnit()], ids=["masked", "next"])
@PACKED
def test_objectives_have_the_loss_and_the_gradients_of_masks(calls, monkeypatch, task, segments):
    text, _ = Text.example()
    torch.manual_seed(0)
    model = assemble(text, Transformer(width=16, layers=2, heads=2, dropout=0.0), task)
    batch = Batch(Units(MASK, torch.randint(4, text.spec.num_ids, MASK.shape), segments=segments))

    def compute():
        torch.manual_seed(1)
        loss = model.loss(batch)
        learned = [p for p in model.parameters() if p.requires_grad]
        return [loss.total, loss.count, *torch.autograd.grad(loss.total, learned, allow_unused=True)]

    got, expected = compute(), by_masks(monkeypatch, compute)
    assert len(calls) == 4 and int(got[1]) > 0
    for one, other in zip(got, expected, strict=True):
        torch.testing.assert_close(one, other, **CLOSE)


@PACKED
def test_the_small_network_of_replaced_units_too(calls, monkeypatch, segments):
    torch.manual_seed(0)
    generator = Generator(UnitSpec(grid_ndim=1, num_ids=20, reserved=(0, 1), stem_width=6), 8, 2)
    units = Units(MASK, torch.randint(2, 20, MASK.shape), segments=segments)
    hidden, stem, table = hide(units, MASK, Hiding(0.5)), torch.randn(5, 7, 6), torch.randn(20, 6)

    def compute():
        guess, _ = generator(Features(stem, MASK), units, hidden, table)
        return guess.loss

    got, expected = compute(), by_masks(monkeypatch, compute)
    assert len(calls) == 4
    torch.testing.assert_close(got, expected, **CLOSE)


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_halves_under_autocast_are_as_near_as_halves_come(calls, monkeypatch, kind):
    """The kernel computes in the half; bfloat16 has 8 bits, and each of two layers rounds some ten times."""
    monkeypatch.delitem(room._BOUNDS, torch.float32)
    torch.manual_seed(0)
    body = Transformer(width=16, layers=2, heads=2, kv_heads=1, dropout=0.0).body(False)
    features = Features(torch.randn(5, 7, 16), MASK, SEGMENTS)
    with torch.autocast("cpu", kind):
        got = body(features).states
    assert len(calls) == 4
    expected = body(features).states
    assert len(calls) == 4  # float32 is left to masks
    torch.testing.assert_close(got.float(), expected, rtol=0.05, atol=0.05)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The .grad attribute")
def test_a_compiled_body_has_its_spans_made_outside_the_graph(calls, monkeypatch):
    torch.manual_seed(0)
    body = Transformer(width=16, layers=2, heads=2, dropout=0.0).body(True)
    compiled = torch.compile(body, dynamic=False, backend="eager")
    for segments in (SEGMENTS, SEGMENTS.flip(1), None):
        features = Features(torch.randn(5, 7, 16, requires_grad=True), MASK, segments)
        expected = by_masks(monkeypatch, lambda: body(features).states)
        got = compiled(features).states
        torch.testing.assert_close(got, expected, **CLOSE)
        one, other = (torch.autograd.grad((states * PULL).sum(), features.states)[0] for states in (got, expected))
        torch.testing.assert_close(one, other, **CLOSE)
    assert len(calls) == 8  # two trials, and two layers three times


def test_what_goes_on_from_a_cache_reads_by_masks(calls):
    body = Transformer(width=8, layers=1, heads=2, dropout=0.0).body(True).eval()
    body(Features(torch.randn(1, 3, 8), torch.ones(1, 3, dtype=torch.bool)), body.cache())
    assert not calls


def test_batches_of_nothing_are_left_to_masks(calls):
    assert spans(torch.randn(0, 3, 8), torch.ones(0, 3, dtype=torch.bool), None, causal=False, head_dim=8) is None


def test_processors_and_float32_are_never_tried(monkeypatch):
    monkeypatch.setattr(room, "trusted", lambda *a: pytest.fail("tried"))
    states, mask = torch.randn(2, 3, 8), torch.ones(2, 3, dtype=torch.bool)
    assert spans(states.bfloat16(), mask, None, causal=False, head_dim=8) is None
    monkeypatch.setattr(room, "_DEVICES", ("cpu",))
    assert spans(states, mask, None, causal=False, head_dim=8) is None


def forgets_the_direction(*given, window_size):
    return stand_in(*given)


def forgets_the_bounds(query, key, value, bounds, *others, **options):
    whole = torch.tensor([0, len(query)], dtype=torch.int32)
    return stand_in(query, key, value, whole, whole, *others[1:], **options)


def spoils_one_unit(*given, **options):
    out = stand_in(*given, **options)
    return torch.cat((out[:-1], out[-1:] * 2))


def is_no_number(*given, **options):
    return stand_in(*given, **options) * math.nan


def has_no_way_back(*given, **options):
    return stand_in(*given, **options).detach()


def has_half_a_gradient(query, key, value, *given, **options):
    return stand_in(query, (key + key.detach()) / 2, value, *given, **options)


def is_missing(*given, **options):
    raise RuntimeError("No available kernel\nsecond line")


def is_of_another_version(*given):
    pytest.fail("unreachable")


def asserts(*given, **options):
    assert options is None, "of its own"


WRONG = [
    (forgets_the_direction, "off by"), (forgets_the_bounds, "off by"), (spoils_one_unit, "off by"), (is_no_number, "off by nan"),
    (has_half_a_gradient, "off by"), (has_no_way_back, "RuntimeError: element 0"), (is_missing, "RuntimeError: No available kernel"),
    (is_of_another_version, "TypeError"), (asserts, "AssertionError: of its own"),
]  # fmt: skip


@pytest.mark.parametrize("kernel, reason", WRONG, ids=[kernel.__name__ for kernel, _ in WRONG])
def test_a_kernel_that_fails_its_trial_is_said_so_once_and_not_used(calls, monkeypatch, capfd, kernel, reason):
    monkeypatch.setattr(varlen, "varlen_attn", kernel)
    torch.manual_seed(0)
    body = Transformer(width=16, layers=2, heads=2, dropout=0.0).body(True)
    features = Features(torch.randn(5, 7, 16), MASK, SEGMENTS)
    got = [body(features).states for _ in range(3)]
    said = capfd.readouterr().err.splitlines()
    assert len(said) == 1 and reason in said[0] and "cpu (float32, heads of 8)" in said[0]
    assert torch.equal(got[2], by_masks(monkeypatch, lambda: body(features).states))


def test_it_is_said_in_chinese(calls, monkeypatch, capfd):
    monkeypatch.setenv("ZHUJI_LANG", "zh")
    monkeypatch.setattr(varlen, "varlen_attn", spoils_one_unit)
    assert not trusted(CPU, torch.bfloat16, 8)
    assert "误差为" in capfd.readouterr().err


def test_the_real_kernel_is_missing_on_a_processor(capfd):
    trusted.cache_clear()
    assert not trusted(CPU, torch.bfloat16, 64)
    assert "NotImplementedError" in capfd.readouterr().err
    trusted.cache_clear()


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_the_trial_passes_what_a_half_can_do(calls, kind):
    """torch's own kernel in a half, which rounds where a kernel must."""
    state = torch.get_rng_state()
    with torch.inference_mode():
        assert trusted(CPU, kind, 64)
        assert room._deviation(CPU, kind, 64) < room._BOUNDS[kind] / 2
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="the kernel itself needs a CUDA device; none here")
@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
@PACKED
@CAUSAL
def test_the_real_kernel_on_a_gpu(monkeypatch, kind, causal, segments):
    """Both paths round to the half; on a processor, with a stand-in in bfloat16, no part was off by more than 0.012."""
    trusted.cache_clear()
    torch.manual_seed(0)
    body = Transformer(width=128, layers=2, heads=2, kv_heads=1, dropout=0.0).body(causal).cuda()
    states, pull = torch.randn(2, 4, 300, 128, device="cuda")
    states, mask = states.requires_grad_(), torch.rand(4, 300, device="cuda") < 0.9
    mask[3] = False
    documents = torch.arange(300, device="cuda").expand(4, 300) ** 2 // 9000
    features = Features(states, mask, None if segments is None else documents)

    def compute():
        with torch.autocast("cuda", kind):
            out = body(features).states.float()
        return [out, *torch.autograd.grad((out * pull).sum(), [states, *body.parameters()])]

    got = compute()
    assert trusted(mask.device, kind, 64), "what was said on standard error says why"
    for one, other in zip(got, by_masks(monkeypatch, compute), strict=True):
        assert float((one - other).norm()) <= 0.05 * float(other.norm())
