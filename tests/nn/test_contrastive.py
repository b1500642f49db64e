import math

import pytest
import torch
import torch.nn.functional as F

from tests.nn.test_chance import text
from zhuji.nn.contrastive import in_chunks, infonce, ntxent, pairwise_sigmoid, rows_of

torch.manual_seed(0)
ROWS = 5
FIRST, SECOND = F.normalize(torch.randn(ROWS, 3), dim=1), F.normalize(torch.randn(ROWS, 3), dim=1)
ALONE = torch.eye(ROWS, dtype=torch.bool)
TWINS = ALONE.clone()
TWINS[1, 3] = TWINS[3, 1] = True
SCALE, BIAS = torch.tensor(4.0), torch.tensor(-2.0)


def share(own, others):
    return -math.log(math.exp(own) / (math.exp(own) + sum(math.exp(o) for o in others)))


def like(a, b):
    return float(SCALE * a @ b)


@pytest.mark.parametrize("same", [ALONE, TWINS], ids=["different", "with equal rows"])
def test_infonce_against_a_loop(same):
    expected = []
    for i in range(ROWS):
        others = [j for j in range(ROWS) if not same[i, j]]
        forth = share(like(FIRST[i], SECOND[i]), [like(FIRST[i], SECOND[j]) for j in others])
        back = share(like(FIRST[i], SECOND[i]), [like(FIRST[j], SECOND[i]) for j in others])
        expected.append((forth + back) / 2)
    torch.testing.assert_close(infonce(FIRST, SECOND, SCALE, same), torch.tensor(expected))


@pytest.mark.parametrize("same", [ALONE, TWINS], ids=["different", "with equal rows"])
def test_ntxent_against_a_loop(same):
    expected = []
    for i in range(ROWS):
        sides = []
        for mine, other in ((FIRST, SECOND), (SECOND, FIRST)):
            negatives = [like(mine[i], views[j]) for views in (mine, other) for j in range(ROWS) if not same[i, j]]
            sides.append(share(like(mine[i], other[i]), negatives))
        expected.append(sum(sides) / 2)
    torch.testing.assert_close(ntxent(FIRST, SECOND, SCALE, same), torch.tensor(expected))


@pytest.mark.parametrize("same", [ALONE, TWINS], ids=["different", "with equal rows"])
def test_the_sigmoid_form_against_a_loop(same):
    expected = []
    for i in range(ROWS):
        loss = 0.0
        for j in range(ROWS):
            if i == j or not same[i, j]:
                sign = 1 if i == j else -1
                loss += math.log1p(math.exp(-sign * (like(FIRST[i], SECOND[j]) + float(BIAS))))
        expected.append(loss)
    torch.testing.assert_close(pairwise_sigmoid(FIRST, SECOND, SCALE, BIAS, same), torch.tensor(expected))


def test_one_row_alone_teaches_nothing():
    one = torch.ones(1, 1, dtype=torch.bool)
    assert float(infonce(FIRST[:1], SECOND[:1], SCALE, one)) == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("chunk", [1, 2, 5, 9, None])
def test_chunks_change_neither_values_nor_gradients(chunk):
    inputs = torch.randn(7, 4)
    net = torch.nn.Sequential(torch.nn.Linear(4, 6), torch.nn.Tanh(), torch.nn.Linear(6, 3)).double()
    results = []
    for size in (None, chunk):
        net.zero_grad()
        (out,) = in_chunks(lambda rows: (net(inputs[rows].double()),), 7, size)
        ((out @ out.T).logsumexp(1).sum()).backward()
        results.append([out.detach(), *(p.grad.clone() for p in net.parameters())])
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)


def test_activations_of_one_chunk_live_at_a_time():
    live, most = 0, 0

    class Watched(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            nonlocal live, most
            if torch.is_grad_enabled() or ctx.needs_input_grad[0]:
                ctx.save_for_backward(x)
            return x * 2

        @staticmethod
        def backward(ctx, gradient):
            nonlocal most
            most = max(most, ctx.saved_tensors[0].shape[0])
            return gradient * 2

    weight = torch.ones(1, requires_grad=True)
    in_chunks(lambda rows: (Watched.apply(torch.ones(8, 1)[rows] * weight),), 8, 2)[0].sum().backward()
    assert most == 2 and float(weight.grad) == 16


def test_dropout_draws_the_same_on_the_way_back():
    torch.manual_seed(0)
    weight = torch.ones(1, requires_grad=True)
    (out,) = in_chunks(lambda rows: (F.dropout(torch.ones(8, 50)[rows] * weight, 0.5),), 8, 3)
    out.sum().backward()
    assert float(weight.grad) == pytest.approx(float(out.detach().sum()))


def test_rows_are_cut_with_every_field():
    part = rows_of(text([[5, 6], [7], [8, 9]], 3), slice(1, 3))
    assert part.ids.tolist() == [[7, 0, 0], [8, 9, 0]] and len(part) == 2 and part.values is None
