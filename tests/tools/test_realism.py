from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests import pictured
from tests.painter import painter
from zhuji.core.errors import BadSetting, ImpossiblePair, NotABundle, TooFewRows
from zhuji.core.records import Record
from zhuji.data.prepare import prepare
from zhuji.metrics.generated import Gaussian, frechet
from zhuji.model.bundle import open_bundle
from zhuji.model.draw import DrawSettings, drawn
from zhuji.model.pooled import embed
from zhuji.model.predictor import Predictor
from zhuji.tools import realism as tool
from zhuji.tools.realism import Realism, realism, write_realism
from zhuji.training.folder import read_run


@cache
def judge() -> Predictor:
    return open_bundle(pictured.result().bundle)


def measured(maker: Predictor, count: int = 30, **more: object) -> Realism:
    run = pictured.result().run
    return realism(run, run, DrawSettings.parse({"count": count, **more}), maker=maker, judge=judge())


@cache
def noisy() -> Realism:
    return measured(painter(0.2))


def pngs(folder: Path, arrays: list[np.ndarray]) -> list[Path]:
    paths = [folder / f"{number}.png" for number in range(len(arrays))]
    for path, array in zip(paths, arrays, strict=True):
        Image.fromarray(array).save(path)
    return paths


@cache
def records(split: str) -> list[Record]:
    run = read_run(pictured.result().run)
    return prepare(run.data, run.seed).split(split)


def real(split: str) -> list[np.ndarray]:
    """The run's own pictures as the painter's modality decodes them."""
    rows = painter().model.modality.encode([record.input for record in records(split)])
    return [row.values for row in rows if row.values is not None]


def test_the_distance_is_that_of_the_classifiers_features(tmp_path: Path) -> None:
    found = noisy()
    arrays = drawn(painter(0.2).model, DrawSettings(count=30))
    some = found.rows["compared"]
    assert some == found.rows["test"] == len(real("test")) < 30
    vectors = [
        np.stack(list(embed(judge(), pngs(_made(tmp_path / name), part))))
        for name, part in (("drawn", arrays[:some]), ("train", real("train")), ("test", real("test")))
    ]
    mine, train, test = (Gaussian.of(part) for part in vectors)
    pair = found.scores["frechet"]
    assert pair["drawn"] and pair["real"]
    assert pair["drawn"].value == pytest.approx(frechet(train, mine), rel=1e-4)
    assert pair["real"].value == pytest.approx(frechet(train, test), rel=1e-4)
    assert found.features == vectors[0].shape[1] and "few for" in found.warnings[0]


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def test_what_is_recognised_and_seen() -> None:
    found = noisy()
    answers = [answer.answer for answer in judge().predict(_bytes(found.drawn.pixels))]
    right = [answer == label for answer, label in zip(answers, found.drawn.labels, strict=True)]
    pair = found.scores["recognised"]
    assert pair["drawn"] and pair["drawn"].value == pytest.approx(np.mean(right)) and pair["drawn"].low <= np.mean(right)
    assert sum(row["seen"] for row in found.by_class) == sum(row["asked"] for row in found.by_class) == 30
    assert [row["recognised"] for row in found.by_class] == [sum(right[k::3]) for k in range(3)]
    one = measured(painter(0.2), labels=("red",))
    assert [row["asked"] for row in one.by_class] == [0, 30, 0]


def _bytes(pixels: np.ndarray) -> list[bytes]:
    return [tool._stored(array).data or b"" for array in pixels]  # pyright: ignore[reportPrivateUsage]


