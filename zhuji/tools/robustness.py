"""How much of a model's score is left when its pictures get worse: noise, blur, brightness, contrast, JPEG, pixels, each in five severities
(Hendrycks and Dietterich 2019), with intervals, beside the score on the pictures as they are."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import Field

from zhuji.core.config import Settings, assignments
from zhuji.core.errors import BadSetting, TooFewRows
from zhuji.core.files import atomic_file, write_json, write_text
from zhuji.core.log import in_language
from zhuji.core.records import Picture, Record
from zhuji.core.seed import stream
from zhuji.data.corruptions import SEVERITIES, STRENGTHS, corrupted
from zhuji.data.ledger import Ledger
from zhuji.data.pictures import pixels, quietly
from zhuji.formats import open_model
from zhuji.metrics.intervals import Interval
from zhuji.model.predictor import Predictor
from zhuji.tools._own_rows import own_test_rows
from zhuji.tools._rows import rows_of, settings_for
from zhuji.tools._sheet import Strip, png, sheet
from zhuji.tools.pages.pictures import worsening
from zhuji.training import threads
from zhuji.training.evaluation import score
from zhuji.training.folder import RUN


class RobustnessSettings(Settings):
    """What is measured."""

    rows: int = Field(default=1000, gt=0)
    """Test pictures, drawn by chance where there are more."""
    bootstrap: int = Field(default=1000, ge=0)
    """Draws behind an interval."""


@dataclass(frozen=True)
class Robustness:
    """`metric`: the model's first; `clean`: on the pictures as they are; `by`: corruption -> the score at each severity, from 1 on. `mean`: over all of
    these, `kept`: its share of `clean`. `out`: the folder of `robustness.json`, the chart and a sheet of samples; None: nothing was written."""

    model: str
    data: str
    metric: str
    rows: int
    clean: Interval
    by: Mapping[str, Sequence[Interval]]
    seed: int
    out: Path | None
    seconds: float

    @property
    def mean(self) -> float:
        return float(np.mean([one.value for scores in self.by.values() for one in scores]))

    @property
    def kept(self) -> float:
        return self.mean / self.clean.value if self.clean.value else float("nan")

    def as_dict(self) -> dict[str, Any]:
        kept = self.kept if np.isfinite(self.kept) else None
        return {
            "model": self.model, "data": self.data, "metric": self.metric, "rows": self.rows, "clean": self.clean.as_dict(),
            "by": {name: [one.as_dict() for one in scores] for name, scores in self.by.items()}, "mean": self.mean, "kept": kept,
            "seed": self.seed, "out": None if self.out is None else str(self.out), "seconds": round(self.seconds, 3),
        }  # fmt: skip


def robustness(
    model: Path | str,
    data: Path | str | None = None,
    *,
    out: Path | None = None,
    seed: int = 0,
    sets: Sequence[str] = (),
    columns: Mapping[str, Any] | None = None,
) -> Robustness:
    """Score a run or bundle on `data`, or a run on its own test split, again and again with pictures made worse, each from the raw picture before the
    model resizes it. `out`: a folder for the numbers, the chart and a sheet of samples; of a run `RUN/robustness` by default. `seed` draws rows,
    noise and the bootstrap: the same seed gives the same numbers.

    Raises BadSetting for a model that reads no pictures, TooFewRows, NotABundle, ChangedSinceStart, and what opening and reading raise."""
    begun = time.monotonic()
    threads.use(None)
    settings = RobustnessSettings.parse(assignments(sets).get("robustness", {}), prefix="robustness")
    predictor = open_model(model)
    if predictor.model.modality.reads != "pictures":
        rule = in_language("must read pictures", "必须读取图片")
        raise BadSetting(key="MODEL", rule=rule, value=str(model))
    where, records = _rows(Path(model), predictor, data, sets, columns)
    chosen = _drawn(records, settings.rows, seed)
    if not chosen:
        raise TooFewRows(split="test", rows=0, needed=1)

    def scored(name: str = "", severity: int = 0) -> tuple[str, Interval]:
        found = score(
            predictor,
            _worse(chosen, name, severity, seed),
            resamples=settings.bootstrap,
            seed=seed,
            batch_units=predictor.batch_units,
        )
        return next(iter(found.metrics.items()))

    with quietly():
        metric, clean = scored()
        by = {name: [scored(name, severity)[1] for severity in SEVERITIES] for name in STRENGTHS}
    place = out or (Path(model) / "robustness" if (Path(model) / RUN).is_file() else None)
    told = Robustness(str(model), where, metric, len(chosen), clean, by, seed, place, time.monotonic() - begun)
    if place is not None:
        _write(told, chosen[0], place)
    return told


def _rows(
    folder: Path, predictor: Predictor, data: Path | str | None, sets: Sequence[str], columns: Mapping[str, Any] | None
) -> tuple[str, list[Record]]:
    """What the data is called, and its rows with something to score."""
    if data is None:
        others = [one for one in sets if not one.startswith("robustness.")]
        run, records = own_test_rows(folder, predictor.model.task.needs, others)
        return run.data.path, records
    settings = settings_for(predictor, data, sets, columns)
    return str(data), [record for record in rows_of(predictor, settings, Ledger()) if record.label is not None]


def _drawn(records: Sequence[Record], most: int, seed: int) -> list[Record]:
    """In their order."""
    if len(records) <= most:
        return list(records)
    return [records[place] for place in sorted(stream(seed, "robustness").choice(len(records), most, replace=False).tolist())]


def _worse(records: Sequence[Record], name: str, severity: int, seed: int) -> Iterator[Record]:
    """The rows with their pictures made worse, one at a time; as they are without a name."""
    for record in records:
        yield replace(record, input=corrupted(record.input, name, severity, seed, record.id)) if name else record


def names() -> dict[str, str]:
    """What a person calls each way in which a picture gets worse."""
    told = {
        "noise": ("noise", "噪声"), "shot_noise": ("shot noise", "散粒噪声"), "blur": ("blur", "模糊"), "brightness": ("brightness", "亮度"),
        "contrast": ("contrast", "对比度"), "jpeg": ("JPEG", "JPEG"), "pixelate": ("pixels", "像素化"),
    }  # fmt: skip
    return {name: in_language(*told[name]) for name in STRENGTHS}


def _write(told: Robustness, sample: Record, place: Path) -> None:
    """The chart, the sheet, and last the numbers."""
    shown = names()
    lines = {
        shown[name]: [(float(n), one.value) for n, one in enumerate((told.clean, *scores))] for name, scores in told.by.items()
    }
    write_text(place / "robustness.svg", worsening(told.metric, lines).file)
    assert isinstance(sample.input, Picture), "rows of a model that reads pictures hold pictures"
    with quietly():
        worse = {
            name: [corrupted(sample.input, name, severity, told.seed, sample.id) for severity in SEVERITIES]
            for name in STRENGTHS
        }
        strips = [Strip(shown[name], [pixels(one) for one in (sample.input, *row)], first=True) for name, row in worse.items()]
    with atomic_file(place / "samples.png") as file:
        file.write(png(sheet(strips)))
    write_json(place / "robustness.json", told.as_dict())
