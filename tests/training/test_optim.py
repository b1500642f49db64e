import math

import pytest
import torch
from torch import nn

from zhuji.training.optim import gradient_norm, optimiser, split_by_decay
from zhuji.training.run import OptimSettings

NAMES = ["sgd", "momentum", "adagrad", "adam", "adamw", "muon"]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.ModuleDict({"ids": nn.Embedding(7, 6)})
        self.body = nn.Sequential(nn.Linear(6, 8), nn.LayerNorm(8), nn.Linear(8, 6))
        self.head = nn.Linear(6, 3)

    def forward(self, ids):
        return self.head(torch.tanh(self.body(self.stem["ids"](ids))))


def net():
    torch.manual_seed(0)
    return Net()


def settings(**changes):
    return OptimSettings(**{"lr": 0.01, "weight_decay": 0.1, **changes})


def backward(model, step):
    model.zero_grad()
    ids = torch.randint(0, 7, (16,), generator=torch.Generator().manual_seed(step))
    nn.functional.cross_entropy(model(ids), ids % 3).backward()


def run(model, mover, steps, lr=0.01):
    for step in range(steps):
        backward(model, step)
        mover.step(lr)
    return model


def test_biases_norms_and_embeddings_do_not_decay():
    decay, free = split_by_decay(net())
    assert [name for name, _ in decay] == ["body.0.weight", "body.2.weight", "head.weight"]
    assert {name for name, _ in free} == {
        "stem.ids.weight", "body.0.bias", "body.1.weight", "body.1.bias", "body.2.bias", "head.bias",
    }  # fmt: skip


def test_frozen_and_tied_parameters_are_taken_once_or_not_at_all():
    model = net()
    model.body[0].weight.requires_grad_(False)
    model.tied = model.head
    names = [name for group in split_by_decay(model) for name, _ in group]
    assert "body.0.weight" not in names
    assert sum("head" in name or "tied" in name for name in names) == 2


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_adam_equals_the_written_algorithm(name):
    """Algorithm 1 of Kingma & Ba 2015 and algorithm 2 of Loshchilov & Hutter 2019, in float64 against our float32."""
    chosen = settings(name=name, eps=1e-3, betas=(0.8, 0.95))
    ours, plain = net(), net().double()
    mover = optimiser(chosen, ours)
    decayed = {id(p) for n, p in plain.named_parameters() if n in {d for d, _ in split_by_decay(ours)[0]}}
    m = {p: torch.zeros_like(p) for p in plain.parameters()}
    v = {p: torch.zeros_like(p) for p in plain.parameters()}
    for t in range(1, 21):
        lr = 0.01 / t
        backward(ours, t)
        mover.step(lr)
        backward(plain, t)
        with torch.no_grad():
            for p in plain.parameters():
                weight = 0.1 if id(p) in decayed else 0.0
                g = p.grad + (weight * p if name == "adam" else 0)
                if name == "adamw":
                    p -= lr * weight * p
                m[p] = 0.8 * m[p] + 0.2 * g
                v[p] = 0.95 * v[p] + 0.05 * g * g
                p -= lr * (m[p] / (1 - 0.8**t)) / ((v[p] / (1 - 0.95**t)).sqrt() + 1e-3)
    for a, b in zip(ours.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(a.double(), b, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("sgd", lambda g: torch.optim.SGD(g, lr=0.01)),
        ("momentum", lambda g: torch.optim.SGD(g, lr=0.01, momentum=0.9)),
        ("adagrad", lambda g: torch.optim.Adagrad(g, lr=0.01, eps=1e-8)),
        ("adamw", lambda g: torch.optim.AdamW(g, lr=0.01, eps=1e-8)),
    ],
)
def test_equals_torch_unfused(name, make):
    ours, theirs = net(), net()
    decay, free = split_by_decay(theirs)
    reference = make([
        {"params": [p for _, p in decay], "weight_decay": 0.1}, {"params": [p for _, p in free], "weight_decay": 0.0},
    ])  # fmt: skip
    run(ours, optimiser(settings(name=name), ours), 20)
    for step in range(20):
        backward(theirs, step)
        reference.step()
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


