"""Translation on Multi30k and on English-Chinese pairs: a small transformer, an LSTM with attention of equal size, a dictionary.

    python benchmarks/translation.py --pairs en-de.csv en-fr.csv --work FOLDER [--lstm]

Every run is an ordinary `zhuji train PAIRS --model transformer-mt` in a folder of `--work`; one that is finished there is not trained again.
For English-Chinese, `--group origin` adds scores by origin, and `--hold-out NAME` keeps an origin for the test.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from machine import record, table

LSTM = (
    "backbone={name: recurrent, cell: lstm, width: 128, hidden: 128, layers: 2, directions: 2, dropout: 0.15}",
    "task={name: translate, decoder: lstm, layers: 2, dropout: 0.15, label_smoothing: 0.1, beams: 5}", "train.optim.name=adamw",
    "train.optim.lr=0.003",
)  # fmt: skip
"""About as many numbers as the transformer has."""


def trained(pairs: Path, folder: Path, options: list[str]) -> dict[str, Any]:
    """`results.json` of a run, which is trained if it is not finished."""
    if not (folder / "results.json").exists():
        begin = [
            sys.executable,
            "-m",
            "zhuji",
            "train",
            str(pairs),
            "--model",
            "transformer-mt",
            "--run-dir",
            str(folder),
            *options,
        ]
        go_on = [sys.executable, "-m", "zhuji", "resume", str(folder)]
        subprocess.run(go_on if (folder / "start.json").exists() else begin, check=True)
    return json.loads((folder / "results.json").read_text(encoding="utf-8"))


def interval(score: dict[str, float]) -> str:
    return f"{score['value']:.2f} [{score['low']:.2f}, {score['high']:.2f}]"


def rows(name: str, facts: dict[str, Any]) -> list[list[object]]:
    """One line a test set, the first with the baselines below it."""
    sets = {"test": facts["test"], **facts.get("more_tests", {}), **facts.get("by_group", {})}
    numbers, hours = f"{facts['model']['parameters'] / 1e6:.2f} M", f"{facts['seconds'] / 3600:.2f}"
    lines: list[list[object]] = [
        [
            name,
            part,
            interval(s["bleu"]),
            interval(s["chrf"]),
            f"{s['empty']['value']:.3f}",
            f"{s['copied']['value']:.3f}",
            numbers,
            hours,
        ]
        for part, s in sets.items()
    ]
    for rival, s in facts["baselines"].items():
        lines.append([f"{rival} (baseline)", "test", interval(s["bleu"]), interval(s["chrf"]), f"{s['empty']['value']:.3f}",
                      f"{s['copied']['value']:.3f}", "-", "-"])  # fmt: skip
    return lines


def samples(folder: Path, count: int = 4) -> str:
    """The first rows of the test split: input, the published translation, ours."""
    with open(folder / "predictions.csv", encoding="utf-8", newline="") as file:
        chosen = [row for row, _ in zip(csv.DictReader(file), range(count))]
    return "\n".join(f"- {row['input']}\n  - published: {row['label']}\n  - ours: {row['prediction']}" for row in chosen)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=Path, nargs="+", required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--lstm", action="store_true", help="train the LSTM too")
    parser.add_argument("--group")
    parser.add_argument("--hold-out")
    parser.add_argument("--name", default="translation", help="of the file in results/")
    parser.add_argument("--set", action="append", default=[], dest="sets")
    asked = parser.parse_args()
    options = [word for pair in asked.sets for word in ("--set", pair)]
    options += ["--group", asked.group] if asked.group else []
    options += ["--set", "data.splits.by=group", "--set", f"data.splits.hold_out=[{asked.hold_out}]"] if asked.hold_out else []
    body, notes = list[str](), dict[str, str]()
    for pairs in asked.pairs:
        kinds = {"transformer": []} | ({"lstm": [word for pair in LSTM for word in ("--set", pair)]} if asked.lstm else {})
        lines = list[list[object]]()
        for kind, more in kinds.items():
            folder = asked.work / f"{pairs.name.split('.')[0]}-{kind}"
            facts = trained(pairs, folder, [*options, *more])
            facts["baselines"] = facts["baselines"] if kind == "transformer" else {}
            lines += rows(kind, facts)
            notes |= facts.get("notes", {})
        head = ["model", "test set", "BLEU", "chrF", "empty", "copied", "parameters", "hours"]
        body += [f"## {pairs.name}", table(head, lines), samples(asked.work / f"{pairs.name.split('.')[0]}-transformer")]
    body.append("\n".join(f"- {name}: `{signature}`" for name, signature in notes.items()))
    command = f"python benchmarks/translation.py --pairs {' '.join(p.name for p in asked.pairs)} --work FOLDER"
    record(asked.name, "Translation", "\n\n".join(body), command + (" --lstm" if asked.lstm else ""))


if __name__ == "__main__":
    main()
