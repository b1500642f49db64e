"""Recordings of noise in a folder, kept apart as the rows of any data set are: those that are learned with, and those that judge.

Shapes: S samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from zhuji.core.errors import EmptyData, MissingFile
from zhuji.data import sounds
from zhuji.data.ahead import ahead
from zhuji.data.prepare import prepare
from zhuji.data.settings import DataSettings

LONGEST = 60.0
"""Seconds of a recording that are kept."""


@dataclass(frozen=True, eq=False)
class Noises:
    """`learned` with and those that `judge` the model, each `(S,)` float32."""

    learned: tuple[np.ndarray, ...]
    judge: tuple[np.ndarray, ...]


@lru_cache(maxsize=4)
def noises(folder: str, rate: int) -> Noises:
    """What lies in and below a folder, at `rate` samples a second. A split that the folder tells (`metadata.csv`, `train/…`, `test/…`) is kept, else the
    recordings are divided as rows are, copies staying on one side; training takes `train`, and `valid` and `test` judge. Silent ones are left out.

    Raises MissingFile, EmptyData where one side is empty, and what reading raises."""
    if not Path(folder).exists():
        raise MissingFile(file=folder)
    prepared = prepare(DataSettings(path=folder), 0, task="generate")
    sides: dict[bool, list[np.ndarray]] = {True: [], False: []}
    for record, heard in ahead(prepared.records, lambda record: sounds.samples(record.input, rate, LONGEST)):
        if len(heard.samples) and np.abs(heard.samples).max() > 0:
            sides[record.split == "train"].append(heard.samples)
    if not sides[True] or not sides[False]:
        raise EmptyData(file=folder)
    return Noises(tuple(sides[True]), tuple(sides[False]))
