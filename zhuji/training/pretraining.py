"""One frozen object describes a whole pretraining, as `Run` does a training on labelled rows; its written form is `run.yaml` too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self, cast

from pydantic import Field, model_validator

from zhuji.core.config import Settings, assignments, overlay
from zhuji.core.log import in_language
from zhuji.data.corpus.settings import CorpusSettings
from zhuji.training.run import Plan


class HeldSettings(Settings):
    """What the held-out documents are used for."""

    units: int = Field(default=200_000, gt=0)
    """Units of held-out documents, whole ones, on which every validation is made."""
    bootstrap: int = Field(default=200, ge=0)
    """Resamples behind each 95 % interval of the final scores."""
    golden_rows: int = Field(default=8, ge=1)


class Pretraining(Plan):
    """A training on texts without labels."""

    name: str = "pretrain"
    corpus: CorpusSettings
    tokenizer: str | None = None
    """A folder that `zhuji tokenizer` made: its modality is taken as it is."""
    pack: int | None = Field(default=128, gt=1)
    """Units of a packed row, where objective and backbone can be trained on packed rows; attention stays inside each document."""
    held: HeldSettings = HeldSettings()

    @model_validator(mode="before")
    @classmethod
    def _one_chat_format(cls, data: Any) -> Any:
        """Conversations are learned from in the format in which they will be led."""
        task, corpus = (data.get(key) for key in ("task", "corpus"))
        chat = cast(Mapping[str, Any], task).get("chat") if isinstance(task, Mapping) else None
        given = cast(Mapping[str, Any], corpus) if isinstance(corpus, Mapping) else None
        if chat and given is not None and given.get("chat") is None:
            return {**data, "corpus": {**given, "chat": chat}}
        return data

    @model_validator(mode="after")
    def _no_further_texts(self) -> Self:
        if self.teacher is not None and self.teacher.unlabelled is not None:
            rule = "must have no teacher.unlabelled: all texts of a corpus are without labels"
            raise ValueError(in_language(rule, "不得有 teacher.unlabelled：语料中的文本本来就没有标签"))
        return self


def compose(*layers: Mapping[str, Any], sets: Iterable[str] = ()) -> Pretraining:
    """A pretraining from layers of plain data, later ones on top, and `--set` pairs on the very top."""
    given: dict[str, Any] = {}
    for layer in (*layers, assignments(sets)):
        given = overlay(given, layer)
    return Pretraining.parse(given)


def is_pretraining(plain: Mapping[str, Any]) -> bool:
    """Whether a run file describes a pretraining."""
    return "corpus" in plain
