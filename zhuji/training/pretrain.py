"""A whole pretraining: from a corpus to a foundation that runs can start from, and on from where it was stopped.

The loop, state, checkpoints and watchers are those of every run; what differs is where batches come from and what is judged.
"""

# torch and its like are typed in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from zhuji.core import lookup
from zhuji.core.config import overlay
from zhuji.core.contracts import Backbone, Modality, Task
from zhuji.core.errors import BundleError, DataError, EmptyData, NothingToResume, UsageError
from zhuji.core.files import read_json, sweep, write_json
from zhuji.core.log import in_language, say
from zhuji.core.quantity import count_text
from zhuji.core.records import Record
from zhuji.core.units import Batch
from zhuji.data.corpus.packed import Packed
from zhuji.data.corpus.shards import Corpus
from zhuji.data.corpus.whole import Whole
from zhuji.data.infer import Roles
from zhuji.data.loader import BatchPlan
from zhuji.model import bundle, parity
from zhuji.model.assembly import Model, Teaching, assemble
from zhuji.model.card import card
from zhuji.model.chat import Chat
from zhuji.model.golden import told
from zhuji.model.parity import Parity
from zhuji.model.predictor import Predictor
from zhuji.tasks.next_unit import NextUnit
from zhuji.training import corpora, threads, transfer, tutoring
from zhuji.training import folder as places
from zhuji.training.begin import chosen_device, say_precision
from zhuji.training.checkpoint import Checkpoints
from zhuji.training.cost import Meter, Operations, ceiling
from zhuji.training.evaluation import Scores, score
from zhuji.training.feed import Feed, Held
from zhuji.training.finish import Facts, Result, about_model, on_processor
from zhuji.training.hooks import Board, MetricsFile, ProgressLine, Watcher, Watchers
from zhuji.training.loop import Work, train
from zhuji.training.optim import optimiser
from zhuji.training.players import refuse_alone
from zhuji.training.precision import Precision, choose
from zhuji.training.pretraining import Pretraining
from zhuji.training.rehearsal import Rehearsal, peak_memory
from zhuji.training.schedule import Timetable, timetable
from zhuji.training.state import State
from zhuji.version import __version__

_PLANS = 32
"""Batches that stand for an epoch in the rehearsal."""


@dataclass(frozen=True)
class Job:
    """A pretraining that is ready for its next step."""

    run: Pretraining
    folder: Path
    corpus: Corpus
    feed: Feed
    held: Held
    table: Timetable
    state: State
    checkpoints: Checkpoints
    precision: Precision
    device: torch.device
    fresh: bool
    meter: Meter


def fit(run: Pretraining, run_dir: Path, *, progress: bool = True) -> Result:
    """Pretrain as `run` says and leave everything in `run_dir`, which must be empty or not exist. `progress`: show the progress line.

    Raises RunExists, and whatever a run can meet (see `core/errors.py`).
    """
    folder = places.claim(Path(run_dir))
    others = {
        key: {"path": transfer.absolute(other.path)} for key in ("start", "teacher") if (other := getattr(run, key)) is not None
    }
    run = Pretraining.parse(overlay(run.plain(), {"corpus": corpora.absolute(run.corpus), **others}))
    places.write_run(folder, run)
    try:
        return _run(run, folder, progress)
    except (UsageError, DataError, BundleError):
        places.unclaim(folder)  # wrong words or wrong data: the same command, mended, may take the same folder
        raise


def resume(run_dir: Path, *, progress: bool = True) -> Result:
    """Go on with a pretraining that was stopped; the outcome is that of an undisturbed one, bit for bit on a CPU.

    Raises NothingToResume, ChangedSinceStart, and whatever `fit` raises.
    """
    folder = Path(run_dir).resolve()
    if not folder.is_dir():
        raise NothingToResume(file=folder, why=in_language("there is no such folder", "没有这个文件夹"))
    if (folder / places.RESULTS).exists():
        say(in_language(f"{folder} is finished; nothing is left to do.", f"{folder} 已完成，无需继续。"))
        return Result.read(folder)
    return _run(Pretraining.parse(places.read_plain(folder)), folder, progress)


