from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from zhuji.nn.attending import AttentiveDecoder, ForwardAttention, Heard, PostNet, PreNet, Text, spoken

BANDS, GROUP = 5, 2
UNITS = torch.tensor([4, 6, 1])
MASK = torch.arange(6)[None] < UNITS[:, None]


def decoder(stop: float = 0.0, prenet: int = 4, noise: float = 0.0) -> AttentiveDecoder:
    torch.manual_seed(0)
    made = AttentiveDecoder(7, 8, BANDS, group=GROUP, prenet=prenet, dropout=0.5, layers=2, window=3, noise=noise).eval()
    torch.nn.init.constant_(made.stop.bias, stop)
    return made


def states(seed: int = 1) -> torch.Tensor:
    return torch.randn(3, 6, 7, generator=torch.Generator().manual_seed(seed)) * MASK[..., None]


@pytest.mark.parametrize("window", [1, 3, 4])
def test_a_step_of_attention_is_what_the_papers_say(window: int) -> None:
    """Unit by unit in float64: additive energies of query, key and the weights around; then the product with what may be reached, over its sum."""
    random = torch.Generator().manual_seed(2)
    attention = ForwardAttention(8, 7, 5, window)
    query, weights = torch.randn(3, 5, generator=random), torch.rand(3, 6, generator=random) * MASK
    weights, total = weights / weights.sum(1, keepdim=True), 3 * weights
    text = Text(states(), attention.key(states()), MASK)
    with torch.no_grad():
        energies, found = attention(query, text, weights, total)
    place, energy = (layer.weight.detach().double().numpy() for layer in (attention.place, attention.energy))
    keys = (states().double() @ attention.key.weight.detach().double().T).numpy()
    for row, units in enumerate(UNITS.tolist()):
        before, every = (each[row].double().numpy() for each in (weights, total))
        told, products = np.zeros(units), np.zeros(units)
        for unit in range(units):
            near = [
                each[unit + step - window // 2] if 0 <= unit + step - window // 2 < 6 else 0.0
                for each in (before, every)
                for step in range(window)
            ]
            told[unit] = energy[0] @ np.tanh(query[row].double().numpy() + keys[row, unit] + place @ np.array(near))
            reached = before[unit] + (before[unit - 1] if unit else 0.0)
            products[unit] = math.exp(told[unit]) * reached * (unit >= before.argmax())
        # Float32 against float64.
        np.testing.assert_allclose(energies[row, :units], told, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(found[row, :units], products / products.sum(), rtol=1e-5, atol=1e-6)
        assert not found[row, units:].any() and energies[row, units:].isneginf().all()


def test_nothing_is_leapt_over_and_nothing_is_returned_to() -> None:
    given = torch.randn(3, 40, BANDS, generator=torch.Generator().manual_seed(3)) * 3
    with torch.no_grad():
        weights = decoder().taught(states(), MASK, given).weights
    steps = torch.arange(20)[:, None]
    assert (weights[:, torch.arange(6)[None].expand(20, -1) > steps + 1] < 1e-6).all()
    path = weights.argmax(2)
    assert (path.diff(dim=1) >= 0).all() and path.amax() > 2
    torch.testing.assert_close(weights.sum(2), torch.ones(3, 20))


def test_step_by_step_is_all_steps_at_once_on_the_same_frames() -> None:
    frames = torch.randn(3, 14, BANDS, generator=torch.Generator().manual_seed(4))
    made = decoder()
    with torch.no_grad():
        taught = made.taught(states(), MASK, frames)
        text, so_far = made.begin(states(), MASK)
        steps = list[Heard]()
        for number in range(7):
            heard, so_far = made.step(text, so_far)
            steps.append(heard)
            so_far = replace(so_far, last=frames[:, number * GROUP + 1])
    for name in ("frames", "stops", "energies", "weights"):
        ours = torch.cat([getattr(step, name) for step in steps], 1)
        torch.testing.assert_close(ours, getattr(taught, name), rtol=1e-5, atol=1e-5)


def test_what_comes_later_is_not_heard_before() -> None:
    frames = torch.randn(3, 14, BANDS, generator=torch.Generator().manual_seed(4)).requires_grad_()
    made = decoder(prenet=64).taught(states(), MASK, frames).frames
    (slope,) = torch.autograd.grad(made[:, 6:8].square().sum(), frames)
    assert not slope[:, 6:].any() and slope[:, 5].any()


@pytest.mark.parametrize(("chance", "more"), [(1 - 1e-9, [1, 1, 1]), (0.2, [4, 4, 3]), (1e-9, [99, 99, 99])])
def test_a_row_stops_at_the_median_since_it_came_to_the_last_unit_or_at_the_bound(chance: float, more: list[int]) -> None:
    """Going on by 0.8 each time, it has stopped with more than one half after four steps: 0.8^3 is 0.51. The last row has one unit, and room for three steps."""
    made = decoder(stop=math.log(chance / (1 - chance)))
    torch.nn.init.zeros_(made.stop.weight)
    frames, lasting, weights = spoken(made, states(), MASK, 3)
    ends = [int((weights[row].argmax(1) == units - 1).int().argmax()) for row, units in enumerate(UNITS.tolist())]
    assert ends[0] > 0 and ends[1] > 0, "rows that are at their last unit from the first step on show nothing"
    wanted = [min(end + each, 3 * units) for end, each, units in zip(ends, more, UNITS.tolist(), strict=True)]
    assert lasting.tolist() == [GROUP * step for step in wanted]
    assert frames.shape == (3, int(lasting.max()), BANDS) and weights.shape == (3, max(wanted), 6)


def test_noise_lies_on_what_is_read_while_it_learns() -> None:
    frames, seen = torch.randn(3, 400, BANDS, generator=torch.Generator().manual_seed(4)), list[torch.Tensor]()
    made = decoder(noise=0.5).train()
    made.prenet.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    made.taught(states(), MASK, frames)
    made.eval().taught(states(), MASK, frames)
    real = torch.cat((torch.zeros(3, 1, BANDS), frames[:, GROUP - 1 : -1 : GROUP]), 1)
    assert torch.equal(seen[1], real), "who is judged reads frames as they are"
    # Five deviations of 3,000 draws.
    assert float((seen[0] - real).std()) == pytest.approx(0.5, abs=0.033) and float((seen[0] - real).mean()) == pytest.approx(
        0, abs=0.046
    )


def test_a_padded_batch_speaks_as_each_row_alone() -> None:
    made = decoder(stop=-2.0)
    torch.nn.init.normal_(made.stop.weight, std=2.0)
    frames, lasting, weights = spoken(made, states(), MASK, 5)
    assert len(set(lasting.tolist())) > 1, "rows that all stop together show nothing"
    for row, units in enumerate(UNITS.tolist()):
        alone = spoken(made, states()[row : row + 1, :units], MASK[row : row + 1, :units], 5)
        size = int(lasting[row])
        assert alone[1].tolist() == [size]
        torch.testing.assert_close(alone[0][0], frames[row, :size], rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(alone[2][0], weights[row, : size // GROUP, :units], rtol=1e-5, atol=1e-5)


def test_what_the_prenet_drops_while_it_speaks_depends_on_the_step_alone() -> None:
    net, frames = PreNet(BANDS, 64, 0.25), torch.rand(3, 40, BANDS, generator=torch.Generator().manual_seed(5))
    torch.manual_seed(0)
    assert not torch.equal(net(frames), net(frames)), "while it learns chance is drawn anew"
    net.eval()
    with torch.no_grad():
        whole = net(frames)
        torch.manual_seed(7)
        torch.testing.assert_close(net(frames[1:2, 6:9], 6), whole[1:2, 6:9])
        # With ones behind the layers what is left is what was not dropped.
        for name, weight in net.named_parameters():
            torch.nn.init.constant_(weight, float(name.endswith("bias")))
        left = net(frames)
    assert left.unique().tolist() == pytest.approx([0.0, 4 / 3]) and torch.equal(left, left[:1].expand(3, -1, -1))
    # Five deviations of 2,560 draws.
    assert float((left[0] == 0).float().mean()) == pytest.approx(0.25, abs=0.043)
    assert not torch.equal(left[0, 0], left[0, 1])


def test_the_postnet_does_not_see_padding() -> None:
    torch.manual_seed(0)
    net, frames = PostNet(BANDS, 6, 3, 0.5).eval(), torch.randn(2, 9, BANDS)
    real = torch.arange(9)[None] < torch.tensor([9, 4])[:, None]
    with torch.no_grad():
        found, alone = net(frames, real), net(frames[1:, :4], real[1:, :4])
    torch.testing.assert_close(found[1:, :4], alone, rtol=1e-5, atol=1e-6)
    assert not found[1, 4:].any()
