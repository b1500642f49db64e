"""One way to meet each error of the catalogue, through the code that a person would call: those of settings and data. The others are in
`provocations_of_runs.py`."""

from __future__ import annotations

import gzip
import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from zhuji.core.contracts import About
from zhuji.training.run import compose

Patch = pytest.MonkeyPatch
Provocation = Callable[[Path, Patch], object]
PROVOCATIONS: dict[str, Provocation] = {}


def provokes(code: str) -> Callable[[Provocation], Provocation]:
    def keep(provocation: Provocation) -> Provocation:
        PROVOCATIONS[code] = provocation
        return provocation

    return keep


ROWS = [(f"{mood} film number {i} of this year", label) for i in range(40) for mood, label in (("good", "up"), ("bad", "down"))]


def csv(folder: Path, rows: list[tuple[str, str]] | None = None, header: str = "text,label") -> Path:
    """A small CSV file; its rows are unlike each other, so none is a near duplicate."""
    path = folder / "rows.csv"
    lines = [f"{hashlib.sha256(text.encode()).hexdigest()} {text},{label}" for text, label in (ROWS if rows is None else rows)]
    path.write_text("\n".join([header, *lines]) + "\n", encoding="utf-8")
    return path


def prepare(path: Path, **settings: object) -> object:
    from zhuji.data.prepare import prepare
    from zhuji.data.settings import DataSettings

    return prepare(DataSettings.parse({"path": str(path), **settings}), seed=0)


# ------------------------------------------------------------------------------------------------------- usage


@provokes("UnknownKey")
def _(folder: Path, patch: Patch) -> object:
    return compose({"data": {"path": "rows.csv"}}, sets=["train.stpes=5"])


@provokes("UnknownName")
def _(folder: Path, patch: Patch) -> object:
    from zhuji.core.contracts import Backbone
    from zhuji.core.lookup import build

    return build(Backbone, {"name": "recurent"})


@provokes("BadSetting")
def _(folder: Path, patch: Patch) -> object:
    return compose({"data": {"path": "rows.csv"}}, sets=["train.epochs=many"])


@provokes("ImpossiblePair")
def _(folder: Path, patch: Patch) -> object:
    from zhuji.core.contracts import Backbone
    from zhuji.core.lookup import build

    return build(Backbone, {"name": "recurrent", "directions": 2}).body(causal=True)


@provokes("CannotExplain")
def _(folder: Path, patch: Patch) -> object:
    from zhuji.tasks.next_unit import NextUnit

    return NextUnit().spoken_for({}, About("x"))


@provokes("MissingExtra")
def _(folder: Path, patch: Patch) -> object:
    path = folder / "rows.parquet"
    path.write_bytes(b"PAR1" + bytes(100) + b"PAR1")
    for name in ("pyarrow", "pyarrow.parquet"):
        patch.setitem(sys.modules, name, None)
    return prepare(path)


# -------------------------------------------------------------------------------------------------------- data


@provokes("MissingFile")
def _(folder: Path, patch: Patch) -> object:
    return prepare(folder / "nowhere.csv")


@provokes("UnreadableFile")
def _(folder: Path, patch: Patch) -> object:
    loop = folder / "loop.csv"
    loop.symlink_to(loop)
    return prepare(loop)


@provokes("NotAFile")
def _(folder: Path, patch: Patch) -> object:
    os.mkfifo(folder / "rows.csv")
    return prepare(folder / "rows.csv")


@provokes("EmptyData")
def _(folder: Path, patch: Patch) -> object:
    return prepare(csv(folder, rows=[]))


@provokes("UnknownFormat")
def _(folder: Path, patch: Patch) -> object:
    path = folder / "rows.csv"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4)
    return prepare(path)


@provokes("DamagedFile")
def _(folder: Path, patch: Patch) -> object:
    path = folder / "rows.csv.gz"
    path.write_bytes(gzip.compress(csv(folder).read_bytes())[:-200])
    return prepare(path)


