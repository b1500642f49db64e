"""ResNet-20 on some or all of the training pictures, with several seeds: ours beside a plain torch loop over the same pictures for the same number of epochs, on
all test pictures.

    python benchmarks/pictures_seeds.py --data FOLDER --work FOLDER --share 3000 --epochs 20 --seeds 5
    python benchmarks/pictures_seeds.py --data DIGITS --work FOLDER --no-flips --epochs 15 --seeds 5 --name pictures_seeds_digits

--data is what `pictures.py` wrote (train, valid and test as Parquet). A seed draws the pictures where --share takes some, the first weights and the batches; both sides compute in bf16, one thread
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


def drawn(data: Path, folder: Path, share: int | None, seed: int) -> Path:
    """The data with so many training pictures."""
    if share is None:
        return data
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
    place.mkdir(parents=True, exist_ok=True)
    out = place / "plain.json"
    still = options.no_flips
    plain = peer(data, out, options.epochs, "--bf16", "--seed", str(seed), *(["--no-flips"] if still else []))
    common = ["train.precision=bf16", f"seed={seed}", *(["modality.variation.flip=0"] if still else [])]
    found: dict[str, float] = {}
    for way in options.ways:
        facts = ours(data, place / way.replace(" ", "-"), "resnet-20", options.epochs, [*common, *WAYS[way]])
        found[way] = facts["test"]["accuracy"]["value"]
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
    parser.add_argument("--share", type=int, help="training pictures; without it all of them")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--no-flips", action="store_true", help="nothing is mirrored: digits")
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--name", default="pictures_seeds")
    options = parser.parse_args()
    by_seed = [scores(options, seed) for seed in range(options.seeds)]
    values = {name: np.array([one[name] for one in by_seed]) for name in by_seed[0]}
    plain = values["the plain loop"]
    lines: list[list[object]] = [
        [name, *(f"{value:.4f}" for value in each), f"{each.mean():.4f}", "" if each is plain else paired(each - plain)]
        for name, each in values.items()
    ]
    header = ["loop", *(f"seed {seed}" for seed in range(options.seeds)), "mean", "points more than the plain loop"]
    count = {part: pq.read_metadata(options.data / f"{part}.parquet").num_rows for part in ("train", "test")}
    body = f"{options.share or count['train']} training pictures, {options.epochs} epochs, {count['test']} test pictures.\n\n"
    told = [f"--share {options.share}"] if options.share else []
    told += ["--no-flips"] if options.no_flips else []
    told += ["--ways", *(f'"{way}"' for way in options.ways)] if len(options.ways) < len(WAYS) else []
    told += [f"--epochs {options.epochs} --seeds {options.seeds} --name {options.name}"]
    command = " ".join(["python benchmarks/pictures_seeds.py --data FOLDER --work FOLDER", *told])
    record(options.name, "Pictures by class, several seeds", body + table(header, lines), command)


if __name__ == "__main__":
    main()
