import pytest
import torch

from zhuji.nn.assignment import Objects, aligned, overlapping
from zhuji.nn.boxes import iou
from zhuji.nn.detectors import cells_of


def grid(rows, height, width):
    return cells_of(torch.ones(rows, height, width, dtype=torch.bool))


def objects(*rows):
    """Boxes with their classes last, filled up."""
    longest = max(len(row) for row in rows)
    filled = torch.tensor([[*row, *[[-1.0] * 5] * (longest - len(row))] for row in rows])
    return Objects(filled[..., :4].reshape(len(rows), longest, 4), filled[..., 4].reshape(len(rows), longest).long())


def plain_aligned(scores, boxes, places, truth, most, alpha, beta):
    """Of one row, object by object and place by place."""
    middle = (places[:, :2] + places[:, 2:]) / 2
    claims = [[] for _ in truth]
    for m, (*box, kind) in enumerate(truth):
        box = torch.tensor(box)
        near = [n for n in range(len(places)) if (middle[n] > box[:2]).all() and (middle[n] < box[2:]).all()]
        if not near:
            near = [int(((box[:2] + box[2:]) / 2 - middle).square().sum(1).argmin())]
        fit = {n: (float(scores[n, int(kind)]) ** alpha * max(0.1, float(iou(box, boxes[n]))) ** beta, n) for n in near}
        claims[m] = sorted(fit.values(), reverse=True)[:most]
    owner, quality = [-1] * len(places), [0.0] * len(places)
    overlap = [[max(0.1, float(iou(torch.tensor(box[:4]), boxes[n]))) for n in range(len(places))] for box in truth]
    for n in range(len(places)):
        wanted = [m for m in range(len(truth)) if n in [place for _, place in claims[m]]]
        if wanted:
            owner[n] = max(wanted, key=lambda m: (overlap[m][n], -m))
    for m in range(len(truth)):
        mine = [(fit, n) for fit, n in claims[m] if owner[n] == m]
        for fit, n in mine:
            quality[n] = fit / max(f for f, _ in mine) * max(overlap[m][k] for _, k in mine)
    return owner, quality


@pytest.mark.parametrize("seed", range(5))
def test_aligned_as_by_hand(seed):
    chance = torch.Generator().manual_seed(seed)
    places, mask = grid(1, 6, 8)
    scores = torch.rand(1, 48, 3, generator=chance)
    boxes = torch.rand(1, 48, 2, generator=chance) * 0.6
    boxes = torch.cat((boxes, boxes + 0.3), -1)
    corner = torch.rand(5, 2, generator=chance) * 0.6
    truth = torch.cat((corner, corner + 0.05 + torch.rand(5, 2, generator=chance) * 0.4, torch.arange(5)[:, None] % 3), 1)
    truth[4, 2:4] = truth[4, :2] + 0.01  # too small to hold the middle of a cell
    found = aligned(scores, boxes, places, mask, objects(truth.tolist()), most=4, alpha=0.5, beta=6.0)
    owner, quality = plain_aligned(scores[0], boxes[0], places[0], truth.tolist(), 4, 0.5, 6.0)
    assert found.object[0].tolist() == owner
    assert found.quality[0].tolist() == pytest.approx(quality, rel=1e-4)
    assert len({*owner}) > 3


@pytest.mark.parametrize("way", ["aligned", "overlapping"])
def test_padding_and_rows_without_objects_learn_nothing(way):
    mask = torch.ones(3, 4, 4, dtype=torch.bool)
    mask[1, 2:] = False
    places, real = cells_of(mask)
    truth = objects([[0.1, 0.1, 0.9, 0.9, 0]], [[0.1, 0.1, 0.9, 0.9, 1], [0.0, 0.0, 0.2, 0.2, 0]], [])
    if way == "aligned":
        found = aligned(torch.full((3, 16, 2), 0.5), places, places, real, truth, most=20, alpha=1.0, beta=1.0)
    else:
        found = overlapping(places, real, truth, least=0.5)
    assert (found.object[2] == -1).all() and not found.quality[2].any()
    assert (found.object[1, 8:] == -1).all() and (found.object[1, :8] >= 0).any()
    assert (found.quality > 0).equal(found.object >= 0)


@pytest.mark.parametrize("way", ["aligned", "overlapping"])
def test_a_batch_without_any_object(way):
    places, real = grid(2, 2, 2)
    none = Objects(torch.zeros(2, 0, 4), torch.zeros(2, 0, dtype=torch.long))
    if way == "aligned":
        found = aligned(torch.full((2, 4, 2), 0.5), places, places, real, none, most=3, alpha=1.0, beta=1.0)
    else:
        found = overlapping(places, real, none, least=0.5)
    assert (found.object == -1).all() and not found.quality.any()


def test_default_boxes_learn_what_they_overlap_and_every_object_has_one():
    places = torch.tensor([[[0.0, 0.0, 0.5, 0.5], [0.0, 0.0, 0.4, 0.5], [0.5, 0.5, 1.0, 1.0], [0.6, 0.0, 1.0, 0.4]]])
    truth = objects([[0.0, 0.0, 0.5, 0.5, 0], [0.8, 0.3, 0.9, 0.4, 1]])
    found = overlapping(places, torch.ones(1, 4, dtype=torch.bool), truth, least=0.5)
    assert found.object.tolist() == [[0, 0, -1, 1]]
    assert found.quality.tolist() == [[1.0, 1.0, 0.0, 1.0]]


def test_three_hundred_objects():
    places, real = grid(1, 20, 20)
    corner = torch.rand(300, 2, generator=torch.Generator().manual_seed(0)) * 0.9
    truth = objects(torch.cat((corner, corner + 0.08, torch.zeros(300, 1)), 1).tolist())
    found = aligned(torch.full((1, 400, 1), 0.5), places, places, real, truth, most=10, alpha=0.5, beta=6.0)
    assert found.object.max() < 300 and found.quality.max() <= 1 and (found.object >= 0).sum() > 200
