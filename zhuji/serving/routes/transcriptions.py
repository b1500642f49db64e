"""What is said in a sound, for OpenAI's clients.

Source: OpenAI API reference, as its Python client 3.57 types it. What would change an answer and is not understood is refused by name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal

from fastapi import APIRouter, Response
from pydantic import Field, ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.requests import Request

from zhuji.core.errors import ImpossiblePair
from zhuji.core.log import in_language
from zhuji.core.records import Sound
from zhuji.core.refusals import NotAnswerable, Refused
from zhuji.core.unreadable import SoundError
from zhuji.data import sounds
from zhuji.data.subtitles import Cue, cues, srt, vtt
from zhuji.model.predictor import Predictor
from zhuji.model.streaming import Partial, hears_whole
from zhuji.serving._openai import OpenAIRequest
from zhuji.serving.failures import json_response
from zhuji.serving.service import Service
from zhuji.serving.shelf import Served
from zhuji.tools.transcribe import Listening, Transcript, transcribe

_SEVERAL = "timestamp_granularities[]"
Format = Literal["json", "text", "srt", "verbose_json", "vtt"]


class TranscriptionRequest(OpenAIRequest):
    """`language` is not asked about: a model hears the one that it learned, and `verbose_json` says again what the client calls it."""

    idle: ClassVar[dict[str, tuple[Any, ...]]] = {
        "prompt": ("",), "temperature": ("0", "0.0"), "stream": ("false", "False"), "chunking_strategy": ("auto",),
    }  # fmt: skip

    model: str | None = None
    response_format: Format = "json"
    language: str | None = Field(default=None, max_length=60)
    timestamp_granularities: tuple[Literal["word", "segment"], ...] = ("segment",)


def router(service: Service) -> APIRouter:
    """`/v1/audio/transcriptions`."""
    routes = APIRouter(prefix="/v1", tags=["OpenAI"])

    @routes.post("/audio/transcriptions", response_class=Response, openapi_extra=_described())
    async def transcriptions(request: Request) -> Response:
        """What is said in a sound: WAV, FLAC, OGG or MP3. Words have times in `verbose_json` where `timestamp_granularities[]` names `word`; `srt` and
        `vtt` are subtitles."""
        async with request.form(max_files=1, max_fields=20) as form:
            asked, sound = _asked(form), await _sound(form)
        served = _listener(service, asked)
        try:
            seconds = await service.encode(lambda: sounds.header(sound).seconds)
            found = await _heard(service, served.name, sound, seconds)
        except NotAnswerable as error:
            raise NotAnswerable(why=error.facts["why"], param="file") from None
        except SoundError as error:
            raise NotAnswerable(why=str(error.facts.get("why") or error.message()).rstrip(".。"), param="file") from None
        return _told(found, asked)

    return routes


async def _heard(service: Service, name: str, sound: Sound, seconds: float) -> Transcript:
    """What Python's `predict` gives, or of a longer sound than it reads its `transcribe`. Raises Refused where the model cannot do that, and what reading the
    sound raises."""
    if hears_whole((await service.opened(name)).predictor, seconds):
        (answer,) = (await service.answer(name, [sound])).predictions
        text = str(answer.answer)
        return Transcript(text, tuple(answer.times), seconds, spaced=" " in text)
    spaced = list[bool]()

    def produce(predictor: Predictor) -> Iterator[Partial]:
        listening = transcribe(predictor, sound)
        spaced.append(listening.spaced)
        yield from listening

    try:
        parts = [part async for part in service.stream(name, produce)]
    except ImpossiblePair as error:
        rule = in_language("a sound that is longer than the model reads at once must be one that it can listen to",
                           "长于模型一次所读的声音须能由其逐段聆听")  # fmt: skip
        raise Refused(
            rule=f"{rule} ({error.facts['rule']})", fix=in_language("cut it into pieces", "请切成小段"), param="file"
        ) from None
    return Listening(iter(parts), spaced[0]).whole()


def _asked(form: FormData) -> TranscriptionRequest:
    """Raises Refused."""
    fields: dict[str, Any] = {name: value for name, value in form.items() if name not in ("file", _SEVERAL)}
    if _SEVERAL in form:
        fields["timestamp_granularities"] = tuple(form.getlist(_SEVERAL))
    try:
        asked = TranscriptionRequest.model_validate(fields)
    except ValidationError as error:
        first = error.errors()[0]
        param = str(first["loc"][0])
        raise Refused(rule=f"{param}: {first['msg']}", fix="", status=422, param=param) from None
    asked.refuse_unknown()
    if asked.timestamp_granularities != ("segment",) and asked.response_format != "verbose_json":
        rule = in_language(
            f"{_SEVERAL} needs response_format=verbose_json", f"{_SEVERAL} 须与 response_format=verbose_json 同用"
        )
        raise Refused(rule=rule, fix="", param=_SEVERAL)
    return asked


async def _sound(form: FormData) -> Sound:
    """Raises Refused."""
    file = form.get("file")
    if not isinstance(file, UploadFile):
        rule = in_language("a form must have a file named 'file'", "表单须含有名为 file 的文件")
        raise Refused(rule=rule, fix="curl … -F file=@speech.wav", status=422, param="file")
    return Sound(data=await file.read())


def _listener(service: Service, asked: TranscriptionRequest) -> Served:
    served = service.find(asked.model)
    if served.facts.task != "transcribe" or served.facts.reads != "sounds":
        rule = in_language(f"{served.name} does not transcribe sounds", f"{served.name} 不能转写声音")
        fix = in_language("choose a model that learned to (recognise, say)", "请选择学过转写的模型（如 recognise）")
        raise Refused(rule=rule, fix=fix, param="model")
    return served


def _told(heard: Transcript, asked: TranscriptionRequest) -> Response:
    found = cues(heard.times, spaced=heard.spaced)
    if asked.response_format == "text":
        return Response(heard.text + "\n", media_type="text/plain; charset=utf-8")
    if asked.response_format == "srt":
        return Response(srt(found), media_type="text/plain; charset=utf-8")
    if asked.response_format == "vtt":
        return Response(vtt(found), media_type="text/vtt; charset=utf-8")
    if asked.response_format == "json":
        return json_response({"text": heard.text})
    return json_response(_verbose(heard, found, asked))


def _verbose(heard: Transcript, found: Sequence[Cue], asked: TranscriptionRequest) -> Mapping[str, Any]:
    told: dict[str, Any] = {
        "task": "transcribe", "language": asked.language or "unknown", "duration": heard.seconds, "text": heard.text
    }  # fmt: skip
    if "word" in asked.timestamp_granularities:
        told["words"] = [{"word": one.word, "start": one.begin, "end": one.end} for one in heard.times]
    if "segment" in asked.timestamp_granularities:
        told["segments"] = [
            {"id": place, "start": cue.begin, "end": cue.end, "text": cue.text} for place, cue in enumerate(found)
        ]
    return told


def _described() -> dict[str, Any]:
    """For `/openapi.json`."""
    text = {"type": "string"}
    properties = {
        "file": {**text, "format": "binary"}, "model": text, "language": text,
        "response_format": {**text, "enum": ["json", "text", "srt", "verbose_json", "vtt"]},
        _SEVERAL: {"type": "array", "items": {**text, "enum": ["word", "segment"]}},
    }  # fmt: skip
    schema = {"type": "object", "required": ["file"], "properties": properties}
    return {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}}
