"""The loss of the same 256 rows, and its gradient, however they are cut into batches and accumulation steps (fp32).

python benchmarks/cut_invariance.py --data en_sections.csv
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from machine import record, table

from zhuji.core.contracts import Backbone, Modality, Task
from zhuji.core.lookup import build, find, names
from zhuji.core.seed import derive, stream
from zhuji.core.units import Ratio
from zhuji.data.loader import BatchPlan
from zhuji.data.prepare import prepare
from zhuji.data.settings import DataSettings
from zhuji.model.assembly import Model, assemble
from zhuji.training.material import Rows, gather

ROWS = 256
CUTS = (1, 7, 32, 100, 256)


def loss_and_gradient(model: Model, rows: Rows, size: int, seed: int) -> tuple[float, torch.Tensor]:
    """Mean loss and flat gradient over all rows, from batches of `size` in a random order, each padded to its own longest row."""
    order = stream(seed, "cut", size).permutation(len(rows))
    total = Ratio(torch.zeros(()), torch.zeros(()))
    model.zero_grad()
    for start in range(0, len(order), size):
        chosen = order[start : start + size]
        ratio = model.loss(rows.batch(BatchPlan(chosen, int(rows.lengths[chosen].max()))))
        (ratio.total / len(rows)).backward()
        total = total.plus(Ratio(ratio.total.detach(), ratio.count))
    gradients = [p.grad.flatten() for p in model.parameters() if p.grad is not None]
    return float(total.mean()), torch.cat(gradients)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    prepared = prepare(DataSettings(path=str(options.data), near=0, limit=8 * ROWS), options.seed)
    material = gather(prepared, build(Modality, {"name": "text"}), build(Task, {"name": "classify"}), options.seed)
    whole = material.rows["train"]
    pick = BatchPlan(stream(options.seed, "rows").choice(len(whole), ROWS, replace=False), 1).rows
    rows = Rows(
        whole.modality, [whole.records[i] for i in pick], [whole.encoded[i] for i in pick],
        {name: target[torch.from_numpy(pick)] for name, target in whole.targets.items()}, whole.lengths[pick],
    )  # fmt: skip
    lines: list[list[object]] = []
    for name in names(Backbone):
        if material.modality.spec.grid_ndim not in find(Backbone, name).grids:
            continue
        model = assemble(material.modality, build(Backbone, {"name": name}), material.task, derive(options.seed, name)).eval()
        found = [loss_and_gradient(model, rows, size, options.seed) for size in CUTS]
        losses = [loss for loss, _ in found]
        spread = max(losses) - min(losses)
        reference = found[-1][1]
        gradient = max(float((g - reference).norm() / reference.norm()) for _, g in found)
        lines.append([name, f"{losses[-1]:.6f}", f"{spread:.1e}", f"{gradient:.1e}"])
    body = table(["backbone", "loss", "largest difference of the loss", "largest relative difference of the gradient"], lines)
    body += f"\n\n{ROWS} rows in batches of {', '.join(map(str, CUTS))}, each padded to its own longest row; fp32; target 1e-6."
    record(
        "cut_invariance",
        "The loss does not depend on how rows are cut into batches",
        body,
        "python benchmarks/cut_invariance.py",
    )


if __name__ == "__main__":
    main()
