"""A small model that learns from a large one: an ordinary run, or pretraining, with a teacher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zhuji.core import lookup
from zhuji.core.config import assignments, overlay
from zhuji.core.contracts import Task, Teaches
from zhuji.core.errors import BadSetting
from zhuji.core.log import in_language
from zhuji.training import finish, pretrain, pretraining
from zhuji.training.fit import fit
from zhuji.training.run import compose
from zhuji.training.transfer import open_model

IMITATE = "imitate"
"""The task of a student that learns vectors."""


@dataclass(frozen=True)
class Pupil:
    """What a student of some teacher learns: its task, and what it is taught."""

    task: str
    taught: Teaches

    @classmethod
    def of(cls, teacher: Path | str, sets: Sequence[str] = ()) -> Pupil:
        """The task that `sets` name, else the teacher's own, or to imitate one whose answers are vectors. Raises what opening raises."""
        own = open_model(str(teacher)).model.task
        named = assignments(sets).get("task", {}).get("name", IMITATE if own.teaches == "vectors" else own.name())
        return cls(named, lookup.find(Task, named).teaches)  # type: ignore[type-abstract]


def distil(
    teacher: Path | str,
    data: Path | str,
    run_dir: Path | str,
    *,
    recipe: Mapping[str, Any] | None = None,
    unlabelled: Path | str | None = None,
    weight: float | None = None,
    temperature: float | None = None,
    seed: int = 0,
    sets: Sequence[str] = (),
    columns: Mapping[str, Any] | None = None,
    progress: bool = True,
    pupil: Pupil | None = None,
) -> finish.Result:
    """Train the model of `recipe` (settings of a run, or of a pretraining where the teacher teaches about units) on `data` and on what the
    teacher says about it and about the texts of `unlabelled`. `pupil`: what is learned, where that is known.

    Raises what a run can meet, and BadSetting for a teacher of another task, other classes, another tokenizer, or for a weight or a
    temperature where vectors are learned."""
    pupil = pupil or Pupil.of(teacher, sets)
    given = {"unlabelled": None if unlabelled is None else str(unlabelled), "weight": weight, "temperature": temperature}
    lessons = {"path": str(teacher), **{name: value for name, value in given.items() if value is not None}}
    named = {"task": {"name": pupil.task}} if pupil.taught != "rows" else {}
    layer: dict[str, Any] = {"teacher": lessons, "seed": seed, **named}
    if pupil.taught == "units":
        layer["corpus"] = {"sources": [_source(data, columns or {})]}
        return pretrain.fit(pretraining.compose(dict(recipe or {}), layer, sets=sets), Path(run_dir), progress=progress)
    if pupil.taught == "vectors":
        _refuse_mixing(given)
    layer["data"] = {"path": str(data), **(columns or {})}
    return fit(compose(overlay(dict(recipe or {}), layer), sets=sets), Path(run_dir), progress=progress)


def _source(data: Path | str, columns: Mapping[str, Any]) -> dict[str, Any]:
    """A source of a corpus. Raises BadSetting for columns that a text has no use for."""
    for name in columns:
        if name not in ("text", "split"):
            rule = in_language("must be left out: the teacher learned from texts alone", "不得设置：教师只从文本学习")
            raise BadSetting(key=f"data.{name}", rule=rule, value=columns[name])
    source = {"path": str(data), "columns": columns.get("text"), "split": columns.get("split")}
    return {key: value for key, value in source.items() if value is not None}


def _refuse_mixing(given: Mapping[str, Any]) -> None:
    for name in ("weight", "temperature"):
        if given[name] is not None:
            rule = in_language(
                "must be left out where vectors are learned: they are all there is to learn from (task.temperature says how sharply)",
                "学习向量时不得设置：除向量外别无可学（锐度见 task.temperature）",
            )
            raise BadSetting(key=f"teacher.{name}", rule=rule, value=given[name])
