"""Resident memory of reading a corpus, and of building one, when it is ten times larger.

    python benchmarks/corpus_memory.py [--documents 300000]

The smaller corpus must be several windows of 8 MiB large, or it does not fill the memory that reading may take: 300,000 documents
are some six. Made-up documents of Zipf-distributed ids, as long as paragraphs. Each figure is the peak of a process of its own, less what that
process took before it began. Leaves with 1 if reading ten times the corpus takes more than a tenth more than reading it once.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from machine import record, table

from zhuji.core.seed import stream
from zhuji.data.corpus.build import Coding, build
from zhuji.data.corpus.packed import Packed
from zhuji.data.corpus.settings import CorpusSettings
from zhuji.data.corpus.shards import Arrays, ArraySpec, Corpus
from zhuji.data.corpus.whole import Whole

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


def _built(folder: Path, source: Path, duplicates: str) -> int:
    settings = CorpusSettings.parse({"sources": [str(source)], "quality": None, "duplicates": duplicates})
    return build(folder, settings, CODING).ledger["units"]


def _read(folder: Path, kind: str) -> int:
    corpus = [Corpus(folder)]
    batches = Packed(corpus, 512, 32, 0) if kind == "packed" else Whole(corpus, 512, 0, batch_units=16_384)
    return sum(len(row) for number in range(batches.batches_in_epoch(0)) for row in batches.rows(number))


def work(job: str, folder: Path, source: Path) -> None:
    """In a process of its own: prints peak MiB beyond the start, units, and seconds."""
    process, begun = psutil.Process(), time.perf_counter()
    before = process.memory_info().rss
    units = _read(folder, job) if job in ("packed", "whole") else _built(folder, source, job)
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


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=300_000)
    parser.add_argument("--work", nargs=3)
    chosen = parser.parse_args()
    if chosen.work:
        work(chosen.work[0], Path(chosen.work[1]), Path(chosen.work[2]))
        return 0
    rows: list[list[object]] = []
    ratios: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as scratch:
        sizes = (chosen.documents, 10 * chosen.documents)
        for size in sizes:
            write_texts(Path(scratch) / f"{size}.txt", size)
        for job in ("keep", "exact", "near", "packed", "whole"):
            own = {
                size: measured(
                    job,
                    Path(scratch) / f"{'keep' if job in ('packed', 'whole') else job}-{size}",
                    Path(scratch) / f"{size}.txt",
                )
                for size in sizes
            }
            (small, _), (large, speed) = (own[size] for size in sizes)
            ratios[job] = large / small
            name = f"read, {job}" if job in ("packed", "whole") else f"build, duplicates={job}"
            a_document = (large - small) * 2**20 / (sizes[1] - sizes[0])
            rows.append([name, f"{small:.0f}", f"{large:.0f}", f"{ratios[job]:.2f}", f"{a_document:.0f}", f"{speed:.2f}"])
    header = ["", "MiB", "MiB at ten times", "ratio", "bytes a document", "million units/s"]
    title = f"Resident memory of corpora of {sizes[0]:,} and {sizes[1]:,} documents"
    record("corpus_memory", title, table(header, rows), "python benchmarks/corpus_memory.py")
    return int(max(ratios["packed"], ratios["whole"]) > TENFOLD)


if __name__ == "__main__":
    sys.exit(main())
