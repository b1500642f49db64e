from dataclasses import replace

from tests import trained
from zhuji.tools.pages.found import read
from zhuji.tools.pages.run_pictures import run_pictures


def test_a_run_shows_what_it_has_and_nothing_else() -> None:
    found = read(trained.run())
    assert {"scores", "curves", "confusion", "confusion_normalised", "per_class", "reliability", "lengths"} <= set(
        run_pictures(found, 30)
    )
    bare = replace(found, results={"test": {}, "labels": [], "confusion": []}, log=[], predictions=[], rows=[])
    assert run_pictures(bare, 30) == {}


def test_numbers_get_a_fit_and_many_classes_are_cut() -> None:
    found = read(trained.run())
    rows = [{"id": "1", "input": "x", "label": "1.0", "prediction": "1.2", "score": ""}]
    assert "fit" in run_pictures(replace(found, results={**found.results, "labels": [], "confusion": []}, predictions=rows), 30)
    assert "2 classes" in run_pictures(found, 2)["confusion"].alt
