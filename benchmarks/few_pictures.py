"""Few labels on pictures: the network of resnet-20 from nothing on n labelled pictures, against the same network that was first taught by all training
pictures without their labels (recipe simclr).

    python benchmarks/few_pictures.py --digits digits.npz --work FOLDER --epochs 30
    python benchmarks/few_pictures.py --train cifar10-train.parquet --test cifar10-test.parquet --work FOLDER --epochs 40 --name few_pictures_cifar10

All of the test set is scored. A seed draws the labelled pictures, and the weights and batches of what is trained on them; the pretraining is one, with seed 0.
tuned: `zhuji train FEW --from PRETRAINED`, by which all weights learn on; fitted head: with `--model finetune`, which leaves the encoder as it is. From
nothing and tuned learn for the same number of steps, with the same variations. What kept.jsonl in --work holds is not run again.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from machine import record, table
from pictures import npz, parquet
from scipy import stats

from zhuji import api
from zhuji.core.seed import stream

QUIET = (
    "evaluate.baselines=false",
    "train.rehearse=false",
    "data.leaks=allow",
    "data.near=0",
    "data.splits.valid=0",
    "train.threads=1",
    "evaluate.bootstrap=200",
)
BATCH = 128
DRAWINGS = (
    "modality.size=[28, 28]",
    "modality.channels=1",
    "modality.variation={flip: 0, erase: 0, brightness: 0, contrast: 0, saturation: 0, hue: 0, shift: 3, zoom: [0.5, 1.0], stretch: 1.3, "
    "changes: 1, strength: 0.3}",
)
"""Of drawings, which must be neither mirrored nor coloured: what the recipes say of that is taken back."""
PHOTOGRAPHS = (
    "modality.variation={flip: 0.5, shift: 4, margin: zeros, erase: 0, zoom: [1.0, 1.0], stretch: 1.0, brightness: 0, contrast: 0, saturation: 0, hue: 0}",
)
"""What both sides learn from labels with, where pictures are photographs: neither the recipe's own nor what the pretraining had."""
WAYS = ("from nothing", "tuned", "fitted head")

Rows = tuple[list[bytes], list[str]]


def write(folder: Path, train: Rows, test: Rows, numbers: np.ndarray) -> Path:
    folder.mkdir(parents=True)
    for name, (pictures, labels), chosen in (("train", train, numbers), ("test", test, np.arange(len(test[0])))):
        columns = {"image": [pictures[row] for row in chosen], "label": [labels[row] for row in chosen]}
        pq.write_table(pa.table(columns), folder / f"{name}.parquet")
    return folder


def pretrained(train: Rows, folder: Path, options: argparse.Namespace) -> Path:
    """The run that learned from all training pictures without a label; a tenth of them tells whether the embeddings collapse."""
    if not (folder / "results.json").exists():
        data = folder.parent / "unlabelled.parquet"
        pq.write_table(pa.table({"image": train[0]}), data)
        sets = [f"train.epochs={options.epochs}", "train.threads=1", "data.leaks=allow", "data.near=0", "train.rehearse=false",
                "data.splits.valid=0.05", "data.splits.test=0.05", *(DRAWINGS if options.digits else ())]  # fmt: skip
        api.train(data, model="simclr", run_dir=folder, sets=sets)
    return folder


def trained(way: str, data: Path, folder: Path, start: Path, seed: int, options: argparse.Namespace) -> dict[str, Any]:
    """Accuracy on the test set, with its interval, and seconds."""
    begun = time.perf_counter()
    variation = DRAWINGS if options.digits else PHOTOGRAPHS
    learning = [
        f"train.steps={options.steps}",
        f"train.batch_rows={BATCH}",
        "train.batch_units=1000000",
        "train.evaluate_every=1000",
    ]
    if way == "from nothing":
        sets = [*QUIET, *learning, *variation, "task.label_smoothing=0"]
        result = api.train(data, model="resnet-20", run_dir=folder, seed=seed, sets=sets)
    elif way == "tuned":
        result = api.train(data, start=start, run_dir=folder, seed=seed, sets=[*QUIET, *learning, *variation])
    else:
        result = api.train(data, model="finetune", start=start, run_dir=folder, seed=seed, sets=QUIET)
    return {**result.test["accuracy"], "seconds": time.perf_counter() - begun}


