"""From trained weights to what a run leaves: test scores with intervals, baselines, predictions, bundle, `results.json`."""

# torch and its like are typed in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import copy
import csv
import io
import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from zhuji.core.contracts import Columns, Prediction
from zhuji.core.files import read_json, write_json, write_text
from zhuji.core.log import in_language, say
from zhuji.core.records import Box, Picture, Record, Sound
from zhuji.core.voices import Speaks
from zhuji.data.cells import joined
from zhuji.metrics.intervals import bootstrap_all
from zhuji.model import bundle, parity
from zhuji.model.assembly import Model
from zhuji.model.card import card
from zhuji.model.chat import chats
from zhuji.model.golden import choose_golden, soiled
from zhuji.model.parity import Parity
from zhuji.model.predictor import Predictor
from zhuji.nn.adapters import merged
from zhuji.tasks.next_unit import NextUnit
from zhuji.training import folder as places
from zhuji.training import gallery, transfer
from zhuji.training.baselines import Baseline, baselines, known
from zhuji.training.begin import Job
from zhuji.training.evaluation import Scores, score
from zhuji.training.foreseen import counted
from zhuji.training.material import Rows, encode
from zhuji.training.rehearsal import peak_memory
from zhuji.version import __version__

MOST_GROUPS = 50
"""Groups that are scored one by one."""

Facts = dict[str, Any]
Golden = tuple[Sequence[Record], Columns]
"""Rows out of which golden ones are chosen, and their evidence."""


@dataclass(frozen=True)
class Result:
    """What a run came to: `facts` is `results.json`."""

    run: Path
    facts: Facts

    @property
    def bundle(self) -> Path:
        return self.run / places.BUNDLE

    @property
    def test(self) -> dict[str, dict[str, float | None]]:
        """metric -> value, low, high."""
        return self.facts["test"]

    @property
    def valid(self) -> dict[str, dict[str, float | None]]:
        return self.facts["valid"]

    @property
    def baselines(self) -> dict[str, dict[str, dict[str, float | None]]]:
        return self.facts["baselines"]

    @classmethod
    def read(cls, folder: Path) -> Self:
        return cls(folder, read_json(folder / places.RESULTS))


def finish(job: Job) -> Result:
    """Take the best weights, judge them on the test split, and write down everything; `results.json` comes last."""
    model, rows, draws, rivals = best_model(job), job.material.rows, job.run.evaluate.bootstrap, job.material.task.rivals
    test, valid = judged(job, model, rows["test"], draws, answers=True), judged(job, model, rows["valid"], draws)
    write_answers(job.folder, predictor(job, model), rows["test"].records, _answers(job, model, rows["test"], test))
    facts = told_apart(_facts(job, model, test, valid), rivals)
    golden = (rows["test"].records, test.columns) if test.rows else (rows["valid"].records, valid.columns)
    # A bundle may stand there already if the run was killed between here and the last line.
    shutil.rmtree(job.folder / places.BUNDLE, ignore_errors=True)
    save_bundle(job, (job.state.judged, model), golden, facts, job.folder / places.BUNDLE).write(job.folder)
    write_json(job.folder / places.RESULTS, facts)
    return Result(job.folder, facts)


def _facts(job: Job, model: Model, test: Scores, valid: Scores) -> Facts:
    progress = job.state.progress
    scored = {"test": test, **_further(job, model)}
    columns = {name: of.columns for name, of in scored.items()}
    return {
        "run": str(job.folder), "bundle": str(job.folder / places.BUNDLE), "name": job.run.name, "version": __version__,
        "kind": job.prepared.roles.kind, "metric": next(iter(test.metrics)),
        "test": test.as_dict() if test.rows else {}, "valid": valid.as_dict() if valid.rows else {},
        "notes": dict(job.material.task.notes()),
        "more_tests": {name: scored[name].as_dict() for name in job.prepared.more_tests},
        "by_group": {
            name: {"rows": int(rows.sum()), **_rescored(job, _of(columns[part], rows))}
            for name, (part, rows) in _groups(job).items()
        },
        **_rivals(job),
        "ledger": job.prepared.ledger.as_dict(), "leaks": job.prepared.leaks.as_dict(), **_leak_effect(job, model, test),
        "labels": list(job.material.task.plain().get("labels", ())), "unseen": test.unseen,
        "confusion": [list(row) for row in test.confusion], "per_class": [dict(row) for row in test.per_class],
        "steps": progress.step, "best_step": progress.best_step, "bad_steps": progress.bad_steps,
        "stopped_early": progress.stopped and progress.step > 0, "history": progress.history, "waste": round(progress.waste, 4),
        "seconds": round(progress.seconds, 3), "peak_rss_mb": round(peak_memory(job.device) / 2**20, 1),
        "model": about_model(model), "fingerprint": job.prepared.fingerprint, **transfer.about(job.state.model, job.run.start),
        **_choice(job),
    }  # fmt: skip


