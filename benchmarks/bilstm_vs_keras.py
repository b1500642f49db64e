"""The article's BiLSTM: `zhuji train --model bilstm` against the same program in Keras, same data, same epochs, interleaved.

    python benchmarks/bilstm_vs_keras.py --data en_sections.csv --peer-python PYTHON_WITH_KERAS

Three processes take turns, one epoch each; whoever has no turn stands still (SIGSTOP, or waiting for a line). All learn from the same
training rows: Zhuji holds none back for validation, moves no leaks and keeps its last weights, as the article's program does.
Zhuji's seconds are wall time from one epoch's end to the next, checkpoints included. Keras padded to the longest text takes about a
quarter of an hour an epoch: `--steps` batches of it are timed each turn and scaled to the epoch. The first turn of each, which
holds compilation, is left out of the medians.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from machine import record, table

PEER = Path(__file__).parent / "peers" / "keras_bilstm.py"


class Keras:
    """The peer, one epoch a turn."""

    def __init__(self, python: str, data: Path, *options: str) -> None:
        command = [python, str(PEER), "--data", str(data), "--lockstep", *options]
        quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=quiet
        )
        self.facts = self.line()
        self.accuracy: float | None = None

    def line(self) -> dict:
        assert self.process.stdout is not None
        text = self.process.stdout.readline()
        if not text:
            sys.exit(f"{PEER.name} ended early; try: {self.process.args}")
        return json.loads(text)

    def turn(self) -> float:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        line = self.line()
        self.accuracy = line.get("accuracy", self.accuracy)
        return line["seconds"]


class Zhuji:
    """`zhuji train`, stopped at the end of every epoch until its next turn."""

    def __init__(self, data: Path, folder: Path, epochs: int, seed: int) -> None:
        sets = [f"train.epochs={epochs}", "train.rehearse=false", "evaluate.baselines=false", "data.splits.valid=0"]
        options = [word for pair in sets for word in ("--set", pair)]
        command = [
            sys.executable,
            "-m",
            "zhuji",
            "train",
            str(data),
            "--model",
            "bilstm",
            "--leaks",
            "allow",
            "--seed",
            str(seed),
            "--json",
        ]
        self.metrics = folder / "metrics.jsonl"
        self.process = subprocess.Popen(
            [*command, "--run-dir", str(folder), *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.seen = 0

    def epochs(self) -> int:
        """Whole epochs done, as the log tells every few steps."""
        lines = self.metrics.read_text().splitlines() if self.metrics.exists() else []
        return int(max((json.loads(line)["epoch"] for line in lines if line.endswith("}")), default=0))

    def turn(self) -> float:
        began = time.perf_counter()
        self.process.send_signal(signal.SIGCONT)
        while self.epochs() == self.seen:
            if self.process.poll() is not None:
                sys.exit("zhuji train ended early")
            time.sleep(0.02)
        seconds = time.perf_counter() - began
        self.process.send_signal(signal.SIGSTOP)
        self.seen += 1
        return seconds

    def finish(self) -> dict:
        self.process.send_signal(signal.SIGCONT)
        return json.loads(self.process.communicate()[0])


def rounds(turns: dict[str, Callable[[], float]], epochs: int) -> dict[str, list[float]]:
    """Seconds of every turn, the order reversed every other round."""
    seconds: dict[str, list[float]] = {name: [] for name in turns}
    for epoch in range(epochs):
        for name in list(turns) if epoch % 2 == 0 else reversed(turns):
            seconds[name].append(turns[name]())
            print(f"round {epoch + 1} {name}: {seconds[name][-1]:.1f} s", file=sys.stderr, flush=True)
    return seconds


def ratio(peer: list[float], own: list[float]) -> str:
    """Median of the rounds' ratios, with their range."""
    ratios = [a / b for a, b in zip(peer[1:], own[1:])]
    return f"{statistics.median(ratios):.1f}× ({min(ratios):.1f}–{max(ratios):.1f})"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--peer-python", required=True, help="a Python that has Keras and TensorFlow")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--steps", type=int, default=8, help="batches timed a turn when padded to the longest text")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    options = arguments()
    with tempfile.TemporaryDirectory() as scratch:
        sensible = Keras(options.peer_python, options.data, "--length", str(options.length), "--epochs", str(options.epochs))
        padded = Keras(options.peer_python, options.data, "--steps", str(options.steps), "--epochs", str(options.epochs))
        own = Zhuji(options.data, Path(scratch) / "run", options.epochs, options.seed)
        turns = {"zhuji": own.turn, "sensible": sensible.turn, "padded": padded.turn}
        seconds = rounds(turns, options.epochs)
        accuracy = own.finish()["test"]["accuracy"]
    median = {name: f"{statistics.median(values[1:]):.1f}" for name, values in seconds.items()}
    score = f"{accuracy['value']:.4f} ({accuracy['low']:.4f}–{accuracy['high']:.4f})"
    rows: list[list[object]] = [
        ["zhuji --model bilstm", median["zhuji"], "1", score],
        [
            f"Keras, {options.length} words",
            median["sensible"],
            ratio(seconds["sensible"], seconds["zhuji"]),
            f"{sensible.accuracy:.4f}",
        ],
        [
            f"Keras, padded to {padded.facts['length']} words",
            median["padded"],
            ratio(seconds["padded"], seconds["zhuji"]),
            "not trained",
        ],
    ]
    batches = -(-padded.facts["rows"] // 32)
    body = table(
        [
            "program",
            "seconds an epoch (median)",
            "times Zhuji's (range over rounds)",
            f"test accuracy, {options.epochs} epochs",
        ],
        rows,
    )
    body += f"\n\nKeras {padded.facts['keras']}, batches of 32, seed {options.seed}. The padded program was timed on {options.steps} of "
    body += f"{batches} batches a round and scaled up. Zhuji's batches hold 8,192 units (about 100 rows of equal length)."
    record(
        "bilstm_vs_keras",
        "The article's BiLSTM: Zhuji and Keras",
        body,
        f"python benchmarks/bilstm_vs_keras.py --data {options.data.name} --peer-python …",
    )


if __name__ == "__main__":
    main()
