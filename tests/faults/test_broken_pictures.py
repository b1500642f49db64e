"""Whatever the picture: it is shown, or one error of the catalogue says why not; in a data set it is a row with a fate."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from tests.faults.broken_pictures import broken_pictures, good_pictures
from zhuji.core.errors import catalogue
from zhuji.core.records import Picture
from zhuji.core.unreadable import PictureError
from zhuji.data.ledger import Ledger
from zhuji.data.pictures import pixels, quietly, size_of
from zhuji.data.prepare import prepare
from zhuji.data.read import read_records
from zhuji.data.settings import DataSettings
from zhuji.data.words import CHINESE

CAUSES = (
    "no such picture", "empty picture file", "unreadable picture file", "not a picture", "truncated picture", "damaged picture",
    "too many pixels", "unknown kind of pixels", "values that are not numbers", "values out of range", "not a regular file",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("broken") / "pictures"
    assert len(broken_pictures(made)) >= 150
    good_pictures(made)
    return made


@pytest.fixture(scope="module")
def outcomes(folder: Path) -> dict[str, np.ndarray | PictureError]:
    """By name: the pixels, or the error."""
    found: dict[str, np.ndarray | PictureError] = {}
    for path in sorted(folder.rglob("*.*")):
        with quietly():
            try:
                found[path.name] = pixels(Picture(str(path)))
            except PictureError as error:
                found[path.name] = error
    return found


def test_each_is_shown_or_refused_with_a_reason_in_both_languages(outcomes: dict[str, np.ndarray | PictureError]) -> None:
    for name, found in outcomes.items():
        if isinstance(found, PictureError):
            assert found.code in catalogue() and found.cause in CAUSES, name
            assert found.message("en") and found.message("zh") and found.cause in CHINESE, name
        else:
            assert found.dtype == np.uint8 and found.ndim == 3 and found.shape[2] == 3 and found.size, name


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("empty.png", "empty picture file"), ("zeros.png", "not a picture"), ("text.png", "not a picture"), ("printed.jpg", "not a picture"),
        ("drawing.png", "not a picture"), ("document.tif", "not a picture"), ("bomb.png", "too many pixels"),
        ("bomb-one-bit.png", "too many pixels"), ("bomb.gif", "too many pixels"), ("bomb.bmp", "too many pixels"),
        ("bomb.jpg", "too many pixels"), ("bomb.tif", "too many pixels"), ("bomb.webp", "too many pixels"),
        ("float-nan.tif", "values that are not numbers"), ("float-inf.tif", "values that are not numbers"),
        ("float-far.tif", "values out of range"), ("whole-low.tif", "values out of range"), ("cut-50.jpg", "truncated picture"),
        ("cut-50.bmp", "truncated picture"), ("nowhere.png", "no such picture"), ("pipe.png", "not a regular file"),
        ("circle.jpg", "unreadable picture file"), ("medical.dcm", "damaged picture"),
    ],
)  # fmt: skip
def test_the_reason_is_the_true_one(outcomes: dict[str, np.ndarray | PictureError], name: str, cause: str) -> None:
    found = outcomes[name]
    assert isinstance(found, PictureError) and found.cause == cause


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("really-jpeg.png", (40, 48)), ("really-png.jpg", (40, 48)), ("shape-1x10000.png", (10_000, 1)), ("shape-1x1.png", (1, 1)),
        ("inks.jpg", (40, 48)), ("inks-profile.jpg", (40, 48)), ("moving.gif", (40, 48)), ("moving.webp", (40, 48)), ("behind.png", (40, 48)),
        ("exif-1.jpg", (40, 48)), ("exif-3.jpg", (40, 48)), ("exif-4.jpg", (40, 48)), ("exif-5.jpg", (40, 48)), ("mode-LAB.tif", (9, 9)),
        ("float-share.tif", (9, 9)), ("whole-fits.tif", (9, 9)), ("profile.png", (40, 48)), ("clear.png", (9, 9)),
    ],
)  # fmt: skip
def test_what_is_only_odd_is_shown(outcomes: dict[str, np.ndarray | PictureError], name: str, shape: tuple[int, int]) -> None:
    found = outcomes[name]
    assert isinstance(found, np.ndarray) and found.shape[:2] == shape


def test_bombs_cost_no_time(folder: Path) -> None:
    started = time.perf_counter()
    for path in folder.rglob("bomb*"):
        with quietly(), pytest.raises(PictureError):
            size_of(Picture(str(path))) if "text" not in path.name and "profile" not in path.name else pixels(
                Picture(str(path))
            )
    # Generous: a decoded one would take seconds and gigabytes.
    assert time.perf_counter() - started < 5


def test_in_a_data_set_every_one_has_its_fate(folder: Path, outcomes: dict[str, np.ndarray | PictureError]) -> None:
    ledger = Ledger()
    kept = {record.file.rpartition("/")[2] for record in read_records(DataSettings(path=str(folder)), ledger=ledger)}
    assert ledger.read == len(outcomes) == len(kept) + ledger.total("dropped")
    assert kept == {name for name, found in outcomes.items() if not isinstance(found, PictureError)}
    refused = [found.cause for found in outcomes.values() if isinstance(found, PictureError)]
    assert ledger.causes("dropped") == {cause: refused.count(cause) for cause in refused}
    assert ledger.changes["first of several frames kept"] >= 4 and ledger.changes["laid over white"] >= 2
    prepared = prepare(DataSettings(path=str(folder), max_dropped=1.0), 0)
    assert prepared.ledger.read == len(prepared.records) + prepared.ledger.total("dropped")


def test_a_run_on_all_of_them_ends_well(folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    from zhuji.training.fit import fit
    from zhuji.training.run import compose

    layer = {
        "data": {"path": str(folder), "max_dropped": 1.0}, "modality": {"name": "image", "size": [16, 16], "patch": 4},
        "backbone": {"name": "bag", "width": 8}, "train": {"epochs": 1, "rehearse": False, "precision": "fp32", "threads": 1},
        "evaluate": {"bootstrap": 2},
    }  # fmt: skip
    result = fit(compose(layer), tmp_path / "run", progress=False)
    ledger = result.facts["ledger"]
    assert (
        ledger["balanced"] and ledger["read"] == ledger["used"] + ledger["cut"] + ledger["dropped"] and ledger["dropped"] > 50
    )
    assert "Traceback" not in capfd.readouterr().err
