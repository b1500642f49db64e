"""A run on rows that learns from a trained model: it answers every row once, from the raw input, and what it said is kept beside the
encoded rows. Where a task has no lessons beyond answers, the answers take the labels' place (sequence-level distillation, Kim & Rush
2016, for translation).

Sources: soft labels: Hinton, Vinyals & Dean 2015, section 2.
"""

# torch and its like are typed in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from zhuji.core import lookup
from zhuji.core.config import overlay
from zhuji.core.contracts import Task
from zhuji.core.errors import BadSetting
from zhuji.core.files import atomic_folder, read_json, write_json
from zhuji.core.log import in_language, say
from zhuji.core.records import Medium, Record
from zhuji.data.alike import exact_key
from zhuji.data.clean import Cleaner
from zhuji.data.conll import words_of
from zhuji.data.ledger import Ledger
from zhuji.data.read import read_records
from zhuji.data.settings import DataSettings
from zhuji.model.assembly import LESSON, collate
from zhuji.model.pooled import embed_rows
from zhuji.model.predictor import BATCH_UNITS, Predictor, cut, evaluating
from zhuji.training.material import Material, Ragged, Rows, encode, together
from zhuji.training.run import Run, TeacherSettings
from zhuji.training.transfer import absolute as absolute_path
from zhuji.training.transfer import digest, open_model

TENSORS, ANSWERS = "lessons.safetensors", "answers.json"
ENDS = "ends"
_CHUNK = 1024


def absolute(teacher: TeacherSettings) -> dict[str, Any]:
    """Its paths as they can be found from anywhere."""
    more = None if teacher.unlabelled is None else str(Path(teacher.unlabelled).absolute())
    return {"path": absolute_path(teacher.path), "unlabelled": more}


def taught(run: Run, material: Material, kept: Path) -> tuple[Run, Material]:
    """The run with the teacher's hash, and the material whose rows bring its lessons. `kept`: the folder in which they are, or else will be;
    a run that was begun needs its teacher no more. Raises BadSetting for a teacher of something else."""
    assert run.teacher is not None
    more = _unlabelled(run, material)
    # By vectors a model is also judged; other lessons are for learning alone.
    splits = list(material.rows) if material.task.needs == "lesson" else ["train"]
    records = {split: [*material.rows[split].records, *(more if split == "train" else ())] for split in splits}
    if not kept.exists():
        predictor = open_model(run.teacher.path)
        _refuse_another(predictor.model.task, material.task)
        everything = [record for some in records.values() for record in some]
        _keep(predictor, material.task, everything, kept)
        say(in_language(f"The teacher has answered {len(everything):,} rows.", f"教师模型已回答 {len(everything):,} 行。"))
    facts, tensors = read_json(kept / ANSWERS), load_file(kept / TENSORS)
    if material.task.needs == "lesson":
        rows = _with_vectors(material, records, tensors)
    else:
        rows = _with_answers(material, records["train"], facts["answers"], tensors)
    run = Run.parse(overlay(run.plain(), {"teacher": {"hash": facts["hash"]}}))
    return run, replace(material, rows={**material.rows, **rows})


def _with_vectors(
    material: Material, records: Mapping[str, Sequence[Record]], tensors: Mapping[str, Tensor]
) -> dict[str, Rows]:
    """Every split, its records with their vectors."""
    vectors = iter(tensors[LESSON].numpy())
    told = {split: [replace(record, lesson=next(vectors)) for record in some] for split, some in records.items()}
    return {split: encode(material.modality, material.task, some) for split, some in told.items()}


def _with_answers(
    material: Material, records: Sequence[Record], answers: Sequence[Any], tensors: Mapping[str, Tensor]
) -> dict[str, Rows]:
    """The training rows, with answers where these stand for what is missing, and with lessons beside the targets."""
    task, lesson = material.task, tensors.get(LESSON)
    some = [_answered(*pair, task, lesson is not None) for pair in zip(records, answers, strict=True)]
    rows = encode(material.modality, task, some)
    if lesson is None:
        return {"train": rows}
    whole = Ragged(lesson, tensors[ENDS]) if ENDS in tensors else lesson
    return {"train": replace(rows, targets={**rows.targets, LESSON: whole})}


def remembered(records: Sequence[Record], kept: Path) -> list[Record]:
    """Rows of a run that learned vectors, each with the vector that was kept for it."""
    vectors = dict(zip(read_json(kept / ANSWERS)["ids"], load_file(kept / TENSORS)[LESSON].numpy(), strict=True))
    return [replace(record, lesson=vectors.get(record.id)) for record in records]


def asked_of_rows(task: Mapping[str, Any]) -> str:
    """What rows must hold (`data.prepare`): what the task says, or anything where it asks for no label, or all is learned from a teacher."""
    name = str(task.get("name", "auto"))
    return "any" if name in lookup.names(Task) and lookup.build(Task, task).needs in ("lesson", "nothing") else name


def refuse_untaught(run: Run, task: Task) -> None:
    """What learns from lessons alone needs a teacher. Raises BadSetting."""
    if task.needs == "lesson" and run.teacher is None:
        rule = in_language(
            "must be a teacher, which `zhuji distil TEACHER DATA` names", "必须指定教师模型，见 `zhuji distil TEACHER DATA`"
        )
        raise BadSetting(key="teacher.path", rule=rule)


