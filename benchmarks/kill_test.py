"""Kill a training again and again with SIGKILL, at random moments, also while it writes a checkpoint, and compare its end with that of
an undisturbed one.

    python benchmarks/kill_test.py DATA.csv [--kills 50]
    python benchmarks/kill_test.py TEXTS.txt --pretrain [--kills 30]

With `--pretrain` it is a pretraining in packed rows: masked units, dropout, a moving average of the weights.

Prints the number of kills, how many of them left a half-written checkpoint behind, how many checkpoints were looked at and found
unreadable, and whether the two runs ended with the same bits: weights, scores and the log of every step.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

TIMES = ("seconds", "units_per_second", "rss_mb", "peak_rss_mb", "run", "bundle", "mfu", "cost")
"""What two equal runs may differ in."""


def settings(data: Path, steps: int, rows: int) -> list[str]:
    """A bidirectional LSTM with dropout, a weight average and a checkpoint at every step."""
    return [
        f"data.path={data}", f"data.limit={rows}", "backbone={name: recurrent, width: 16, hidden: 16}",
        "task={name: classify, hidden: 16, dropout: 0.2}", "train.batch_rows=32", "train.evaluate_every=0.5",
        "evaluate.bootstrap=10", "evaluate.baselines=false", "modality.max_units=64", *_common(steps),
    ]  # fmt: skip


def pretraining(data: Path, steps: int) -> list[str]:
    """A small transformer that guesses hidden units in packed rows."""
    return [
        f"corpus.sources=[{data}]", "corpus.valid=0.05", "modality={name: text, tokenizer: bpe, vocab_size: 400, max_units: 64}",
        "backbone={name: transformer, width: 16, layers: 2, heads: 2, dropout: 0.1}", "task={name: masked_units}", "pack=32",
        "train.batch_units=512", "train.evaluate_every=0.3", "held.bootstrap=10", "held.units=2000", *_common(steps),
    ]  # fmt: skip


def _common(steps: int) -> list[str]:
    return [
        f"train.steps={steps}", "train.average=0.99", "train.checkpoint_seconds=0", "train.precision=fp32", "train.threads=1",
    ]  # fmt: skip


def child(folder: Path, sets: list[str]) -> None:
    """One life of the training: begin it, or go on with it."""
    from zhuji.core.threads import polite

    polite()
    from zhuji.training import fit, pretrain, pretraining, run

    pretrains = any(pair.startswith("corpus.") for pair in sets)
    work, compose = (pretrain, pretraining.compose) if pretrains else (fit, run.compose)
    if (folder / "run.yaml").exists():
        work.resume(folder, progress=False)
    else:
        work.fit(compose(sets=sets), folder, progress=False)


@dataclass
class Outcome:
    kills: int = 0
    partial: int = 0
    checked: int = 0
    unreadable: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)


def spawn(folder: Path, sets: list[str]) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "random"}
    command = [sys.executable, str(Path(__file__).resolve()), "--child", str(folder), *sets]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)


def newest(folder: Path) -> str:
    return max((path.name for path in (folder / "checkpoints").glob("step-*")), default="")


def kill_once(folder: Path, sets: list[str], rng: random.Random, outcome: Outcome) -> bool:
    """Start, wait for a new checkpoint (or now and then kill before there is one), kill a moment later. False when the run has ended."""
    process, before = spawn(folder, sets), newest(folder)
    early = rng.random() < 0.1 and bool(before)
    deadline = time.monotonic() + rng.uniform(0.5, 4.0) if early else float("inf")
    while process.poll() is None and newest(folder) == before and time.monotonic() < deadline:
        time.sleep(0.002)
    if not early:
        time.sleep(rng.uniform(0.0, 0.5))
    if process.poll() is not None:
        _, errors = process.communicate()
        assert process.returncode == 0, errors.decode()
        return False
    process.send_signal(signal.SIGKILL)
    process.communicate()
    outcome.kills += 1
    return True


def look(folder: Path, keep: int, outcome: Outcome) -> None:
    """Read every checkpoint that a kill left."""
    from zhuji.training.checkpoint import Checkpoints

    outcome.partial += any((folder / "checkpoints").glob(".partial-*"))
    for path in (folder / "checkpoints").glob("damaged-*"):
        outcome.unreadable.append(path.name)
    shelf = Checkpoints(folder / "checkpoints", keep) if (folder / "checkpoints").exists() else None
    for step in shelf.steps() if shelf else []:
        outcome.checked += 1
        if shelf is not None and shelf.read(step) is None:
            outcome.unreadable.append(f"step {step}")


def essence(folder: Path) -> dict[str, object]:
    """All of a finished run that must not depend on how often it was killed."""
    results = json.loads((folder / "results.json").read_text())
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return {
        "weights": (folder / "bundle" / "model.safetensors").read_bytes(),
        "results": {name: value for name, value in results.items() if name not in TIMES},
        "log": [{name: value for name, value in line.items() if name not in TIMES} for line in lines],
        "predictions": (folder / "predictions.csv").read_bytes() if (folder / "predictions.csv").exists() else b"",
    }


def run(folder: Path, sets: list[str], *, kills: int, seed: int = 0) -> Outcome:
    """Train once undisturbed and once with so many kills."""
    rng, outcome = random.Random(seed), Outcome()
    process = spawn(folder / "undisturbed", sets)
    _, errors = process.communicate()
    assert process.returncode == 0, errors.decode()
    killed = folder / "killed"
    while outcome.kills < kills and kill_once(killed, sets, rng, outcome):
        look(killed, 2, outcome)
    if not (killed / "results.json").exists():
        _, errors = spawn(killed, sets).communicate()
        assert (killed / "results.json").exists(), errors.decode()
    ours, theirs = essence(folder / "undisturbed"), essence(killed)
    outcome.differences = [name for name in ours if ours[name] != theirs[name]]
    return outcome


def main() -> int:
    if sys.argv[1:2] == ["--child"]:
        child(Path(sys.argv[2]), sys.argv[3:])
        return 0
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--pretrain", action="store_true")
    chosen = parser.parse_args()
    started = time.monotonic()
    data = chosen.data.resolve()
    sets = pretraining(data, chosen.steps) if chosen.pretrain else settings(data, chosen.steps, rows=2000)
    with tempfile.TemporaryDirectory() as folder:
        outcome = run(Path(folder), sets, kills=chosen.kills)
    print(
        f"{outcome.kills} kills in {time.monotonic() - started:.0f} s, {outcome.partial} of them while a checkpoint was being written"
    )
    print(f"{outcome.checked} checkpoints read after kills, {len(outcome.unreadable)} unreadable")
    print(
        f"ended with the same bits as undisturbed: {'yes' if not outcome.differences else 'NO: ' + ', '.join(outcome.differences)}"
    )
    return int(outcome.kills < chosen.kills or bool(outcome.unreadable or outcome.differences))


if __name__ == "__main__":
    sys.exit(main())
