"""Boxes against loops over single boxes, written down from the definitions."""

import pytest
import torch

from zhuji.nn import boxes


def some(rows, count, seed=0):
    chance = torch.Generator().manual_seed(seed)
    corner, sides = (torch.rand(rows, count, 2, generator=chance, dtype=torch.float64) for _ in range(2))
    return torch.cat((corner, corner + sides * 0.5), -1)


def plain_iou(a, b):
    wide, high = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    common = max(wide, 0) * max(high, 0)
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - common
    return (common / union if union else 0.0), union


def plain_giou(a, b):
    overlap, union = plain_iou(a, b)
    around = (max(a[2], b[2]) - min(a[0], b[0])) * (max(a[3], b[3]) - min(a[1], b[1]))
    return overlap - (around - union) / around


def plain_nms(corners, scores, classes, overlap):
    order = sorted((i for i in range(len(scores)) if scores[i] > 0), key=lambda i: (-scores[i], i))
    stays = []
    for i in order:
        if all(classes[i] != classes[j] or plain_iou(corners[i], corners[j])[0] <= overlap for j in stays):
            stays.append(i)
    return [i in stays for i in range(len(scores))]


def test_there_and_back():
    found = some(3, 7)
    torch.testing.assert_close(boxes.cornered(boxes.centred(found)), found)
    assert boxes.centred(torch.tensor([0.0, 2.0, 4.0, 3.0])).tolist() == [2.0, 2.5, 4.0, 1.0]


def test_every_pair_as_by_hand():
    one, other = some(1, 30)[0], some(1, 40, 1)[0]
    expected = torch.tensor([[plain_iou(a, b)[0] for b in other.tolist()] for a in one.tolist()], dtype=torch.float64)
    torch.testing.assert_close(boxes.iou(one[:, None], other), expected)
    assert (expected > 0).any() and (expected == 0).any()
    expected = torch.tensor([[plain_giou(a, b) for b in other.tolist()] for a in one.tolist()], dtype=torch.float64)
    torch.testing.assert_close(boxes.giou(one[:, None], other), expected)


def test_what_the_paper_says_of_giou():
    """Never above IoU; equal to it where one box holds the other's hull; towards -1 as they part; 1 for a box with itself."""
    one, other = some(1, 200)[0], some(1, 200, 2)[0]
    assert (boxes.giou(one, other) <= boxes.iou(one, other) + 1e-12).all()
    torch.testing.assert_close(boxes.giou(one, one), torch.ones(200, dtype=torch.float64))
    far = boxes.giou(torch.tensor([0.0, 0, 1, 1]), torch.tensor([1000.0, 1000, 1001, 1001]))
    assert -1 <= far < -0.99


def test_the_loss_pulls_boxes_that_are_apart_together():
    guess = torch.tensor([[0.0, 0.0, 0.1, 0.1]], requires_grad=True)
    (slope,) = torch.autograd.grad(boxes.giou_loss(guess, torch.tensor([[0.5, 0.5, 0.6, 0.6]])).sum(), guess)
    assert slope[0, 2] < 0 and slope[0, 3] < 0, "right and bottom must grow towards the other"


@pytest.mark.parametrize("box", [[0.2, 0.2, 0.2, 0.2], [0.5, 0.5, 0.1, 0.1]])
def test_boxes_without_area_overlap_nothing(box):
    nothing, whole = torch.tensor(box, requires_grad=True), torch.tensor([0.0, 0.0, 1.0, 1.0])
    assert boxes.iou(nothing, whole) == 0 and boxes.iou(nothing, nothing) == 0
    loss = boxes.giou_loss(nothing, whole)
    loss.backward()
    assert loss.isfinite() and nothing.grad is not None and nothing.grad.isfinite().all()


@pytest.mark.parametrize("limit", [1024, 0], ids=["matrix", "one by one"])
@pytest.mark.parametrize("overlap", [0.0, 0.3, 0.6, 1.0])
def test_what_stays_is_what_a_loop_leaves(monkeypatch, limit, overlap):
    monkeypatch.setattr(boxes, "WHOLE_MATRIX", limit)
    for seed in range(6):
        chance = torch.Generator().manual_seed(seed)
        found = some(3, 40, seed)
        # Few different scores, so that there are ties; some of zero.
        scores = torch.randint(0, 6, (3, 40), generator=chance) / 5
        classes = torch.randint(0, 3, (3, 40), generator=chance)
        stays = boxes.kept(found, scores, classes, overlap)
        for row in range(3):
            assert stays[row].tolist() == plain_nms(found[row].tolist(), scores[row].tolist(), classes[row].tolist(), overlap)
        assert overlap < 1.0 or torch.equal(stays, scores > 0)


def test_a_chain_is_undone_link_by_link():
    """Each overlaps the next: the first puts the second out, which so cannot put out the third."""
    left = torch.arange(50) * 0.4
    chain = torch.stack((left, torch.zeros(50), left + 1, torch.ones(50)), -1)[None]
    stays = boxes.kept(chain, torch.linspace(1, 0.5, 50)[None], torch.zeros(1, 50, dtype=torch.long), 0.4)
    assert stays[0].nonzero()[:, 0].tolist() == list(range(0, 50, 2))


@pytest.mark.parametrize("count", [0, 1])
def test_few_or_none(count):
    found = boxes.kept(torch.rand(2, count, 4), torch.ones(2, count), torch.zeros(2, count, dtype=torch.long), 0.5)
    assert found.shape == (2, count) and found.all()
