"""Texts for OpenAI's clients: what follows a prompt, whole or in pieces (server-sent events).

Source: OpenAI API reference, as its Python client 3.57 types it. What would change an answer and is not understood is refused by name.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Annotated, Any, ClassVar, Self

from fastapi import APIRouter, Body, Response
from pydantic import ConfigDict, model_validator

from zhuji.core.log import in_language
from zhuji.core.refusals import Refused
from zhuji.data.clean import Cleaner
from zhuji.model.generate import units_of
from zhuji.model.predictor import Predictor
from zhuji.serving._openai import Form, Texts, WritingRequest, Written, head, reason, streamed
from zhuji.serving.failures import json_response
from zhuji.serving.service import Service
from zhuji.serving.shelf import Served
from zhuji.tools.generate import generate, stream


class CompletionsRequest(WritingRequest):
    """One text or several to go on with."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"model": "gpt", "prompt": "the cat", "max_tokens": 8, "temperature": 0}]}
    )
    idle: ClassVar[dict[str, tuple[Any, ...]]] = {
        "frequency_penalty": (0,), "presence_penalty": (0,), "logit_bias": ({},), "logprobs": (), "suffix": ("",),
    }  # fmt: skip
    usual: ClassVar[int] = 16

    prompt: Texts
    best_of: int | None = None
    echo: bool | None = None

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.best_of not in (None, 1, self.n or 1):
            raise ValueError(in_language("best_of must be n: the best of more is not chosen here", "best_of 必须等于 n"))
        if self.stream and (self.n or 1) * len(self.prompts) > 1:
            raise ValueError(
                in_language("one text can be streamed: n and the number of prompts must be 1", "流式输出只能有一个文本")
            )
        return self

    @property
    def prompts(self) -> list[str]:
        return [self.prompt] if isinstance(self.prompt, str) else self.prompt


def router(service: Service) -> APIRouter:
    """`/v1/completions`."""
    routes = APIRouter(prefix="/v1", tags=["OpenAI"])

    @routes.post("/completions", response_class=Response)
    async def completions(asked: Annotated[CompletionsRequest, Body()]) -> Response:
        """What follows each prompt. A token is a unit of the model; `echo` gives the prompt as the model read it, cleaned."""
        served = _writer(service, asked)
        if asked.stream:
            return await _streamed(service, served, asked)
        written = await service.run(asked.model, lambda predictor: _written(predictor, asked))
        choices = [
            _choice(one.prompt * bool(asked.echo) + one.text, reason(one), place) for place, one in enumerate(written.texts)
        ]
        return json_response({**_head(served), "choices": choices, "usage": written.usage})

    return routes


def _writer(service: Service, asked: CompletionsRequest) -> Served:
    """The model, where it can write what is asked for."""
    asked.refuse_unknown()
    served = service.find(asked.model)
    if not served.facts.generates:
        rule = in_language(f"{served.name} does not write texts", f"{served.name} 不能书写文本")
        fix = in_language("choose a model that was pretrained with --objective next", "请选择以 --objective next 预训练的模型")
        raise Refused(rule=rule, fix=fix, param="model")
    asked.refuse_long(len(asked.prompts) * (asked.n or 1), service.settings.written_units)
    return served


def _written(predictor: Predictor, asked: CompletionsRequest) -> Written:
    prompts = [prompt for prompt in asked.prompts for _ in range(asked.n or 1)]
    found = generate(predictor, prompts, asked.settings()).texts
    return Written(found, _read(predictor, asked.prompts))


def _read(predictor: Predictor, prompts: Sequence[str]) -> int:
    cleaner = Cleaner(predictor.clean)
    return sum(units_of(predictor.model, cleaner(prompt)[0]) for prompt in prompts)


async def _streamed(service: Service, served: Served, asked: CompletionsRequest) -> Response:
    ended = list[Written]()

    def produce(predictor: Predictor) -> Generator[str, None, None]:
        (prompt,) = asked.prompts
        read = _read(predictor, [prompt])
        if asked.echo:
            yield Cleaner(predictor.clean)(prompt)[0]
        ended.append(Written([(yield from stream(predictor, prompt, asked.settings()))], read))

    form = Form(_head(served), _choice, counted=asked.counted)
    return await streamed(service.stream(asked.model, produce), form, ended)


def _head(served: Served) -> dict[str, Any]:
    return head(served, "text_completion", "cmpl")


def _choice(text: str, why: str | None = None, place: int = 0) -> dict[str, Any]:
    return {"index": place, "text": text, "logprobs": None, "finish_reason": why}
