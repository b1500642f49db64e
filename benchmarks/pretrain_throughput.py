"""Masked-LM pretraining: `zhuji pretrain` against `transformers.Trainer`, same shape, same tokenizer, same text, interleaved.

    python benchmarks/pretrain_throughput.py --text en_sections_unlabelled.txt.gz --tokens 1000000

Three programs take turns of so many real tokens: the Trainer at its defaults, the Trainer at its best settings (bf16, grouped by length,
batches of 64, fused AdamW, tuned rate) and Zhuji with its recipe. Who has no turn stands still (SIGSTOP, or waiting for a line). The first
turn of each holds warming up and is left out of the medians. After equal tokens all three are judged by one path: the same held-out
documents with the same hidden units, the Trainer's model read by `zhuji.model.huggingface`. The tokenizer is trained beforehand.
"""

from __future__ import annotations

import argparse
import gzip
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
from typing import Any

from machine import record, table

PEER = Path(__file__).parent / "peers" / "hf_pretrain.py"
HELD = 500
"""Documents, the last of the text, on which all are judged."""


class Trainer:
    """The peer: a turn is a line to its standard input."""

    def __init__(self, *options: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(PEER), "--lockstep", *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, env={**os.environ, "HF_HUB_OFFLINE": "1"},
        )  # fmt: skip
        self.facts = self._line()

    def _line(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        while text := self.process.stdout.readline():
            if text.startswith('{"'):
                return json.loads(text)
        sys.exit(f"{PEER.name} ended early; try: {self.process.args}")

    def turn(self) -> float:
        """Tokens a second."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        line = self._line()
        return line["tokens"] / line["seconds"]

    def finish(self) -> None:
        self.process.communicate()


class Zhuji:
    """`zhuji pretrain`, stopped after each turn's tokens."""

    def __init__(self, corpus: Path, folder: Path, turn: int, options: list[str]) -> None:
        self.metrics, self.turn_tokens, self.seen = folder / "metrics.jsonl", turn, 0
        command = [sys.executable, "-m", "zhuji", "pretrain", str(corpus), "--run-dir", str(folder), "--json", *options]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        while not self.metrics.exists() and self.process.poll() is None:
            time.sleep(0.02)
        self.process.send_signal(signal.SIGSTOP)

    def _units(self) -> int:
        lines = [line for line in self.metrics.read_text().splitlines() if '"train"' in line and line.endswith("}")]
        return json.loads(lines[-1])["units"] if lines else 0

    def turn(self) -> float:
        """Tokens a second."""
        began = time.perf_counter()
        self.process.send_signal(signal.SIGCONT)
        while (units := self._units()) < self.seen + self.turn_tokens and self.process.poll() is None:
            time.sleep(0.01)
        seconds = time.perf_counter() - began
        self.process.send_signal(signal.SIGSTOP)
        done, self.seen = units - self.seen, units
        return done / seconds

    def finish(self) -> dict[str, Any]:
        self.process.send_signal(signal.SIGCONT)
        return json.loads(self.process.communicate()[0])


def split_text(path: Path, folder: Path) -> tuple[Path, list[str]]:
    """The text without its last documents as a file, and those documents."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as file:
        lines = [line.rstrip("\n") for line in file if line.strip()]
    train = folder / "train.txt"
    train.write_text("\n".join(lines[:-HELD]) + "\n", encoding="utf-8")
    return train, lines[-HELD:]


def held_out_loss(model: Any, texts: list[str]) -> float:
    """Mean loss of hidden units over the held-out documents, cut to 128 units, in fp32."""
    from zhuji.core.records import Record
    from zhuji.model.predictor import Predictor
    from zhuji.training.feed import cut

    encoded = [cut(row, 128) for row in model.modality.encode(texts)]
    records = [Record(id=f"held-{i}", input=text) for i, text in enumerate(texts)]
    return Predictor(model.eval()).examine(records, encoded).loss


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--text", type=Path, required=True)
    parser.add_argument("--model", default="bert-mini", help="a recipe for pretraining")
    parser.add_argument("--vocabulary", type=int, default=8000)
    parser.add_argument("--tokens", type=int, default=1_000_000)
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--set", action="append", default=[], dest="sets", help="settings of zhuji pretrain")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def rounds(turns: dict[str, Callable[[], float]], count: int) -> dict[str, list[float]]:
    """Speed of every turn, the order reversed every other round."""
    speeds: dict[str, list[float]] = {name: [] for name in turns}
    for number in range(count):
        for name in list(turns) if number % 2 == 0 else reversed(turns):
            speeds[name].append(turns[name]())
            print(f"round {number + 1} {name}: {speeds[name][-1]:,.0f} tokens/s", file=sys.stderr, flush=True)
    return speeds


def ratio(own: list[float], peer: list[float]) -> str:
    """Median of the rounds' ratios, with their range."""
    ratios = [a / b for a, b in zip(own[1:], peer[1:])]
    return f"{statistics.median(ratios):.1f}× ({min(ratios):.1f}–{max(ratios):.1f})"


def tokenizer_folder(train: Path, folder: Path, vocabulary: int) -> Path:
    from zhuji.modalities.text import Text
    from zhuji.training.corpora import save_modality

    text = Text(tokenizer="wordpiece", vocab_size=vocabulary, max_units=512, wrap="both")
    save_modality(text.fit(train.read_text(encoding="utf-8").split("\n")), folder)
    return folder


def main() -> None:
    options = arguments()
    turn = options.tokens // options.turns
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        train, held = split_text(options.text, scratch)
        tokenizer = tokenizer_folder(train, scratch / "tokenizer", options.vocabulary)
        common = ["--text", str(train), "--tokenizer", str(tokenizer / "tokenizer.json"), "--tokens", str(options.tokens),
                  "--turn", str(turn), "--threads", str(options.threads), "--seed", str(options.seed)]  # fmt: skip
        defaults = Trainer(*common, "--out", str(scratch / "defaults"))
        best = Trainer(*common, "--out", str(scratch / "best"), "--best")
        sets = [f"train.threads={options.threads}", "corpus.duplicates=keep", "corpus.quality=null", "train.rehearse=false",
                "held.units=2000", "train.checkpoint_seconds=1e9", *options.sets]  # fmt: skip
        own = Zhuji(train, scratch / "run", turn, [
            "--model", options.model, "--tokenizer", str(tokenizer), "--seed", str(options.seed),
            *(word for pair in [*sets, f"train.steps={steps(options.tokens, options.sets)}"] for word in ("--set", pair)),
        ])  # fmt: skip
        speeds = rounds({"zhuji": own.turn, "defaults": defaults.turn, "best": best.turn}, options.turns)
        facts = own.finish()
        for peer in (defaults, best):
            peer.finish()
        losses = judged(scratch, held)
    medians = {key: f"{statistics.median(values[1:]):,.0f}" for key, values in speeds.items()}
    rows: list[list[object]] = [
        [f"zhuji pretrain --model {options.model}", medians["zhuji"], "1", f"{losses['zhuji']:.3f}"],
        ["transformers.Trainer, its best settings", medians["best"], ratio(speeds["zhuji"], speeds["best"]), f"{losses['best']:.3f}"],
        ["transformers.Trainer, its defaults", medians["defaults"], ratio(speeds["zhuji"], speeds["defaults"]),
         f"{losses['defaults']:.3f}"],
    ]  # fmt: skip
    body = table(
        ["program", "real tokens a second (median)", "Zhuji is faster (range over rounds)", "held-out masked loss"], rows
    )
    body += (
        f"\n\n{options.tokens:,} tokens each, {options.turns} rounds, {options.threads} threads, vocabulary {options.vocabulary:,}, seed "
        f"{options.seed}; {defaults.facts['parameters']:,} parameters there, {facts['model']['parameters']:,} here; precision here: "
        f"{facts.get('precision', 'see run.yaml')}. Masked loss: {HELD} documents that none has seen, the same hidden units for all three."
    )
    record("pretrain_throughput", "Masked-LM pretraining: Zhuji and transformers.Trainer", body,
           f"python benchmarks/pretrain_throughput.py --text {options.text.name} --tokens {options.tokens}")  # fmt: skip


def steps(tokens: int, sets: list[str]) -> int:
    """Optimiser steps of so many tokens in packed rows."""
    batch = next((int(pair.partition("=")[2]) for pair in sets if pair.startswith("train.batch_units=")), 8192)
    return -(-tokens // batch)


def judged(scratch: Path, held: list[str]) -> dict[str, float]:
    from zhuji.model.bundle import open_bundle
    from zhuji.model.huggingface import read

    models = {"zhuji": open_bundle(scratch / "run").model}
    models |= {name: read(scratch / name / "model").model for name in ("defaults", "best")}
    return {name: held_out_loss(model, held) for name, model in models.items()}


if __name__ == "__main__":
    main()