def _choice(job: Job) -> Facts:
    path = job.folder / places.CHOICE
    return {"choice": {key: value for key, value in read_json(path).items() if key != "tried"}} if path.exists() else {}


def _further(job: Job, model: Model) -> dict[str, Scores]:
    """Scores on each test set beside the test split."""
    draws, names = job.run.evaluate.bootstrap, job.prepared.more_tests
    return {name: judged(job, model, job.material.rows[name], draws, answers=True) for name in names}


def _groups(job: Job) -> dict[str, tuple[str, np.ndarray]]:
    """Each group, where there are few: a test set that holds it, the test split before others, and which of its rows are the group's. A sentence that is a
    group only so that it stands in one split says nothing."""
    roles = job.prepared.roles
    if roles.group in (roles.target, *roles.text):
        return {}
    found: dict[str, tuple[str, np.ndarray]] = {}
    for part in ("test", *job.prepared.more_tests):
        groups = np.array([record.group or "" for record in job.material.rows[part].records])
        found |= {name: (part, groups == name) for name in sorted({*groups.tolist()} - {"", *found})}
    return found if len(found) <= MOST_GROUPS else {}


def _of(columns: Columns, rows: np.ndarray | slice) -> Columns:
    return {name: column[rows] for name, column in columns.items()}


def _rivals(job: Job) -> Facts:
    """Scores of the baselines on the test split, on each further test set and on each group; they answer each row once."""
    parts = {name: job.material.rows[name].records for name in ("test", *job.prepared.more_tests)}
    ends = np.cumsum([len(records) for records in parts.values()]).tolist()
    where = {name: slice(end - len(parts[name]), end) for name, end in zip(parts, ends, strict=True)}
    found = _baselines(job, [record for records in parts.values() for record in records])
    columns = {name: {part: _of(rival.scores.columns, rows) for part, rows in where.items()} for name, rival in found.items()}
    on = {part: {name: _rescored(job, of[part]) for name, of in columns.items()} for part in parts if parts[part]}
    groups = {
        group: {name: _rescored(job, _of(of[part], rows)) for name, of in columns.items()}
        for group, (part, rows) in _groups(job).items()
    }
    notes = {name: rival.note for name, rival in found.items() if rival.note}
    more = {name: on[name] for name in job.prepared.more_tests if name in on}
    return {"baselines": on.get("test", {}), "more_baselines": more, "group_baselines": groups, "baseline_notes": notes}


def told_apart(facts: Facts, rivals: Sequence[str]) -> Facts:
    """Facts in which the scores of rivals that were measured along with the model's (`Task.rivals`) stand among those of the baselines."""
    if not rivals:
        return facts

    ends = {rival: f"_{rival}" for rival in rivals}

    def own(scores: Facts) -> Facts:
        return {name: of for name, of in scores.items() if not name.endswith(tuple(ends.values()))}

    def theirs(scores: Facts) -> Facts:
        return {
            rival: {name.removesuffix(end): of for name, of in scores.items() if name.endswith(end)}
            for rival, end in ends.items()
        }

    each = {part: {name: own(of) for name, of in facts[part].items()} for part in ("more_tests", "by_group")}
    more, groups = (
        {name: {**theirs(of), **facts[kept].get(name, {})} for name, of in facts[part].items()}
        for part, kept in (("more_tests", "more_baselines"), ("by_group", "group_baselines"))
    )
    baselines = {**theirs(facts["test"]), **facts["baselines"]} if facts["test"] else facts["baselines"]
    return {
        **facts, **each, **{name: own(facts[name]) for name in ("test", "valid", "with_leaks", "without_leaks") if name in facts},
        "baselines": baselines, "more_baselines": more, "group_baselines": groups,
    }  # fmt: skip


