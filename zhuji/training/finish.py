"""From trained weights to what a run leaves: test scores with intervals, baselines, predictions, bundle, `results.json`."""

# torch and its like are typed in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from zhuji.core.contracts import Columns
from zhuji.core.files import read_json, write_json, write_text
from zhuji.core.log import in_language, say
from zhuji.core.records import Record
from zhuji.metrics.intervals import bootstrap_all
from zhuji.model import bundle
from zhuji.model.assembly import Model
from zhuji.model.card import card
from zhuji.model.golden import choose_golden
from zhuji.model.predictor import Predictor
from zhuji.training import folder as places
from zhuji.training.baselines import Baseline, baselines
from zhuji.training.begin import Job
from zhuji.training.evaluation import Scores, score
from zhuji.training.material import Rows, encode
from zhuji.training.rehearsal import peak_memory
from zhuji.version import __version__

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
    model, rows, draws = best_model(job), job.material.rows, job.run.evaluate.bootstrap
    test, valid = judged(job, model, rows["test"], draws), judged(job, model, rows["valid"], draws)
    write_predictions(job.folder / "predictions.csv", predictor(job, model), rows["test"].records)
    facts = _facts(job, model, test, valid)
    golden = (rows["test"].records, test.columns) if test.rows else (rows["valid"].records, valid.columns)
    # A bundle may stand there already if the run was killed between here and the last line.
    shutil.rmtree(job.folder / places.BUNDLE, ignore_errors=True)
    save_bundle(job, model, golden, facts, job.folder / places.BUNDLE)
    write_json(job.folder / places.RESULTS, facts)
    return Result(job.folder, facts)


def _facts(job: Job, model: Model, test: Scores, valid: Scores) -> Facts:
    rivals, progress = _baselines(job), job.state.progress
    return {
        "run": str(job.folder), "bundle": str(job.folder / places.BUNDLE), "name": job.run.name, "version": __version__,
        "kind": job.prepared.roles.kind, "metric": next(iter(test.metrics)),
        "test": test.as_dict() if test.rows else {}, "valid": valid.as_dict() if valid.rows else {},
        "baselines": {name: rival.as_dict() for name, rival in rivals.items()},
        "baseline_notes": {name: rival.note for name, rival in rivals.items() if rival.note},
        "ledger": job.prepared.ledger.as_dict(), "leaks": job.prepared.leaks.as_dict(), **_leak_effect(job, model, test),
        "labels": list(job.material.task.plain().get("labels", ())), "unseen": test.unseen,
        "confusion": [list(row) for row in test.confusion], "per_class": [dict(row) for row in test.per_class],
        "steps": progress.step, "best_step": progress.best_step, "bad_steps": progress.bad_steps,
        "stopped_early": progress.stopped, "history": progress.history, "waste": round(progress.waste, 4),
        "seconds": round(progress.seconds, 3), "peak_rss_mb": round(peak_memory(job.device) / 2**20, 1),
        "model": _about(model), "fingerprint": job.prepared.fingerprint,
    }  # fmt: skip


def _about(model: Model) -> Facts:
    names = {part.shelf: part.name() for part in (model.modality, model.backbone, model.task)}
    return {**names, "parameters": model.parameter_count, "parts": model.parameter_counts()}


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
    return model.eval()


def predictor(job: Job, model: Model) -> Predictor:
    return Predictor(model, job.run.data.clean, job.prepared.roles)


def judged(job: Job, model: Model, rows: Rows, resamples: int = 0) -> Scores:
    """Scores on a split. Always in fp32, whatever the training's precision: a bundle answers in fp32, and its scores must be those
    of training."""
    answers = predictor(job, model)
    units = job.run.train.batch_units
    return score(answers, rows.records, rows.encoded, resamples=resamples, seed=job.run.seed, batch_units=units)


def validate(job: Job, model: Model) -> dict[str, float]:
    """All metrics on the validation split, the one that chooses the best first, and the loss; empty without such rows."""
    if not len(job.material.rows["valid"]):
        return {}
    scores = judged(job, model, job.material.rows["valid"])
    return {**{name: interval.value for name, interval in scores.metrics.items()}, "loss": scores.loss}


def rehearse_end(job: Job, model: Model, scratch: Path) -> None:
    """Every late stage once, on a few rows."""
    rows = encode(job.material.modality, job.material.task, job.material.rows["train"].records[:8])
    scores = judged(job, model, rows, resamples=2)
    write_predictions(scratch / "predictions.csv", predictor(job, model), rows.records)
    facts: Facts = {"name": job.run.name, "test": scores.as_dict(), "model": _about(model)}
    save_bundle(job, model, (rows.records, scores.columns), facts, scratch / places.BUNDLE)


def save_bundle(job: Job, model: Model, golden: Golden, facts: Facts, folder: Path) -> None:
    """Save the model with golden rows, open it again and have it answer them."""
    records, columns = golden
    chosen = choose_golden(predictor(job, model), records, columns, job.run.evaluate.golden_rows)
    run, roles = job.run, job.prepared.roles
    bundle.save(model, folder, clean=run.data.clean, roles=roles, golden=chosen, card=card(facts), run=run.plain())
    flips, _ = bundle.open_bundle(folder).check_golden()
    assert not flips, f"{flips} golden rows have other answers after saving and opening"


def _baselines(job: Job) -> Mapping[str, Baseline]:
    if not job.run.evaluate.baselines:
        return {}
    rows, run = job.material.rows, job.run
    say(in_language("Training the baselines …", "正在训练基线模型 …"))
    return baselines(
        job.material.task, rows["train"].records, rows["test"].records, resamples=run.evaluate.bootstrap, seed=run.seed
    )  # fmt: skip


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
        more = judged(job, model, encode(job.material.modality, job.material.task, outside)).columns
        whole = {name: np.concatenate([column, more[name]]) for name, column in whole.items()}
    clean = {name: column[~inside] for name, column in test.columns.items()}
    both = {"with_leaks": whole, "without_leaks": {} if inside.all() else clean}
    return {name: _rescored(job, columns) for name, columns in both.items()}


def _rescored(job: Job, columns: Columns) -> dict[str, dict[str, float | None]]:
    if not columns:
        return {}
    found = bootstrap_all(job.material.task.metrics(), columns, job.run.evaluate.bootstrap, job.run.seed)
    return {name: interval.as_dict() for name, interval in found.items()}


def write_predictions(path: Path, answers: Predictor, records: Sequence[Record]) -> None:
    """`id,input,label,prediction,score` of every row, in order; inputs are cut to 200 characters."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["id", "input", "label", "prediction", "score"])
    for record, answer in zip(records, answers.predict(record.input for record in records), strict=True):
        score = "" if answer.score is None else round(answer.score, 6)
        writer.writerow([record.id, str(record.input)[:200], _cell(record.label), _cell(answer.answer), score])
    write_text(path, text.getvalue())


def _cell(answer: Any) -> Any:
    return "|".join(answer) if isinstance(answer, tuple) else "" if answer is None else answer