def _run(run: Pretraining, folder: Path, progress: bool) -> Result:
    sweep(folder)
    places.write_process(folder)
    job = begin(run, folder)
    places.write_plan(folder, job.table.steps, job.state.model.task.metrics())
    if job.fresh and job.run.train.rehearse:
        _rehearse(job)
    watchers = Watchers(_watchers(job, progress))
    try:
        train(_work(job, watchers), job.state)
    finally:
        watchers.close()
    return finish(job)


def begin(run: Pretraining, folder: Path) -> Job:
    """Shards, tokenizer, network, precision; what is now settled is written down, and the newest checkpoint loaded if there is one.

    Raises what building a corpus, `assemble` and `Chat` raise, EmptyData, BadSetting, and ChangedSinceStart.
    """
    start = read_json(folder / places.START) if (folder / places.START).exists() else None
    origin = transfer.origin(run.start) if run.start is not None and start is None else None
    if origin is not None:
        run = transfer.settled(run, origin)
    teacher = None if run.teacher is None else tutoring.tutor(run.teacher)
    if teacher is not None and start is None:
        run = tutoring.settled(run, teacher)
    if start is not None:
        places.refuse_changes("the settings", places.flat(start["run"]), places.flat(run.plain()), folder)
    device, used, meter = chosen_device(run.train.device), threads.use(run.train.threads), Meter.start()
    modality = _modality(run, folder, origin or teacher)
    if teacher is not None:
        tutoring.refuse_another(modality, teacher)
    ready = corpora.ready(run.corpus, modality, folder / places.CORPUS, run.seed)
    modality, corpus = ready.modality, Corpus(ready.folder)
    if not corpus.units:
        raise EmptyData(file=ready.folder)
    if start is not None:
        places.refuse_changes("the data", {"corpus": start["corpus"]}, {"corpus": corpus.manifest.fingerprint}, folder)
    backbone, task = lookup.build(Backbone, run.backbone), lookup.build(Task, run.task).fit(())
    refuse_alone(task, run.train, taught=run.teacher is not None)
    checkpoints = Checkpoints(folder / places.CHECKPOINTS, run.train.keep)
    saved = checkpoints.newest() if start is not None else None
    model = assemble(modality, backbone, task, run.seed)
    if isinstance(task, NextUnit) and task.chat is not None:
        Chat(model)
    if run.start is not None and saved is None:
        transfer.take_weights(model, origin or transfer.origin(run.start), run.start)
    model.to(device)
    if run.teacher is not None and teacher is not None:
        model.teaching = Teaching(run.teacher.weight, run.teacher.temperature, teacher.to(device))
    feed = _feed(run, model, corpus)
    precision = _precision(run, model, feed, device)
    parts = {part.shelf: part.described() for part in (modality, backbone, task)}
    settled = {"train": {"precision": precision.name, "device": str(device), "threads": used}, **parts}
    run = Pretraining.parse(overlay(run.plain(), settled))
    if start is None:
        _write_start(run, folder, corpus, modality, places.environment(used, device))
    mover = optimiser(run.train.optim, model, transfer.shares(model, run.start), model.task.owner)
    state = State(model, mover, run.train.average)
    if saved is not None:
        state.load(saved.tensors, saved.progress)
    held = Held.read(Corpus(ready.folder, "valid"), modality, run.held.units, _longest(run, modality))
    _tell(corpus, held, model)
    table = timetable(run.train, feed)
    return Job(run, folder, corpus, feed, held, table, state, checkpoints, precision, device, saved is None, meter)


def _modality(run: Pretraining, folder: Path, origin: Model | None) -> Modality:
    """As the run describes it; with what it learned, where that is known: from a stopped run, a tokenizer's folder, or the start."""
    learned = folder / places.LEARNED
    if run.tokenizer is not None and not learned.exists():
        return corpora.read_modality(Path(run.tokenizer))
    modality = lookup.build(Modality, run.modality)
    if learned.exists():
        return modality.with_files({path.name: path.read_bytes() for path in learned.iterdir()})
    return modality if origin is None else modality.with_files(origin.modality.files())


