from dataclasses import replace

from tests import many_runs, trained
from zhuji.tools.pages.found import read
from zhuji.tools.pages.run_pictures import run_pictures
from zhuji.tools.pages.trail import spread


def test_a_run_shows_what_it_has_and_nothing_else() -> None:
    found = read(trained.run())
    assert {"scores", "curves", "confusion", "confusion_normalised", "per_class", "reliability", "lengths"} <= set(
        run_pictures(found, 30)
    )
    bare = replace(found, results={"test": {}, "labels": [], "confusion": []}, log=[], predictions=[], rows=[])
    assert run_pictures(bare, 30) == {}


def test_players_stand_beside_each_other() -> None:
    found = read(trained.run())
    log = [spread(many_runs.train_line(n, 3.0, losses={"critic": 1.0, "maker": 2.0 / n})) for n in (1, 2)]
    assert "critic 1.000; maker 1.000" in run_pictures(replace(found, log=log), 30)["curves"].alt
    assert "maker" not in run_pictures(found, 30)["curves"].alt


def test_numbers_get_a_fit_and_many_classes_are_cut() -> None:
    found = read(trained.run())
    rows = [{"id": "1", "input": "x", "label": "1.0", "prediction": "1.2", "score": ""}]
    assert "fit" in run_pictures(replace(found, results={**found.results, "labels": [], "confusion": []}, predictions=rows), 30)
    assert "2 classes" in run_pictures(found, 2)["confusion"].alt
