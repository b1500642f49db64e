from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from zhuji.nn.attending import AttentiveDecoder, Heard, PostNet, PreNet, since, spoken

BANDS, GROUP = 5, 2
UNITS = torch.tensor([4, 6, 1])
MASK = torch.arange(6)[None] < UNITS[:, None]
PATH = torch.tensor([[0, 0, 0, 1, 2, 2, 3, 3, 3, 3], [0, 1, 2, 2, 3, 4, 4, 4, 5, 5], [0] * 10])
"""The unit of each of ten steps."""


def decoder(onward: float = 0.0, prenet: int = 4, noise: float = 0.0) -> AttentiveDecoder:
    torch.manual_seed(0)
    made = AttentiveDecoder(7, 8, BANDS, group=GROUP, prenet=prenet, dropout=0.5, layers=2, noise=noise).eval()
    torch.nn.init.constant_(made.onward.bias, onward)
    return made


def states(seed: int = 1) -> torch.Tensor:
    return torch.randn(3, 6, 7, generator=torch.Generator().manual_seed(seed)) * MASK[..., None]


def test_how_long_a_unit_has_lasted() -> None:
    assert since(PATH).tolist() == [[0, 1, 2, 0, 0, 1, 0, 1, 2, 3], [0, 0, 0, 1, 0, 0, 1, 2, 0, 1], list(range(10))]


def test_step_by_step_is_all_steps_at_once_on_the_same_frames_and_path() -> None:
    frames = torch.randn(3, 20, BANDS, generator=torch.Generator().manual_seed(4))
    made, lasted, steps = decoder(), since(PATH), list[Heard]()
    with torch.no_grad():
        taught, memory = made.taught(states(), frames, PATH), made.begin(states())
        for number in range(10):
            heard, memory = made.step(states(), PATH[:, number], lasted[:, number], memory)
            steps.append(heard)
            memory = replace(memory, last=frames[:, number * GROUP + 1])
    for name in ("frames", "onward"):
        ours = torch.cat([getattr(step, name) for step in steps], 1)
        torch.testing.assert_close(ours, getattr(taught, name), rtol=1e-5, atol=1e-5)


def test_what_comes_later_is_not_heard_before_and_no_other_unit_is_read() -> None:
    frames = torch.randn(3, 20, BANDS, generator=torch.Generator().manual_seed(4)).requires_grad_()
    text = states().requires_grad_()
    made = decoder(prenet=64).taught(text, frames, PATH).frames
    heard, read = torch.autograd.grad(made[:, 6:8].square().sum(), (frames, text))
    assert not heard[:, 6:].any() and heard[:, 5].any()
    # Row by row the units of the first four steps.
    assert read.any(2).tolist() == [[True] * 2 + [False] * 4, [True] * 3 + [False] * 3, [True] + [False] * 5]


@pytest.mark.parametrize(("chance", "each"), [(1 - 1e-9, 1), (0.2, 4), (1e-9, 9)])
def test_a_unit_is_said_until_the_median_or_the_bound(chance: float, each: int) -> None:
    """Going on by 0.8 each time, a unit is over with more than one half after four steps: 0.8^3 is 0.51."""
    made = decoder(onward=math.log(chance / (1 - chance)))
    torch.nn.init.zeros_(made.onward.weight)
    frames, durations = spoken(made, states(), MASK, 9)
    assert durations.tolist() == (MASK * each).tolist()
    assert frames.shape == (3, 6 * each * GROUP, BANDS)


def test_noise_lies_on_what_is_read_while_it_learns() -> None:
    frames, seen = torch.randn(3, 400, BANDS, generator=torch.Generator().manual_seed(4)), list[torch.Tensor]()
    made = decoder(noise=0.5).train()
    made.prenet.register_forward_hook(lambda _, given, __: seen.append(given[0]))
    made.taught(states(), frames, PATH.repeat_interleave(20, 1))
    made.eval().taught(states(), frames, PATH.repeat_interleave(20, 1))
    real = torch.cat((torch.zeros(3, 1, BANDS), frames[:, GROUP - 1 : -1 : GROUP]), 1)
    assert torch.equal(seen[1], real), "who is judged reads frames as they are"
    # Five deviations of 3,000 draws.
    assert float((seen[0] - real).std()) == pytest.approx(0.5, abs=0.033) and float((seen[0] - real).mean()) == pytest.approx(
        0, abs=0.046
    )


def test_a_padded_batch_speaks_as_each_row_alone() -> None:
    made = decoder(onward=-1.0)
    torch.nn.init.normal_(made.onward.weight, std=2.0)
    frames, durations = spoken(made, states(), MASK, 5)
    assert len(durations[MASK].unique()) > 2, "units that all last alike show nothing"
    for row, units in enumerate(UNITS.tolist()):
        alone = spoken(made, states()[row : row + 1, :units], MASK[row : row + 1, :units], 5)
        assert alone[1].tolist() == durations[row : row + 1, :units].tolist() and not durations[row, units:].any()
        torch.testing.assert_close(alone[0][0], frames[row, : alone[0].shape[1]], rtol=1e-5, atol=1e-5)


def test_what_is_said_is_what_the_same_path_would_teach() -> None:
    """Its own frames and durations given back: it makes them again."""
    made = decoder(onward=-1.0)
    frames, durations = spoken(made, states()[:1], MASK[:1], 5)
    path = torch.repeat_interleave(torch.arange(6), durations[0])[None]
    with torch.no_grad():
        torch.testing.assert_close(made.taught(states()[:1], frames, path).frames, frames, rtol=1e-5, atol=1e-5)


def test_the_prenet_forgets_only_while_it_learns() -> None:
    net, frames = PreNet(BANDS, 64, 0.25), torch.rand(3, 40, BANDS, generator=torch.Generator().manual_seed(5))
    assert not torch.equal(net(frames), net(frames)) and torch.equal(net.eval()(frames), net(frames))


def test_the_postnet_does_not_see_padding() -> None:
    torch.manual_seed(0)
    net, frames = PostNet(BANDS, 6, 3, 0.5).eval(), torch.randn(2, 9, BANDS)
    real = torch.arange(9)[None] < torch.tensor([9, 4])[:, None]
    with torch.no_grad():
        found, alone = net(frames, real), net(frames[1:, :4], real[1:, :4])
    torch.testing.assert_close(found[1:, :4], alone, rtol=1e-5, atol=1e-6)
    assert not found[1, 4:].any()
