"""Texts for OpenAI's clients: what follows a prompt, whole or in pieces (server-sent events).

Source: OpenAI API reference, as its Python client 3.57 types it. What would change an answer and is not understood is refused by name.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Generator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self

import orjson
from fastapi import APIRouter, Body, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator

from zhuji.core.log import in_language
from zhuji.core.refusals import Refused, ServingError, TooLarge
from zhuji.data.clean import Cleaner
from zhuji.model.generate import Generated, GenerateSettings, units_of
from zhuji.model.predictor import Predictor
from zhuji.serving._openai import OpenAIRequest, Texts
from zhuji.serving.failures import failure, json_response
from zhuji.serving.service import Service
from zhuji.serving.shelf import Served
from zhuji.tools.generate import generate, stream

MOST_CHOICES = 128
DONE = b"data: [DONE]\n\n"


class StreamOptions(BaseModel):
    """`include_usage`: how many units were read and written, in a piece of its own at the end."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)
    include_usage: bool | None = None


class CompletionsRequest(OpenAIRequest):
    """A temperature of 0 takes the likeliest unit each time; without a `seed` chance is new each time."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"model": "gpt", "prompt": "the cat", "max_tokens": 8, "temperature": 0}]}
    )
    idle: ClassVar[dict[str, tuple[Any, ...]]] = {
        "frequency_penalty": (0,), "presence_penalty": (0,), "logit_bias": ({},), "logprobs": (), "suffix": ("",),
    }  # fmt: skip

    model: str
    prompt: Texts
    max_tokens: int | None = Field(default=None, gt=0)
    """16 where nothing is said."""
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    n: int | None = Field(default=None, gt=0, le=MOST_CHOICES)
    best_of: int | None = None
    stop: (
        Annotated[str, Field(min_length=1)] | Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=4)] | None
    ) = None
    seed: int | None = Field(default=None, ge=-(1 << 63), lt=1 << 63)
    echo: bool | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.best_of not in (None, 1, self.n or 1):
            raise ValueError(in_language("best_of must be n: the best of more is not chosen here", "best_of 必须等于 n"))
        if self.stream and (self.n or 1) * len(self.prompts) > 1:
            raise ValueError(
                in_language("one text can be streamed: n and the number of prompts must be 1", "流式输出只能有一个文本")
            )
        if self.stream_options is not None and not self.stream:
            raise ValueError(in_language("stream_options need stream", "stream_options 须与 stream 同用"))
        return self

    @property
    def prompts(self) -> list[str]:
        return [self.prompt] if isinstance(self.prompt, str) else self.prompt

    @property
    def most(self) -> int:
        return 16 if self.max_tokens is None else self.max_tokens

    def settings(self) -> GenerateSettings:
        """How the model writes."""
        stop = self.stop or []
        return GenerateSettings(
            how="greedy" if self.temperature == 0 else "sample", max_units=self.most, temperature=self.temperature or 1.0,
            top_p=self.top_p or 1.0, stop=(stop,) if isinstance(stop, str) else tuple(stop),
            seed=secrets.randbits(31) if self.seed is None else self.seed,
        )  # fmt: skip


class ChatRequest(OpenAIRequest):
    """Read far enough to say why it cannot be answered."""

    model: str


def router(service: Service) -> APIRouter:
    """`/v1/completions` and `/v1/chat/completions`."""
    routes = APIRouter(prefix="/v1", tags=["OpenAI"])

    @routes.post("/completions", response_class=Response)
    async def completions(asked: Annotated[CompletionsRequest, Body()]) -> Response:
        """What follows each prompt. A token is a unit of the model; `echo` gives the prompt as the model read it, cleaned."""
        served = _writer(service, asked)
        if asked.stream:
            return await _streamed(service, served, asked)
        written = await service.run(asked.model, lambda predictor: _written(predictor, asked))
        choices = [_choice(place, one, one.prompt if asked.echo else "") for place, one in enumerate(written.texts)]
        body = {**_head(served), "choices": choices, "usage": _usage(written.read, sum(one.units for one in written.texts))}
        return json_response(body)

    @routes.post("/chat/completions")
    async def chat(asked: Annotated[ChatRequest, Body()]) -> None:
        """Refused: no bundle holds a chat template, without which a model cannot tell who says what."""
        service.find(asked.model)
        rule = in_language(f"{asked.model} has no chat template", f"{asked.model} 没有对话模板")
        fix = in_language("ask /v1/completions with one text", "请向 /v1/completions 发送一段文本")
        raise Refused(rule=rule, fix=fix, param="model")

    return routes


def _writer(service: Service, asked: CompletionsRequest) -> Served:
    """The model, where it can write what is asked for."""
    asked.refuse_unknown()
    served, limits = service.find(asked.model), service.settings
    if not served.facts.generates:
        rule = in_language(f"{served.name} does not write texts", f"{served.name} 不能书写文本")
        fix = in_language("choose a model that was pretrained with --objective next", "请选择以 --objective next 预训练的模型")
        raise Refused(rule=rule, fix=fix, param="model")
    texts = len(asked.prompts) * (asked.n or 1)
    if texts * asked.most > limits.written_units:
        what = in_language("max_tokens times the number of texts", "max_tokens 与文本数之积")
        raise TooLarge(what=what, limit=limits.written_units, setting="written_units", param="max_tokens")
    return served


@dataclass(frozen=True)
class _Written:
    """`read`: units of the prompts."""

    texts: Sequence[Generated]
    read: int


def _written(predictor: Predictor, asked: CompletionsRequest) -> _Written:
    prompts = [prompt for prompt in asked.prompts for _ in range(asked.n or 1)]
    found = generate(predictor, prompts, asked.settings()).texts
    return _Written(found, _read(predictor, asked.prompts))


def _read(predictor: Predictor, prompts: Sequence[str]) -> int:
    cleaner = Cleaner(predictor.clean)
    return sum(units_of(predictor.model, cleaner(prompt)[0]) for prompt in prompts)


async def _streamed(service: Service, served: Served, asked: CompletionsRequest) -> Response:
    """The first piece is waited for: what is refused then is refused with a status, as without `stream`."""
    ended = list[_Written]()

    def produce(predictor: Predictor) -> Generator[str, None, None]:
        (prompt,) = asked.prompts
        read = _read(predictor, [prompt])
        if asked.echo:
            yield Cleaner(predictor.clean)(prompt)[0]
        ended.append(_Written([(yield from stream(predictor, prompt, asked.settings()))], read))

    pieces = service.stream(asked.model, produce)
    first = await anext(pieces, None)
    return StreamingResponse(_events(first, pieces, _head(served), asked, ended), media_type="text/event-stream")


async def _events(
    first: str | None, pieces: AsyncIterator[str], head: dict[str, Any], asked: CompletionsRequest, ended: list[_Written]
) -> AsyncIterator[bytes]:
    counted = bool(asked.stream_options and asked.stream_options.include_usage)
    empty = {"usage": None} if counted else {}

    def event(choices: list[dict[str, Any]], **more: Any) -> bytes:
        return b"data: " + orjson.dumps({**head, "choices": choices, **empty, **more}) + b"\n\n"

    def piece(text: str, reason: str | None = None) -> bytes:
        return event([{"index": 0, "text": text, "logprobs": None, "finish_reason": reason}])

    try:
        async with aclosing(pieces):  # type: ignore[type-var]
            if first is not None:
                yield piece(first)
                async for text in pieces:
                    yield piece(text)
    except ServingError as error:
        # The status was sent long ago; clients know this form too.
        yield b"data: " + failure(error).body + b"\n\n"
        return
    (written,) = ended
    (one,) = written.texts
    yield piece("", _reason(one))
    if counted:
        yield event([], usage=_usage(written.read, one.units))
    yield DONE


def _head(served: Served) -> dict[str, Any]:
    return {
        "id": f"cmpl-{secrets.token_hex(12)}", "object": "text_completion", "created": int(time.time()), "model": served.name,
        "system_fingerprint": served.version,
    }  # fmt: skip


def _choice(place: int, one: Generated, before: str) -> dict[str, Any]:
    return {"index": place, "text": before + one.text, "logprobs": None, "finish_reason": _reason(one)}


def _reason(one: Generated) -> str:
    return "stop" if one.ended else "length"


def _usage(read: int, written: int) -> dict[str, int]:
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