def _longest(run: Pretraining, modality: Modality) -> int:
    return int(modality.plain().get("max_units", 0)) or run.train.batch_units


def packs(run: Pretraining, model: Model) -> bool:
    """Whether rows are packed: the objective answers for every unit of a row by itself, and the backbone keeps documents apart."""
    return run.pack is not None and model.task.per_unit and not model.task.compares and model.backbone.packs


def _feed(run: Pretraining, model: Model, corpus: Corpus) -> Feed:
    settings = run.train
    if packs(run, model):
        assert run.pack is not None
        rows = max(1, min(settings.batch_units // run.pack, settings.batch_rows or settings.batch_units))
        return Feed(model.modality, Packed([corpus], run.pack, rows, run.seed))
    longest = _longest(run, model.modality)
    whole = Whole([corpus], longest, run.seed, batch_units=settings.batch_units, batch_rows=settings.batch_rows)
    return Feed(model.modality, whole)


def _precision(run: Pretraining, model: Model, feed: Feed, device: torch.device) -> Precision:
    batches = [feed.batch(number).to(device) for number in range(2)] if run.train.precision == "auto" else []
    precision = choose(run.train.precision, model, batches, device)
    say_precision(precision)
    return precision


def _write_start(run: Pretraining, folder: Path, corpus: Corpus, modality: Modality, environment: Mapping[str, Any]) -> None:
    """All records of the start; `start.json` last: with it the run counts as begun."""
    places.write_run(folder, run)
    places.write_learned(folder, modality)
    write_json(folder / "environment.json", environment)
    write_json(folder / "ledger.json", corpus.manifest.ledger)
    fingerprint = corpus.manifest.fingerprint
    write_json(folder / places.START, {"run": run.plain(), "corpus": fingerprint, "torch": torch.__version__})


def _tell(corpus: Corpus, held: Held, model: Model) -> None:
    units, parameters = count_text(corpus.units), count_text(model.parameter_count)
    say(in_language(
        f"Corpus: {corpus.documents:,} documents, {units} units; {len(held):,} held out. Model: {parameters} parameters.",
        f"语料：{corpus.documents:,} 篇文档，{units} 个单元；另留出 {len(held):,} 篇。模型：{parameters} 个参数。",
    ))  # fmt: skip


def _rehearse(job: Job) -> None:
    first = [job.feed.batch(number) for number in range(min(_PLANS, job.feed.steps_in_epoch(0)))]
    plans = [BatchPlan(np.full(len(batch), number), batch.units.mask.shape[1]) for number, batch in enumerate(first)]

    def batch(plan: BatchPlan) -> Batch:
        return first[int(plan.rows[0])]

    batches = job.table.steps * job.run.train.accumulate
    rehearsal = Rehearsal(job.run.train, plans, batch, batches, job.precision, job.device, job.folder)
    rehearsal(
        job.state.model, lambda model, scratch: _save_bundle(job, model, _judged(job, model, few=8), {}, scratch / "bundle")
    )


def _watchers(job: Job, progress: bool) -> list[Watcher]:
    step = job.state.progress.step
    watchers: list[Watcher] = [MetricsFile(job.folder / places.METRICS, step), Board(job.folder / places.BOARD, step)]
    if progress:
        epochs = job.feed.epoch(job.table.steps * job.run.train.accumulate)
        watchers.append(ProgressLine(job.table.steps, epochs, next(iter(job.state.model.task.metrics()))))
    return watchers


def _work(job: Job, watchers: Watchers) -> Work:
    metric = next(iter(job.state.model.task.metrics().values()))
    operations, most = Operations(job.state.model, job.device), ceiling(job.precision, job.device)
    return Work(
        job.run.train, job.run.seed, job.table, batch=job.feed.batch, epoch=job.feed.epoch,
        validate=lambda model: _validate(job, model), higher_is_better=metric.higher_is_better,
        checkpoints=job.checkpoints, watchers=watchers, precision=job.precision, device=job.device,
        least_seconds=lambda batch: operations(batch) / most,
    )  # fmt: skip


def _judged(job: Job, model: Model, resamples: int = 0, few: int | None = None) -> Scores:
    """Scores on the held-out documents, in fp32."""
    held = job.held
    return score(
        _predictor(model), held.records[:few], held.encoded[:few], resamples=resamples, seed=job.run.seed,
        batch_units=job.run.train.batch_units,
    )  # fmt: skip


def _predictor(model: Model) -> Predictor:
    return Predictor(model, roles=Roles(text=("text",)))


def _validate(job: Job, model: Model) -> dict[str, float]:
    if not len(job.held):
        return {}
    scores = _judged(job, model)
    found = {**{name: interval.value for name, interval in scores.metrics.items()}, "loss": scores.loss}
    for warning in model.task.warnings(found):
        say(warning)
    return found


def finish(job: Job) -> Result:
    """Take the best weights, judge them on the held-out documents, save the bundle; `results.json` comes last."""
    model, progress = _best(job), job.state.progress
    scores = _judged(job, model, job.run.held.bootstrap)
    values = {name: interval.value for name, interval in scores.metrics.items()}
    facts: Facts = {
        "run": str(job.folder), "bundle": str(job.folder / places.BUNDLE), "name": job.run.name, "version": __version__,
        "kind": "pretrain", "metric": next(iter(scores.metrics)), "test": {}, "valid": scores.as_dict() if scores.rows else {},
        "loss": scores.loss if scores.rows else None, "baselines": {}, "ledger": job.corpus.manifest.ledger, "leaks": {},
        "labels": [], "steps": progress.step, "best_step": progress.best_step, "bad_steps": progress.bad_steps,
        "stopped_early": progress.stopped, "history": progress.history, "waste": round(progress.waste, 4),
        "units": progress.units, "seconds": round(progress.seconds, 3), "cost": job.meter.read(),
        "peak_rss_mb": round(peak_memory(job.device) / 2**20, 1), "warnings": model.task.warnings(values),
        "corpus": {"documents": job.corpus.documents, "units": job.corpus.units, "fingerprint": job.corpus.manifest.fingerprint},
        "model": about_model(model), "fingerprint": {}, **transfer.about(job.state.model, job.run.start),
    }  # fmt: skip
    # A bundle may stand there already if the run was killed between here and the last line.
    shutil.rmtree(job.folder / places.BUNDLE, ignore_errors=True)
    _save_bundle(job, model, scores, facts, job.folder / places.BUNDLE).write(job.folder)
    write_json(job.folder / places.RESULTS, facts)
    return Result(job.folder, facts)


def _best(job: Job) -> Model:
    model, step = job.state.judged, job.state.progress.best_step
    if step != job.state.progress.step and (saved := job.checkpoints.read(step)) is not None:
        model.load_state_dict(job.state.judged_tensors(saved.tensors))
    return model.eval()


def _save_bundle(job: Job, model: Model, scores: Scores, facts: Facts, folder: Path) -> Parity:
    """Save the model with golden rows, open it again and have it answer them. Raises AnswersDiffer."""
    predictor = _predictor(on_processor(model))
    golden = _golden(predictor, job.held.records[: job.run.held.golden_rows])
    described = card({"name": job.run.name, "valid": scores.as_dict(), "model": about_model(model), **facts})

    def write(place: Path) -> None:
        clean, roles, run = predictor.clean, predictor.roles, job.run.plain()
        bundle.save(model, place, clean=clean, roles=roles, golden=golden, card=described, run=run)

    return parity.admit(folder, write, lambda place: (parity.reopened(bundle.open_bundle(place)),))


def _golden(predictor: Predictor, records: list[Record] | Any) -> list[dict[str, Any]]:
    """Held-out texts with the answers of now; none of a modality whose units cannot be read."""
    return told(predictor, [record.input for record in records if record.input is not None])
