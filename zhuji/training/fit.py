"""A whole run: from a file to a model that one can trust, and on from where it was stopped."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from zhuji.core.config import overlay
from zhuji.core.errors import BundleError, DataError, NothingToResume, UsageError
from zhuji.core.files import sweep
from zhuji.core.log import in_language, say
from zhuji.core.seed import derive
from zhuji.training import folder as places
from zhuji.training import teaching, transfer
from zhuji.training.begin import Job, begin
from zhuji.training.finish import Result, finish, rehearse_end, validate
from zhuji.training.hooks import Board, MetricsFile, ProgressLine, Watcher, Watchers
from zhuji.training.loop import Work, train
from zhuji.training.rehearsal import Rehearsal
from zhuji.training.run import Run


def fit(run: Run, run_dir: Path, *, progress: bool = True) -> Result:
    """Train as `run` says and leave everything in `run_dir`, which must be empty or not exist. `progress`: show the progress line.

    Raises RunExists, and whatever a run can meet (see `core/errors.py`).
    """
    folder = places.claim(Path(run_dir))
    paths = {
        name: str(Path(path).absolute())
        for name in ("path", "valid_path", "test_path")
        if (path := getattr(run.data, name)) is not None
    }
    starts = {} if run.start is None else {"start": {"path": transfer.absolute(run.start.path)}}
    teachers = {} if run.teacher is None else {"teacher": teaching.absolute(run.teacher)}
    noises = {part: _anywhere(getattr(run, part)) for part in ("modality", "task")}
    run = Run.parse(overlay(run.plain(), {"data": paths, **noises, **starts, **teachers}))
    places.write_run(folder, run)
    try:
        return _run(run, folder, progress)
    except (UsageError, DataError, BundleError):
        places.unclaim(folder)  # wrong words or wrong data: the same command, mended, may take the same folder
        raise


def _anywhere(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The folders of noise that settings of a part name, as they can be found from anywhere."""
    inner = {name: _anywhere(cast(Mapping[str, Any], value)) for name, value in settings.items() if isinstance(value, Mapping)}
    found = {name: settings for name, settings in inner.items() if settings}
    folder = settings.get("noise_folder")
    return found if folder is None else {**found, "noise_folder": str(Path(folder).absolute())}


def resume(run_dir: Path, *, progress: bool = True) -> Result:
    """Go on with a run that was stopped, from its newest good checkpoint; the outcome is that of an undisturbed run, bit for bit on
    a CPU. A finished run is left as it is.

    Raises NothingToResume, ChangedSinceStart, and whatever `fit` raises.
    """
    folder = Path(run_dir).resolve()
    if not folder.is_dir():
        raise NothingToResume(file=folder, why=in_language("there is no such folder", "没有这个文件夹"))
    if (folder / places.RESULTS).exists():
        say(in_language(f"{folder} is finished; nothing is left to do.", f"{folder} 已完成，无需继续。"))
        return Result.read(folder)
    return _run(places.read_run(folder), folder, progress)


def _run(run: Run, folder: Path, progress: bool) -> Result:
    sweep(folder)
    places.write_process(folder)
    job = begin(run, folder)
    places.write_plan(folder, job.table.steps, job.material.task.metrics())
    if job.fresh and job.run.train.rehearse and not job.state.progress.stopped:
        _rehearse(job)
    step = job.state.progress.step
    watchers = Watchers(_watchers(job, step, progress))
    try:
        train(_work(job, watchers), job.state)
    finally:
        watchers.close()
    return finish(job)


def _rehearse(job: Job) -> None:
    plans = job.loader.epoch(0)
    batches = job.table.steps * job.run.train.accumulate
    rows = job.material.rows["train"]
    rehearsal = Rehearsal(
        job.run.train, plans, lambda plan: rows.varied(plan, 0), batches, job.precision, job.device, job.folder
    )
    rehearsal(job.model, lambda model, scratch: rehearse_end(job, model, scratch))


def _watchers(job: Job, step: int, progress: bool) -> list[Watcher]:
    watchers: list[Watcher] = [MetricsFile(job.folder / places.METRICS, step), Board(job.folder / places.BOARD, step)]
    if progress:
        epochs = _epochs(job, job.table.steps * job.run.train.accumulate)
        watchers.append(ProgressLine(job.table.steps, epochs, next(iter(job.material.task.metrics()))))
    return watchers


def _epochs(job: Job, batches: int) -> float:
    """How many epochs so many batches are."""
    epoch, index = job.loader.locate(batches)
    return epoch + index / job.loader.steps_in_epoch(epoch)


def _work(job: Job, watchers: Watchers) -> Work:
    rows = job.material.rows["train"]
    metric = next(iter(job.material.task.metrics().values()))

    return Work(
        job.run.train, job.run.seed, job.table,
        batch=lambda number: rows.varied(job.loader.plan(number), derive(job.run.seed, "varied", number)),
        epoch=lambda batches: _epochs(job, batches),
        validate=lambda model: validate(job, model), higher_is_better=metric.higher_is_better,
        checkpoints=job.checkpoints, watchers=watchers, precision=job.precision, device=job.device,
        ready=transfer.thawing(job.run.start, lambda step: _epochs(job, step * job.run.train.accumulate)),
    )  # fmt: skip