def _refuse_another(teacher: Task, student: Task) -> None:
    """A teacher has the student's task, and knows the same classes; vectors can be learned from any."""
    if student.needs == "lesson":
        return
    if student.teaches != "rows":
        rule = in_language(
            "must be imitate to learn a teacher's vectors, or be learned from texts with `zhuji distil TEACHER CORPUS`",
            "学习教师的向量时必须为 imitate，否则请用 `zhuji distil TEACHER CORPUS` 从文本学习",
        )
        raise BadSetting(key="task.name", rule=rule, value=student.name())
    if teacher.name() != student.name():
        rule = in_language(f"must be a model for {student.name()}", f"必须是用于 {student.name()} 的模型")
        raise BadSetting(key="teacher.path", rule=rule, value=teacher.name())
    mine, theirs = ({*task.plain().get("labels", ())} for task in (student, teacher))
    if mine - theirs:
        rule = in_language(
            "must know every class of the training rows; it does not know", "必须认识训练数据中的所有类别；它不认识"
        )
        raise BadSetting(key="teacher.path", rule=rule, value=", ".join(sorted(mine - theirs)[:5]))


def _unlabelled(run: Run, material: Material) -> list[Record]:
    """The further rows, those that stand in any split left out: a test row must not be met in training."""
    assert run.teacher is not None
    known = {_same(record.input) for rows in material.rows.values() for record in rows.records}
    if run.teacher.unlabelled is None:
        return []
    settings = DataSettings(path=run.teacher.unlabelled, clean=run.data.clean, text=run.data.text)
    found: dict[Any, Record] = {}
    for record in read_records(settings, None, Ledger(), labelled=False):
        if material.task.needs == "tags" and isinstance(record.input, str):
            record = replace(record, input=words_of(record.input))
        if (same := _same(record.input)) not in known:
            found.setdefault(same, record)
    return [replace(r, id=f"unlabelled-{r.id}", split="train", label=None, target=None) for r in found.values()]


def _same(raw: Any) -> Any:
    """Equal for equal inputs; pictures and sounds are equal by what is seen and heard, for a copy has another name."""
    return exact_key(raw) if isinstance(raw, Medium) else raw


def _keep(teacher: Predictor, student: Task, records: Sequence[Record], kept: Path) -> None:
    """Have the teacher answer all rows, and write down what it said."""
    cleaner = Cleaner(teacher.clean)
    inputs = [cleaner(r.input)[0] if isinstance(r.input, str) else r.input for r in records]
    vectors = student.needs == "lesson"
    lessons = {LESSON: _vectors(teacher, inputs)} if vectors else _lessons(teacher, student, inputs)
    answers = [] if vectors else [_plain(prediction.answer) for prediction in teacher.predict(inputs)]
    with atomic_folder(kept) as partial:
        save_file(lessons, partial / TENSORS)
        write_json(partial / ANSWERS, {"hash": digest(teacher.model), "ids": [r.id for r in records], "answers": answers})


def _vectors(teacher: Predictor, inputs: Sequence[Any]) -> Tensor:
    """`(N, W)` float32, as `zhuji embed` writes them."""
    chunks = [inputs[start : start + _CHUNK] for start in range(0, len(inputs), _CHUNK)]
    found = [embed_rows(teacher.model, teacher.model.modality.encode(chunk)) for chunk in chunks]
    return torch.from_numpy(np.concatenate(found))


def _plain(answer: Any) -> Any:
    return list(answer) if isinstance(answer, tuple) else answer


def _lessons(teacher: Predictor, student: Task, inputs: Sequence[Any]) -> dict[str, Tensor]:
    """`LESSON (N, …)` float32 in the order of `inputs`, with the student's classes; of rows that differ in length one behind the other,
    with `ENDS (N,)`. Empty: the teacher's answers are all."""
    model, found = teacher.model, dict[int, Tensor]()
    for start in range(0, len(inputs), _CHUNK):
        encoded = model.modality.encode(inputs[start : start + _CHUNK])
        for places, length in cut([row.length for row in encoded], BATCH_UNITS):
            batch = collate(model, [encoded[place] for place in places], None, length).to(teacher.device)
            with evaluating(model):
                lesson = model.task.lesson(model.outputs(batch))
            if lesson is None:
                return {}
            found.update(zip((start + place for place in places), lesson.float().cpu(), strict=True))
    mine, theirs = (list(task.plain().get("labels", ())) for task in (student, model.task))
    rows = [_unfilled(found[place]) for place in range(len(inputs))]
    whole = together([row[..., [theirs.index(name) for name in mine]] for row in rows] if mine else rows)
    return {LESSON: whole.flat, ENDS: whole.ends} if isinstance(whole, Ragged) else {LESSON: whole.contiguous()}


def _unfilled(lesson: Tensor) -> Tensor:
    """A row's lesson without what fills it up."""
    return lesson[(lesson >= 0).any(-1)] if lesson.ndim > 1 else lesson


def _answered(record: Record, answer: Any, task: Task, lesson: bool) -> Record:
    """A row that learns from the teacher's answer: every translation and transcript; else one that has no label, unless its lesson is enough."""
    if task.needs in ("target", "transcript"):
        return replace(record, target=answer)
    one_class = lesson and bool(task.plain().get("labels")) and not task.plain().get("many")
    if record.label is not None or one_class:
        return record
    return replace(record, label=tuple(answer) if isinstance(answer, list) else answer)