def about_model(model: Model) -> Facts:
    """Names of the parts, how many numbers were learned in each, and whether it can be talked with."""
    names = {part.shelf: part.name() for part in (model.modality, model.backbone, model.task)}
    return {**names, "parameters": model.parameter_count, "parts": model.parameter_counts(), "chats": chats(model)}


def best_model(job: Job) -> Model:
    """The judged model with the weights of the best validation."""
    model, step = job.state.judged, job.state.progress.best_step
    if step != job.state.progress.step:
        saved = job.checkpoints.read(step)
        if saved is None:
            say(in_language(f"The checkpoint of the best step, {step}, is damaged: the last weights are used instead.",
                            f"最佳步 {step} 的检查点已损坏：改用最后的权重。"))  # fmt: skip
        else:
            model.load_state_dict(job.state.judged_tensors(saved.tensors))
    return merged(model).eval()


def predictor(job: Job, model: Model) -> Predictor:
    return Predictor(model, job.run.data.clean, job.prepared.roles)


def judged(job: Job, model: Model, rows: Rows, resamples: int = 0, *, answers: bool = False) -> Scores:
    """Scores on a split; `answers`: also of whole answers, where the task has metrics for them. Always in fp32, whatever the training's
    precision: a bundle answers in fp32, and its scores must be those of training."""
    return score(
        predictor(job, model), rows.records, rows.encoded, resamples=resamples, seed=job.run.seed,
        batch_units=job.run.train.batch_units, answers=answers and bool(model.task.answer_metrics()),
    )  # fmt: skip


def _answers(job: Job, model: Model, rows: Rows, scores: Scores) -> Iterable[Prediction]:
    """Those that were judged; else they are given now."""
    return scores.answers or predictor(job, model).predict(record.input for record in rows.records)


def validate(job: Job, model: Model) -> dict[str, float]:
    """All metrics on the validation split, the one that chooses the best first, and the loss; empty without such rows."""
    if not len(job.material.rows["valid"]):
        return {}
    scores = judged(job, model, job.material.rows["valid"])
    found = {**{name: interval.value for name, interval in scores.metrics.items()}, "loss": scores.loss}
    # What is wrong with the data is so at every validation: it is told at the first one, while there is time to stop.
    if not job.state.progress.history:
        for warning in model.task.warnings(found):
            say(warning)
    return found


def rehearse_end(job: Job, model: Model, scratch: Path) -> None:
    """Every late stage once, on a few rows."""
    trained, model = model, merged(model)
    rows = encode(job.material.modality, job.material.task, job.material.rows["train"].records[:8])
    scores = judged(job, model, rows, resamples=2, answers=True)
    write_answers(scratch, predictor(job, model), rows.records, _answers(job, model, rows, scores))
    facts: Facts = {"name": job.run.name, "test": scores.as_dict(), "model": about_model(model)}
    save_bundle(job, (trained, model), (rows.records, scores.columns), facts, scratch / places.BUNDLE)


def save_bundle(job: Job, models: tuple[Model, Model], golden: Golden, facts: Facts, folder: Path) -> Parity:
    """Save a model with golden rows, and the hops that they went through. `models`: as it was trained, and without its adapters.

    Raises AnswersDiffer where the one that is saved answers otherwise; it is then kept aside (see `parity.admit`)."""
    plain = models[0] is models[1]
    trained = on_processor(models[0])
    model = trained if plain else on_processor(models[1])
    records, columns = golden
    chosen = choose_golden(predictor(job, trained), records, columns, job.run.evaluate.golden_rows)
    chosen += soiled(predictor(job, trained), chosen)
    merge = [] if plain else [parity.hop("merge", chosen, predictor(job, model).predict)]
    run, roles = job.run, job.prepared.roles

    def write(place: Path) -> None:
        bundle.save(model, place, clean=run.data.clean, roles=roles, golden=chosen, card=card(facts), run=run.plain())

    advice = in_language("train again with a lower start.alpha or train.lr", "请降低 start.alpha 或 train.lr 后重新训练")
    return parity.admit(folder, write, lambda place: (*merge, parity.reopened(bundle.open_bundle(place))), advice)


def on_processor(model: Model) -> Model:
    """A copy where a bundle answers once it is opened: an accelerator rounds otherwise."""
    return model if next(model.parameters()).device.type == "cpu" else copy.deepcopy(model).cpu()


