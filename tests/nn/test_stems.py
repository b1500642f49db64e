import torch

from zhuji.core.units import Units
from zhuji.nn.stems import IdStem


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
