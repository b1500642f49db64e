"""Folders of encoders over speech, of `transformers` (wav2vec 2.0, Whisper): read. What stands on the encoder there (letters, a decoder) is left out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zhuji.core.contracts import Backbone, Task
from zhuji.core.errors import UnreadableModel
from zhuji.core.log import in_language, say
from zhuji.core.lookup import build
from zhuji.data.infer import Roles
from zhuji.data.settings import CleanSettings
from zhuji.modalities.speech import Speech
from zhuji.model.huggingface import files
from zhuji.model.huggingface.encoders import Found, filled
from zhuji.model.huggingface.family import architecture_of, family_of
from zhuji.model.huggingface.options import Options
from zhuji.model.huggingface.sound_family import SoundFamily
from zhuji.model.huggingface.wav2vec2 import Wav2vec2
from zhuji.model.huggingface.whisper import Whisper
from zhuji.model.predictor import Predictor

FAMILIES: tuple[SoundFamily, ...] = (Wav2vec2(), Whisper())
COLUMN = "sound"
EXTRACTOR, PROCESSOR = "preprocessor_config.json", "processor_config.json"
"""Where a feature extractor lies by itself, and where it is a part of a processor."""


def read(folder: Path) -> Predictor | None:
    """The encoder over speech in such a folder, as a model of embeddings; None where it is none. Raises as `reading.read`."""
    if not (folder / files.CONFIG).is_file():
        return None
    config = files.read_config(folder)
    family = family_of(FAMILIES, config)
    return None if family is None else _opened(folder, Options(config, folder / files.CONFIG), family)


def knows(config: Mapping[str, Any]) -> bool:
    """Whether a config.json is that of a model over sounds."""
    return family_of(FAMILIES, config) is not None


def _opened(folder: Path, options: Options, family: SoundFamily) -> Predictor:
    found = Found(folder, options, family, architecture_of(options, family.heads))
    backbone, _ = family.read(options)
    speech = _speech(folder, family, backbone)
    task = build(Task, {"name": "contrast", "pool": family.pool, "views": "crop"})  # type: ignore[type-abstract]
    options.tell_rest()
    model = filled(found, speech, backbone, task)
    if found.architecture not in family.bare:
        say(in_language(
            f"{folder}: of {found.architecture} the encoder is read; what stands on it is left out.",
            f"{folder}：只读取 {found.architecture} 的编码器，其上的部分不读取。",
        ))  # fmt: skip
    made = {"from": "huggingface", "architecture": found.architecture}
    return Predictor(model, CleanSettings(), Roles(text=(), sound=COLUMN), run=made)


def _speech(folder: Path, family: SoundFamily, backbone: Backbone) -> Speech:
    settings, path = _extractor(folder)
    if settings is None:
        say(in_language(
            f"{path}: not there, so sounds are heard as {family.extractor} hears them as it stands.",
            f"{path}：不存在，故按 {family.extractor} 的默认设置处理声音。",
        ))  # fmt: skip
    options = Options(settings or {}, path)
    options.only("feature_extractor_type", family.extractor, None)
    try:
        return Speech.model_validate(family.heard(options, backbone))
    except ValueError as error:
        raise UnreadableModel(file=path, why=" ".join(str(error).split())[:200]) from None


def _extractor(folder: Path) -> tuple[Mapping[str, Any] | None, Path]:
    """What the feature extractor is told, and where."""
    if (alone := files.read_object(folder, EXTRACTOR)) is not None:
        return alone, folder / EXTRACTOR
    processor = files.read_object(folder, PROCESSOR) or {}
    part = processor.get("feature_extractor")
    return (part, folder / PROCESSOR) if isinstance(part, dict) else (None, folder / EXTRACTOR)
