"""Triplets by three kinds of mining, and contrast with and without its negatives, on the sections of Debian's packages: recall@1, and how the
embeddings spread.

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
from zhuji.modalities.text import Text
from zhuji.model.assembly import Model, assemble, collate
from zhuji.model.predictor import Predictor
from zhuji.tasks.contrast import Contrast
from zhuji.tasks.triplet import Triplet

ROWS, TESTS, BATCH = 4000, 2000, 128


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
    """What the task's metrics say about records."""
    torch.manual_seed(0)
    columns, _ = Predictor(model).evidence(records)
    return {name: metric(columns) for name, metric in model.task.metrics().items()}


def shown(values: list[float]) -> str:
    return f"{np.mean(values):.3f} ± {np.std(values, ddof=1):.3f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=5)
    asked = parser.parse_args()
    learn, tests = sections(asked.data)
    text = Text(tokenizer="words", max_units=64, min_frequency=2).fit([row.input for row in learn])
    mined, columns = list[list[object]](), ("recall_at_1", "mrr", "spread", "effective_rank")
    for mining in ("none", "random", "semi_hard", "hard"):
        task = Triplet(mining="random" if mining == "none" else mining).fit(learn)  # pyright: ignore[reportArgumentType]
        steps = 0 if mining == "none" else asked.steps
        found = [scores(trained(task, text, learn, steps, seed), tests) for seed in range(asked.seeds)]
        mined.append([mining, *(shown([each[name] for each in found]) for name in columns)])
    watched, columns_2 = list[list[object]](), ("alignment", "uniformity", "view_recall", "spread", "effective_rank")
    for name, kind, steps in (("before", Contrast, 0), ("with negatives", Contrast, asked.steps),
                              ("without negatives", WithoutNegatives, asked.steps)):  # fmt: skip
        model = trained(kind(views="crop", temperature=TEMPERATURE), text, learn, steps, 0)
        found_2 = scores(model, tests)
        told = "; ".join(model.task.warnings(found_2)) or "-"
        watched.append([name, *(f"{found_2[column]:.3f}" for column in columns_2), told])
    body = "\n\n".join((
        f"{ROWS} training rows, {TESTS} test rows, a bag of words of width 128, {asked.steps} steps of {BATCH} rows; mean and deviation "
        f"over {asked.seeds} seeds.",
        table(["mining", *columns], mined),
        f"Contrast of two crops at temperature {TEMPERATURE}, one seed:",
        table(["", *columns_2, "what the watch says"], watched),
    ))  # fmt: skip
    record("mining", "Mining of triplets, and collapse", body, "python benchmarks/mining.py --data en_sections.csv")


if __name__ == "__main__":
    main()
