"""An index with a graph beside comparing every row: how many of the ten nearest it finds, and how long a question takes.

    python benchmarks/search.py MODEL ROWS.csv QUESTIONS.csv

Above 100,000 rows `zhuji index` builds a graph (usearch, HNSW, its own settings); `exact` does without it. Questions are texts that are
not in the index. Times are of the search alone and not of embedding.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from machine import record, table

from zhuji.data.ledger import Ledger
from zhuji.model.pooled import Vectors
from zhuji.tools._rows import rows_of, settings_for, vectors_of
from zhuji.tools.nearest import GRAPH, Index, index, open_index
from zhuji.training import threads
from zhuji.training.transfer import open_model

NEAREST, ROUNDS, ALONE = 10, 3, 100


def embedded(model: str, path: str) -> Vectors:
    """The vectors of the texts of a file, (Q, W)."""
    predictor, ledger = open_model(model), Ledger()
    rows = rows_of(predictor, settings_for(predictor, path, (), None), ledger)
    return np.concatenate([vectors for _, vectors in vectors_of(predictor, rows, ledger)])


def timed(opened: Index, questions: Vectors) -> tuple[np.ndarray, float, float]:
    """Places found (Q, NEAREST), and milliseconds a question, the best of some rounds: all in one call, and one by one."""
    found, _ = opened.search(questions, NEAREST)
    together, alone = list[float](), list[float]()
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        opened.search(questions, NEAREST)
        together.append((time.perf_counter() - begun) / len(questions))
        begun = time.perf_counter()
        for question in questions[:ALONE]:
            opened.search(question[None], NEAREST)
        alone.append((time.perf_counter() - begun) / len(questions[:ALONE]))
    return found, 1000 * min(together), 1000 * min(alone)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("rows")
    parser.add_argument("questions")
    chosen = parser.parse_args()
    threads.use(1)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "index"
        built = index(chosen.model, chosen.rows, folder)
        assert (folder / GRAPH).exists(), "so few rows have no graph"
        size = (folder / GRAPH).stat().st_size / 2**20
        begun = time.perf_counter()
        graph = open_index(folder)
        opening = time.perf_counter() - begun
        exact = open_index(folder, exact=True)
    questions = embedded(chosen.model, chosen.questions)
    found, *fast = timed(graph, questions)
    wanted, *slow = timed(exact, questions)
    shared = [len(set(a) & set(b)) / NEAREST for a, b in zip(found.tolist(), wanted.tolist(), strict=True)]
    first = float((found[:, 0] == wanted[:, 0]).mean())
    header = ["search", f"recall@{NEAREST}", "the nearest is found", "ms a question, all in one call", "ms, one by one"]
    lines: list[list[object]] = [
        ["graph", f"{np.mean(shared):.4f}", f"{first:.4f}", *(f"{each:.2f}" for each in fast)],
        ["comparing all", "1", "1", *(f"{each:.2f}" for each in slow)],
    ]
    about = f"{built.rows:,} rows of width {built.width}, {len(questions):,} questions. Built with its embedding in {built.seconds:.0f} s; the graph holds {size:.0f} MiB; checked and opened in {opening:.1f} s."
    record("search", "Search by a graph, beside comparing all rows", f"{table(header, lines)}\n\n{about}",
           f"python benchmarks/search.py MODEL {Path(chosen.rows).name} {Path(chosen.questions).name}")  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