def _baselines(job: Job, asked: Sequence[Record]) -> Mapping[str, Baseline]:
    counting = isinstance(job.material.task, NextUnit)
    if not asked or not job.run.evaluate.baselines or not (counting or known(job.material.task)):
        return {}
    say(in_language("Training the baselines …", "正在训练基线模型 …"))
    # Without intervals: those belong to the parts of `asked`.
    if counting:
        rows, size = job.material.rows, job.material.modality.spec.num_ids
        whole = [row for name in ("test", *job.prepared.more_tests) for row in rows[name].encoded]
        return counted(job.material.task, rows["train"].encoded, whole, tuple(record.id for record in asked), size)
    return baselines(job.material.task, job.material.rows["train"].records, asked, resamples=0, seed=job.run.seed)


def _leak_effect(job: Job, model: Model, test: Scores) -> Facts:
    """Test scores with and without the rows that leaked. Rows that were moved out of test now stand in training: with them the score
    is what one would have believed."""
    leaked = set(job.prepared.leaks.leaked)
    if not leaked or not test.rows:
        return {}
    rows = job.material.rows
    inside = np.array([record.id in leaked for record in rows["test"].records])
    outside = [r for split in ("train", "valid") for r in rows[split].records if r.id in leaked]
    whole = dict(test.columns)
    if outside:
        more = judged(job, model, encode(job.material.modality, job.material.task, outside), answers=True).columns
        whole = {name: np.concatenate([column, more[name]]) for name, column in whole.items()}
    clean = {name: column[~inside] for name, column in test.columns.items()}
    both = {"with_leaks": whole, "without_leaks": {} if inside.all() else clean}
    return {name: _rescored(job, columns) for name, columns in both.items()}


def _rescored(job: Job, columns: Columns) -> dict[str, dict[str, float | None]]:
    if not columns:
        return {}
    task = job.material.task
    known = {**task.answer_metrics(), **task.metrics()}
    metrics = {name: metric for name, metric in known.items() if set(metric.columns) <= set(columns)}
    found = bootstrap_all(metrics, columns, job.run.evaluate.bootstrap, job.run.seed)
    return {name: interval.as_dict() for name, interval in found.items()}


def write_answers(folder: Path, predictor: Predictor, records: Sequence[Record], answers: Iterable[Prediction]) -> None:
    """`predictions.csv`, and of pictures and sounds, or of a model that draws or speaks, the gallery that a report shows."""
    # A gallery may stand there already if the run was killed between here and its last line.
    shutil.rmtree(folder / places.GALLERY, ignore_errors=True)
    task, place = predictor.model.task, folder / places.GALLERY
    if task.draws:
        gallery.write_drawn(place, predictor.model)
    elif isinstance(task, Speaks):
        answers = list(answers)
        gallery.write_said(place, predictor, records, answers)
    elif records and isinstance(records[0].input, Picture | Sound):
        answers = list(answers)
        gallery.write(place, records, answers, task)
    write_predictions(folder / "predictions.csv", records, answers)


def write_predictions(path: Path, records: Sequence[Record], answers: Iterable[Prediction]) -> None:
    """`id,input,label,prediction,score` of every row, in order; inputs are cut to 200 characters. Words and their tags stand with blanks
    between them, and of pairs the second text stands as the label."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "input", "label", "prediction", "score"])
    for record, answer in zip(records, answers, strict=True):
        score = "" if answer.score is None else round(answer.score, 6)
        known = record.label if record.target is None else joined(record.target)
        cells = (joined(known), joined(answer.answer)) if _is_tagged(record) else (_cell(known), _cell(answer.answer))
        writer.writerow([record.id, joined(record.input)[:200], *cells, score])
    write_text(path, text.getvalue())


def _is_tagged(record: Record) -> bool:
    return isinstance(record.input, tuple) and isinstance(record.label, tuple)


def _cell(answer: Any) -> Any:
    """Names with a bar between them; boxes as JSON."""
    if not isinstance(answer, tuple):
        return "" if answer is None else answer
    if all(isinstance(part, str) for part in answer):
        return "|".join(answer)
    return json.dumps([asdict(part) if isinstance(part, Box) else part for part in answer], ensure_ascii=False)