def test_better_pictures_are_nearer_and_copies_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    near, far = (measured(painter(noise)).scores["frechet"]["drawn"] for noise in (0.2, 3.0))
    assert near and far and near.value < far.value
    assert noisy().copies["pixels"]["nearer"] < 0.9 and noisy().copies["pixels"]["equal"] == 0
    learned = real("train")
    monkeypatch.setattr(tool, "drawing", lambda model, settings: iter([learned[i % len(learned)] for i in range(30)]))
    copied = measured(painter())
    for kind in ("pixels", "features"):
        of = copied.copies[kind]
        assert of["nearer"] == of["suspects"] == 1.0 and of["median"] < 1e-6 < of["median_of_real"]
        assert [twin.place for twin in copied.twins[kind]] == [i % len(learned) for i in range(30)]
        assert {twin.closer for twin in copied.twins[kind]} == {1.0}
    files = [Path(record.input.path).name for record in records("train")]
    assert [twin.name for twin in copied.twins["pixels"]] == [files[i % len(files)] for i in range(30)]
    assert (copied.copies["pixels"]["equal"], copied.copies["pixels"]["equal_of_real"]) == (30, 0)
    assert copied.scores["precision"]["drawn"].value == 1  # pyright: ignore[reportOptionalMemberAccess]


def test_the_same_seed_gives_the_same_numbers() -> None:
    assert {**measured(painter(0.2)).as_dict(), "seconds": 0} == {**noisy().as_dict(), "seconds": 0}
    assert measured(painter(0.2), seed=1).scores["frechet"] != noisy().scores["frechet"]


def test_a_model_without_classes_is_seen_all_the_same() -> None:
    found = measured(painter(conditional=False))
    assert "recognised" not in found.scores and found.by_class[0]["asked"] is None
    assert sum(row["seen"] for row in found.by_class) == 30


def test_files(tmp_path: Path) -> None:
    paths = write_realism(noisy(), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(paths)
    facts = json.loads(paths["realism.json"].read_text())
    assert facts["features_of"] == "own classifier" and len(facts["pairs"]) == 3 * 8 + 8
    assert facts["pairs"][0]["drawn"] == 1 and facts["pairs"][0]["label"] == "green"
    assert re.fullmatch(r"\d{3}\.(png|jpg)", facts["pairs"][0]["pixels"]["file"])
    page = paths["realism.html"].read_text()
    assert "not of Inception" in page and "Frechet distance" in page and 'src="data:image/png;base64,' in page
    assert "http" not in page.replace("http-equiv", "")
    with Image.open(paths["pairs.png"]) as sheet:
        assert sheet.size[0] > 8 * 56 and sheet.size[1] > 12 * 56
    write_realism(noisy(), tmp_path)


def test_who_cannot_be_measured_or_judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run, asked = pictured.result().run, DrawSettings(count=30)
    with pytest.raises(ImpossiblePair):
        realism(run, run, asked)
    with pytest.raises(BadSetting, match="count"):
        measured(painter(), 9)
    with pytest.raises(NotABundle, match="run"):
        realism(pictured.result().bundle, run, asked, maker=painter(), judge=judge())
    with pytest.raises(BadSetting, match="classifier"):
        realism(run, run, asked, maker=painter(), judge=Predictor(_regressor()))
    fewer = judge().model.task.model_copy(update={"labels": ("green", "red", "blue")})
    monkeypatch.setattr(judge().model, "task", fewer)
    with pytest.raises(BadSetting, match="蓝"):
        measured(painter())
    monkeypatch.undo()
    monkeypatch.setattr(tool, "FEWEST", 25)
    with pytest.raises(TooFewRows, match="test"):
        measured(painter())


def _regressor():
    from zhuji.backbones.bag import Bag
    from zhuji.model.assembly import assemble
    from zhuji.tasks.regress import Regress

    return assemble(painter().model.modality, Bag(width=3), Regress())


def test_of_more_rows_than_are_compared_some_are_drawn_by_chance_in_their_order() -> None:
    records = [Record(str(number), "") for number in range(100)]
    found = [int(one.id) for one in tool._some(records, 10, 0)]
    assert len(found) == 10 and found == sorted(found) and found != list(range(10))
    assert found == [int(one.id) for one in tool._some(records, 10, 0)] != [int(one.id) for one in tool._some(records, 10, 1)]
    assert tool._some(records, 100, 0) is records
