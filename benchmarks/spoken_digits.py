"""Spoken digits: the recipe `spoken` from nothing beside support vector machines on cepstra, on the official test recordings and with one speaker held
out whom training never hears.

    python benchmarks/spoken_digits.py --data digits_en --work FOLDER --speaker theo

Both sides learn from the same rows, and what must be chosen is chosen on the same validation rows. The machine reads the mean and deviation of 13 MFCC and
of their differences, and their means over each third of the sound; its kernel is radial, C and gamma are chosen from a grid. What is finished in --work
is not trained again.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from machine import record, table
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from zhuji.core.config import assignments, overlay
from zhuji.data.prepare import Prepared, prepare
from zhuji.data.settings import DataSettings
from zhuji.training.summaries import summaries

ALWAYS = ("train.threads=1", "train.rehearse=false", "train.precision=fp32", "data.leaks=allow")
C, GAMMA = (1.0, 10.0, 100.0), (0.001, 0.003, 0.01, 0.03)


def ours(data: Path, folder: Path, sets: list[str]) -> dict[str, Any]:
    """`results.json` of a run, trained if it is not finished, and the minutes of a processor that it took."""
    told = folder.with_suffix(".minutes")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    if not (folder / "results.json").exists():
        command = [sys.executable, "-m", "zhuji", "train", str(data), "--model", "spoken", "--run-dir", str(folder)]
        command += [word for pair in (*ALWAYS, *sets) for word in ("--set", pair)]
        begun = (folder / "start.json").exists()
        subprocess.run([sys.executable, "-m", "zhuji", "resume", str(folder)] if begun else command, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        minutes = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / 60
        told.write_text(str(minutes + (float(told.read_text()) if told.exists() else 0.0)))
    facts = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    return {**facts, "minutes": float(told.read_text())}


def rows(data: Path, sets: list[str]) -> Prepared:
    """As the run divides them."""
    asked = overlay({"path": str(data)}, assignments([*ALWAYS, *sets]).get("data", {}))
    return prepare(DataSettings.parse(asked, "data"), 0)


def machine_of_vectors(prepared: Prepared) -> tuple[str, str]:
    """Accuracy on the test rows with its interval, and what was chosen."""
    parts = {
        name: (summaries([r.input for r in prepared.split(name)]), np.array([str(r.label) for r in prepared.split(name)]))
        for name in ("train", "valid", "test")
    }
    scale = StandardScaler().fit(parts["train"][0])
    scaled = {name: (scale.transform(numbers), labels) for name, (numbers, labels) in parts.items()}
    fitted = {pair: SVC(C=pair[0], gamma=pair[1]).fit(*scaled["train"]) for pair in product(C, GAMMA)}
    best = max(fitted, key=lambda pair: float(fitted[pair].score(*scaled["valid"])))
    numbers, labels = scaled["test"]
    return interval(fitted[best].predict(numbers) == labels), f"C = {best[0]:g}, gamma = {best[1]:g}"


def interval(right: np.ndarray) -> str:
    """A share with its 95 % interval by resampled rows."""
    random = np.random.default_rng(0)
    means = [right[random.integers(len(right), size=len(right))].mean() for _ in range(1000)]
    low, high = np.quantile(means, (0.025, 0.975))
    return f"{right.mean():.4f} [{low:.4f}, {high:.4f}]"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--speaker", action="append", default=[], help="also once with this speaker held out")
    parser.add_argument(
        "--unheard", action="append", default=[], metavar="KEY=VALUE", help="as --set, for runs with a speaker held out alone"
    )
    parser.add_argument("--set", dest="sets", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    ways = {"official test recordings": []} | {
        f"{name} held out": [f"data.splits.hold_out=[{name}]", *options.unheard] for name in options.speaker
    }
    lines: list[list[object]] = []
    for number, (way, sets) in enumerate(ways.items()):
        facts = ours(options.data, options.work / f"run-{number}", [*sets, *options.sets])
        prepared = rows(options.data, [*sets, *options.sets])
        counts = ", ".join(f"{len(prepared.split(name)):,}" for name in ("train", "valid", "test"))
        score, linear = facts["test"]["accuracy"], facts["baselines"]["mfcc_svm"]["accuracy"]
        svm, chosen = machine_of_vectors(prepared)
        lines += [
            [way, counts, "zhuji, recipe spoken", _told(score), f"{facts['minutes']:.1f}"],
            [way, counts, f"SVM on MFCC, radial, {chosen}", svm, ""],
            [way, counts, "SVM on MFCC, linear (the run's own baseline)", _told(linear), ""],
        ]
    body = table(["test rows", "train, valid, test", "model", "accuracy", "CPU minutes"], lines)
    speakers = "".join(f" --speaker {name}" for name in options.speaker)
    more = "".join(f" --unheard {pair}" for pair in options.unheard) + "".join(f" --set {pair}" for pair in options.sets)
    record(
        "spoken_digits",
        "Spoken digits",
        body,
        f"python benchmarks/spoken_digits.py --data {options.data.name} --work FOLDER{speakers}{more}",
    )


def _told(score: dict[str, float]) -> str:
    return f"{score['value']:.4f} [{score['low']:.4f}, {score['high']:.4f}]"


if __name__ == "__main__":
    main()
