import pytest
import torch

from zhuji.core.units import Features
from zhuji.nn.boxes import areas, centred
from zhuji.nn.detectors import CellHead, ScalesHead, cells_of, default_shapes

HEADS = {
    "cell": lambda: CellHead(5, 3, width=4, depth=2, side=0.2),
    "scales": lambda: ScalesHead(5, 3, width=4, scales=3, sides=(0.1, 0.4)),
}


def features(height=5, width=7, rows=2):
    torch.manual_seed(0)
    return Features(torch.randn(rows, height, width, 5), torch.ones(rows, height, width, dtype=torch.bool))


def padded(given, more=2):
    states = torch.nn.functional.pad(given.states, (0, 0, 0, more, 0, more), value=7.0)
    return Features(states, torch.nn.functional.pad(given.mask, (0, more, 0, more)))


def test_cells_fill_the_picture():
    cells, mask = cells_of(torch.ones(1, 2, 4, dtype=torch.bool))
    assert mask.all() and areas(cells).sum() == 1
    assert cells[0, 0].tolist() == [0, 0, 0.25, 0.5] and cells[0, 7].tolist() == [0.75, 0.5, 1, 1]


def test_cells_of_a_padded_row_are_shares_of_what_is_real():
    mask = torch.zeros(1, 3, 5, dtype=torch.bool)
    mask[0, :2, :4] = True
    cells, real = cells_of(mask)
    assert torch.equal(cells[real], cells_of(torch.ones(1, 2, 4, dtype=torch.bool))[0][0])


@pytest.mark.parametrize("name", HEADS)
class TestHead:
    def test_shapes(self, name):
        found = HEADS[name]().eval()(features())
        count = {"cell": 35, "scales": 4 * (35 + 3 * 4 + 2 * 2)}[name]
        assert found["logits"].shape == (2, count, 3) and found["real"].shape == (2, count)
        assert found["boxes"].shape == found["places"].shape == (2, count, 4)

    def test_at_first_nothing_is_likely_and_boxes_lie_around_their_places(self, name):
        with torch.no_grad():
            found = HEADS[name]().eval()(features())
        assert found["logits"].sigmoid().mean() == pytest.approx(0.01, rel=0.3)
        away = centred(found["boxes"])[..., :2] - centred(found["places"])[..., :2]
        assert away.abs().max() < 0.05 and (areas(found["boxes"]) > 0).all()

    def test_padding_changes_nothing(self, name):
        head, given = HEADS[name]().eval(), features(4, 4)
        one, other = head(given), head(padded(given, 4))
        for part in ("logits", "boxes", "places"):
            torch.testing.assert_close(one[part][one["real"]], other[part][other["real"]])

    def test_huge_moves_stay_finite(self, name):
        found = HEADS[name]().eval()(Features(features().states * 1e6, features().mask))
        assert found["boxes"].isfinite().all()


def test_default_boxes_grow_by_a_factor_and_keep_their_area():
    shapes = default_shapes(3, (0.1, 0.4))
    assert [level[0] for level in shapes] == [pytest.approx((side, side)) for side in (0.1, 0.2, 0.4)]
    for square, wide, high, between in shapes:
        assert wide[0] * wide[1] == pytest.approx(square[0] ** 2) and wide[0] / wide[1] == pytest.approx(2)
        assert high == pytest.approx(wide[::-1])
        assert square[0] < between[0] < 2 * square[0]
    assert len(default_shapes(1, (0.1, 0.4))) == 1
