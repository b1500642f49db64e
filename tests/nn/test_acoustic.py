from __future__ import annotations

import torch

from zhuji.nn.acoustic import Aligner, Durations, Sounding, deviance
from zhuji.nn.alignment import NEVER, best_path, forward_sum

UNITS, FRAMES = torch.tensor([4, 2]), torch.tensor([9, 5])


def masks(more: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    mask = torch.arange(4 + more)[None] < UNITS[:, None]
    return mask, torch.arange(9 + more)[None] < FRAMES[:, None]


def test_padding_and_what_is_written_in_it_change_nothing() -> None:
    torch.manual_seed(0)
    states, frames = torch.randn(2, 7, 8), torch.randn(2, 12, 6)
    aligner, durations = Aligner(8, 6), Durations(8, 8, 0.0)
    sounding = Sounding(8, 8, 6, layers=1, heads=2, window=3, hidden=16, dropout=0.0)
    found = []
    for more in (0, 3):
        mask, real = masks(more)
        heard = aligner(states[:, : 4 + more], mask, frames[:, : 9 + more], real)
        lasting = durations(states[:, : 4 + more], mask)
        spread = states[:, :1].expand(-1, 9 + more, -1)
        made = sounding(spread, torch.zeros(2, 9 + more, 2), real)
        found.append((heard[:, :9, :4], lasting[:, :4], made[:, :9]))
        assert (heard[1, :, 2:] <= NEVER).all() and not made[~real].any()
    for name, ours, padded in zip(("aligner", "durations", "sounding"), *found, strict=True):
        # The frames beyond a row's own say nothing of it.
        ours, padded = (one[1, :5] if name == "aligner" else one[0] if name == "durations" else one for one in (ours, padded))
        torch.testing.assert_close(ours, padded, rtol=1e-5, atol=1e-5)


def test_before_anything_is_learned_units_lie_on_the_diagonal() -> None:
    torch.manual_seed(0)
    mask, real = torch.ones(1, 6, dtype=torch.bool), torch.ones(1, 30, dtype=torch.bool)
    log_p = Aligner(8, 6)(torch.randn(1, 6, 8), mask, torch.randn(1, 30, 6), real)
    found = best_path(log_p, torch.tensor([30]), torch.tensor([6]))
    ends = found.cumsum(1)[0]
    # Equal runs of five would end at 5, 10 …
    assert (ends - torch.arange(5, 31, 5)).abs().max() <= 4


def test_it_finds_runs_that_differ_though_nobody_tells() -> None:
    """Six kinds of frames in runs of 1 to 9: the aligner learns which unit is which from the sum over alignments alone."""
    torch.manual_seed(0)
    random = torch.Generator().manual_seed(1)
    kinds, looks = torch.randn(6, 8, generator=random), torch.randn(6, 5, generator=random)
    texts = [torch.randperm(6, generator=random) for _ in range(16)]
    runs = [torch.randint(1, 10, (6,), generator=random) for _ in range(16)]
    sizes = torch.stack([run.sum() for run in runs])
    frames = torch.zeros(16, int(sizes.max()), 5)
    for place, (text, run) in enumerate(zip(texts, runs, strict=True)):
        frames[place, : sizes[place]] = looks[text].repeat_interleave(run, 0)
    frames = frames + 0.1 * torch.randn(frames.shape, generator=random)
    states, mask = torch.stack([kinds[text] for text in texts]), torch.ones(16, 6, dtype=torch.bool)
    real = torch.arange(frames.shape[1])[None] < sizes[:, None]
    aligner = Aligner(8, 5)
    mover = torch.optim.Adam(aligner.parameters(), 0.01)

    def right() -> float:
        found = best_path(aligner(states, mask, frames, real), sizes, torch.full((16,), 6))
        return float((found - torch.stack(runs)).abs().sum() / sizes.sum())

    before = right()
    for _ in range(120):
        loss = forward_sum(aligner(states, mask, frames, real), sizes, torch.full((16,), 6)).sum() / sizes.sum()
        mover.zero_grad()
        loss.backward()
        mover.step()
    assert right() < 0.02 < 0.25 < before


def test_durations_are_learned_to_their_mean() -> None:
    """Of a unit that is said for 1 or for 9 frames the mean is 5; squared errors of logarithms would say 3."""
    durations = torch.tensor([[1, 9, 1, 9]])
    logs = torch.zeros(1, 4, requires_grad=True)
    mover = torch.optim.Adam([logs], 0.05)
    for _ in range(200):
        mean = logs.mean().expand(1, 4)
        mover.zero_grad()
        deviance(mean, durations).sum().backward()
        mover.step()
    assert abs(float(logs.detach().mean().exp()) - 5) < 0.05
    assert float(deviance(durations.log(), durations).abs().max()) < 1e-6
    assert (deviance(torch.randn(1, 4), durations) > 0).all()
