"""From a corpus on disk to batches: any batch by its number, so that a pretraining can go on from any step."""

# torch and its like are typed in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from zhuji.core.contracts import Encoded, Modality
from zhuji.core.errors import CorpusFormat
from zhuji.core.log import in_language, say
from zhuji.core.records import Record
from zhuji.core.units import Batch
from zhuji.data.corpus.packed import Packed
from zhuji.data.corpus.rows import Row
from zhuji.data.corpus.shards import Corpus
from zhuji.data.corpus.whole import Whole
from zhuji.training import folder as places


class Feed:
    """Batches of `source`; those of packed rows tell the documents of a row apart by `Units.segments`."""

    def __init__(self, modality: Modality, source: Packed | Whole) -> None:
        self._modality, self._source = modality, source

    def steps_in_epoch(self, epoch: int, /) -> int:
        return self._source.batches_in_epoch(epoch)

    def epoch(self, number: int) -> float:
        """How many epochs so many batches are."""
        epoch, index = self._source.locate(number)
        return epoch + index / self._source.batches_in_epoch(epoch)

    def batch(self, number: int) -> Batch:
        rows, length = self._source.rows(number), self._source.length(number)
        units = self._modality.collate([encoded(row) for row in rows], (length,))
        return Batch(replace(units, segments=_segments(rows, length)) if isinstance(self._source, Packed) else units)


def encoded(row: Row) -> Encoded:
    """A row of a corpus as its modality made it."""
    return Encoded(ids=row.arrays.get("ids"), values=row.arrays.get("values"), words=row.words)


def _segments(rows: Sequence[Row], length: int) -> torch.Tensor:
    numbers = np.zeros((len(rows), length), np.int64)
    for place, row in zip(numbers, rows, strict=True):
        place[: len(row)] = row.segments
    return torch.from_numpy(numbers)


@dataclass(frozen=True)
class Held:
    """Held-out documents: `records` bear no label, and their input is what the modality reads out of the units, if it can."""

    records: Sequence[Record]
    encoded: Sequence[Encoded]

    @classmethod
    def read(cls, corpus: Corpus, modality: Modality, units: int, longest: int) -> Held:
        """Whole documents in their order, cut to `longest`, until there are `units` of them; at least one if the corpus has any."""
        records: list[Record] = []
        rows: list[Encoded] = []
        total = 0
        for number, row in enumerate(documents(corpus)):
            if records and total + min(row.length, longest) > units:
                break
            kept = cut(row, longest)
            total += kept.length
            rows.append(kept)
            records.append(Record(id=f"held-{number}", input=readable(modality, kept), split="valid"))
        return cls(records, rows)

    def __len__(self) -> int:
        return len(self.records)


def cut(row: Encoded, longest: int) -> Encoded:
    """The first `longest` units."""
    parts = {
        name: None if part is None else part[:longest] for name in ("ids", "values", "words") for part in [getattr(row, name)]
    }
    return Encoded(**parts, cut=row.cut + max(row.length - longest, 0))


def readable(modality: Modality, row: Encoded) -> str | None:
    """The text that a row stands for; None of a modality that does not write."""
    decode = getattr(modality, "decode", None)
    return None if decode is None or row.ids is None else decode(row.ids.tolist())


def pretrained_on(run: Path, modality: Modality, most: int) -> list[Encoded]:
    """The first texts, at most `most`, that the run of this folder was pretrained on, cut as its modality cuts them; none where the folder
    does not hold them any more, or holds them in a format that is no longer read, which is told."""
    kept = sorted((run / places.CORPUS).glob("corpus-*/manifest.json"))
    if len(kept) != 1:
        return []
    try:
        corpus = Corpus(kept[0].parent)
    except CorpusFormat as error:
        say(
            in_language(
                f"The texts that {run} was pretrained on are not used: {error}", f"未使用 {run} 预训练时的文本：{error}"
            )
        )
        return []
    longest = int(modality.plain().get("max_units", 0)) or None
    return [row if longest is None else cut(row, longest) for row in islice(documents(corpus), most)]


def documents(corpus: Corpus) -> Iterator[Encoded]:
    """Its documents as their modality made them, in the order in which they lie on disk."""
    for index in range(len(corpus.blocks)):
        block = corpus.read(index)
        ends = np.cumsum(block.lengths).tolist()
        for start, end in zip([0, *ends], ends, strict=False):
            arrays = {name: array[start:end] for name, array in block.arrays.items()}
            yield encoded(Row(arrays, np.array([end - start]), np.array([0])))
