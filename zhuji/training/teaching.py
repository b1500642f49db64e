"""A run that learns from a trained model: it answers every training row once, from the raw input, and what it said is kept beside the
encoded rows. Where a task has no lessons beyond answers, the answers take the labels' place (sequence-level distillation, Kim & Rush
2016, for translation).

Sources: soft labels: Hinton, Vinyals & Dean 2015, section 2.
"""

# torch and its like are typed in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from zhuji.core.config import overlay
from zhuji.core.contracts import Task
from zhuji.core.errors import BadSetting
from zhuji.core.files import atomic_folder, read_json, write_json
from zhuji.core.log import in_language, say
from zhuji.core.records import Record
from zhuji.data.clean import Cleaner
from zhuji.data.ledger import Ledger
from zhuji.data.read import read_records
from zhuji.data.settings import DataSettings
from zhuji.model.assembly import LESSON, collate
from zhuji.model.predictor import BATCH_UNITS, Predictor, cut, evaluating
from zhuji.training.material import Material, encode
from zhuji.training.run import Run, TeacherSettings
from zhuji.training.transfer import absolute as absolute_path
from zhuji.training.transfer import digest, open_model

TENSORS, ANSWERS = "lessons.safetensors", "answers.json"
_CHUNK = 1024


def absolute(teacher: TeacherSettings) -> dict[str, Any]:
    """Its paths as they can be found from anywhere."""
    more = None if teacher.unlabelled is None else str(Path(teacher.unlabelled).absolute())
    return {"path": absolute_path(teacher.path), "unlabelled": more}


def taught(run: Run, material: Material, kept: Path) -> tuple[Run, Material]:
    """The run with the teacher's hash, and the material whose training rows bring its lessons. `kept`: the folder in which they are, or
    else will be; a run that was begun needs its teacher no more. Raises BadSetting for a teacher of something else."""
    assert run.teacher is not None
    train = material.rows["train"]
    more = _unlabelled(run, {record.input for rows in material.rows.values() for record in rows.records})
    if not kept.exists():
        predictor = open_model(run.teacher.path)
        _refuse_another(predictor.model.task, material.task)
        _keep(predictor, material.task, [*train.records, *more], kept)
        say(
            in_language(
                f"The teacher has answered {len(train) + len(more):,} rows.", f"教师模型已回答 {len(train) + len(more):,} 行。"
            )
        )
    facts, lesson = read_json(kept / ANSWERS), load_file(kept / TENSORS).get(LESSON)
    pairs = zip([*train.records, *more], facts["answers"], strict=True)
    records = [_answered(record, answer, material.task, lesson) for record, answer in pairs]
    rows = encode(material.modality, material.task, records)
    rows = rows if lesson is None else replace(rows, targets={**rows.targets, LESSON: lesson})
    run = Run.parse(overlay(run.plain(), {"teacher": {"hash": facts["hash"]}}))
    return run, replace(material, rows={**material.rows, "train": rows})


def _refuse_another(teacher: Task, student: Task) -> None:
    """A teacher has the student's task, and knows the same classes."""
    if teacher.name() != student.name():
        rule = in_language(f"must be a model for {student.name()}", f"必须是用于 {student.name()} 的模型")
        raise BadSetting(key="teacher.path", rule=rule, value=teacher.name())
    mine, theirs = ({*task.plain().get("labels", ())} for task in (student, teacher))
    if mine - theirs:
        rule = in_language(
            "must know every class of the training rows; it does not know", "必须认识训练数据中的所有类别；它不认识"
        )
        raise BadSetting(key="teacher.path", rule=rule, value=", ".join(sorted(mine - theirs)[:5]))


def _unlabelled(run: Run, known: set[Any]) -> list[Record]:
    """The further texts, those that stand in any split left out: a test row must not be met in training."""
    assert run.teacher is not None
    if run.teacher.unlabelled is None:
        return []
    settings = DataSettings(path=run.teacher.unlabelled, clean=run.data.clean, text=run.data.text)
    found: dict[Any, Record] = {}
    for record in read_records(settings, None, Ledger(), labelled=False):
        if record.input not in known:
            found.setdefault(record.input, record)
    return [replace(r, id=f"unlabelled-{r.id}", split="train", label=None, target=None) for r in found.values()]


def _keep(teacher: Predictor, student: Task, records: Sequence[Record], kept: Path) -> None:
    """Have the teacher answer all rows, and write down what it said."""
    cleaner = Cleaner(teacher.clean)
    inputs = [cleaner(r.input)[0] if isinstance(r.input, str) else r.input for r in records]
    lessons = _lessons(teacher, student, inputs)
    answers = [_plain(prediction.answer) for prediction in teacher.predict(inputs)]
    with atomic_folder(kept) as partial:
        save_file({} if lessons is None else {LESSON: lessons}, partial / TENSORS)
        write_json(partial / ANSWERS, {"hash": digest(teacher.model), "answers": answers})


def _plain(answer: Any) -> Any:
    return list(answer) if isinstance(answer, tuple) else answer


def _lessons(teacher: Predictor, student: Task, inputs: Sequence[Any]) -> Tensor | None:
    """`(N, …)` float32 in the order of `inputs`, with the student's classes."""
    model, found = teacher.model, dict[int, Tensor]()
    for start in range(0, len(inputs), _CHUNK):
        encoded = model.modality.encode(inputs[start : start + _CHUNK])
        for places, length in cut([row.length for row in encoded], BATCH_UNITS):
            batch = collate(model, [encoded[place] for place in places], None, length).to(teacher.device)
            with evaluating(model):
                lesson = model.task.lesson(model.outputs(batch))
            if lesson is None:
                return None
            found.update(zip((start + place for place in places), lesson.float().cpu(), strict=True))
    mine, theirs = (list(task.plain().get("labels", ())) for task in (student, model.task))
    whole = torch.stack([found[place] for place in range(len(inputs))])
    return whole[:, [theirs.index(name) for name in mine]].contiguous() if mine else whole


def _answered(record: Record, answer: Any, task: Task, lesson: Tensor | None) -> Record:
    """A row that learns from the teacher's answer: every translation; else one that has no label, unless its lesson is enough."""
    if task.needs == "target":
        return replace(record, target=answer)
    one_class = lesson is not None and bool(task.plain().get("labels")) and not task.plain().get("many")
    if record.label is not None or one_class:
        return record
    return replace(record, label=tuple(answer) if isinstance(answer, list) else answer)
