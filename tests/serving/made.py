"""Bundles for servers, made once a process without training: a model of random weights for each task that there is, and one that writes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch

from tests.contracts.properties import Cell
from tests.model import talkers, writers
from tests.trained import folder
from zhuji.core import lookup
from zhuji.core.contracts import Backbone, Example, Modality, Task
from zhuji.data.infer import Roles
from zhuji.data.settings import CleanSettings
from zhuji.model import bundle
from zhuji.model.assembly import Model
from zhuji.model.predictor import Predictor

TASKS = lookup.names(Task)
NO_TEXTS = {
    "detect": ("image", "resnet"), "generate": ("image", "strided"), "masked_patches": ("image", "vit"), "masked_frames": ("speech", "conformer"),
    "enhance": ("waveform", "recurrent"), "vocode": ("speech", "convnext_1d"),
}  # fmt: skip
"""Tasks that are not over texts, and a modality and a backbone for each."""
TEXTS = ["the cat sat", "筑基：从头 开始", "a b c a b", "x"]
"""None of them is changed by cleaning, and all fit."""


@cache
def of_task(name: str) -> Path:
    """A bundle whose model is of this task: over texts, or over pictures or sounds where it cannot be over texts."""
    task: type[Task] = lookup.find(Task, name)  # type: ignore[type-abstract]
    kind, backbone = NO_TEXTS.get(name, ("text", "transformer"))
    modality, body = lookup.find(Modality, kind), lookup.find(Backbone, backbone)  # type: ignore[type-abstract]
    example = modality.example()
    return saved(Cell.of(example, body.example(), task.example()).model(), TEXTS if kind == "text" else example[1])


@cache
def writer() -> Path:
    """A bundle whose model goes on with texts; it was never taught, but is sure enough of itself for a float's last digit not to matter."""
    return saved(writers.writer(loud=3.0), [])


@cache
def talker() -> Path:
    """A bundle whose model was taught what animals say."""
    return saved(talkers.talker(), [])


@cache
def painter() -> Path:
    """A bundle whose model draws by diffusion; it was never taught."""
    modality, body, task = lookup.find(Modality, "image"), lookup.find(Backbone, "unet"), lookup.find(Task, "generate")  # type: ignore[type-abstract]
    records = task.example().records
    diffusion = task(kind="diffusion", noise_steps=20, steps=5, guidance=2.0).fit(records)  # type: ignore[call-arg]
    return saved(Cell.of(modality.example(), body.example(), Example(diffusion, records)).model(), modality.example()[1])


@cache
def listener() -> Path:
    """A bundle whose model spells what it hears; it was never taught, but is sure enough of itself for a float's last digit not to matter."""
    modality, body, task = lookup.find(Modality, "speech"), lookup.find(Backbone, "conformer"), lookup.find(Task, "transcribe")  # type: ignore[type-abstract]
    example = modality.example()
    model = Cell.of(example, body.example(), task.example()).model()
    with torch.no_grad():
        model.head.each.out.weight.mul_(5)
    return saved(model, example[1])


def saved(model: Model, golden: Sequence[Any]) -> Path:
    answers = Predictor(model).predict(golden)
    rows = [
        {"input": text, "answer": one.answer, "score": one.score, "scores": one.scores and dict(one.scores)}
        for text, one in zip(golden, answers, strict=True)
    ]
    place = folder() / "bundle"
    column: dict[str, Any] = {"texts": {"text": ("text",)}, "pictures": {"image": "image"}, "sounds": {"sound": "sound"}}[
        model.modality.reads
    ]
    roles = Roles(**{"text": (), **column})
    bundle.save(model, place, clean=CleanSettings(), roles=roles, golden=rows, card="# A model\n")
    return place
