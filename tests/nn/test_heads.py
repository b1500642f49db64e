import pytest
import torch

from zhuji.core.units import Features
from zhuji.nn.heads import PerUnitHead, PooledHead, Pooling, first_real, last_real

MASK = torch.tensor([[1, 1, 1, 0], [0, 1, 0, 1], [0, 0, 0, 0]], dtype=torch.bool)
STATES = torch.tensor(
    [
        [[1.0, -1.0], [2.0, -2.0], [6.0, -6.0], [99.0, 99.0]],
        [[99.0, 99.0], [3.0, 4.0], [99.0, 99.0], [5.0, 8.0]],
        [[99.0, 99.0]] * 4,
    ]
)


def test_first_and_last_real_unit():
    assert first_real(MASK).tolist() == [0, 1, 0]
    assert last_real(MASK).tolist() == [2, 3, 3]


@pytest.mark.parametrize(
    "kind, expected",
    [
        ("mean", [[3.0, -3.0], [4.0, 6.0], [0.0, 0.0]]),
        ("max", [[6.0, -1.0], [5.0, 8.0], [0.0, 0.0]]),
        ("mean_max", [[3.0, -3.0, 6.0, -1.0], [4.0, 6.0, 5.0, 8.0], [0.0] * 4]),
        ("first", [[1.0, -1.0], [3.0, 4.0], [0.0, 0.0]]),
        ("last", [[6.0, -6.0], [5.0, 8.0], [0.0, 0.0]]),
        ("ends", [[6.0, -1.0], [5.0, 4.0], [0.0, 0.0]]),
    ],
)
def test_pooling_reads_real_units_only(kind, expected):
    torch.testing.assert_close(Pooling(kind, 2)(Features(STATES, MASK)), torch.tensor(expected))


def test_attention_pooling_is_a_weighted_mean():
    pooling = Pooling("attention", 2)
    pooling.query.weight.data[:] = torch.tensor([[0.5, 0.0]])
    weights = torch.tensor([0.5, 1.0, 3.0]).softmax(0)
    expected = (weights[:, None] * STATES[0, :3]).sum(0)
    got = pooling(Features(STATES, MASK))
    torch.testing.assert_close(got[0], expected)
    assert got[2].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("kind", ["mean", "max", "mean_max", "first", "last", "ends", "attention"])
def test_pooling_takes_any_grid_and_gives_finite_gradients(kind):
    states = STATES.view(3, 2, 2, 2).clone().requires_grad_()
    pooling = Pooling(kind, 2)
    out = pooling(Features(states, MASK.view(3, 2, 2)))
    torch.testing.assert_close(out, pooling(Features(STATES, MASK)))
    out.sum().backward()
    assert states.grad.isfinite().all()
    assert not states.grad[~MASK.view(3, 2, 2)].any()


def test_pooled_head_with_and_without_a_hidden_layer():
    features = Features(STATES, MASK)
    plain = PooledHead(2, 3)
    torch.testing.assert_close(plain(features), plain.out(Pooling("mean", 2)(features)))
    deep = PooledHead(2, 3, pool="max", hidden=5, activation="tanh")
    torch.testing.assert_close(deep(features), deep.out(torch.tanh(deep.rise(Pooling("max", 2)(features)))))


def test_dropout_stands_before_the_last_layer():
    torch.manual_seed(0)
    head = PooledHead(2, 1, hidden=1000, dropout=0.5)
    head.out.weight.data.fill_(1.0)
    head.rise.weight.data.fill_(0.0)
    head.rise.bias.data.fill_(1.0)
    out = head(Features(STATES, MASK))
    assert float(out[0].detach()) == pytest.approx(1000, rel=0.1)
    assert float(out[0].detach()) % 2 == 0  # each of the 1000 counts 0 or 2


def test_per_unit_head_keeps_the_grid():
    head = PerUnitHead(2, 3)
    out = head(Features(STATES.view(3, 2, 2, 2), MASK.view(3, 2, 2)))
    assert out.shape == (3, 2, 2, 3)
    torch.testing.assert_close(out[0, 0, 1], head.out(STATES[0, 1]))


def test_a_summary_stands_for_the_row():
    summary = torch.randn(3, 2)
    pooled = Pooling("summary", 2)(Features(STATES, MASK, summary=summary))
    assert torch.equal(pooled, torch.cat((summary[:2], torch.zeros(1, 2))))
