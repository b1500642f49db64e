"""What all requests of OpenAI's clients have in common, and how what was written is told to them."""

from __future__ import annotations

import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Self

import orjson
from fastapi import Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from zhuji.core.log import in_language
from zhuji.core.refusals import Refused, ServingError, TooLarge
from zhuji.model.generate import Generated, GenerateSettings
from zhuji.serving.failures import failure
from zhuji.serving.shelf import Served

HARMLESS = frozenset(
    ("metadata", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention", "safety_identifier", "service_tier", "store",
     "user")
)  # fmt: skip
"""Parameters that change no answer: nothing is done about them."""


def _only_texts(given: Any) -> Any:
    """One message for what a union would complain of twice."""
    if isinstance(given, str) or (isinstance(given, list) and given and all(isinstance(text, str) for text in given)):
        return given
    raise ValueError(in_language("must be a text or a list of texts; ids are not read here", "须为文本或文本列表；不接受编号"))


Texts = Annotated[str | Annotated[list[str], Field(min_length=1)], BeforeValidator(_only_texts)]
"""One text or several."""


class OpenAIRequest(BaseModel):
    """Parameters that a request does not name are in `model_extra`."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    idle: ClassVar[dict[str, tuple[Any, ...]]] = {}
    """Parameters that are not understood, each with the values that ask for nothing, besides null."""

    def refuse_unknown(self) -> None:
        """Raises Refused for a parameter that would change the answer and is not understood."""
        for name, value in (self.model_extra or {}).items():
            if name in HARMLESS or (name in self.idle and (value is None or value in self.idle[name])):
                continue
            rule = in_language(f"the parameter '{name[:60]}' is not known here", f"这里不支持参数「{name[:60]}」")
            fix = in_language("leave it out: the answer would be another one than you expect", "请去掉它：否则回答会与预期不同")
            raise Refused(rule=rule, fix=fix, param=name[:60])


MOST_CHOICES = 128
DONE = b"data: [DONE]\n\n"


class StreamOptions(BaseModel):
    """`include_usage`: how many units were read and written, in a piece of its own at the end."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)
    include_usage: bool | None = None


class WritingRequest(OpenAIRequest):
    """What a request says about how is written. A temperature of 0 takes the likeliest unit each time; without a `seed` chance is new each
    time."""

    usual: ClassVar[int]
    """Units of an answer where nothing is said."""

    model: str
    max_tokens: int | None = Field(default=None, gt=0)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, gt=0, le=1)
    n: int | None = Field(default=None, gt=0, le=MOST_CHOICES)
    stop: (
        Annotated[str, Field(min_length=1)] | Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=4)] | None
    ) = None
    seed: int | None = Field(default=None, ge=-(1 << 63), lt=1 << 63)
    stream: bool | None = None
    stream_options: StreamOptions | None = None

    @model_validator(mode="after")
    def _ask_for_a_stream(self) -> Self:
        if self.stream_options is not None and not self.stream:
            raise ValueError(in_language("stream_options need stream", "stream_options 须与 stream 同用"))
        return self

    @property
    def most(self) -> int:
        return self.usual if self.max_tokens is None else self.max_tokens

    @property
    def counted(self) -> bool:
        """Whether a stream ends with what was used."""
        return bool(self.stream_options and self.stream_options.include_usage)

    def settings(self) -> GenerateSettings:
        """How the model writes."""
        stop = self.stop or []
        return GenerateSettings(
            how="greedy" if self.temperature == 0 else "sample", max_units=self.most, temperature=self.temperature or 1.0,
            top_p=self.top_p or 1.0, stop=(stop,) if isinstance(stop, str) else tuple(stop),
            seed=secrets.randbits(31) if self.seed is None else self.seed,
        )  # fmt: skip

    def refuse_long(self, texts: int, limit: int) -> None:
        """Raises TooLarge where so many texts may have more units together than one request may ask for."""
        if texts * self.most > limit:
            what = in_language("max_tokens times the number of texts", "max_tokens 与文本数之积")
            raise TooLarge(what=what, limit=limit, setting="written_units", param="max_tokens")


def head(served: Served, kind: str, prefix: str) -> dict[str, Any]:
    """What every answer and every piece of one begins with."""
    return {
        "id": f"{prefix}-{secrets.token_hex(12)}", "object": kind, "created": int(time.time()), "model": served.name,
        "system_fingerprint": served.version,
    }  # fmt: skip


def reason(one: Generated) -> str:
    """Why a text ended."""
    return "stop" if one.ended else "length"


@dataclass(frozen=True)
class Written:
    """What a request came to; `read`: units of its prompts."""

    texts: Sequence[Generated]
    read: int

    @property
    def usage(self) -> dict[str, int]:
        """Units read and written."""
        written = sum(one.units for one in self.texts)
        return {"prompt_tokens": self.read, "completion_tokens": written, "total_tokens": self.read + written}


@dataclass(frozen=True)
class Form:
    """How one streamed text is told: what every event begins with, a choice made of a piece and the reason of the end (each may be missing),
    the first choice of all where there is one, and whether the end tells what was used."""

    begin: Mapping[str, Any]
    choice: Callable[[str, str | None], Mapping[str, Any]]
    opening: Mapping[str, Any] | None = None
    counted: bool = False

    def event(self, *choices: Mapping[str, Any], **more: Any) -> bytes:
        """One event."""
        empty = {"usage": None} if self.counted else {}
        return b"data: " + orjson.dumps({**self.begin, "choices": choices, **empty, **more}) + b"\n\n"


async def streamed(pieces: AsyncIterator[str], form: Form, ended: Sequence[Written]) -> Response:
    """The pieces as events; `ended` holds what was written once they are through. The first piece is waited for: what is refused then is
    refused with a status, as without `stream`."""
    first = await anext(pieces, None)
    return StreamingResponse(_events(first, pieces, form, ended), media_type="text/event-stream")


async def _events(first: str | None, pieces: AsyncIterator[str], form: Form, ended: Sequence[Written]) -> AsyncIterator[bytes]:
    try:
        async with aclosing(pieces):  # type: ignore[type-var]
            if form.opening is not None:
                yield form.event(form.opening)
            if first is not None:
                yield form.event(form.choice(first, None))
                async for text in pieces:
                    yield form.event(form.choice(text, None))
    except ServingError as error:
        # The status was sent long ago; clients know this form too.
        yield b"data: " + failure(error).body + b"\n\n"
        return
    (written,) = ended
    (one,) = written.texts
    yield form.event(form.choice("", reason(one)))
    if form.counted:
        yield form.event(usage=written.usage)
    yield DONE
