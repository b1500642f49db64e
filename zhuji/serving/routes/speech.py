"""Texts said, for OpenAI's clients.

Source: OpenAI API reference, as its Python client 3.57 types it. What would change an answer and is not understood is refused by name.
"""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import quote

import numpy as np
import torch
from fastapi import APIRouter, Body, Response
from pydantic import Field
from torch import Tensor

from zhuji.core.errors import MissingExtra, UnknownName
from zhuji.core.framing import Framing
from zhuji.core.log import in_language
from zhuji.core.refusals import Refused
from zhuji.core.unreadable import Unsayable
from zhuji.data.sounds import as_wav
from zhuji.model.predictor import Predictor
from zhuji.model.speak import SPEEDS, SpeakSettings, Spoken, Vocoder, spoken
from zhuji.model.vocode import TrainedVocoder
from zhuji.serving._openai import OpenAIRequest
from zhuji.serving.service import Service
from zhuji.serving.shelf import Served

GRIFFIN_LIM = "griffin-lim"
ANY = "default"
"""The voice that is a model's own; clients must name one."""
Format = Literal["wav", "flac", "pcm"]
_TYPES: dict[str, str] = {"wav": "audio/wav", "flac": "audio/flac", "pcm": "audio/pcm"}


class SpeechRequest(OpenAIRequest):
    """`voice`: a speaker whom training met, or `default`. `pcm`: 16 bits, little-endian, one channel, at the model's own rate, which the header
    `X-Sample-Rate` tells."""

    idle: ClassVar[dict[str, tuple[Any, ...]]] = {"instructions": ("",), "stream_format": ("audio",)}

    model: str | None = None
    input: str = Field(max_length=4096)
    voice: str = ANY
    response_format: Format = "wav"
    speed: float = Field(default=1.0, ge=SPEEDS[0], le=SPEEDS[1])


def router(service: Service) -> APIRouter:
    """`/v1/audio/speech`."""
    routes = APIRouter(prefix="/v1", tags=["OpenAI"])

    @routes.post("/audio/speech", response_class=Response, openapi_extra=_example(service))
    async def speech(asked: Annotated[SpeechRequest, Body()]) -> Response:
        """A text as a sound: the samples that `zhuji speak` writes, by a vocoder where one of the same frames is served beside the voice."""
        served = _speaker(service, asked)
        vocoder = _vocoder(service, served)
        one = await service.run(served.name, lambda predictor: _said(predictor, asked, _unsounded if vocoder else None))
        if vocoder is not None:
            one = await service.run(vocoder.name, lambda predictor: _sounded(predictor, one))
        data = await service.encode(lambda: _file(one, asked.response_format))
        told = {"X-Sample-Rate": str(one.rate), "X-Vocoder": quote(vocoder.name) if vocoder else GRIFFIN_LIM}
        return Response(data, media_type=_TYPES[asked.response_format], headers=told)

    return routes


def _speaker(service: Service, asked: SpeechRequest) -> Served:
    asked.refuse_unknown()
    served = service.find(asked.model)
    if served.facts.task != "speak":
        rule = in_language(f"{served.name} does not speak", f"{served.name} 不能朗读")
        fix = in_language("choose a model that learned a voice (speak, say)", "请选择学过声音的模型（如 speak）")
        raise Refused(rule=rule, fix=fix, param="model")
    return served


def _vocoder(service: Service, voice: Served) -> Served | None:
    """The first that learned from frames made like those of this voice."""
    framing = voice.facts.framing
    assert framing is not None, "a voice makes frames"
    for served in service.models():
        theirs = served.facts.framing
        if not served.facts.speaks and theirs is not None and not theirs.differs(framing):
            return served
    return None


def _unsounded(frames: Tensor, framing: Framing) -> Tensor:
    """No samples: another model makes them, in a lane of its own."""
    return torch.zeros(0)


def _sounded(predictor: Predictor, one: Spoken) -> Spoken:
    vocoder = TrainedVocoder(predictor)
    return replace(one, samples=vocoder(torch.from_numpy(one.frames), vocoder.framing).numpy())


def _said(predictor: Predictor, asked: SpeechRequest, vocoder: Vocoder | None) -> Spoken:
    """Raises Refused for a text or a voice that this model does not know."""
    settings = SpeakSettings(speed=asked.speed, speaker=None if asked.voice == ANY else asked.voice)
    try:
        return spoken(predictor, [asked.input], settings, vocoder)[0]
    except UnknownName as error:
        rule = in_language(f"there is no voice named '{asked.voice[:60]}'", f"没有名为「{asked.voice[:60]}」的声音")
        fix = in_language(f"choose one of: {ANY}, {error.facts['choices']}", f"可选：{ANY}、{error.facts['choices']}")
        raise Refused(rule=rule, fix=fix, param="voice") from None
    except Unsayable as error:
        rule = in_language(
            f"the input must be a text that this voice can say ({error.facts['why']})",
            f"input 须为该声音能够朗读的文本（{error.facts['why']}）",
        )
        raise Refused(rule=rule, fix=in_language("mend the text", "请修改文本"), param="input") from None


def _file(one: Spoken, form: Format) -> bytes:
    """Raises MissingExtra for FLAC without soundfile."""
    if form == "wav":
        return as_wav(one.samples, one.rate)
    whole = np.rint(np.clip(one.samples, -1, 1) * 32_767).astype("<i2")
    if form == "pcm":
        return whole.tobytes()
    try:
        import soundfile
    except ImportError:
        raise MissingExtra(what="FLAC", package="soundfile", extra="speech") from None
    file = io.BytesIO()
    soundfile.write(file, whole, one.rate, format="FLAC", subtype="PCM_16")
    return file.getvalue()


def _example(service: Service) -> dict[str, Any]:
    """For `/openapi.json`: a request that a model of this server answers, where one does."""
    speaker = next((served for served in service.models() if served.facts.task == "speak"), None)
    if speaker is None:
        return {}
    asked = {"model": speaker.name, "input": speaker.facts.example or "", "voice": ANY, "response_format": "wav", "speed": 1.0}
    return {"requestBody": {"content": {"application/json": {"example": asked}}}}
