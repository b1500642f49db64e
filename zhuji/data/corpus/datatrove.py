# pyright: reportMissingImports=false, reportUnknownVariableType=false, reportUntypedBaseClass=false
# datatrove is an optional extra.
"""Corpora of web scale: texts through a datatrove pipeline, whose executors run on many machines (Slurm, Ray) or many processes.

`reader` is a pipeline's first step, `quality` a filter, `words` what its deduplication by MinHash needs to see words in any language
(its own choice would be spaCy). What its JsonlWriter wrote is a source of `zhuji corpus` as it is: the folder, column `text`.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator
from typing import Any

from zhuji.core.errors import MissingExtra
from zhuji.data.corpus.quality import poor
from zhuji.data.corpus.settings import QualitySettings, TextsSettings
from zhuji.data.corpus.texts import Texts
from zhuji.data.duplicates import WORD


def _found(module: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError:
        raise MissingExtra(what="datatrove pipelines", package="datatrove", extra="cluster") from None


def reader(settings: TextsSettings) -> Any:
    """A step that gives each rank its share of the texts: rank r of w every w-th, from the r-th on. Rows that cannot be read are
    counted in the step's statistics, by cause.

    Raises MissingExtra.
    """
    document = _found("datatrove.data").Document

    class Read(_found("datatrove.pipeline.base").PipelineStep):
        name, type = "Zhuji texts", "Reader"

        def run(self, data: Iterable[Any] | None, rank: int = 0, world_size: int = 1) -> Iterator[Any]:
            yield from data or ()
            for number, raw in enumerate(Texts(settings)):
                if number % world_size != rank:
                    continue
                self.stat_update(raw.cause or "read")
                if raw.text is not None:
                    yield document(text=raw.text, id=f"{raw.file}:{raw.row}")

    return Read()


def quality(settings: QualitySettings) -> Any:
    """A filter that drops what `zhuji.data.corpus.quality` finds poor, with its cause.

    Raises MissingExtra.
    """

    class Filter(_found("datatrove.pipeline.filters.base_filter").BaseFilter):
        name = "Zhuji quality"

        def filter(self, doc: Any) -> bool | tuple[bool, str]:
            cause = poor(doc.text, settings)
            return (False, cause) if cause else True

    return Filter()


def words() -> Any:
    """A word tokenizer for steps that take one as their language: words as `zhuji.data.duplicates` sees them.

    Raises MissingExtra.
    """

    class Words(_found("datatrove.utils.word_tokenizers").WordTokenizer):
        def word_tokenize(self, text: str) -> list[str]:
            return WORD.findall(text)

        def sent_tokenize(self, text: str) -> list[str]:
            return text.split("\n")

        def span_tokenize(self, text: str) -> list[tuple[int, int]]:
            return [match.span() for match in WORD.finditer(text)]

    return Words()
