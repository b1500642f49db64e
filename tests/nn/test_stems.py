import numpy as np
import torch

from zhuji.core.units import Units
from zhuji.nn.stems import IdStem, ValueStem


def test_looks_up_ids_and_leaves_padding_at_zero_whatever_id_stands_there():
    stem = IdStem(6, 3)
    mask = torch.tensor([[True, True, False], [True, False, False]])
    features = stem(Units(mask=mask, ids=torch.tensor([[1, 5, 4], [2, 2, 2]])))
    assert torch.equal(features.mask, mask)
    torch.testing.assert_close(features.states[0, 1], stem.table.weight[5])
    assert not features.states[~mask].any()


def test_works_on_any_grid():
    mask = torch.ones(2, 3, 4, dtype=torch.bool)
    assert IdStem(6, 5)(Units(mask=mask, ids=torch.ones(2, 3, 4, dtype=torch.int64))).states.shape == (2, 3, 4, 5)


def test_rarity_weighs_each_vector_and_is_learned():
    rarity = np.log(np.array([1.0, 2.0, 0.5], np.float32))
    stem = IdStem(3, 4, rarity=rarity)
    features = stem(Units(mask=torch.ones(1, 2, dtype=torch.bool), ids=torch.tensor([[1, 2]])))
    torch.testing.assert_close(features.states[0, 0], 2 * stem.table.weight[1])
    torch.testing.assert_close(features.states[0, 1], 0.5 * stem.table.weight[2])
    assert stem.weight.weight.requires_grad


def test_values_are_mapped_or_left_as_they_are_and_padding_is_zero():
    values, mask = torch.randn(2, 3, 4, 5), torch.rand(2, 3, 4) < 0.5
    units = Units(mask, values=values)
    same = ValueStem(5, 5, as_they_are=True)
    assert not list(same.parameters()) and torch.equal(same(units).states, values * mask.unsqueeze(-1))
    for stem in (ValueStem(5, 5, as_they_are=False), ValueStem(5, 7, as_they_are=True)):
        states = stem(units).states
        assert not states[~mask].any()
        torch.testing.assert_close(states[mask], values[mask] @ stem.map.weight.T + stem.map.bias)
