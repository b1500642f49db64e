"""Resident memory of reading a corpus, and of building one, when it is ten times larger.

    python benchmarks/corpus_memory.py [--documents 1500000] [--building 100000]

Made-up documents, as long as paragraphs. Those that are only read are written as shards at once, and ten times as many are the same blocks
ten times; those that are built come from a text file. A figure is the peak of a process of its own, less what that process took
before it began: of reading, the largest of three, because an allocator keeps now more and now less of what was freed, and the more
windows of 8 MiB were read the likelier the most; so both corpora have many, and of both equally many batches are read.
Leaves with 1 if reading ten times the corpus takes more than a tenth more.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import psutil
from machine import record, table

from zhuji.core.files import read_json, write_json
from zhuji.core.seed import stream
from zhuji.data.corpus.blocks import RECORD, TABLE
from zhuji.data.corpus.build import Coding, build
from zhuji.data.corpus.packed import Packed
from zhuji.data.corpus.settings import CorpusSettings
from zhuji.data.corpus.shards import MANIFEST, Arrays, ArraySpec, Corpus, SourceFacts
from zhuji.data.corpus.whole import Whole
from zhuji.data.corpus.writing import Writer, corpus_folder, finish

READING, BUILDING = ("packed", "whole"), ("keep", "exact", "near")
MOST = 6_000
"""Batches that are read of an epoch, at most: some twenty windows."""
ROUNDS = 3
TENFOLD = 1.1
"""Memory at ten times the corpus, to that at the corpus, above which it is not flat."""


def _encode(texts: list[str]) -> list[Arrays]:
    return [{"ids": np.array(text.split(), np.uint16)} for text in texts]


CODING = Coding(_encode, {"ids": ArraySpec(dtype="<u2")}, "numbers")


def write_texts(path: Path, documents: int) -> None:
    """Texts of numbers, one a line; no two are alike."""
    rng = stream(0, "benchmark")
    with open(path, "w", encoding="ascii") as file:
        for start in range(0, documents, 1000):
            lengths = rng.lognormal(4.2, 0.6, min(1000, documents - start)).astype(int) + 5
            ids = (rng.zipf(1.2, int(lengths.sum())) % 60_000).astype(str)
            file.writelines(" ".join(part) + "\n" for part in np.split(ids, np.cumsum(lengths)[:-1]))


def write_shards(folder: Path, documents: int) -> None:
    """A corpus as `build` would write it."""
    rng = stream(0, "benchmark")
    with corpus_folder(folder) as partial:
        writer = Writer(partial, CODING.arrays)
        for start in range(0, documents, 10_000):
            lengths = rng.lognormal(4.2, 0.6, min(10_000, documents - start)).astype(int) + 5
            ids = rng.integers(0, 60_000, int(lengths.sum()), dtype=np.uint16)
            for part in np.split(ids, np.cumsum(lengths)[:-1]):
                writer.add(0, "train", {"ids": part})
        finish(writer, fingerprint="made", encoder="numbers", sources=(SourceFacts(name="made"),))


def repeat(folder: Path, to: Path, times: int) -> None:
    """A corpus that has every block of another so many times: as large to whoever reads it, and no larger on disk."""
    to.mkdir()
    for shard in folder.glob("shard-*"):
        os.link(shard, to / shard.name)
    data = np.tile(np.frombuffer((folder / TABLE).read_bytes(), RECORD), times).tobytes()
    (to / TABLE).write_bytes(data)
    blocks = {"number": len(data) // RECORD.itemsize, "sha256": hashlib.sha256(data).hexdigest()}
    write_json(to / MANIFEST, {**read_json(folder / MANIFEST), "blocks": blocks})


def _built(folder: Path, source: Path, duplicates: str) -> int:
    settings = CorpusSettings.parse({"sources": [str(source)], "quality": None, "duplicates": duplicates})
    return build(folder, settings, CODING).ledger["units"]


def _read(folder: Path, kind: str) -> int:
    corpus = [Corpus(folder)]
    batches = Packed(corpus, 512, 32, 0) if kind == "packed" else Whole(corpus, 512, 0, batch_units=16_384)
    return sum(len(row) for number in range(min(MOST, batches.batches_in_epoch(0))) for row in batches.rows(number))


def work(job: str, folder: Path, source: Path) -> None:
    """In a process of its own: prints peak MiB beyond the start, units, and seconds."""
    process, begun = psutil.Process(), time.perf_counter()
    before = process.memory_info().rss
    units = _read(folder, job) if job in READING else _built(folder, source, job)
    seconds = time.perf_counter() - begun
    print((_peak() - before) / 2**20, units, seconds)


def _peak() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024


def measured(job: str, folder: Path, source: Path) -> tuple[float, float]:
    """(MiB, million units a second) of one job."""
    command = [sys.executable, __file__, "--work", job, str(folder), str(source)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(told[0]), float(told[1]) / float(told[2]) / 1e6


def compared(jobs: Sequence[str], sizes: Sequence[int], scratch: Path) -> tuple[list[list[object]], dict[str, float]]:
    """Lines of the table, and for each job the memory at the second size, to that at the first."""
    lines: list[list[object]] = []
    ratios: dict[str, float] = {}
    for job in jobs:
        own = [
            max(
                measured(job, scratch / (f"shards-{size}" if job in READING else f"{job}-{size}"), scratch / f"{size}.txt")
                for _ in range(ROUNDS if job in READING else 1)
            )
            for size in sizes
        ]
        mebibytes = [each for each, _ in own]
        ratios[job] = mebibytes[1] / mebibytes[0]
        a_document = (mebibytes[-1] - mebibytes[0]) * 2**20 / (sizes[-1] - sizes[0])
        name = f"read, {job}" if job in READING else f"build, duplicates={job}"
        shown = [f"{each:.1f}" for each in mebibytes]
        lines.append([name, *shown, f"{ratios[job]:.2f}", f"{a_document:.1f}", f"{own[-1][1]:.2f}"])
        print(lines[-1], file=sys.stderr)
    return lines, ratios


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=1_500_000)
    parser.add_argument("--building", type=int, default=100_000)
    parser.add_argument("--work", nargs=3)
    chosen = parser.parse_args()
    if chosen.work:
        work(chosen.work[0], Path(chosen.work[1]), Path(chosen.work[2]))
        return 0
    bodies: list[str] = []
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        for jobs, small in ((READING, chosen.documents), (BUILDING, chosen.building)):
            sizes = (small, 10 * small)
            if jobs is READING:
                write_shards(scratch / f"shards-{small}", small)
                repeat(scratch / f"shards-{small}", scratch / f"shards-{sizes[1]}", 10)
            else:
                for size in sizes:
                    write_texts(scratch / f"{size}.txt", size)
            lines, ratios = compared(jobs, sizes, scratch)
            counts = [f"MiB at {size:,}" for size in sizes]
            bodies.append(table(["documents", *counts, "ratio", "bytes a document", "million units/s"], lines))
            found |= ratios
    record("corpus_memory", "Resident memory of corpora", "\n\n".join(bodies), "python benchmarks/corpus_memory.py")
    return int(max(found[job] for job in READING) > TENFOLD)


if __name__ == "__main__":
    sys.exit(main())