@provokes("MissingColumn")
def _(folder: Path, patch: Patch) -> object:
    return prepare(csv(folder), label=["lable"])


@provokes("NoRole")
def _(folder: Path, patch: Patch) -> object:
    path = folder / "rows.csv"
    path.write_text("a,b\n" + "1.5,2.5\n3.5,4.5\n" * 10)
    return prepare(path)


@provokes("NoReadableRow")
def _(folder: Path, patch: Patch) -> object:
    path = folder / "rows.csv"
    path.write_text("text,label\n" + "one,cell,too many\n" * 20)
    return prepare(path)


@provokes("DuplicateColumn")
def _(folder: Path, patch: Patch) -> object:
    return prepare(csv(folder, header="text,text"))


@provokes("OneClass")
def _(folder: Path, patch: Patch) -> object:
    return prepare(csv(folder, rows=[(text, "up") for text, _ in ROWS]))


@provokes("NotANumber")
def _(folder: Path, patch: Patch) -> object:
    from zhuji.core.contracts import Task
    from zhuji.core.lookup import build
    from zhuji.core.records import Record

    return build(Task, {"name": "regress"}).fit([Record("a", "text", label="much", file="rows.csv", row=7)])


@provokes("TooFewRows")
def _(folder: Path, patch: Patch) -> object:
    return prepare(csv(folder, rows=ROWS[:2]))


@provokes("TooManyDropped")
def _(folder: Path, patch: Patch) -> object:
    path = csv(folder)
    path.write_text(path.read_text() + "one,cell,too many\n" * 20)
    return prepare(path, max_dropped="1%")


@provokes("LeakFound")
def _(folder: Path, patch: Patch) -> object:
    path = csv(folder)
    rows = path.read_text().splitlines()
    split = [f"{row},{'test' if i % 4 == 0 else 'train'}" for i, row in enumerate(rows[1:])]
    path.write_text("\n".join([f"{rows[0]},split", *split, rows[1] + ",train"]) + "\n")
    return prepare(path, leaks="refuse")


# ---------------------------------------------------------------------------------------------------- pictures


@provokes("BadPicture")
def _(folder: Path, patch: Patch) -> object:
    from zhuji.core.records import Picture
    from zhuji.data.pictures import pixels

    (folder / "notes.png").write_text("this is no picture")
    return pixels(Picture(str(folder / "notes.png")))


@provokes("HugePicture")
def _(folder: Path, patch: Patch) -> object:
    from PIL import Image

    from zhuji.core.records import Picture
    from zhuji.data import pictures

    Image.new("1", (200, 200)).save(folder / "wide.png")
    patch.setattr(pictures, "MOST_PIXELS", 100)
    return pictures.pixels(Picture(str(folder / "wide.png")))


@provokes("BadSound")
def _(folder: Path, patch: Patch) -> object:
    from zhuji.core.records import Sound
    from zhuji.data.sounds import heard

    (folder / "notes.wav").write_text("this is no sound")
    return heard(Sound(str(folder / "notes.wav")))


@provokes("Unsayable")
def _(folder: Path, patch: Patch) -> object:
    from tests import voiced
    from zhuji.model.speak import spoken

    return spoken(voiced.untaught(), ["naïve"])


@provokes("HugeSound")
def _(folder: Path, patch: Patch) -> object:
    import numpy as np

    from zhuji.core.records import Sound
    from zhuji.data import sounds

    (folder / "long.wav").write_bytes(sounds.as_wav(np.zeros(9_000), 8_000))
    patch.setattr(sounds, "MOST_SECONDS", 1)
    return sounds.heard(Sound(str(folder / "long.wav")))


@provokes("NoScratch")
def _(folder: Path, patch: Patch) -> object:
    from zhuji.core.records import Picture
    from zhuji.data import stored

    def full() -> object:
        raise OSError(28, "No space left on device")

    patch.setattr(stored, "SHARE", 0)
    patch.setattr(stored.tempfile, "TemporaryFile", full)
    return stored.Store().keep(Picture(data=b"123"))
