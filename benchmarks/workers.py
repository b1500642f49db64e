"""A corpus that is read by one worker, then by three, by two and by one again, within an epoch: which documents are seen how often.

    python benchmarks/workers.py TEXTS.txt [--texts 20000]

The corpus is built as `zhuji corpus` builds it. Every worker is a process of its own that knows the seed, its rank, how many workers there
are, and the number of the batch to go on with; it makes the batches of its rank as training does (`Feed`) and says which
documents were in them, and how many of their units. Leaves with 1 if any document of the epoch is missed or seen twice.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from kill_test import first_texts
from machine import record, table

from zhuji.data.corpus.packed import Packed
from zhuji.data.corpus.settings import CorpusSettings
from zhuji.data.corpus.shards import Corpus
from zhuji.data.corpus.whole import Whole
from zhuji.modalities.text import Text
from zhuji.tools.corpus import corpus
from zhuji.training import corpora
from zhuji.training.feed import Feed

WORLDS = (1, 3, 2, 1)
"""Workers, one after the other, each for as many batches."""
LONGEST, WINDOW = 512, 1 << 20
"""Units of a document that is read whole; bytes of a window: an epoch has several."""


def source_of(folder: Path, kind: str, rank: int, world: int) -> Packed | Whole:
    held = [Corpus(folder)]
    if kind == "packed":
        return Packed(held, 128, 32, 0, rank=rank, world=world, window_bytes=WINDOW)
    return Whole(held, LONGEST, 0, batch_units=4096, rank=rank, world=world, window_bytes=WINDOW)


def work(folder: Path, kind: str, rank: int, world: int, begin: int, end: int) -> None:
    """In a process of its own: prints document -> units, and how many units its batches hold."""
    source = source_of(folder, kind, rank, world)
    feed = Feed(corpora.read_modality(folder / corpora.TOKENIZER), source)
    seen: Counter[int] = Counter()
    units = 0
    for number in range(begin, end):
        for row in source.rows(number):
            seen.update(dict(zip(row.documents.tolist(), row.lengths.tolist(), strict=True)))
        units += int(feed.batch(number).units.mask.sum()) if source.rows(number) else 0
    print(json.dumps([list(seen.items()), units]))


def counted(folder: Path, kind: str) -> tuple[list[object], bool]:
    """A line of the table, and whether every document was seen once."""
    batches = source_of(folder, kind, 0, 1).batches_in_epoch(0)
    stops = [batches * i // len(WORLDS) for i in range(len(WORLDS) + 1)]
    seen: Counter[int] = Counter()
    units = 0
    for world, begin, end in zip(WORLDS, stops, stops[1:], strict=False):
        for rank in range(world):
            command = [sys.executable, __file__, "--work", str(folder), kind, *map(str, (rank, world, begin, end))]
            found, own = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            seen.update(dict(found))
            units += own
    lengths = {(b << 32) + i: n for b, each in enumerate(_lengths(folder)) for i, n in enumerate(each)}
    wanted = {number: min(n, LONGEST) if kind == "whole" else n for number, n in lengths.items()}
    held = sum(wanted.values())
    skipped = sum(seen[number] < n for number, n in wanted.items())
    repeated = sum(seen[number] > n for number, n in wanted.items()) + len(seen.keys() - wanted.keys())
    line: list[object] = [kind, batches, f"{len(wanted):,}", f"{len(seen):,}", skipped, repeated, f"{held:,}", f"{units:,}"]
    return line, not skipped and not repeated and units == held


def _lengths(folder: Path) -> list[list[int]]:
    held = Corpus(folder)
    return [held.read(block).lengths.tolist() for block in range(len(held.blocks))]


def main() -> int:
    if sys.argv[1:2] == ["--work"]:
        work(Path(sys.argv[2]), sys.argv[3], *map(int, sys.argv[4:]))
        return 0
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("texts_file", type=Path)
    parser.add_argument("--texts", type=int, default=20_000)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        texts, folder = first_texts(chosen.texts_file, Path(scratch) / "texts.txt", chosen.texts), Path(scratch) / "corpus"
        corpus(
            CorpusSettings.parse({"sources": [str(texts)]}), folder, Text(tokenizer="bpe", vocab_size=4000, max_units=LONGEST)
        )
        lines, sound = zip(*(counted(folder, kind) for kind in ("packed", "whole")), strict=True)
    header = ["rows", "batches", "documents", "seen", "skipped", "repeated", "units", "units in batches"]
    body = f"Workers: {', '.join(map(str, WORLDS))}, each for a quarter of the epoch.\n\n{table(header, list(lines))}"
    command = f"python benchmarks/workers.py {chosen.texts_file.name} --texts {chosen.texts}"
    record("workers", "Other workers in the middle of an epoch", body, command)
    return int(not all(sound))


if __name__ == "__main__":
    sys.exit(main())
