"""Triplets by three kinds of mining, with labels and without, and contrast with and without its negatives, on the sections of Debian's
packages: recall@1, and how the embeddings spread.

python benchmarks/mining.py --data en_sections.csv
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
import torch
from machine import record, table

from zhuji.backbones.bag import Bag
from zhuji.core.contracts import Task
from zhuji.core.records import Record
from zhuji.core.seed import derive, stream
from zhuji.core.units import Batch, Ratio
from zhuji.metrics import embeddings
from zhuji.modalities.text import Text
from zhuji.model.assembly import Model, assemble, collate
from zhuji.model.predictor import Predictor
from zhuji.nn.triplets import Mining
from zhuji.tasks.contrast import Contrast
from zhuji.tasks.triplet import Triplet

ROWS, TESTS, BATCH = 4000, 2000, 128
MININGS: tuple[Mining, ...] = ("random", "semi_hard", "hard")
TEMPERATURE = 0.3
"""At which views of one row come nearer and rows spread at once; a sharper one spreads rows further and gives alignment up for it."""


class WithoutNegatives(Contrast):
    """Contrast that only draws views together."""

    def loss(self, outputs: dict[str, torch.Tensor], batch: Batch) -> Ratio:
        apart = (outputs["first"] - outputs["second"]).square().sum(1)
        return Ratio(apart.sum(), torch.tensor(len(apart)))


def sections(path: Path) -> tuple[list[Record], list[Record]]:
    """Some records of the training split and of the test split."""
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    kinds = {
        split: [Record(str(n), row["text"], label=row["label"]) for n, row in enumerate(rows) if row["split"] == split]
        for split in ("train", "test")
    }
    order = stream(0, "benchmark")
    return tuple(  # pyright: ignore[reportReturnType]
        [kinds[split][i] for i in order.permutation(len(kinds[split]))[:count]]
        for split, count in (("train", ROWS), ("test", TESTS))
    )


def trained(task: Task, text: Text, records: list[Record], steps: int, seed: int) -> Model:
    """A bag of words taught by `task`, for so many steps."""
    model = assemble(text, Bag(width=128, layers=0), task, seed)
    encoded = text.encode([row.input for row in records])
    optimiser = torch.optim.Adam(model.parameters(), 2e-3)
    order = stream(seed, "order")
    for step in range(steps):
        chosen = order.choice(len(records), BATCH, replace=False)
        batch = collate(model, [encoded[i] for i in chosen], [records[i] for i in chosen], 64)
        torch.manual_seed(derive(seed, "step", step))
        loss = model.train().loss(batch).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return model.eval()


def scores(model: Model, records: list[Record]) -> dict[str, float]:
    """What the task's metrics say about records, and of any embeddings whether the nearest other row is of the same section. `warned`: 1
    where the watch on collapse speaks up."""
    torch.manual_seed(0)
    columns, _ = Predictor(model).evidence(records)
    found = {name: metric(columns) for name, metric in model.task.metrics().items()}
    sections = sorted({str(row.label) for row in records})
    group = np.array([sections.index(str(row.label)) for row in records])
    assert "group" not in columns or len(set(zip(group, columns["group"], strict=True))) == len(sections), "rows out of order"
    recall = embeddings.class_recall({"first": columns["first"], "group": group})
    return {**found, "recall_at_1": recall, "warned": float(bool(model.task.warnings(found)))}


def row_of(name: str, found: list[dict[str, float]], columns: tuple[str, ...]) -> list[object]:
    """A line of a table: mean and deviation over the seeds, and in how many of them the watch spoke up."""
    shown = (f"{np.mean([each[c] for each in found]):.3f} ± {np.std([each[c] for each in found], ddof=1):.3f}" for c in columns)
    return [name, *shown, f"{sum(each['warned'] for each in found):.0f} of {len(found)}"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=5)
    asked = parser.parse_args()
    learn, tests = sections(asked.data)
    text = Text(tokenizer="words", max_units=64, min_frequency=2).fit([row.input for row in learn])

    def lines(tasks: dict[str, Task], columns: tuple[str, ...]) -> list[list[object]]:
        """Each task taught anew for every seed; the first line is before any step."""
        plans = [("before", next(iter(tasks.values())), 0), *((name, task, asked.steps) for name, task in tasks.items())]
        return [
            row_of(name, [scores(trained(task, text, learn, steps, seed), tests) for seed in range(asked.seeds)], columns)
            for name, task, steps in plans
        ]

    classes = ("recall_at_1", "mrr", "spread", "effective_rank")
    views = ("recall_at_1", "view_recall", "alignment", "uniformity", "spread", "effective_rank")
    with_labels = lines({mining: Triplet(mining=mining).fit(learn) for mining in MININGS}, classes)
    without = lines({mining: Triplet(mining=mining, views="crop") for mining in MININGS}, views)
    contrast = lines({
        "with negatives": Contrast(views="crop", temperature=TEMPERATURE),
        "without negatives": WithoutNegatives(views="crop", temperature=TEMPERATURE),
    }, views)  # fmt: skip
    body = "\n\n".join((
        f"{ROWS} training rows, {TESTS} test rows, a bag of words of width 128, {asked.steps} steps of {BATCH} rows; mean and deviation "
        f"over {asked.seeds} seeds. recall_at_1: the nearest other row is of the same section. Lower is better for alignment and "
        "uniformity. warned: seeds in which the watch on collapse spoke up.",
        "Triplets of classes:",
        table(["mining", *classes, "warned"], with_labels),
        "Triplets of two crops, without labels:",
        table(["mining", *views, "warned"], without),
        f"Contrast of two crops at temperature {TEMPERATURE}, without labels:",
        table(["", *views, "warned"], contrast),
    ))  # fmt: skip
    record("mining", "Mining of triplets, and collapse", body, "python benchmarks/mining.py --data en_sections.csv")


if __name__ == "__main__":
    main()
