"""What a model is for: their labels and options to our tasks, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from zhuji.backbones.transformer import Transformer
from zhuji.core.contracts import Task
from zhuji.core.errors import UnreadableModel
from zhuji.core.log import in_language
from zhuji.core.lookup import build
from zhuji.model.huggingface.family import Head, Purpose, eps_of, unwritable
from zhuji.model.huggingface.options import Options
from zhuji.nn.heads import Pool

_PURPOSES: Mapping[str, Purpose] = {
    "masked_units": "masked", "next_unit": "next", "classify": "classify", "tag": "tag", "contrast": "embed",
    "imitate": "embed", "masked_patches": "embed",
}  # fmt: skip


def task_of(head: Head, body: Transformer, options: Options, pool: Pool, tied: bool) -> Task:
    """The task for a head of theirs. Raises UnreadableModel."""
    described = {
        "masked": lambda: {"name": "masked_units", "norm_eps": eps_of(body)},
        "next": lambda: {"name": "next_unit", "tied": tied},
        "classify": lambda: _classify(head, body, options),
        "tag": lambda: {"name": "tag", "labels": labels_of(options), "dropout": body.dropout},
        "embed": lambda: {"name": "contrast", "pool": pool, "views": "dropout" if body.drops else "crop"},
    }[head.purpose]()
    if head.purpose == "masked" and body.feedforward != "gelu":
        why = in_language("its head must use gelu to guess hidden tokens", "其掩码预测头必须使用 gelu")
        raise UnreadableModel(file=options.path, why=why, value=body.feedforward)
    return build(Task, described)  # type: ignore[type-abstract]


def labels_of(options: Options) -> list[str]:
    """Names of the classes in the order of their numbers. Raises UnreadableModel."""
    names = options.get("id2label") or {str(n): f"LABEL_{n}" for n in range(options.get("num_labels") or 2)}
    labels = [names.get(str(number)) for number in range(len(names))] if isinstance(names, dict) else []
    known = [name for name in labels if isinstance(name, str)]
    if not labels or len(set(known)) != len(labels):
        raise options.refuse("id2label", "must name each class once, by its number", "必须按编号为每个类别各命名一次", names)
    return known


def _classify(head: Head, body: Transformer, options: Options) -> dict[str, Any]:
    labels = labels_of(options)
    many = many_of(options, labels)
    dropout = options.get("classifier_dropout")
    return {
        "name": "classify", "labels": labels, "counts": [0] * len(labels), "many": many, "pool": "first", "hidden": body.width,
        "activation": head.activation, "dropout": dropout if isinstance(dropout, float) else body.dropout,
    }  # fmt: skip


def purpose_of(task: Task) -> Purpose:
    """Raises UnwritableModel for a task that has no counterpart."""
    if task.name() not in _PURPOSES:
        names = "/".join(_PURPOSES)
        raise unwritable(f"the task is {task.name()}, and must be {names}", f"任务为 {task.name()}，必须是 {names}")
    return _PURPOSES[task.name()]


def described(task: Task, head: Head, body: Transformer) -> dict[str, Any]:
    """What config.json says of our task. Raises UnwritableModel."""
    settings = task.described()
    wanted: dict[str, Any] = {
        "masked": {"transform": True, "norm_eps": eps_of(body)},
        "next": {"transform": False, "bias": False},
        "classify": {"pool": "first", "hidden": body.width, "activation": head.activation},
        "tag": {},
        "embed": {"width": None, "masked": 0.0},
    }[head.purpose]
    for key, value in wanted.items():
        if settings.get(key, value) != value:
            shown = f"task.{key}"
            raise unwritable(
                f"{shown} is {settings[key]}, and the family needs {value}",
                f"{shown} 为 {settings[key]}，而该模型族需要 {value}",
            )
    if head.purpose == "masked" and body.feedforward != "gelu":
        raise unwritable("backbone.feedforward must be gelu with a masked head", "掩码预测头要求 backbone.feedforward 为 gelu")
    if head.purpose not in ("classify", "tag"):
        return {"tie_word_embeddings": settings.get("tied", True)}
    if head.purpose == "tag":
        return named(settings["labels"])
    return {**named(settings["labels"]), "problem_type": kind_of(settings), "classifier_dropout": settings["dropout"]}


def named(labels: Sequence[str]) -> dict[str, Any]:
    """Classes as config.json names them."""
    return {
        "id2label": {str(n): name for n, name in enumerate(labels)},
        "label2id": {name: n for n, name in enumerate(labels)},
    }


def kind_of(settings: Mapping[str, Any]) -> str:
    """What config.json calls our classification."""
    return "multi_label_classification" if settings["many"] else "single_label_classification"


def many_of(options: Options, labels: Sequence[str]) -> bool:
    """Whether a row bears many labels. Raises UnreadableModel where it bears a number."""
    kind = options.get("problem_type")
    many = kind == "multi_label_classification"
    if kind == "regression" or (len(labels) == 1 and not many):
        raise options.refuse("problem_type", "must not be regression", "不得为回归", kind)
    return many
