"""Conversations for OpenAI's clients: the answer to what was said, whole or in pieces (server-sent events).

Source: OpenAI API reference, as its Python client 3.57 types it. What would change an answer and is not understood is refused by name.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Annotated, Any, ClassVar, Literal, Self

from fastapi import APIRouter, Body, Response
from pydantic import BaseModel, ConfigDict, Field, model_validator

from zhuji.core.log import in_language
from zhuji.core.refusals import Refused
from zhuji.data.chat import MOST_MESSAGES, Message, Role
from zhuji.model.generate import GenerateSettings
from zhuji.model.predictor import Predictor
from zhuji.serving._openai import Form, WritingRequest, Written, head, reason, streamed
from zhuji.serving.failures import json_response
from zhuji.serving.service import Service
from zhuji.serving.shelf import Served
from zhuji.tools import chat as talking

_UNTOLD = ("name", "refusal", "annotations", "audio", "function_call", "tool_calls", "reasoning_content")
"""What clients send along with a message, empty, when they hand an answer back."""
_ROLES: dict[str, Role] = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}


class Part(BaseModel):
    """A part of a message; only texts are read."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    type: str
    text: str | None = None


class ChatMessage(BaseModel):
    """What one of them said: a text, or parts of the kind text, which are joined. `developer` is another word for `system`."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)

    role: str
    content: str | list[Part] | None = None

    def said(self, place: int) -> Message:
        """As the model is told. Raises Refused for what is not read here: tools, pictures, sounds."""
        role, param = _ROLES.get(self.role), f"messages[{place}]"
        if role is None:
            raise _unread(in_language(f"the role '{self.role[:40]}'", f"角色「{self.role[:40]}」"), f"{param}.role")
        for name, value in (self.model_extra or {}).items():
            if value or name not in _UNTOLD:
                raise _unread(in_language(f"'{name[:40]}' of a message", f"消息的「{name[:40]}」"), f"{param}.{name[:40]}")
        parts = [Part(type="text", text=self.content)] if isinstance(self.content, str) else self.content or []
        for part in parts:
            if part.type != "text" or part.text is None:
                raise _unread(
                    in_language(f"a part of the type '{part.type[:40]}'", f"类型为「{part.type[:40]}」的部分"),
                    f"{param}.content",
                )
        if not parts:
            raise _unread(in_language("a message without content", "没有 content 的消息"), f"{param}.content")
        return Message(role, "".join(part.text or "" for part in parts))


def _unread(what: str, param: str) -> Refused:
    fix = in_language("send texts of system, user and assistant", "请发送 system、user 与 assistant 的文本")
    return Refused(rule=in_language(f"{what} is not read here", f"这里不读取{what}"), fix=fix, param=param)


class JsonSchema(BaseModel):
    """`strict` or not, the answer follows the schema."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = ""
    description: str | None = None
    schema_: dict[str, Any] = Field(default={"type": "object"}, alias="schema")
    strict: bool | None = None


