"""Maps over pictures: they add up, find what was planted, and depend on what was learned (Adebayo et al. 2018)."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import spearmanr

from tests.model import planted
from zhuji.core.errors import CannotExplain, NoWeights, UnknownName
from zhuji.core.records import Picture
from zhuji.model.explain import explain, explains
from zhuji.model.heat import FINEST, Heat, heat, summed
from zhuji.model.predictor import Predictor


def found(predictor: Predictor, raw: Picture, about: str | None = None) -> Heat:
    (one,) = explain(predictor, raw, about)
    assert isinstance(one, Heat)
    return one


@pytest.fixture(scope="module")
def rows() -> list[tuple[Picture, str, tuple[int, int]]]:
    return planted.pictures(12, 1)


def test_the_planted_patch_is_what_speaks(rows) -> None:
    predictor, untrained = planted.trained(), planted.untrained(5)
    hits, shares, by_chance = [], [], []
    for raw, name, place in rows:
        one = found(predictor, raw)
        assert one.about == name, "the network has learned it"
        hits.append(planted.near(one.map, place))
        shares.append(planted.share_in_patch(one.map, place))
        by_chance.append(planted.share_in_patch(found(untrained, raw, name).map, place))
    assert np.mean(hits) >= 0.9
    assert np.mean(shares) > 0.3 > 2 * np.mean(by_chance), "the patch is 1/16 of the picture"


def test_weights_add_up_to_the_log_odds(rows) -> None:
    predictor = planted.trained()
    for raw, name, _ in rows[:6]:
        one = found(predictor, raw)
        assert one.complete and abs(one.gap) <= 0.01 * max(1, abs(one.value - one.base))
        scores = next(predictor.predict([raw])).scores or {}
        assert one.value == pytest.approx(np.log(scores[name] / (1 - scores[name])), abs=1e-3)
        other = next(each for each in planted.COLOURS if each != name)
        against = found(predictor, raw, other)
        # Of two classes the log-odds of one are those of the other, negated.
        assert against.map == pytest.approx(-one.map, abs=1e-3)


def test_other_weights_give_another_map(rows) -> None:
    alike = []
    for raw, name, _ in rows[:8]:
        learned, drawn = found(planted.trained(), raw, name), found(planted.untrained(5), raw, name)
        alike.append([spearmanr(f(learned.map).ravel(), f(drawn.map).ravel()).statistic for f in (np.asarray, np.abs)])
    signed, strengths = np.mean(alike, 0)
    # Both are made of the same pixels, so strengths are a little alike.
    assert abs(signed) < 0.15 and abs(strengths) < 0.4
    same = found(planted.trained(), rows[0][0]).map
    assert (same == found(planted.trained(), rows[0][0]).map).all(), "and the same weights the same"


def test_a_map_lies_where_the_picture_was_seen() -> None:
    wide = planted.written(np.random.default_rng(0).integers(0, 255, (30, 60, 3), dtype=np.uint8))
    padded = found(planted.untrained(0, resize="pad"), wide, "red")
    assert padded.size == (60, 30) and padded.covers == pytest.approx((0, -15, 60, 45), abs=1e-4)
    outside = [*range(4), *range(12, 16)]
    assert (
        not padded.map[outside].any()
        and padded.map[4:12].any()
        and abs(padded.gap) < 0.01 * max(1, abs(padded.value - padded.base))
    )
    cropped = found(planted.untrained(0, resize="crop"), wide, "red")
    assert cropped.covers == pytest.approx((15, 0, 45, 30), abs=1e-4) and cropped.cut and cropped.map.shape == (16, 16)
    assert found(planted.untrained(0), wide, "red").covers == pytest.approx((0, 0, 60, 30), abs=1e-4)


def test_thirds_of_a_picture_hold_all_weights(rows) -> None:
    one = found(planted.trained(), rows[0][0])
    assert one.coarse(3).sum() == pytest.approx(one.map.sum())
    assert one.coarse(16) == pytest.approx(one.map), "a cell a part"


def test_fine_maps_are_added_up() -> None:
    weights = np.arange(15.0).reshape(3, 5)
    cells, side = summed(weights, 2)
    assert cells.tolist() == [[0 + 1 + 5 + 6, 2 + 3 + 7 + 8, 4 + 9], [10 + 11, 12 + 13, 14]] and side == 2
    assert summed(np.ones((3 * FINEST, 10)), 3)[0].shape == (FINEST, 4)


def test_it_can_be_written_as_json_and_asked_by_path_and_bytes(rows, tmp_path) -> None:
    raw = rows[0][0]
    told = json.loads(json.dumps(found(planted.trained(), raw).as_dict()))
    assert len(told["map"]) == planted.SIDE and told["method"] == "integrated gradients" and told["prediction"] == rows[0][1]
    (tmp_path / "a.png").write_bytes(raw.data or b"")
    for other in (str(tmp_path / "a.png"), tmp_path / "a.png", raw.data):
        (one,) = heat(planted.trained(), other)
        assert one.map.tolist() == told["map"]


def test_what_cannot_be_explained(rows) -> None:
    predictor = planted.trained()
    with pytest.raises(UnknownName):
        found(predictor, rows[0][0], "green")
    with_runner = Predictor(predictor.model, runner=lambda units: None)
    assert explains(predictor) and not explains(with_runner)
    with pytest.raises(NoWeights):
        found(with_runner, rows[0][0])
    from tests.model.writers import writer

    assert not explains(Predictor(writer(loud=4.0)))
    with pytest.raises(CannotExplain):
        next(explain(Predictor(writer(loud=4.0)), "a"))


def test_an_object_is_missed_where_it_stands(rows) -> None:
    hits = []
    for raw, name, place in rows[:6]:
        one = found(planted.detector(), raw)
        told = one.prediction.answer[int(one.of) - 1]
        assert (one.about, one.method, one.complete, one.of) == (name, "occlusion", None, "1")
        # Nothing but the object itself overlaps with its own box wholly.
        assert one.value == pytest.approx(told["score"], abs=0.02) and one.base < 0.2
        hits.append(planted.near(one.map, place))
    assert np.mean(hits) >= 0.8
    assert found(planted.detector(), rows[0][0], "1").map.shape == (16, 16)
