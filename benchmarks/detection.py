"""Objects in photographs: mAP of the recipe `detector` on blood cells under the microscope, trained from nothing on one core, by head.

    python benchmarks/detection.py --data blood_cells --work FOLDER

The published splits are used; one validation photograph nearly repeats a training photograph and is moved to it by the leak gate. Every run is an ordinary
`zhuji train FOLDER --model detector` whose pictures may stand on their heads, too: blood has no up. CPU seconds are those of the whole command, with
reading, validations, test and report. A run that is finished in --work is not trained again.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

from machine import record, table

HEADS = ("cell", "scales")
SCORES = ("map50", "map50_95", "map75", "f1")
ALWAYS = ("train.threads=1", "train.precision=fp32", "modality.variation.flip_down=0.5")
CPU = "cpu_seconds.json"


def trained(data: Path, folder: Path, seed: int, sets: list[str]) -> dict[str, Any]:
    """`results.json` of a run, which is trained if it is not finished, and the CPU seconds that it took: none of one that was stopped and resumed."""
    if not (folder / "results.json").exists():
        begin = [
            sys.executable,
            "-m",
            "zhuji",
            "train",
            str(data),
            "--model",
            "detector",
            "--seed",
            str(seed),
            "--run-dir",
            str(folder),
        ]
        begin += [word for pair in (*ALWAYS, *sets) for word in ("--set", pair)]
        begun = (folder / "start.json").exists()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "zhuji", "resume", str(folder)] if begun else begin, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        (folder / CPU).write_text(json.dumps(None if begun else spent), encoding="utf-8")
    facts: dict[str, Any] = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    return {**facts, "cpu": json.loads((folder / CPU).read_text(encoding="utf-8"))}


def interval(score: dict[str, float]) -> str:
    return f"{score['value']:.3f} [{score['low']:.3f}, {score['high']:.3f}]"


def _minutes(seconds: float | None) -> str:
    return "not measured: resumed" if seconds is None else f"{seconds / 60:.1f}"


def lines(runs: dict[str, dict[str, Any]]) -> list[list[object]]:
    return [
        [
            name,
            *(interval(facts["test"][score]) for score in SCORES),
            f"{facts['valid']['map50']['value']:.3f}",
            _minutes(facts["cpu"]),
        ]
        for name, facts in runs.items()
    ]


def by_class(runs: dict[str, dict[str, Any]]) -> list[list[object]]:
    return [
        [name, row["label"], row["support"], *(f"{row[key]:.3f}" for key in ("ap50", "ap50_95", "precision", "recall", "f1"))]
        for name, facts in runs.items()
        for row in facts["per_class"]
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--heads", nargs="+", default=HEADS, choices=HEADS)
    parser.add_argument("--set", dest="sets", action="append", default=[], metavar="KEY=VALUE")
    asked = parser.parse_args()
    runs = {
        f"{head}, seed {seed}": trained(asked.data, asked.work / f"{head}-{seed}", seed, [f"task.kind={head}", *asked.sets])
        for head in asked.heads
        for seed in range(asked.seeds)
    }
    ledger = next(iter(runs.values()))["ledger"]
    body = "\n\n".join((
        table(["run", *SCORES, "map50 of validation", "CPU minutes"], lines(runs)),
        table(["run", "class", "test objects", "AP50", "AP50-95", "precision", "recall", "F1"], by_class(runs)),
        f"Photographs: {ledger['read']} read. Precision, recall and F1 at IoU 0.5 of what is given to a person; 95 % intervals from resampled photographs.",
    ))  # fmt: skip
    command = ["python benchmarks/detection.py --data blood_cells --work FOLDER", *(f"--set {pair}" for pair in asked.sets)]
    record("detection", "Objects in photographs", body, " ".join(command))


if __name__ == "__main__":
    main()
