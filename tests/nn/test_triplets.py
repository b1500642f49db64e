import pytest
import torch
import torch.nn.functional as F

from zhuji.nn.triplets import distances, mined

torch.manual_seed(0)
EMBEDDINGS = F.normalize(torch.randn(12, 3), dim=1)
LABEL = torch.tensor([0, 1, 2, 0, 1, 2, 0, 1, -1, -1, 3, 0])
DISTANCE = distances(EMBEDDINGS, True)
DRAWS = torch.rand(12, 12)


def pairs():
    return [(i, j) for i in range(12) for j in range(12) if i != j and LABEL[i] >= 0 and LABEL[i] == LABEL[j]]


def negatives(i):
    return [k for k in range(12) if LABEL[k] >= 0 and LABEL[k] != LABEL[i]]


def test_distances():
    expected = torch.cdist(EMBEDDINGS, EMBEDDINGS)
    torch.testing.assert_close(DISTANCE, expected.square(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(distances(EMBEDDINGS, False), expected, rtol=1e-4, atol=2e-3)
    leaf = EMBEDDINGS.clone().requires_grad_()
    distances(leaf, False).sum().backward()
    assert leaf.grad.isfinite().all()


@pytest.mark.parametrize("mining", ["random", "semi_hard"])
def test_every_pair_of_a_class_has_its_negative(mining):
    found = mined(DISTANCE, LABEL, mining, DRAWS)
    assert [tuple(place) for place in found.valid.nonzero().tolist()] == pairs()
    for i, j in pairs():
        away = [float(DISTANCE[i, k]) for k in negatives(i)]
        farther = [d for d in away if d > float(DISTANCE[i, j])]
        assert found.positive[i, j] == DISTANCE[i, j]
        if mining == "semi_hard":
            assert float(found.negative[i, j]) == (min(farther) if farther else max(away))
        else:
            assert float(found.negative[i, j]) in away


def test_hard_takes_the_farthest_positive_and_the_nearest_negative():
    found = mined(DISTANCE, LABEL, "hard", DRAWS)
    for i in range(12):
        alike = [j for a, j in pairs() if a == i]
        assert bool(found.valid[i, 0]) == bool(alike)
        if alike:
            assert float(found.positive[i, 0]) == max(float(DISTANCE[i, j]) for j in alike)
            assert float(found.negative[i, 0]) == min(float(DISTANCE[i, k]) for k in negatives(i))


def test_random_negatives_are_uniform():
    torch.manual_seed(1)
    label = torch.tensor([0, 0, 1, 1, 1, -1])
    distance = torch.arange(36.0).view(6, 6)
    drawn = [float(mined(distance, label, "random", torch.rand(6, 6)).negative[0, 1]) for _ in range(600)]
    # Deviation of a third of 600: 11.5.
    assert {value: drawn.count(value) for value in set(drawn)} == pytest.approx({2.0: 200, 3.0: 200, 4.0: 200}, abs=46)


@pytest.mark.parametrize("mining", ["random", "semi_hard", "hard"])
@pytest.mark.parametrize("label", [[0, 0, 0], [0, 1, 2], [-1, -1, -1]])
def test_no_triplet_no_error(mining, label):
    assert not mined(DISTANCE[:3, :3], torch.tensor(label), mining, DRAWS[:3, :3]).valid.any()
