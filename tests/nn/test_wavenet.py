import pytest
import torch

from zhuji.core.units import Features
from zhuji.nn.adapters import adapt, adapter_parameters, merged
from zhuji.nn.wavenet import DilatedStack, Sizes, windows

SIZES = Sizes(width=6, hidden=5, skip=7, out=4, window=2, dilations=(1, 2, 4, 1, 2, 4))


def stack(causal: bool = True, **changed) -> DilatedStack:
    torch.manual_seed(0)
    made = DilatedStack(SIZES._replace(**changed), causal)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return made.eval()


def real(rows: int, units: int) -> torch.Tensor:
    return torch.ones(rows, units, dtype=torch.bool)


def test_windows_hold_the_oldest_first():
    states = torch.arange(1.0, 6.0).view(1, 5, 1)
    assert windows(states, torch.zeros(1, 2, 1), 0, 2)[0].tolist() == [[0, 1], [0, 2], [1, 3], [2, 4], [3, 5]]
    assert windows(states, torch.zeros(1, 2, 1), 2, 2)[0, 2].tolist() == [1, 3, 5]


def by_hand(made: DilatedStack, states: torch.Tensor) -> torch.Tensor:
    """The equations of the paper with torch's own convolutions, which lie channels first."""

    def convolved(layer, inputs, dilation):
        weight = layer.weight.unflatten(1, (made.sizes.window, -1)).transpose(1, 2)
        reach = (made.sizes.window - 1) * dilation
        padded = torch.nn.functional.pad(inputs, (reach, 0) if made.causal else (reach // 2, (reach + 1) // 2))
        return torch.nn.functional.conv1d(padded, weight, layer.bias, dilation=dilation)

    x = convolved(made.entry, states.mT, 1)
    skips = made.loudness[:, None]
    for gate, dilation in zip(made.gates, made.sizes.dilations, strict=True):
        signal, sigma = convolved(gate.taps, x, dilation).chunk(2, 1)
        z = signal.tanh() * sigma.sigmoid()
        skips = skips + gate.skip.weight @ z
        x = x if gate.residual is None else x + gate.residual.weight @ z
    return made.exit(skips.relu().mT).relu()


@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("window", [2, 3])
def test_it_is_what_the_paper_says(window, causal):
    made, states = stack(causal, window=window), torch.randn(2, 40, 6)
    with torch.no_grad():
        # The same sums in another order.
        torch.testing.assert_close(made(Features(states, real(2, 40))).states, by_hand(made, states), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("window", [2, 3, 4])
@pytest.mark.parametrize("cuts", [[1] * 40, [17, 1, 1, 18, 1, 2], [40], [1, 39]])
def test_unit_by_unit_is_as_all_at_once(window, cuts):
    made, states = stack(window=window), torch.randn(3, 40, 6)
    cache, pieces, start = made.cache(), [], 0
    with torch.no_grad():
        whole = made(Features(states, real(3, 40))).states
        for count in cuts:
            part = states[:, start : start + count]
            pieces.append(made(Features(part, real(3, count)), cache).states)
            start += count
    torch.testing.assert_close(torch.cat(pieces, 1), whole, rtol=1e-5, atol=1e-5)


def test_prompts_of_unequal_length_go_on_as_each_alone():
    """A prompt shorter and one longer than the widest queue, one that is empty, and padding that holds anything."""
    made, lengths = stack(), (13, 2, 7, 0)
    states, later = torch.randn(4, 13, 6), torch.randn(4, 9, 6)
    mask = torch.arange(13) < torch.tensor(lengths)[:, None]
    with torch.no_grad():
        cache = made.cache()
        begun = made(Features(states, mask), cache).states
        # Once a row waits while the others go on.
        waits = torch.tensor([True, False, True, True])[:, None]
        made(Features(later[:, :1], waits), cache)
        for row in (0, 2, 3):
            states[row, lengths[row] : lengths[row] + 1] = later[row, :1]
        together = torch.cat([made(Features(later[:, n : n + 1], real(4, 1)), cache).states for n in range(1, 9)], 1)
        for row, length in enumerate(lengths):
            known = [states[row, :length], *([later[row, :1]] if row != 1 else []), later[row, 1:]]
            alone = made(Features(torch.cat(known)[None], real(1, sum(map(len, known))))).states[0]
            torch.testing.assert_close(begun[row, :length], alone[:length], rtol=1e-5, atol=1e-5)
            torch.testing.assert_close(together[row], alone[-8:], rtol=1e-5, atol=1e-5)


def test_chosen_rows_go_on_as_themselves_and_the_others_stay():
    made, states, index = stack(), torch.randn(3, 12, 6), torch.tensor([2, 0, 0, 1])
    with torch.no_grad():
        cache = made.cache()
        made(Features(states[:, :10], real(3, 10)), cache)
        made(Features(states[:, 10:11], real(3, 1)), cache)
        chosen = cache.select(index)
        turns = cache.turns
        got = made(Features(states[index, 11:], real(4, 1)), chosen).states
        expected = made(Features(states, real(3, 12))).states[:, 11:]
        assert cache.turns == turns
        kept = made(Features(states[:, 11:], real(3, 1)), cache).states
    torch.testing.assert_close(got, expected[index], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(kept, expected, rtol=1e-5, atol=1e-5)
    assert made.cache().select(index).rings is None


@pytest.mark.parametrize("causal", [True, False])
def test_padding_is_silence_whatever_it_holds(causal):
    made, states = stack(causal), torch.randn(2, 20, 6)
    mask = torch.arange(20) < torch.tensor([20, 15])[:, None]
    with torch.no_grad():
        found = made(Features(states, mask)).states
        alone = made(Features(states[1:, :15], real(1, 15))).states
    torch.testing.assert_close(found[1:, :15], alone, rtol=1e-5, atol=1e-5)
    assert not found[1, 15:].any()


def test_adapters_teach_and_are_merged_before_it_goes_on():
    made = stack()
    assert len(adapt(made, ["taps"], rank=2, alpha=2.0)) == 6
    with pytest.raises(AssertionError, match="merged"):
        made.cache()
    for parameter in adapter_parameters(made):
        torch.nn.init.normal_(parameter)
    features = Features(torch.randn(1, 9, 6), real(1, 9))
    with torch.no_grad():
        whole = merged(made)
        # The same sums in another order.
        torch.testing.assert_close(whole(features).states, made(features).states, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(whole(features, whole.cache()).states, made(features).states, rtol=1e-5, atol=1e-5)


def test_what_many_layers_add_does_not_outgrow_what_they_add_to():
    """Sums of as many independent terms as there are layers: each has a share of Xavier's variance."""
    torch.manual_seed(0)
    made = DilatedStack(SIZES._replace(width=64, hidden=64, skip=64, dilations=(1, 2) * 8), True)
    xavier = 2 / (64 + 64)
    added = [
        weight
        for gate in made.gates
        for weight in (gate.skip.weight, *(() if gate.residual is None else (gate.residual.weight,)))
    ]
    # Of 126,976 numbers a variance is known to a hundredth.
    assert torch.cat(added).var().item() == pytest.approx(xavier / 16, rel=0.02)


def test_the_queues_hold_no_more_than_is_looked_back_on():
    cache = stack(window=3).cache()
    cache.begin(torch.zeros(2, 1, 6))
    assert cache.rings.shape == (2 * (1 + sum(SIZES.dilations)), 2, 6)


def test_who_looks_ahead_cannot_go_on_and_padding_lies_behind():
    with pytest.raises(AssertionError, match="looks ahead"):
        stack(causal=False).cache()
    made = stack()
    with pytest.raises(AssertionError, match="padding lies behind"):
        made(Features(torch.randn(1, 3, 6), torch.tensor([[True, False, True]])), made.cache())
