"""Folders of models over pictures, of `transformers` (ViT, ResNet) and of `timm`: read, and of the former written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch

from zhuji.core.contracts import Task
from zhuji.core.errors import UnreadableModel
from zhuji.core.files import atomic_folder
from zhuji.core.lookup import build
from zhuji.data.infer import Roles
from zhuji.data.settings import CleanSettings
from zhuji.modalities.image import Image
from zhuji.model.assembly import Model
from zhuji.model.huggingface import files, heads, processor, timm
from zhuji.model.huggingface.encoders import Found, filled, names_of
from zhuji.model.huggingface.family import Head, Tensors, architecture_of, family_of, translated, unwritable
from zhuji.model.huggingface.options import Options
from zhuji.model.huggingface.picture_family import PictureFamily
from zhuji.model.huggingface.resnet import Resnet
from zhuji.model.huggingface.vit import Vit
from zhuji.model.predictor import Predictor

FAMILIES: tuple[PictureFamily, ...] = (Vit(), Resnet())
COLUMN = "image"


def read(folder: Path) -> Predictor | None:
    """The model over pictures in such a folder; None where it is none. Raises as `reading.read`."""
    if not (folder / files.CONFIG).is_file():
        return None
    config = files.read_config(folder)
    options = Options(config, folder / files.CONFIG)
    if timm.is_timm(config):
        return _opened(folder, options, timm.family_of(options), timm=True)
    family = family_of(FAMILIES, config)
    return None if family is None else _opened(folder, options, family)


def knows(config: Mapping[str, Any]) -> bool:
    """Whether a config.json is that of a model over pictures."""
    return timm.is_timm(config) or family_of(FAMILIES, config) is not None


def _opened(folder: Path, options: Options, family: PictureFamily, *, timm: bool = False) -> Predictor:
    found = Found(folder, options, family, _timm_purpose(options) if timm else architecture_of(options, family.heads))
    backbone, told = family.read(options)
    if timm:
        image = processor.read_timm(options, told)
    else:
        image = processor.read(files.read_object(folder, processor.PROCESSOR), folder / processor.PROCESSOR, told)
    task = _task(family, found.head, options, timm=timm)
    options.tell_rest()
    model = filled(found, image, backbone, task)
    made = {"from": "timm" if timm else "huggingface", "architecture": found.architecture}
    return Predictor(model, CleanSettings(), Roles(text=(), image=COLUMN), run=made)


def _timm_purpose(options: Options) -> str:
    count = options.get("num_classes", 1000)
    if type(count) is not int or not 0 <= count <= 1 << 20:
        raise options.refuse("num_classes", "must be a whole number", "必须是整数", count)
    return "classify" if count else "embed"


def _task(family: PictureFamily, head: Head, options: Options, *, timm: bool) -> Task:
    if head.purpose == "embed":
        return build(Task, {"name": "contrast", "pool": family.pool, "views": "crop"})  # type: ignore[type-abstract]
    if timm:
        count = options.get("num_classes", 1000)
        given = options.get("label_names")
        labels = given if isinstance(given, list) and len(given) == count else [f"LABEL_{n}" for n in range(count)]
        many = False
    else:
        labels = heads.labels_of(options)
        many = heads.many_of(options, labels)
    settings = {"name": "classify", "labels": labels, "counts": [0] * len(labels), "many": many, "pool": family.pool}
    try:
        return build(Task, settings)  # type: ignore[type-abstract]
    except ValueError as error:
        raise UnreadableModel(file=options.path, why=" ".join(str(error).split())[:200]) from None


def write(model: Model, image: Image, folder: Path) -> str:
    """Write the folder, which must not exist yet, and hand back the name of the architecture. Raises UnwritableModel."""
    family = next((family for family in FAMILIES if isinstance(model.backbone, family.body)), None)
    if family is None:
        raise unwritable(f"{model.backbone.name()} has no counterpart", f"{model.backbone.name()} 没有对应的模型")
    purpose = heads.purpose_of(model.task)
    architecture, head = next(((name, head) for name, head in family.heads.items() if head.purpose == purpose), (None, None))
    if architecture is None or head is None:
        raise unwritable(f"{family.types[0]} has no head for this task", f"{family.types[0]} 没有用于该任务的输出头")
    config = {
        **family.described(model.backbone, image.plain()), **_described(model.task, family, head), "architectures": [architecture],
        "dtype": "float32",
    }  # fmt: skip
    written = {files.CONFIG: json.dumps(config, ensure_ascii=False, indent=1), processor.PROCESSOR: processor.written(image)}
    weights = _weights(model, family, head, image)
    with atomic_folder(folder) as partial:
        for name, text in written.items():
            (partial / name).write_text(text, encoding="utf-8")
        safetensors.torch.save_file(weights, partial / files.WEIGHTS, {"format": "pt"})
    return architecture


def _described(task: Task, family: PictureFamily, head: Head) -> dict[str, Any]:
    settings = task.described()
    wanted: Mapping[str, Any] = {"pool": family.pool, "hidden": None, "unit_length": False, "wide": 0, "width": None}
    for key, value in wanted.items():
        if settings.get(key, value) != value:
            raise unwritable(
                f"task.{key} is {settings[key]}, and the family needs {value}",
                f"task.{key} 为 {settings[key]}，而该模型族需要 {value}",
            )
    if head.purpose == "embed":
        return {}
    return {**heads.named(settings["labels"]), "problem_type": heads.kind_of(settings)}


def _weights(model: Model, family: PictureFamily, head: Head, image: Image) -> Tensors:
    names = names_of(family, model.backbone, head)
    loose: Tensors = {}
    for name, tensor in model.state_dict().items():
        theirs = translated(name, names)
        if theirs is not None:
            loose[theirs] = tensor.detach().cpu().float()
    fast = family.fasten(loose, model.backbone, image.plain())
    own = tuple(f"{theirs}." for theirs in head.names.values())
    bare = head.purpose == "embed"
    return {
        (name if bare or name.startswith(own) else family.prefix + name): tensor.contiguous().clone()
        for name, tensor in fast.items()
    }