def spread(values: np.ndarray) -> str:
    """Mean over seeds with the 95 % interval of Student's t."""
    if len(values) < 2:
        return f"{values.mean():.4f}"
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
    return f"{values.mean():.4f} ± {half:.4f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path)
    parser.add_argument("--test", type=Path)
    parser.add_argument("--digits", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--epochs", type=float, default=30, help="of the pretraining")
    parser.add_argument("--steps", type=int, default=400, help="of what learns from labels")
    parser.add_argument("--shares", type=float, nargs="+", default=[0.01, 0.05, 0.1])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument(
        "--first", type=int, default=0, help="the first seed that is run, where several of these share the work"
    )
    parser.add_argument("--ways", nargs="+", default=WAYS, choices=WAYS)
    parser.add_argument("--name", default="few_pictures")
    options = parser.parse_args()
    if options.digits:
        parts = npz(options.digits)
    else:
        parts = {name: parquet(getattr(options, name), "image", "label") for name in ("train", "test")}
    options.work.mkdir(parents=True, exist_ok=True)
    start, kept = pretrained(parts["train"], options.work / "pretrained", options), options.work / "kept.jsonl"
    found: list[dict[str, Any]] = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    rows = len(parts["train"][0])
    for seed in range(options.first, options.seeds):
        for share in options.shares:
            numbers = stream(seed, "labels").permutation(rows)[: round(share * rows)]
            for way in options.ways:
                if any((each["seed"], each["share"], each["way"]) == (seed, share, way) for each in found):
                    continue
                with tempfile.TemporaryDirectory() as scratch:
                    data = write(Path(scratch) / "rows", parts["train"], parts["test"], numbers)
                    score = trained(way, data, Path(scratch) / "run", start, seed, options)
                found.append({"seed": seed, "share": share, "rows": len(numbers), "way": way, **score})
                print(found[-1], file=sys.stderr, flush=True)
                with open(kept, "a") as file:
                    file.write(json.dumps(found[-1]) + "\n")
    report(found, start, options)


def report(found: list[dict[str, Any]], start: Path, options: argparse.Namespace) -> None:
    lines: list[list[object]] = []
    for share in options.shares:
        of = {
            way: np.array([each["value"] for each in found if (each["share"], each["way"]) == (share, way)])
            for way in options.ways
        }
        labels = next(each["rows"] for each in found if each["share"] == share)
        gains = [spread(100 * (of[way] - of["from nothing"])) for way in options.ways if way != "from nothing"]
        lines.append([f"{share:.0%}", labels, *(spread(of[way]) for way in options.ways), *gains])
    header = ["share", "labels", *options.ways, *(f"points gained, {way}" for way in options.ways if way != "from nothing")]
    facts = json.loads((start / "results.json").read_text())
    each = [[f"{one['share']:.0%}", one["seed"], one["way"], f"{one['value']:.4f} [{one['low']:.4f}, {one['high']:.4f}]", f"{one['seconds']:.0f}"]
            for one in sorted(found, key=lambda one: (one["share"], one["way"], one["seed"]))]  # fmt: skip
    body = table(header, lines)
    body += f"\n\nMean accuracy over {options.seeds} seeds ± half of the 95 % interval (Student's t). Pretraining: {options.epochs:g} epochs, {facts['seconds']:.0f} s on one thread of a shared machine; learning from labels: {options.steps} steps.\n\n"
    body += table(["share", "seed", "way", "accuracy [95 % interval over test pictures]", "seconds"], each)
    told = ["--digits digits.npz"] if options.digits else ["--train cifar10-train.parquet", "--test cifar10-test.parquet"]
    told += [
        "--work FOLDER",
        f"--epochs {options.epochs:g}",
        f"--steps {options.steps}",
        f"--seeds {options.seeds}",
        f"--name {options.name}",
    ]
    record(options.name, "Few labels on pictures", body, " ".join(["python benchmarks/few_pictures.py", *told]))


if __name__ == "__main__":
    main()
