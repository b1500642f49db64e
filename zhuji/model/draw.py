"""Pictures that a model makes.

Each picture's chance comes from the seed and the picture's number alone, so it is the same however many are drawn, and in what batches.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from pydantic import Field

from zhuji.core.config import Settings
from zhuji.core.errors import BadSetting, ImpossiblePair, UnknownName
from zhuji.core.log import in_language
from zhuji.core.seed import derive
from zhuji.core.units import Wanted
from zhuji.model.assembly import Model
from zhuji.model.predictor import resting


class DrawSettings(Settings):
    """What is to be drawn."""

    count: int = Field(default=64, gt=0, le=1_000_000)
    """Pictures."""
    labels: tuple[str, ...] = ()
    """Classes, which the pictures take in turn; none: all that the model learned."""
    seed: int = 0
    steps: int | None = Field(default=None, gt=0)
    """Of a diffusion model: passes through the network for each picture, at most `noise_steps`; as it was trained to be drawn from where nothing is said."""
    guidance: float | None = Field(default=None, ge=0)
    """Of a diffusion model: how strongly a picture is drawn towards its class; 1: as the model has it."""
    batch: int = Field(default=64, gt=0, le=4096)
    """Pictures drawn at once."""


def drawn(model: Model, settings: DrawSettings | None = None) -> list[np.ndarray]:
    """Pictures `(H, W, 3)` or `(H, W, 1)` uint8. Raises ImpossiblePair for a model that does not draw, UnknownName for a class that it never
    met, BadSetting for classes, steps or guidance where it knows none."""
    return list(drawing(model, settings))


def drawing(model: Model, settings: DrawSettings | None = None) -> Iterator[np.ndarray]:
    """As `drawn`, picture by picture."""
    asked = settings or DrawSettings()
    labels, device = labels_of(model, asked), next(model.parameters()).device
    for start in range(0, asked.count, asked.batch):
        numbers = range(start, min(start + asked.batch, asked.count))
        wanted = Wanted(
            seeds=[derive(asked.seed, "draw", number) for number in numbers],
            labels=None if labels is None else [labels[number] for number in numbers],
            steps=asked.steps,
            guidance=asked.guidance,
        )
        with resting(model), torch.autocast(device.type, enabled=False):
            values = model.task.drawn(model.encoder, model.head, wanted)
        yield from model.modality.pictured(values)


def labels_of(model: Model, settings: DrawSettings) -> tuple[str, ...] | None:
    """The class of each picture; None: the model knows no classes. Raises as `drawn` does."""
    task = model.task
    if not task.draws:
        raise ImpossiblePair(
            first=task.called(),
            second=in_language("drawing", "绘制图片"),
            rule=in_language("only a model that learned to make pictures draws them", "只有学过生成图片的模型才能绘制"),
            advice=in_language(
                "train one: zhuji train PICTURES --model diffusion-28", "请先训练：zhuji train PICTURES --model diffusion-28"
            ),
        )
    known = task.classes
    if settings.labels and not known:
        rule = in_language("must not be given: this model learned no classes", "不得指定：该模型没有学过类别")
        raise BadSetting(key="labels", rule=rule, value=", ".join(settings.labels))
    for name in settings.labels:
        if name not in known:
            raise UnknownName(kind=in_language("class", "类别"), name=name, choices=", ".join(known))
    turns = settings.labels or known
    return tuple(turns[number % len(turns)] for number in range(settings.count)) if turns else None
