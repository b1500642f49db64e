"""The rows that a run was made of, and those that it set aside for its test: read again, and refused where they are not what they were."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from zhuji.core.config import assignments, overlay
from zhuji.core.errors import NotABundle
from zhuji.core.files import read_json
from zhuji.core.log import in_language
from zhuji.core.records import Record
from zhuji.data.prepare import Prepared, prepare
from zhuji.training import teaching
from zhuji.training.folder import LESSONS, RUN, read_run, refuse_changes
from zhuji.training.run import Run


def own_test_rows(folder: Path, needs: str, sets: Sequence[str] = ()) -> tuple[Run, list[Record]]:
    """How the run was made, with `sets` laid on it, and its test rows. `needs`: of the run's task. Raises NotABundle, ChangedSinceStart, and
    what reading raises."""
    run, prepared = own_rows(folder, sets)
    records = list(prepared.split("test"))
    return run, list(teaching.remembered(records, folder / LESSONS)) if needs == "lesson" else records


def own_rows(folder: Path, sets: Sequence[str] = ()) -> tuple[Run, Prepared]:
    """How the run was made, with `sets` laid on it, and all rows that it was made of. Raises as `own_test_rows` does."""
    if not (folder / RUN).is_file():
        why = in_language("a bundle has no rows of its own: name its run, or a file", "模型包没有自带数据：请指定其运行或文件")
        raise NotABundle(file=folder, why=why)
    run = read_run(folder)
    run = type(run).parse(overlay(run.plain(), assignments(sets)))
    prepared = prepare(run.data, run.seed, task=teaching.asked_of_rows(run.task))
    refuse_changes("the data", read_json(folder / "fingerprint.json")["data"], prepared.fingerprint, folder)
    return run, prepared
