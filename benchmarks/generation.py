"""Pictures made by a VAE, a GAN and a diffusion model from nothing, on one core: how many a classifier recognises, how far they lie from real ones, and whether
they are copies.

    python benchmarks/generation.py --digits digits.npz --work FOLDER --sheets docs/images
    python benchmarks/generation.py --train cifar10-train.parquet --test cifar10-test.parquet --work FOLDER --epochs 10 --name generation_cifar10

Each is an ordinary `zhuji train DATA --model KIND-28` (or -32), drawn from and measured by `zhuji realism RUN --by JUDGE`. The judge is our own resnet-20, trained
on the same real pictures: its distances are not FID and compare with nothing published. Real test pictures in the place of drawn ones stand beside. CPU
minutes are those of the whole training command. What is finished in --work is not done again.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from machine import record, table
from pictures import npz, parquet

KINDS = ("vae", "gan", "diffusion")
ALWAYS = (
    "train.threads=1",
    "data.leaks=allow",
    "data.near=0",
    "evaluate.baselines=false",
    "train.rehearse=false",
    "data.splits.valid=0.04",
)
MEASURES = ("recognised", "frechet", "precision", "recall", "coverage")


def written(folder: Path, options: argparse.Namespace) -> Path:
    if not (folder / "test.parquet").exists():
        folder.mkdir(parents=True, exist_ok=True)
        parts = (
            npz(options.digits)
            if options.digits
            else {name: parquet(getattr(options, name), "image", "label") for name in ("train", "test")}
        )
        for name, (pictures, labels) in parts.items():
            pq.write_table(pa.table({"image": pictures, "label": labels}), folder / f"{name}.parquet")
    return folder


def zhuji(*words: str) -> float:
    """CPU minutes of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "zhuji", *words], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / 60


def trained(data: Path, folder: Path, recipe: str, sets: list[str]) -> float:
    """CPU minutes of a training, which is run if it is not finished."""
    kept = folder / "cpu_minutes.json"
    if not (folder / "results.json").exists():
        shutil.rmtree(folder, ignore_errors=True)
        spent = zhuji(
            "train",
            str(data),
            "--model",
            recipe,
            "--run-dir",
            str(folder),
            *(w for pair in (*ALWAYS, *sets) for w in ("--set", pair)),
        )
        kept.write_text(json.dumps(spent), encoding="utf-8")
    return json.loads(kept.read_text(encoding="utf-8"))


def measured(folder: Path, judge: Path, options: argparse.Namespace) -> dict[str, Any]:
    if not (folder / "realism" / "realism.json").exists():
        zhuji("realism", str(folder), "--by", str(judge), "--count", str(options.count))
    return json.loads((folder / "realism" / "realism.json").read_text(encoding="utf-8"))


def told(score: Any) -> str:
    if isinstance(score, dict):
        return f"{score['value']:.3f} [{score['low']:.3f}, {score['high']:.3f}]"
    return "" if score is None else f"{score:.3f}" if isinstance(score, float) else str(score)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", type=Path)
    parser.add_argument("--test", type=Path)
    parser.add_argument("--digits", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--judge", type=Path, help="a classifier that was trained before")
    parser.add_argument("--epochs", type=float, help="of each, in place of the recipe's")
    parser.add_argument("--judge-epochs", type=float, default=8)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS)
    parser.add_argument("--sheets", type=Path, help="a folder for one sheet of samples a kind")
    parser.add_argument("--name", default="generation")
    options = parser.parse_args()
    data = written(options.work / "data", options)
    grey = ["modality.size=[28, 28]", "modality.channels=1", "modality.variation={shift: 3}"] if options.digits else []
    judge = options.judge or options.work / "judge"
    if options.judge is None:
        trained(data, judge, "resnet-20", [f"train.epochs={options.judge_epochs}", *grey])
    made = ["modality.channels=1"] if options.digits else []
    epochs = [f"train.epochs={options.epochs}"] if options.epochs else []
    lines: list[list[object]] = []
    classes: list[list[object]] = []
    for kind in options.kinds:
        run = options.work / kind
        minutes = trained(data, run, f"{kind}-{28 if options.digits else 32}", [*made, *epochs])
        facts = measured(run, judge, options)
        by_class = facts["by_class"]
        seen = f"{sum(row['seen'] > 0 for row in by_class)} of {len(by_class)}"
        lines.append([kind, *(told(facts["scores"][name]["drawn"]) for name in MEASURES), seen, f"{minutes:.1f}"])
        if not classes:
            lines.insert(0, ["real test pictures", *(told(facts["scores"][name]["real"]) for name in MEASURES), "", ""])
        shares = (f"{row['recognised'] / row['asked']:.2f}" for row in by_class)
        classes.append([kind, *shares, f"{facts['copies']['pixels']['suspects']:.3f}"])
        if options.sheets:
            drawn = options.work / f"drawn-{kind}"
            shutil.rmtree(drawn, ignore_errors=True)
            zhuji("draw", str(run), "--count", "100", "--out", str(drawn))
            options.sheets.mkdir(parents=True, exist_ok=True)
            shutil.copy(drawn / "sheet.png", options.sheets / f"{options.name}_{kind}.png")
    report(lines, classes, [row["class"] for row in facts["by_class"]], options)


def report(lines: list[list[object]], classes: list[list[object]], names: list[str], options: argparse.Namespace) -> None:
    body = table(["pictures", *MEASURES, "classes seen", "CPU minutes"], lines)
    body += "\n\nShare recognised by class, and share of suspected copies by pixels (5 % by chance):\n\n"
    body += table(["kind", *names, "suspects"], classes)
    words = ["--digits digits.npz"] if options.digits else ["--train cifar10-train.parquet", "--test cifar10-test.parquet"]
    words += [
        "--work FOLDER",
        *([f"--epochs {options.epochs:g}"] if options.epochs else []),
        f"--count {options.count}",
        f"--name {options.name}",
    ]
    record(options.name, "Pictures that models make", body, " ".join(["python benchmarks/generation.py", *words]))


if __name__ == "__main__":
    main()
