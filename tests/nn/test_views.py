import pytest
import torch
from pydantic import TypeAdapter, ValidationError

from tests.nn.test_chance import text
from zhuji.core.units import Units, UnitSpec
from zhuji.nn.views import Shares, cropped, deleted, gathered, halved

SPEC = UnitSpec(grid_ndim=1, num_ids=50)
MARKED = UnitSpec(grid_ndim=1, num_ids=50, start=2, end=3)


def rows_of(units):
    return [ids[mask].tolist() for ids, mask in zip(units.ids, units.mask, strict=True)]


def test_a_crop_is_a_span_of_the_row_and_shorter_in_memory():
    rows = [list(range(4, 4 + n)) for n in (40, 20, 7, 1)]
    torch.manual_seed(0)
    starts = set()
    for _ in range(30):
        view = cropped(text(rows, 40), SPEC, (0.25, 0.5))
        assert view.mask.shape == (4, 20)
        for row, ids in zip(rows, rows_of(view), strict=True):
            assert round(0.25 * len(row)) <= len(ids) <= max(1, round(0.5 * len(row))) and ids
            assert ids == list(range(ids[0], ids[0] + len(ids))) and set(ids) <= set(row)
        starts.add(rows_of(view)[0][0])
    assert len(starts) > 10


def test_crops_do_not_depend_on_padding():
    found = []
    for width in (40, 48):
        torch.manual_seed(1)
        found.append(rows_of(cropped(text([list(range(4, 44)), [9, 8, 7]], width), SPEC, (0.3, 0.6))))
    assert found[0] == found[1]


def test_marks_stay_where_a_row_begins_and_ends():
    torch.manual_seed(0)
    rows = [[2, *range(4, 24), 3], [2, 5, 3]]
    for view in (cropped(text(rows, 22), MARKED, (0.2, 0.4)), deleted(text(rows, 22), MARKED, 0.5, False)):
        assert view.mask.shape[1] < 22
        assert all(ids[0] == 2 and ids[-1] == 3 and len(ids) > 2 for ids in rows_of(view))


def test_a_crop_of_a_picture_is_a_rectangle():
    torch.manual_seed(0)
    values = torch.arange(64.0).view(1, 8, 8, 1).repeat(3, 1, 1, 1)
    mask = torch.ones(3, 8, 8, dtype=torch.bool)
    mask[1, 6:], mask[2, :, 5:] = False, False
    for _ in range(10):
        view = cropped(Units(mask, values=values), UnitSpec(2, num_values=1), (0.25, 0.5))
        assert view.mask.shape == (3, 6, 6) and view.values.shape == (3, 6, 6, 1)
        for row in range(3):
            high, wide = int(view.mask[row].any(1).sum()), int(view.mask[row].any(0).sum())
            inside = view.values[row, :high, :wide, 0]
            assert view.mask[row].sum() == high * wide > 0
            assert torch.equal(inside - inside[0, 0], values[0, :high, :wide, 0])


def test_deletion_keeps_order_and_the_share():
    torch.manual_seed(0)
    rows = [list(range(4, 44)), [9, 8, 7], [5]]
    view = deleted(text(rows, 40), SPEC, 0.25, False)
    assert view.mask.shape == (3, 30)
    kept = rows_of(view)
    assert [len(row) for row in kept] == [30, 2, 1]
    assert all([unit for unit in row if unit in ids] == ids for row, ids in zip(rows, kept, strict=True))


def test_words_are_deleted_whole_and_a_long_word_does_not_empty_a_row():
    torch.manual_seed(0)
    ids = torch.arange(4, 16)[None].repeat(2, 1)
    words = torch.stack((torch.arange(12) // 3, torch.zeros(12, dtype=torch.long)))
    units = Units(torch.ones(2, 12, dtype=torch.bool), ids, words=words)
    for _ in range(10):
        view = deleted(units, SPEC, 0.4, True)
        first, second = rows_of(view)
        assert len(first) == 6 and all(unit + 1 in first and unit + 2 in first for unit in first if (unit - 4) % 3 == 0)
        assert second == list(range(4, 4 + view.mask.shape[1]))


def test_what_is_deleted_from_a_picture_is_padding():
    torch.manual_seed(0)
    units = Units(torch.ones(2, 4, 4, dtype=torch.bool), values=torch.randn(2, 4, 4, 1))
    view = deleted(units, UnitSpec(2, num_values=1), 0.25, False)
    assert view.mask.flatten(1).sum(1).tolist() == [12, 12] and view.values is units.values


def test_gathering_takes_every_field_along():
    units = text([[5, 6, 7, 8]], 4)
    units = Units(units.mask, units.ids, torch.randn(1, 4, 2), segments=units.ids * 0 + 1, words=units.ids - 5)
    keep = torch.tensor([[False, True, False, True]])
    view = gathered(units, keep, 0, 3)
    assert rows_of(view) == [[6, 8]] and view.words[0, :2].tolist() == [1, 3]
    assert torch.equal(view.values[0, :2], units.values[0, 1::2]) and view.segments.shape == (1, 3)


@pytest.mark.parametrize("shares", [(0.0, 0.5), (0.6, 0.5), (0.5, 1.1)])
def test_shares_must_rise(shares):
    with pytest.raises(ValidationError, match="two shares"):
        TypeAdapter(Shares).validate_python(shares)


def test_halves_are_the_two_sides_of_one_cut():
    torch.manual_seed(0)
    rows = [list(range(4, 4 + n)) for n in (40, 20, 7, 2, 1)]
    cuts = set()
    for _ in range(30):
        first, second = (rows_of(side) for side in halved(text(rows, 40), SPEC, (0.2, 0.8)))
        for row, left, right in zip(rows[:-1], first, second, strict=False):
            assert left + right == row and left and right
            assert round(0.2 * len(row)) <= len(left) <= max(1, round(0.8 * len(row)))
        assert first[-1] == second[-1] == rows[-1]
        cuts.add(len(first[0]))
    assert len(cuts) > 10


def test_halves_keep_marks_and_do_not_depend_on_padding():
    found = []
    for width in (22, 30):
        torch.manual_seed(1)
        found.append([rows_of(side) for side in halved(text([[2, *range(4, 24), 3], [2, 5, 3]], width), MARKED, (0.2, 0.8))])
    assert found[0] == found[1]
    assert all(ids[0] == 2 and ids[-1] == 3 and len(ids) > 2 for side in found[0] for ids in side)


def test_halves_of_a_picture_lie_one_above_the_other():
    torch.manual_seed(0)
    mask = torch.ones(2, 8, 6, dtype=torch.bool)
    mask[1, 5:] = False
    units = Units(mask, values=torch.arange(48.0).view(1, 8, 6, 1).repeat(2, 1, 1, 1))
    for side in zip(
        *(list(zip(h.mask, h.values, strict=True)) for h in halved(units, UnitSpec(2, num_values=1), (0.25, 0.75))), strict=True
    ):
        (m1, v1), (m2, v2) = side
        assert torch.cat((v1[m1], v2[m2]))[:, 0].tolist() == list(range(int(m1.sum() + m2.sum())))
