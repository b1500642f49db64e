"""From texts to a corpus on disk, in one pass and flat memory."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zhuji.core.errors import CorpusExists, MissingFile, TooFewRows
from zhuji.data.corpus.settings import CorpusSettings
from zhuji.data.corpus.shards import FORMAT, Arrays, ArraySpec, Manifest, SourceFacts, read_manifest
from zhuji.data.corpus.sieve import Good, Sieve, enumerate_texts, in_chunks
from zhuji.data.corpus.texts import Texts
from zhuji.data.corpus.writing import BLOCK_BYTES, Writer, corpus_folder, finish
from zhuji.data.ledger import Ledger

SAMPLE_CHARACTERS = 1 << 26
"""Text that tokenizers are trained on, at most: 64 Mi characters."""
PACKED = 3
"""Times that text shrinks when it is packed, about."""

Files = Mapping[str, dict[str, str | int]]


@dataclass(frozen=True)
class Coding:
    """How texts become units: `encode` gives each of a list of texts its arrays, name -> (T, …); `arrays` says of which type.
    `fingerprint` changes when it would encode in another way."""

    encode: Callable[[list[str]], list[Arrays]]
    arrays: Mapping[str, ArraySpec]
    fingerprint: str


def build(
    folder: Path,
    settings: CorpusSettings,
    coding: Coding,
    *,
    watch: Callable[[Ledger], None] | None = None,
    block_bytes: int = BLOCK_BYTES,
) -> Manifest:
    """Writes the corpus to `folder`, which must not exist; or hands back what is there if it was made of the same texts in the same
    way. `watch` is shown the ledger now and then.

    Raises:
        TooFewRows: no text is left to train on.
        CorpusExists: another corpus, or anything else, is there.
        ScratchFull: temporary files have no room for what finding copies remembers.
        see also `Texts`.
    """
    facts = sources_of(settings)
    fingerprint = fingerprint_of(settings, facts, coding)
    if folder.exists():
        if (there := existing(folder)) is not None and there.fingerprint == fingerprint:
            return there
        raise CorpusExists(file=folder)
    ledger = Ledger()
    with corpus_folder(folder) as partial:
        writer = Writer(partial, coding.arrays, block_bytes)
        try:
            for good in sifted(settings, ledger):
                _write(writer, good, coding, ledger, settings)
                if watch is not None:
                    watch(ledger)
            assert ledger.balanced, "every text read must have exactly one fate"
            if not writer.documents("train"):
                raise TooFewRows(split="train", needed=1, rows=0, file=settings.sources[0].path)
            return finish(
                writer, fingerprint=fingerprint, encoder=coding.fingerprint, sources=facts, ledger=ledger.as_dict(),
                settings=settings.model_dump(mode="json"),
            )  # fmt: skip
        finally:
            writer.abandon()


def sifted(settings: CorpusSettings, ledger: Ledger, thin: float = 1.0) -> Iterator[list[Good]]:
    """The texts for the corpus, some at a time. `thin`: share of the texts that is looked at at all, chosen by their place."""
    texts = enumerate_texts(settings.sources, settings.chat)
    if thin < 1:
        texts = (pair for number, pair in enumerate(texts) if int((number + 1) * thin) > int(number * thin))
    with contextlib.closing(Sieve(settings, ledger)) as sieve:
        for part in in_chunks(texts):
            yield sieve(part)


def sample(settings: CorpusSettings, characters: int = SAMPLE_CHARACTERS) -> list[str]:
    """Texts of the training part for a tokenizer to learn from: spread evenly over the sources, at most so many characters."""
    size = sum(
        path.stat().st_size * (PACKED if path.suffix == ".gz" else 1)
        for source in settings.sources
        for path in Texts(source).paths.values()
    )
    cheap = settings.model_copy(update={"duplicates": "exact" if settings.duplicates != "keep" else "keep"})
    found: list[str] = []
    for good in sifted(cheap, Ledger(), min(1.0, characters / max(size, 1))):
        for one in good:
            if one.split == "train" and characters > 0:
                found.append(one.text)
                characters -= len(one.text)
        if characters <= 0:
            break
    return found


def sources_of(settings: CorpusSettings) -> tuple[SourceFacts, ...]:
    """Name, weight and files of each source."""
    return tuple(
        SourceFacts(name=source.path, weight=source.weight, files=Texts(source).fingerprint()) for source in settings.sources
    )


def fingerprint_of(settings: CorpusSettings, sources: Iterable[SourceFacts], coding: Coding) -> str:
    """Changes with any text, any setting but the weights (which belong to reading), and the coding; not with where files lie."""
    told: dict[str, Any] = settings.model_dump(mode="json")
    for source in told["sources"]:
        source.pop("weight")
    for described in (*told["sources"], *told["exclude"]):
        described.pop("path")
    told["files"] = [_digests(source.files) for source in sources]
    told["excluded"] = [_digests(Texts(excluded).fingerprint()) for excluded in settings.exclude]
    told["coding"], told["format"] = coding.fingerprint, FORMAT
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def existing(folder: Path) -> Manifest | None:
    """The manifest of the corpus in a folder, None where there is no corpus."""
    try:
        return read_manifest(folder)
    except MissingFile:
        return None


def _digests(files: Files) -> list[str | int]:
    return [file["sha256"] for file in files.values()]


def _write(writer: Writer, good: list[Good], coding: Coding, ledger: Ledger, settings: CorpusSettings) -> None:
    for one, arrays in zip(good, coding.encode([one.text for one in good]), strict=True):
        name = settings.sources[one.source].path
        units = len(next(iter(arrays.values())))
        if not units:
            ledger.drop("no units", split=one.split, label=name)
            continue
        writer.add(one.source, one.split, arrays)
        fate, cause = ("cut", "too long") if one.cut else ("used", "")
        ledger.settle(fate, cause, split=one.split, label=name)
        ledger.units += units
