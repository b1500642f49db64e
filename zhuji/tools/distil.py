"""A small model that learns from a large one: an ordinary run with a teacher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from zhuji.core.config import overlay
from zhuji.training.finish import Result
from zhuji.training.fit import fit
from zhuji.training.run import compose


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
) -> Result:
    """Train the model of `recipe` (settings of a run) on `data` and on what the teacher says about its rows and about the texts of
    `unlabelled`. Raises what a run can meet, and BadSetting for a teacher of another task or other classes."""
    given = {"unlabelled": None if unlabelled is None else str(unlabelled), "weight": weight, "temperature": temperature}
    lessons = {"path": str(teacher), **{name: value for name, value in given.items() if value is not None}}
    layer = {"data": {"path": str(data), **(columns or {})}, "teacher": lessons, "seed": seed}
    return fit(compose(overlay(dict(recipe or {}), layer), sets=sets), Path(run_dir), progress=progress)
