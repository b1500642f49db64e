from itertools import pairwise, product

import pytest
import torch

from zhuji.nn.crf import CrfHead, Links, log_likelihood, marginals, partition

TAGS = 3
LENGTHS = (4, 2, 1, 0)


def drawn(dtype=torch.float64):
    torch.manual_seed(1)
    real = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS)[:, None]
    scores = 2 * torch.randn(len(LENGTHS), max(LENGTHS), TAGS, dtype=dtype)
    links = Links(torch.randn(TAGS, dtype=dtype), torch.randn(TAGS, TAGS, dtype=dtype), torch.randn(TAGS, dtype=dtype))
    return scores, real, links


def score_of(path, scores, links):
    between = sum(links.between[a, b] for a, b in pairwise(path))
    return links.first[path[0]] + between + links.last[path[-1]] + scores[range(len(path)), list(path)].sum()


def every(scores, links, length):
    """All sequences, and their probabilities one by one."""
    paths = list(product(range(TAGS), repeat=length))
    each = torch.stack([score_of(path, scores, links) for path in paths])
    return paths, each


def test_the_partition_is_the_sum_over_every_sequence():
    scores, real, links = drawn()
    found = partition(scores, real, links)
    for row, length in enumerate(LENGTHS):
        expected = every(scores[row], links, length)[1].logsumexp(0) if length else torch.tensor(0.0).double()
        torch.testing.assert_close(found[row], expected)


def test_its_slope_is_that_of_the_sum():
    """gradcheck compares with differences; beyond it the slope must be right where tags are forbidden, too."""
    scores, real, links = drawn()
    inputs = [tensor.requires_grad_() for tensor in (scores, *links)]

    def of(scores, *links):
        return partition(scores, real, Links(*links))

    assert torch.autograd.gradcheck(of, inputs)
    forbidden = scores.detach().clone()
    forbidden[0, 1, 0] = -torch.inf
    forbidden.requires_grad_()
    (ours,) = torch.autograd.grad(partition(forbidden, real, links)[0], forbidden)
    allowed = [(p, e) for p, e in zip(*every(forbidden[0], links, 4), strict=True) if p[1] != 0]
    (expected,) = torch.autograd.grad(torch.stack([e for _, e in allowed]).logsumexp(0), forbidden)
    torch.testing.assert_close(ours, expected.nan_to_num())


def test_likelihoods_of_all_sequences_sum_to_one_and_unknown_tags_are_summed_over():
    scores, real, links = drawn()
    paths, each = every(scores[0], links, 4)
    tags = torch.tensor(paths)
    rows = [part.expand(len(paths), *part.shape) for part in (scores[0], real[0])]
    ours = log_likelihood(rows[0], tags, rows[1], links)
    torch.testing.assert_close(ours, each.log_softmax(0))
    unknown = torch.tensor([[2, -1, 0, -1]])
    expected = torch.stack([p for path, p in zip(paths, ours, strict=True) if path[0] == 2 and path[2] == 0]).logsumexp(0)
    torch.testing.assert_close(log_likelihood(scores[:1], unknown, real[:1], links)[0], expected)
    torch.testing.assert_close(log_likelihood(scores[:1], torch.full((1, 4), -1), real[:1], links), torch.zeros(1).double())


def test_marginals_are_shares_of_the_sequences():
    scores, real, links = drawn()
    found = marginals(scores, real, links)
    for row, length in enumerate(LENGTHS[:3]):
        paths, each = every(scores[row], links, length)
        chance = each.softmax(0)
        for place, tag in product(range(length), range(TAGS)):
            expected = sum(p for path, p in zip(paths, chance, strict=True) if path[place] == tag)
            torch.testing.assert_close(found[row, place, tag], expected)
    assert not found[~real].any()


def test_padding_changes_nothing():
    scores, real, links = drawn()
    wide = torch.cat((scores, torch.full((4, 3, TAGS), 99.0).double()), 1)
    more = torch.cat((real, torch.zeros(4, 3, dtype=torch.bool)), 1)
    torch.testing.assert_close(partition(wide, more, links), partition(scores, real, links))


def test_a_fresh_chain_leaves_words_independent():
    scores, real, _ = drawn(torch.float32)
    torch.testing.assert_close(
        partition(scores, real, CrfHead(2, TAGS).links()),
        scores.logsumexp(-1).masked_fill(~real, 0).sum(1),
        rtol=1e-5,
        atol=1e-5,
    )


@pytest.mark.parametrize("factor", [30.0, 3000.0])
def test_large_scores_stay_finite(factor):
    scores, real, links = drawn(torch.float32)
    scores = (scores * factor).requires_grad_()
    total = partition(scores, real, links)
    (slope,) = torch.autograd.grad(total.sum(), scores)
    assert total.isfinite().all() and slope.isfinite().all()
    # Sums of a few thousand are rounded to 1e-3 in fp32.
    torch.testing.assert_close(slope.sum(-1), real.float(), rtol=0, atol=2e-3)
