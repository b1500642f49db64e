"""How a finished model seeks its answers, where that is to be otherwise than it was trained with: the section `decode` of `--set`."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from zhuji.core.config import assignments, nearest
from zhuji.core.errors import UnknownKey
from zhuji.formats import open_model
from zhuji.model.fusion import language_of
from zhuji.model.predictor import Predictor
from zhuji.tasks.transcribe import Transcribe

SECTION = "decode"
LANGUAGE = "language"
"""The run or bundle of a language model, for a search over what is heard."""


def sought(predictor: Predictor, sets: Sequence[str]) -> Predictor:
    """The same model, which seeks as the `decode.…` of `sets` say; it learns and knows nothing else. Raises UnknownKey, BadSetting, and what opening a
    language model raises."""
    asked: Mapping[str, Any] = assignments(sets).get(SECTION, {})
    if not asked:
        return predictor
    task = predictor.model.task
    known = (*task.seeks, *([LANGUAGE] if isinstance(task, Transcribe) else []))
    for key in asked:
        if key not in known:
            raise UnknownKey(key=key, where=f" ({SECTION})", nearest=nearest(key, known or (SECTION,)))
    settings = {key: value for key, value in asked.items() if key != LANGUAGE}
    task = type(task).parse({**task.plain(), **settings}, SECTION)
    if LANGUAGE in asked and isinstance(task, Transcribe):
        task = task.with_language(language_of(open_model(str(asked[LANGUAGE])).model, task.letters))
    model = copy.copy(predictor.model)
    model.task = task
    return replace(predictor, model=model)


def without(sets: Sequence[str]) -> list[str]:
    """What `sets` say of everything else."""
    return [pair for pair in sets if not pair.startswith(f"{SECTION}.")]
