"""ResNet-20 on a few thousand of the training pictures of CIFAR-10, with several seeds: ours beside a plain torch loop over the same pictures for the same number
of epochs, on all test pictures.

    python benchmarks/pictures_seeds.py --data FOLDER --work FOLDER --share 3000 --epochs 20 --seeds 5

--data is what `pictures.py` wrote (train, valid and test as Parquet). A seed draws the pictures, the first weights and the batches; both sides compute in bf16, one thread
each. "Like the plain loop" has its variations, batches and optimiser; "the recipe" is resnet-20 as it comes. Differences are paired by seed, with Student's
interval. What is finished in --work is not trained again.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from machine import record, table
from pictures import LIKE_PLAIN, ours, peer
from scipy import stats

WAYS = {"like the plain loop": LIKE_PLAIN, "the recipe": ()}


def drawn(data: Path, folder: Path, share: int, seed: int) -> Path:
    """The data with so many training pictures."""
    if not (folder / "test.parquet").exists():
        folder.mkdir(parents=True)
        train = pq.read_table(data / "train.parquet")
        pq.write_table(train.take(np.random.default_rng(seed).permutation(len(train))[:share]), folder / "train.parquet")
        for name in ("valid", "test"):
            shutil.copy(data / f"{name}.parquet", folder / f"{name}.parquet")
    return folder


def scores(options: argparse.Namespace, seed: int) -> dict[str, float]:
    """Accuracy on the test set, by loop."""
    place = options.work / f"seed-{seed}"
    data = drawn(options.data, place / "data", options.share, seed)
    out = place / "plain.json"
    plain = peer(data, out, options.epochs, "--bf16", "--seed", str(seed))
    found = {
        way: ours(data, place / way.replace(" ", "-"), "resnet-20", options.epochs, ["train.precision=bf16", f"seed={seed}", *sets])["test"]["accuracy"]["value"]
        for way, sets in WAYS.items()
    }  # fmt: skip
    if plain is not None and plain.wait():
        raise SystemExit("the plain loop failed")
    return {"the plain loop": json.loads(out.read_text(encoding="utf-8"))["accuracy"], **found}


def paired(values: np.ndarray) -> str:
    """A mean of points with its 95 % interval (Student 1908)."""
    half = stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / len(values) ** 0.5
    return f"{100 * values.mean():+.2f} [{100 * (values.mean() - half):+.2f}, {100 * (values.mean() + half):+.2f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--share", type=int, default=3000, help="training pictures")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    by_seed = [scores(options, seed) for seed in range(options.seeds)]
    values = {name: np.array([one[name] for one in by_seed]) for name in by_seed[0]}
    plain = values["the plain loop"]
    lines: list[list[object]] = [
        [name, *(f"{value:.4f}" for value in each), f"{each.mean():.4f}", "" if each is plain else paired(each - plain)]
        for name, each in values.items()
    ]
    header = ["loop", *(f"seed {seed}" for seed in range(options.seeds)), "mean", "points more than the plain loop"]
    body = f"{options.share} training pictures, {options.epochs} epochs, {pq.read_metadata(options.data / 'test.parquet').num_rows} test pictures.\n\n"
    told = f"--share {options.share} --epochs {options.epochs} --seeds {options.seeds}"
    command = f"python benchmarks/pictures_seeds.py --data FOLDER --work FOLDER {told}"
    record("pictures_seeds", "Pictures by class, several seeds", body + table(header, lines), command)


if __name__ == "__main__":
    main()
