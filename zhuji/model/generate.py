"""Texts that a model goes on with."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Literal, Self

import torch
from pydantic import Field, model_validator

from zhuji.core.config import Settings
from zhuji.core.errors import BadSetting, ImpossiblePair
from zhuji.core.log import in_language
from zhuji.core.seed import derive
from zhuji.model.assembly import Model
from zhuji.model.constrain import Constraint
from zhuji.model.continuing import Continuing
from zhuji.model.predictor import evaluating
from zhuji.nn.search import Chance, Found, History, Rules, beam, greedy, likeliest, sample, walk
from zhuji.tasks.next_unit import NextUnit


class GenerateSettings(Settings):
    """How a model writes."""

    how: Literal["sample", "greedy", "beam"] = "sample"
    max_units: int = Field(default=128, gt=0)
    """Units written at most."""
    min_units: int = Field(default=0, ge=0)
    """Units before which no text ends."""
    temperature: float = Field(default=1.0, gt=0)
    """Below 1 likely units become likelier still."""
    top_k: int | None = Field(default=None, gt=0)
    """Only so many of the likeliest units."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Only the likeliest units that together have this probability (Holtzman et al. 2020)."""
    repetition_penalty: float = Field(default=1.0, ge=1)
    """Above 1 what was written, or stands in the prompt, is less likely to come again (Keskar et al. 2019)."""
    beams: int = Field(default=4, gt=0, le=64)
    length_penalty: float = Field(default=0.6, ge=0)
    """Exponent by which a beam search favours long texts (Wu et al. 2016, equation 14)."""
    stop: tuple[str, ...] = ()
    """A text ends before the first of these."""
    json_schema: str | None = None
    """A JSON schema, as JSON, that the text will follow."""
    regex: str | None = None
    """A regular expression that the text will match as a whole."""
    seed: int = 0

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.json_schema is not None and self.regex is not None:
            raise ValueError(in_language("json_schema and regex exclude each other", "json_schema 与 regex 不能同时指定"))
        if not all(self.stop):
            raise ValueError(in_language("stop strings must not be empty", "停止字符串不得为空"))
        return self


Prompt = str | tuple[int, ...]
"""A text, or the ids of one that was read already."""


@dataclass(frozen=True)
class Generated:
    """`text` follows the prompt. `units` written; `score`: mean log-probability of a unit (of a beam search: by the length penalty);
    `ended`: at an end or a stop string, not at `max_units`."""

    prompt: str
    text: str
    units: int
    score: float
    ended: bool


def generate(
    model: Model, prompts: Sequence[Prompt], settings: GenerateSettings | None = None, ends: Sequence[int] = ()
) -> list[Generated]:
    """One text a prompt. `ends`: reserved ids at which a text ends, besides the vocabulary's end. Raises BadSetting for a prompt longer than the model reads, and ImpossiblePair for a model that does not
    write."""
    asked = settings or GenerateSettings()
    begun = _Begun(model, prompts, asked, ends)
    step, context, start, rules = begun.rows.step, begun.rows.context, begun.rows.start, begun.rules
    with evaluating(model):
        if asked.how == "beam":
            found = beam(
                step, context, rows=len(prompts), start=start, rules=rules, beams=asked.beams, alpha=asked.length_penalty
            )
        elif asked.how == "greedy":
            found = greedy(step, context, rows=len(prompts), start=start, rules=rules)
        else:
            found = sample(step, context, rows=len(prompts), start=start, rules=rules, chance=begun.chance)
    return [begun.generated(row, one) for row, one in enumerate(found)]


def units_of(model: Model, prompt: Prompt) -> int:
    """How many units the model reads of a prompt, a start included. Raises BadSetting for one that is too long."""
    return len(_read(model, prompt))


def stream(
    model: Model, prompt: Prompt, settings: GenerateSettings | None = None, ends: Sequence[int] = ()
) -> Generator[str, None, Generated]:
    """The text as it grows, in pieces that are never taken back: no half character, no beginning of a stop string. What `generate` would
    have said of it is the generator's own value."""
    asked = settings or GenerateSettings()
    if asked.how == "beam":
        rule = in_language(
            "must be sample or greedy to stream: a beam search knows its text at the end", "流式输出时须为 sample 或 greedy"
        )
        raise BadSetting(key="how", rule=rule, value="beam")
    begun, given = _Begun(model, [prompt], asked, ends), 0
    rows = begun.rows
    choose = likeliest if asked.how == "greedy" else begun.chance
    walking = walk(rows.step, rows.context, rows=1, start=rows.start, rules=begun.rules, choose=choose)
    found = Found((), 0.0, False)
    while True:
        with evaluating(model):
            now = next(walking, None)
        if now is None:
            return begun.generated(0, found)
        _, found, done = now
        text = begun.text(0, found.ids)
        safe = len(text) if done else _settled(text, asked.stop)
        if safe > given:
            yield text[given:safe]
            given = safe


