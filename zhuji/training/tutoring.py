"""A pretraining beside a trained model: it is asked about every batch anew, because what is hidden changes, and units are many.

Teacher and student read the same units, so the student takes the teacher's tokenizer. Source: Hinton, Vinyals & Dean 2015, section 2; for
masked units Sanh et al. 2019, DistilBERT.
"""

from __future__ import annotations

from typing import Any

from zhuji.core import lookup
from zhuji.core.config import overlay
from zhuji.core.contracts import Backbone, Modality, Task
from zhuji.core.errors import BadSetting, ChangedSinceStart
from zhuji.core.log import in_language
from zhuji.model.assembly import Model
from zhuji.training.corpora import described, identity
from zhuji.training.pretraining import Pretraining
from zhuji.training.run import TeacherSettings
from zhuji.training.transfer import digest, most_positions, open_model


def tutor(settings: TeacherSettings) -> Model:
    """The teacher, of which nothing learns. Its encoder draws nothing; its head draws what the student's does, and so it is in training
    mode. Raises what opening raises, and ChangedSinceStart where `settings.hash` is another one."""
    model = open_model(settings.path).model
    if settings.hash and digest(model) != settings.hash:
        changes = in_language("its weights or parts", "其权重或部件")
        raise ChangedSinceStart(file=settings.path, what=in_language("the teacher", "教师模型"), changes=changes)
    return model.requires_grad_(False).train()


def settled(run: Pretraining, teacher: Model) -> Pretraining:
    """The run with the teacher's hash and, where it names no tokenizer, with the teacher's. Raises BadSetting for a teacher of another
    objective, and where settings ask for another tokenizer or for more positions than were learned."""
    task = lookup.build(Task, run.task)
    if task.teaches != "units" or task.name() != teacher.task.name():
        rule = in_language(
            f"must be a model for {task.name()} that says something of each unit", f"必须是用于 {task.name()}、逐单元作答的模型"
        )
        raise BadSetting(key="teacher.path", rule=rule, value=teacher.task.name())
    asked: dict[str, Any] = {"teacher": {"hash": digest(teacher)}}
    if run.tokenizer is None and run.start is None:
        wanted = lookup.build(Modality, {**teacher.modality.described(), **run.modality})
        if described(wanted) != described(teacher.modality):
            raise _another_tokenizer()
        asked["modality"] = wanted.described()
    run = Pretraining.parse(overlay(run.plain(), asked))
    _refuse_too_long(run, teacher)
    return run


def refuse_another(modality: Modality, teacher: Model) -> None:
    """The fitted modality of the student must be the teacher's, but for the length. Raises BadSetting."""
    if identity(modality) != identity(teacher.modality):
        raise _another_tokenizer()


def _another_tokenizer() -> BadSetting:
    rule = in_language(
        "must have the student's tokenizer, for it teaches about units: leave out modality, tokenizer and start, and the student "
        "takes the teacher's; or pretrain on texts that it wrote (`zhuji generate`)",
        "必须与学生使用同一分词器，因为它逐单元授课：去掉 modality、tokenizer 与 start，学生便采用教师的分词器；"
        "或用它生成的文本（`zhuji generate`）做预训练",
    )
    return BadSetting(key="teacher.path", rule=rule)


def _refuse_too_long(run: Pretraining, teacher: Model) -> None:
    """Learned positions end; about units beyond a teacher has learned nothing."""
    limits = [most_positions(teacher.backbone.plain()), most_positions(lookup.build(Backbone, run.backbone).plain())]
    most = min((limit for limit in limits if limit is not None), default=None)
    for key, value in (("modality.max_units", run.modality.get("max_units", 0)), ("pack", run.pack or 0)):
        if most is not None and value > most:
            rule = in_language(
                f"must be at most {most}: so many positions teacher and student have",
                f"最多为 {most}：教师与学生只有这么多位置",
            )
            raise BadSetting(key=key, rule=rule, value=value)
