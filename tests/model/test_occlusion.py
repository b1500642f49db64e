"""What is missed where a part is hidden, against a model whose answer is known part by part, and on what was planted."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from tests.model import planted
from zhuji.core.answers import About
from zhuji.core.units import Units
from zhuji.model.assembly import collate
from zhuji.model.occlusion import PARTS, occluded


class Weighted(nn.Module):
    """The number is a weighted sum of the picture's values: hiding a part takes away exactly its share."""

    def __init__(self, weights: torch.Tensor) -> None:
        super().__init__()
        self.weights = nn.Parameter(weights)
        self.task = SimpleNamespace(spoken_for=lambda outputs, about: outputs)

    def outputs(self, batch):
        return (batch.units.values * self.weights).sum((1, 2, 3))


@pytest.mark.parametrize(("size", "side"), [((8, 12), 1), ((40, 33), 3), ((5, 64), 4)])
def test_of_a_sum_each_part_is_missed_by_its_share(size, side):
    torch.manual_seed(0)
    values, weights = torch.randn(1, *size, 3), torch.randn(*size, 3)
    found = occluded(Weighted(weights), Units(torch.ones(1, *size, dtype=torch.bool), values=values), About("x"))
    shares = (values[0] * weights).sum(-1).double()
    rows, columns = (-(-length // side) for length in size)
    expected = [
        [float(shares[r * side : (r + 1) * side, c * side : (c + 1) * side].sum()) for c in range(columns)] for r in range(rows)
    ]
    assert found.side == side and found.weights.shape == (rows, columns) and max(rows, columns) <= PARTS
    assert found.weights == pytest.approx(np.array(expected), abs=1e-4)
    assert (found.value, found.base) == (pytest.approx(float(shares.sum()), abs=1e-3), 0)


def test_the_planted_patch_is_missed_most():
    predictor, hits = planted.trained(), []
    for raw, name, place in planted.pictures(8, 2):
        (row,) = predictor.model.modality.encode([raw])
        units = collate(predictor.model, [row], None, row.length).units
        hits.append(planted.near(occluded(predictor.model, units, About(name)).weights, place))
    assert np.mean(hits) >= 0.85