def quadratic(name, steps, lr=0.1, **changes):
    """Minimise w^2 / 2 for one weight from 1: the gradient is w."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.ones_(model.weight)
    mover = optimiser(settings(name=name, weight_decay=0, **changes), model)
    for _ in range(steps):
        model.weight.grad = model.weight.detach().clone()
        mover.step(lr)
    return model.weight.item()


def test_closed_forms():
    assert quadratic("sgd", 10) == pytest.approx(0.9**10, rel=1e-5)
    assert quadratic("adam", 1, eps=1e-12) == pytest.approx(1 - 0.1, rel=1e-6)
    assert quadratic("adam", 1, eps=1.0) == pytest.approx(1 - 0.1 * 1 / (1 + 1), rel=1e-6)
    assert quadratic("adagrad", 2, eps=1e-12) == pytest.approx(0.9 - 0.1 * 0.9 / math.sqrt(1 + 0.81), rel=1e-5)
    assert quadratic("momentum", 2, momentum=0.5) == pytest.approx(0.9 - 0.1 * (0.9 + 0.5), rel=1e-5)
    # With Nesterov's, 1 then 0.85: a step of the gradient and half of what had been gathered, this gradient among it.
    assert quadratic("momentum", 2, momentum=0.5, nesterov=True) == pytest.approx(
        0.85 - 0.1 * (0.85 + 0.5 * (0.5 + 0.85)), rel=1e-5
    )


def test_decoupled_decay_shrinks_weights_without_gradient():
    model = nn.Linear(2, 2)
    before = [p.detach().clone() for p in model.parameters()]
    mover = optimiser(settings(name="adamw", weight_decay=0.5), model)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    mover.step(0.1)
    torch.testing.assert_close(model.weight, before[0] * (1 - 0.1 * 0.5))
    torch.testing.assert_close(model.bias, before[1])


def test_muon_moves_hidden_matrices_in_all_directions_alike():
    """The step of a hidden matrix is close to orthogonal, whatever the gradient's singular values; others move by AdamW."""
    model = net()
    mover = optimiser(settings(name="muon", weight_decay=0), model)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    run(model, mover, 1)
    steps = {name: p.detach() - before[name] for name, p in model.named_parameters()}
    values = torch.linalg.svdvals(steps["body.0.weight"])
    values = values[values > 1e-4]
    assert values.max() / values.min() < 3
    assert steps["head.weight"].abs().max().item() == pytest.approx(0.01, rel=1e-3)
    slots = {key.split("|")[0]: key.split("|")[1] for key in mover.tensors() if "momentum" in key}
    assert set(slots) == {"body.0.weight", "body.2.weight"}


@pytest.mark.parametrize("name", NAMES)
def test_every_optimiser_lowers_the_loss(name):
    model = net()
    ids = torch.arange(7)
    loss = lambda: nn.functional.cross_entropy(model(ids), ids % 3).item()  # noqa: E731
    before = loss()
    run(model, optimiser(settings(name=name, lr=0.05), model), 40, lr=0.05)
    assert loss() < 0.9 * before


@pytest.mark.parametrize("name", NAMES)
def test_state_goes_round_bit_for_bit(name):
    straight = net()
    mover = optimiser(settings(name=name), straight)
    run(straight, mover, 5)
    resumed = net()
    resumed.load_state_dict(straight.state_dict())
    other = optimiser(settings(name=name), resumed)
    other.load({key: value.clone() for key, value in mover.tensors().items()})
    for step in range(5, 9):
        for model, by in ((straight, mover), (resumed, other)):
            backward(model, step)
            by.step(0.02)
    for a, b in zip(straight.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(a, b)
    assert mover.tensors().keys() == other.tensors().keys()


def test_gradient_norm_is_over_everything():
    model = net()
    backward(model, 0)
    expected = math.sqrt(sum(p.grad.double().square().sum().item() for p in model.parameters()))
    assert gradient_norm(model.parameters()).item() == pytest.approx(expected, rel=1e-6)
