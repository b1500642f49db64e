"""Test scores of every recipe on one data set, with intervals and beside the baselines.

python benchmarks/en_sections.py --data en_sections.csv [--recipes bilstm cnn] [--set train.epochs=5]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from machine import record, table


def spoken(*words: str) -> dict:
    done = subprocess.run([sys.executable, "-m", "zhuji", *words, "--json"], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def interval(score: dict[str, float]) -> str:
    return f"{score['value']:.4f} ({score['low']:.4f}–{score['high']:.4f})"


def row(name: str, scores: dict[str, dict[str, float]], metrics: list[str], seconds: object, memory: object) -> list[object]:
    return [name, *(interval(scores[metric]) if metric in scores else "" for metric in metrics), seconds, memory]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--recipes", nargs="*", help="default: all that `zhuji recipes` lists")
    parser.add_argument("--metrics", nargs="*", default=["accuracy", "macro_f1"])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--set", action="append", default=[])
    options = parser.parse_args()
    recipes = options.recipes or [recipe["name"] for recipe in spoken("recipes")["recipes"]]
    sets = [word for pair in options.set for word in ("--set", pair)]
    rows: list[list[object]] = []
    with tempfile.TemporaryDirectory() as scratch:
        for recipe in recipes:
            folder = str(Path(scratch) / recipe)
            fixed = ["--model", recipe, "--seed", str(options.seed), "--run-dir", folder, *sets]
            once = ["--set", "evaluate.baselines=false"] if rows else []
            result = spoken("train", str(options.data), *fixed, *once)
            baselines = [row(name, scores, options.metrics, "", "") for name, scores in result["baselines"].items()]
            rows += [] if rows else baselines
            rows.append(
                row(recipe, result["test"], options.metrics, f"{result['seconds']:.0f}", f"{result['peak_rss_mb']:.0f}")
            )
            print(rows[-1], file=sys.stderr, flush=True)
    body = table(["model", *options.metrics, "seconds in all", "peak MB"], rows)
    body += (
        f"\n\nTest part, 95 % bootstrap intervals, seed {options.seed}{', ' + ' '.join(options.set) if options.set else ''}."
    )
    record(
        options.data.stem,
        f"Recipes on {options.data.name}",
        body,
        f"python benchmarks/en_sections.py --data {options.data.name}",
    )


if __name__ == "__main__":
    main()
