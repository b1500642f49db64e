"""Sounds that a model goes on with, sample by sample. Shapes: S samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from pydantic import Field

from zhuji.core.config import Settings
from zhuji.core.contracts import Modality
from zhuji.core.errors import BadSetting, ImpossiblePair
from zhuji.core.log import in_language
from zhuji.core.seed import derive
from zhuji.modalities.speech import Speech
from zhuji.model.assembly import Model
from zhuji.model.continuing import Continuing
from zhuji.model.predictor import evaluating
from zhuji.nn.search import Chance, Rules, greedy, sample
from zhuji.tasks.next_unit import NextUnit


class SoundSettings(Settings):
    """How a model goes on with sounds."""

    seconds: float = Field(default=1.0, gt=0, le=600)
    """That are made, after the prompt."""
    heard: float | None = Field(default=None, gt=0)
    """Seconds of a prompt that are heard; None: all of it."""
    count: int = Field(default=1, gt=0, le=1_000)
    """Sounds, where there is no prompt: they begin in silence."""
    how: Literal["sample", "greedy"] = "sample"
    temperature: float = Field(default=1.0, gt=0)
    """Below 1 likely samples become likelier still."""
    top_k: int | None = Field(default=None, gt=0)
    """Only so many of the likeliest samples."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Only the likeliest samples that together have this probability."""
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Sounded:
    """`samples (S,)` float32 in [-1, 1] at `rate` a second, of which the first `heard` are the prompt's. `bits`: what a made sample tells, on average, of those that
    could have come, before `temperature` and the like chose among them."""

    samples: np.ndarray
    rate: int
    heard: int
    bits: float


def sounds(model: Model) -> bool:
    """Whether it can go on with a sound."""
    return isinstance(model.task, NextUnit) and _of_samples(model.modality)


def sounded(model: Model, prompts: Sequence[Any] = (), settings: SoundSettings | None = None) -> list[Sounded]:
    """One sound a prompt (a `Sound`, or the path or bytes of one), or `settings.count` out of silence.

    Raises ImpossiblePair for a model that makes no samples, BadSetting for a prompt of which nothing is heard, and what reading sounds raises."""
    asked, modality = settings or SoundSettings(), _speech(model)
    read = [_heard(modality, prompt, asked) for prompt in prompts] or [[modality.silence]] * asked.count
    rows = Continuing(model, read)
    rules = Rules(max_units=max(1, round(asked.seconds * modality.rate)))
    with evaluating(model):
        if asked.how == "greedy":
            found = greedy(rows.step, rows.context, rows=len(read), start=rows.start, rules=rules)
        else:
            generator = torch.Generator(rows.start.device).manual_seed(derive(asked.seed, "generate"))
            chance = Chance(asked.temperature, asked.top_k, asked.top_p, generator)
            found = sample(rows.step, rows.context, rows=len(read), start=rows.start, rules=rules, chance=chance)
    # Silence before a sound that has no prompt is none of it.
    before = read if prompts else [[] for _ in read]
    return [
        Sounded(modality.samples_of([*ids, *one.ids]), modality.rate, len(ids), -one.score / len(one.ids) / math.log(2))
        for ids, one in zip(before, found, strict=True)
    ]


def _of_samples(modality: Modality) -> bool:
    return isinstance(modality, Speech) and modality.features == "samples"


def _speech(model: Model) -> Speech:
    if not sounds(model):
        raise ImpossiblePair(
            first=in_language("going on with a sound", "续写声音"),
            second=in_language(
                f"a model of task '{model.task.name()}' over '{model.modality.name()}'",
                f"任务为「{model.task.name()}」、模态为「{model.modality.name()}」的模型",
            ),
            rule=in_language("only a model that predicts the next sample can do it", "只有预测下一个采样的模型才能做到"),
            advice=in_language("train one: zhuji train SOUNDS --model wavenet", "请先训练：zhuji train SOUNDS --model wavenet"),
        )
    assert isinstance(model.modality, Speech)
    return model.modality


def _heard(modality: Speech, prompt: Any, asked: SoundSettings) -> list[int]:
    (row,) = modality.encode([prompt])
    assert row.ids is not None
    end = len(row.ids) if asked.heard is None else round(asked.heard * modality.rate)
    if not min(end, len(row.ids)):
        rule = in_language("must leave at least one sample of each prompt", "每个提示至少须留下一个采样")
        raise BadSetting(key="heard", rule=rule, value=asked.heard)
    return row.ids[:end].tolist()
