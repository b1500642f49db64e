import torch
from torch import nn

from zhuji.training.optim import optimiser
from zhuji.training.run import OptimSettings
from zhuji.training.state import Progress, State, remembered, untouched


def state(average):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    return State(model, optimiser(OptimSettings(name="adam"), model), average)


def move(now, step):
    torch.manual_seed(step)
    now.model.zero_grad()
    now.model(torch.randn(8, 3)).square().sum().backward()
    now.optimiser.step(0.1)
    now.progress.step += 1
    now.average()


def test_state_goes_round_bit_for_bit():
    for average in (0.0, 0.9):
        straight, other = state(average), state(average)
        for step in range(3):
            move(straight, step)
        tensors = {name: tensor.clone() for name, tensor in straight.tensors().items()}
        other.load(tensors, Progress.from_dict(straight.progress.as_dict()))
        for now in (straight, other):
            move(now, 7)
        left, right = straight.tensors(), other.tensors()
        assert left.keys() == right.keys()
        assert all(torch.equal(left[name], right[name]) for name in left)


def test_the_average_is_the_written_formula():
    now = state(0.95)
    expected = [p.detach().clone() for p in now.model.parameters()]
    for step in range(30):
        move(now, step)
        decay = min(0.95, (2 + step) / (11 + step))
        expected = [decay * e + (1 - decay) * p.detach() for e, p in zip(expected, now.model.parameters(), strict=True)]
    for mean, e in zip(now.averaged.parameters(), expected, strict=True):
        torch.testing.assert_close(mean, e, rtol=1e-5, atol=1e-6)
    assert torch.equal(now.averaged[1].running_mean, now.model[1].running_mean)


def test_the_averaged_model_is_the_judged_one():
    assert state(0.0).judged is not None
    now = state(0.9)
    assert now.judged is now.averaged
    assert set(now.judged_tensors(now.tensors())) == set(now.model.state_dict())


def test_waste_is_a_share():
    assert Progress(units=60, padding=40).waste == 0.4
    assert Progress().waste == 0


def test_norms_are_set_back():
    norm = nn.BatchNorm1d(2)
    first = {name: buffer.clone() for name, buffer in norm.named_buffers()}
    with untouched(norm):
        norm(torch.full((3, 2), torch.nan))
    set_back = remembered(norm)
    norm(torch.randn(4, 2))
    assert any(not torch.equal(buffer, first[name]) for name, buffer in norm.named_buffers())
    set_back()
    assert all(torch.equal(buffer, first[name]) for name, buffer in norm.named_buffers())