class ResponseFormat(BaseModel):
    """What an answer looks like."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchema | None = None

    @property
    def schema_text(self) -> str | None:
        """A JSON schema, as JSON; None: anything may be written."""
        if self.type == "text":
            return None
        return json.dumps((self.json_schema or JsonSchema()).schema_ if self.type == "json_schema" else {"type": "object"})


class ChatRequest(WritingRequest):
    """A conversation, to whose end an answer is wanted."""

    idle: ClassVar[dict[str, tuple[Any, ...]]] = {
        "frequency_penalty": (0,), "presence_penalty": (0,), "logit_bias": ({},), "logprobs": (False,), "top_logprobs": (),
        "tools": ([],), "tool_choice": ("none", "auto"), "functions": ([],), "function_call": ("none", "auto"), "modalities": (["text"],),
        "parallel_tool_calls": (True, False), "audio": (), "prediction": (), "reasoning_effort": (), "verbosity": (), "web_search_options": (),
    }  # fmt: skip
    usual: ClassVar[int] = 256

    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=MOST_MESSAGES)]
    max_completion_tokens: int | None = Field(default=None, gt=0)
    response_format: ResponseFormat | None = None

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.stream and (self.n or 1) > 1:
            raise ValueError(in_language("one answer can be streamed: n must be 1", "流式输出只能有一个回答：n 须为 1"))
        if len({self.max_tokens, self.max_completion_tokens} - {None}) > 1:
            raise ValueError(
                in_language(
                    "max_tokens must be max_completion_tokens where both are given",
                    "同时给出时，max_tokens 须等于 max_completion_tokens",
                )
            )
        return self

    @property
    def most(self) -> int:
        return self.max_completion_tokens or super().most

    @property
    def said(self) -> list[Message]:
        """The conversation. Raises Refused."""
        return [one.said(place) for place, one in enumerate(self.messages)]

    def settings(self) -> GenerateSettings:
        schema = None if self.response_format is None else self.response_format.schema_text
        return super().settings().model_copy(update={"json_schema": schema})


def router(service: Service) -> APIRouter:
    """`/v1/chat/completions`."""
    routes = APIRouter(prefix="/v1", tags=["OpenAI"])

    @routes.post("/chat/completions", response_class=Response, openapi_extra=_example(service))
    async def chat(asked: Annotated[ChatRequest, Body()]) -> Response:
        """The answer to a conversation, of a model that has a chat format. A token is a unit of the model."""
        served = _talker(service, asked)
        if asked.stream:
            return await _streamed(service, served, asked)
        written = await service.run(asked.model, lambda predictor: _written(predictor, asked))
        choices = [
            {"index": place, "message": {"role": "assistant", "content": one.text, "refusal": None}, "logprobs": None,
             "finish_reason": reason(one)}
            for place, one in enumerate(written.texts)
        ]  # fmt: skip
        return json_response({**head(served, "chat.completion", "chatcmpl"), "choices": choices, "usage": written.usage})

    return routes


def _example(service: Service) -> dict[str, Any]:
    """For `/openapi.json`: a request that a model of this server answers, where one does."""
    name = next((served.name for served in service.models() if served.facts.chats), None)
    if name is None:
        return {}
    asked = {"model": name, "messages": [{"role": "user", "content": "Hello!"}], "max_completion_tokens": 16, "temperature": 0}
    return {"requestBody": {"content": {"application/json": {"example": asked}}}}


def _talker(service: Service, asked: ChatRequest) -> Served:
    """The model, where it can be talked with."""
    asked.refuse_unknown()
    served = service.find(asked.model)
    if not served.facts.chats:
        rule = in_language(
            f"{served.name} has no chat format, by which it would tell who says what",
            f"{served.name} 没有对话格式，无法分辨谁说了什么",
        )
        fix = in_language("ask /v1/completions with one text, or train it with --set task.chat=chatml",
                          "请向 /v1/completions 发送一段文本，或以 --set task.chat=chatml 训练模型")  # fmt: skip
        raise Refused(rule=rule, fix=fix, param="model")
    _ = asked.said
    asked.refuse_long(asked.n or 1, service.settings.written_units)
    return served


def _written(predictor: Predictor, asked: ChatRequest) -> Written:
    found = talking.answers(predictor, asked.said, asked.settings(), asked.n or 1)
    return Written(found, talking.units_of(predictor, asked.said))


async def _streamed(service: Service, served: Served, asked: ChatRequest) -> Response:
    ended = list[Written]()

    def produce(predictor: Predictor) -> Generator[str, None, None]:
        read = talking.units_of(predictor, asked.said)
        ended.append(Written([(yield from talking.stream(predictor, asked.said, asked.settings()))], read))

    form = Form(
        head(served, "chat.completion.chunk", "chatcmpl"), _piece, _delta({"role": "assistant", "content": ""}), asked.counted
    )
    return await streamed(service.stream(asked.model, produce), form, ended)


def _piece(text: str, why: str | None) -> dict[str, Any]:
    return _delta({"content": text} if text else {}, why)


def _delta(delta: dict[str, Any], why: str | None = None) -> dict[str, Any]:
    return {"index": 0, "delta": delta, "logprobs": None, "finish_reason": why}
