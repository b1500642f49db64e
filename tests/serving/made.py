"""Bundles for servers, made once a process without training: a model of random weights for each task that there is, and one that writes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path

from tests.contracts.properties import Cell
from tests.model import writers
from tests.trained import folder
from zhuji.core import lookup
from zhuji.core.contracts import Backbone, Modality, Task
from zhuji.data.infer import Roles
from zhuji.data.settings import CleanSettings
from zhuji.model import bundle
from zhuji.model.assembly import Model
from zhuji.model.predictor import Predictor

TASKS = lookup.names(Task)
TEXTS = ["the cat sat", "筑基：从头 开始", "a b c a b", "x"]
"""None of them is changed by cleaning, and all fit."""


@cache
def of_task(name: str) -> Path:
    """A bundle whose model is of this task, over text."""
    task: type[Task] = lookup.find(Task, name)  # type: ignore[type-abstract]
    text, transformer = lookup.find(Modality, "text"), lookup.find(Backbone, "transformer")  # type: ignore[type-abstract]
    return _saved(Cell.of(text.example(), transformer.example(), task.example()).model(), TEXTS)


@cache
def writer() -> Path:
    """A bundle whose model goes on with texts; it was never taught, but is sure enough of itself for a float's last digit not to matter."""
    return _saved(writers.writer(loud=3.0), [])


def _saved(model: Model, golden: Sequence[str]) -> Path:
    answers = Predictor(model).predict(golden)
    rows = [
        {"input": text, "answer": one.answer, "score": one.score, "scores": one.scores and dict(one.scores)}
        for text, one in zip(golden, answers, strict=True)
    ]
    place = folder() / "bundle"
    bundle.save(model, place, clean=CleanSettings(), roles=Roles(text=("text",)), golden=rows, card="# A model\n")
    return place
