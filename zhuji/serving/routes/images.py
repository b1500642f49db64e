"""Pictures for OpenAI's clients: what a model that learned to draw makes of a class's name.

Source: OpenAI API reference, as its Python client 3.57 types it. What would change an answer and is not understood is refused by name.
"""

from __future__ import annotations

import base64
import secrets
import time
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

from fastapi import APIRouter, Body, Response
from pydantic import Field

from zhuji.core.errors import BadSetting
from zhuji.core.log import in_language
from zhuji.core.refusals import Refused, TooLarge
from zhuji.model.draw import DrawSettings, drawing
from zhuji.model.predictor import Predictor
from zhuji.serving._openai import OpenAIRequest
from zhuji.serving.failures import json_response
from zhuji.serving.service import Service
from zhuji.serving.shelf import Served
from zhuji.tools.draw import as_png

AT_ONCE = 4
"""Pictures drawn before others of the same model have their turn."""


class ImagesRequest(OpenAIRequest):
    """`prompt`: the name of a class; empty, the pictures take all classes in turn. `steps` and `guidance` are those of a diffusion model; with a
    `seed` the same pictures come again."""

    idle: ClassVar[dict[str, tuple[Any, ...]]] = {
        "background": ("auto", "opaque"), "moderation": ("auto", "low"), "output_compression": (100,), "output_format": ("png",),
        "partial_images": (0,), "quality": ("auto", "standard"), "response_format": ("b64_json",), "stream": (False,), "style": (),
    }  # fmt: skip

    model: str | None = None
    prompt: str
    n: int | None = Field(default=None, gt=0)
    size: str | None = None
    seed: int | None = Field(default=None, ge=-(1 << 63), lt=1 << 63)
    steps: int | None = Field(default=None, gt=0)
    guidance: float | None = Field(default=None, ge=0, le=100)

    def settings(self) -> DrawSettings:
        """What is to be drawn."""
        return DrawSettings(
            count=self.n or 1, labels=(self.prompt,) if self.prompt else (), batch=AT_ONCE, steps=self.steps, guidance=self.guidance,
            seed=secrets.randbits(31) if self.seed is None else self.seed,
        )  # fmt: skip


def router(service: Service) -> APIRouter:
    """`/v1/images/generations`."""
    routes = APIRouter(prefix="/v1", tags=["OpenAI"])

    @routes.post("/images/generations", response_class=Response, openapi_extra=_example(service))
    async def images(asked: Annotated[ImagesRequest, Body()]) -> Response:
        """Pictures as PNG in base64, of the size that the model draws. Their order is that of the classes where no class was named."""
        served = _artist(service, asked)
        found = [one async for one in service.stream(served.name, lambda predictor: _drawn(predictor, asked))]
        data = [{"b64_json": base64.b64encode(picture).decode("ascii")} for _, picture in found]
        return json_response({"created": int(time.time()), "data": data, "output_format": "png", "size": found[0][0]})

    return routes


def _artist(service: Service, asked: ImagesRequest) -> Served:
    """The model, where it can draw what is asked for."""
    asked.refuse_unknown()
    served = service.find(asked.model)
    labels, limits = served.facts.labels, service.settings
    if not served.facts.draws:
        rule = in_language(f"{served.name} does not draw pictures", f"{served.name} 不能绘制图片")
        fix = in_language(
            "choose a model that learned to make pictures (diffusion-28, say)", "请选择学过生成图片的模型（如 diffusion-28）"
        )
        raise Refused(rule=rule, fix=fix, param="model")
    if asked.prompt and asked.prompt not in labels:
        rule = in_language(
            f"the prompt must be the name of a class that {served.name} learned", f"prompt 须为 {served.name} 学过的类别名"
        )
        fix = in_language('leave it empty (""), or take one of: {}', '请留空（""），或选用其一：{}').format(
            ", ".join(labels[:50]) or "–"
        )
        raise Refused(rule=rule, fix=fix, param="prompt")
    for what, wanted, setting, param in (
        (in_language("the number of pictures", "图片数量"), asked.n, "drawn_pictures", "n"),
        (in_language("the number of steps", "步数"), asked.steps, "drawn_steps", "steps"),
    ):
        if (wanted or 1) > (limit := getattr(limits, setting)):
            raise TooLarge(what=what, limit=limit, setting=setting, param=param)
    return served


def _drawn(predictor: Predictor, asked: ImagesRequest) -> Iterator[tuple[str, bytes]]:
    """Size and file of each picture. Raises Refused for wishes that this model cannot meet."""
    try:
        for array in drawing(predictor.model, asked.settings()):
            size = f"{array.shape[1]}x{array.shape[0]}"
            if asked.size not in (None, "auto", size):
                rule = in_language(f"this model draws pictures of {size} alone", f"该模型只绘制 {size} 的图片")
                raise Refused(rule=rule, fix=in_language(f"ask for {size} or auto", f"请要求 {size} 或 auto"), param="size")
            yield size, as_png(array)
    except BadSetting as error:
        key, rule = error.facts["key"], error.facts["rule"]
        fix = in_language("leave it out", "请去掉它")
        raise Refused(rule=in_language(f"'{key}' {rule}", f"「{key}」{rule}"), fix=fix, param=str(key)) from None


def _example(service: Service) -> dict[str, Any]:
    """For `/openapi.json`: a request that a model of this server answers, where one does."""
    artist = next((served for served in service.models() if served.facts.draws), None)
    if artist is None:
        return {}
    asked = {"model": artist.name, "prompt": next(iter(artist.facts.labels), ""), "n": 2, "seed": 0}
    return {"requestBody": {"content": {"application/json": {"example": asked}}}}