def _settled(text: str, stop: Sequence[str]) -> int:
    """Up to where later units cannot change a text: not the bytes of a character that is not whole yet (at most three), nor what may
    become a stop string."""
    end = len(text)
    while end > len(text) - 3 and end and text[end - 1] == "\ufffd":
        end -= 1
    longest = max((len(word) for word in stop), default=1) - 1
    for length in range(min(longest, end), 0, -1):
        if any(word.startswith(text[end - length : end]) for word in stop):
            return end - length
    return end


class _Begun:
    """Prompts read, and all that a search needs."""

    def __init__(self, model: Model, prompts: Sequence[Prompt], settings: GenerateSettings, ends: Sequence[int] = ()) -> None:
        _refuse_silent(model)
        self.model, self.settings = model, settings
        spec = model.modality.spec
        self.prompts = [prompt if isinstance(prompt, str) else model.modality.decode(prompt) for prompt in prompts]
        known = list(dict.fromkeys(id for id in (spec.end, *ends) if id is not None))
        self.read = [_read(model, prompt) for prompt in prompts]
        self.rows = Continuing(model, self.read, known)
        self.rules = Rules(
            settings.max_units, next(iter(known), None), settings.min_units, settings.repetition_penalty, self.read,
            allowed=self._constraint(), stop=self._stops if settings.stop else None,
        )  # fmt: skip
        generator = torch.Generator(self.rows.start.device).manual_seed(derive(settings.seed, "generate"))
        self.chance = Chance(settings.temperature, settings.top_k, settings.top_p, generator)

    def _constraint(self) -> Constraint | None:
        asked = self.settings
        if asked.json_schema is None and asked.regex is None:
            return None
        return Constraint(self.model.modality, json_schema=asked.json_schema, regex=asked.regex)

    def text(self, row: int, ids: History) -> str:
        """What was written after the prompt, up to a stop string."""
        text = self._continued(row, ids)
        return text[: min((at for word in self.settings.stop if (at := text.find(word)) >= 0), default=len(text))]

    def _continued(self, row: int, ids: History) -> str:
        decode: Callable[[Sequence[int]], str] = self.model.modality.decode
        before, whole = decode(self.read[row]), decode([*self.read[row], *ids])
        return whole[len(before) :] if whole.startswith(before) else decode(list(ids))

    def _stops(self, row: int, ids: History) -> bool:
        text = self._continued(row, ids)
        return any(word in text for word in self.settings.stop)

    def generated(self, row: int, found: Found) -> Generated:
        units = len(found.ids)
        score = found.score if self.settings.how == "beam" else found.score / max(1, units + found.ended)
        ended = found.ended or bool(self.settings.stop and self._stops(row, found.ids))
        return Generated(self.prompts[row], self.text(row, found.ids), units, score, ended)


def writes(model: Model) -> bool:
    """Whether it can go on with a text."""
    return isinstance(model.task, NextUnit) and isinstance(model.modality.decode(()), str)


def _refuse_silent(model: Model) -> None:
    if not writes(model):
        sounds = isinstance(model.task, NextUnit) and model.modality.reads == "sounds"
        raise ImpossiblePair(
            first=in_language("writing", "书写"),
            second=in_language(
                f"a model of task '{model.task.name()}' over '{model.modality.name()}'",
                f"任务为「{model.task.name()}」、模态为「{model.modality.name()}」的模型",
            ),
            rule=in_language(
                "only a model that predicts the next unit of a text can write", "只有预测文本下一个单元的模型才能书写"
            ),
            advice=in_language(
                "to go on with sounds: zhuji generate RUN SOUND --out FOLDER",
                "若要续写声音：zhuji generate RUN SOUND --out FOLDER",
            )
            if sounds
            else in_language("pretrain one: zhuji pretrain --objective next", "请先预训练：zhuji pretrain --objective next"),
        )


def _read(model: Model, prompt: Prompt) -> list[int]:
    """The ids of a prompt without an end, at least one."""
    if not isinstance(prompt, str):
        return list(prompt)
    modality, spec = model.modality, model.modality.spec
    begin = [] if spec.start is None else [spec.start]
    (row,) = modality.encode([prompt])
    assert row.ids is not None
    if row.cut:
        rule = in_language(
            f"must have at most {row.length} units, but has {row.cut} more", f"最多 {row.length} 个单元，但超出 {row.cut} 个"
        )
        raise BadSetting(key="prompt", rule=rule)
    ids: list[int] = row.ids.tolist()
    ids = ids[:-1] if ids[-1] == spec.end else ids
    if not prompt:
        ids = begin
    if not ids:
        raise BadSetting(
            key="prompt", rule=in_language("must not be empty: this vocabulary has no start", "不得为空：该词表没有起始标记")
        )
    return ids
