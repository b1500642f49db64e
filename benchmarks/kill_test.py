"""Kill a training again and again with SIGKILL, at random moments, also while it writes a checkpoint, and compare its end with that of
an undisturbed one.

    python benchmarks/kill_test.py DATA.csv [--kills 50]
    python benchmarks/kill_test.py TEXTS.txt --pretrain [--kills 30] [--mini] [--texts 800]
    python benchmarks/kill_test.py PICTURES --gan [--kills 30] [--optim adamw]

With `--pretrain` it is a pretraining in packed rows: masked units, dropout, a moving average of the weights; `--mini`: in the shape of
BERT-mini. With `--gan` two players learn to make pictures, each with an optimiser of its own. Kills are spread over the whole training.
Leaves with 1 unless there were that many and the two runs ended with the same bits: weights, what the optimisers remember, scores and the
log of every step.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from itertools import islice
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


TINY = "width: 16, layers: 2, heads: 2"
MINI = "width: 256, layers: 4, heads: 4, hidden: 1024"


def pretraining(data: Path, steps: int, shape: str = TINY, vocabulary: int = 400) -> list[str]:
    """A small transformer that guesses hidden units in packed rows."""
    return [
        f"corpus.sources=[{data}]", "corpus.valid=0.05", "task={name: masked_units}", "pack=32",
        f"modality={{name: text, tokenizer: bpe, vocab_size: {vocabulary}, max_units: 64}}",
        f"backbone={{name: transformer, {shape}, dropout: 0.1}}",
        "train.batch_units=512", "train.evaluate_every=0.3", "held.bootstrap=10", "held.units=2000", *_common(steps),
    ]  # fmt: skip


def playing(data: Path, steps: int, rows: int = 60, optim: str = "adamw") -> list[str]:
    """A critic with a penalty on its gradient and a maker of pictures."""
    return [
        f"data.path={data}", f"data.limit={rows}", "modality={name: image, size: [16, 16], patch: 1}",
        "backbone={name: strided, channels: 3, widths: [8, 16]}", f"train.optim={{name: {optim}, lr: 0.002}}",
        "task={name: generate, kind: gan, latent: 8, width: 8, features: 16}", "train.batch_rows=16", "train.evaluate_every=0.5",
        "evaluate.bootstrap=10", "evaluate.baselines=false", *_common(steps),
    ]  # fmt: skip


def vocoding(data: Path, steps: int) -> list[str]:
    """Critics of sounds and what makes them of frames."""
    return [
        f"data.path={data}", "modality={name: speech, rate: 4000, window: 0.032, hop: 0.016, bands: 12, floor: -16}",
        "backbone={name: convnext_1d, width: 8, layers: 1}", "task={name: vocode, rate: 4000, piece: 0.2, channels: 2}",
        "train.optim={name: adamw, lr: 0.002}", "train.batch_rows=8", "train.evaluate_every=2", "evaluate.bootstrap=10",
        "evaluate.baselines=false", *_common(steps),
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
    steps: list[int] = field(default_factory=list)
    """The newest checkpoint at each kill."""
    partial: int = 0
    checked: int = 0
    unreadable: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)


def spawn(folder: Path, sets: list[str]) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "random"}
    command = [sys.executable, str(Path(__file__).resolve()), "--child", str(folder), *sets]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE)


def newest(folder: Path) -> int:
    """The step of the newest checkpoint, 0 where there is none."""
    return max((int(path.name[5:]) for path in (folder / "checkpoints").glob("step-*")), default=0)


def kill_once(folder: Path, sets: list[str], rng: random.Random, outcome: Outcome, stride: int = 1) -> bool:
    """Start, wait for some new checkpoints, `stride` on average (or now and then kill before there is one), kill a moment later. False
    when the run has ended."""
    process, before = spawn(folder, sets), newest(folder)
    early = rng.random() < 0.1 and bool(before)
    wanted = before + rng.randint(1, 2 * stride - 1)
    deadline = time.monotonic() + rng.uniform(0.5, 4.0) if early else float("inf")
    seen, since, period = before, time.monotonic(), 0.5
    while process.poll() is None and seen < wanted and time.monotonic() < deadline:
        time.sleep(0.002)
        if (now := newest(folder)) > seen:
            if seen > before:
                period = max(0.5, (time.monotonic() - since) / (now - seen))
            seen, since = now, time.monotonic()
    if not early:
        time.sleep(rng.uniform(0.0, 1.2 * period))  # anywhere in the next step, or in writing its checkpoint
    if process.poll() is not None:
        _, errors = process.communicate()
        assert process.returncode == 0, errors.decode()
        return False
    process.send_signal(signal.SIGKILL)
    process.communicate()
    outcome.kills += 1
    outcome.steps.append(newest(folder))
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
        "the last state": (folder / "checkpoints" / f"step-{newest(folder):08d}" / "state.safetensors").read_bytes(),
        "results": {name: value for name, value in results.items() if name not in TIMES},
        "log": [{name: value for name, value in line.items() if name not in TIMES} for line in lines],
        "predictions": (folder / "predictions.csv").read_bytes() if (folder / "predictions.csv").exists() else b"",
    }


def run(folder: Path, sets: list[str], *, kills: int, seed: int = 0, stride: int = 1) -> Outcome:
    """Train once undisturbed and once with so many kills."""
    rng, outcome = random.Random(seed), Outcome()
    process = spawn(folder / "undisturbed", sets)
    _, errors = process.communicate()
    assert process.returncode == 0, errors.decode()
    killed = folder / "killed"
    while outcome.kills < kills and kill_once(killed, sets, rng, outcome, stride):
        look(killed, 2, outcome)
    if not (killed / "results.json").exists():
        _, errors = spawn(killed, sets).communicate()
        assert (killed / "results.json").exists(), errors.decode()
    ours, theirs = essence(folder / "undisturbed"), essence(killed)
    outcome.differences = [name for name in ours if ours[name] != theirs[name]]
    return outcome


def told(outcome: Outcome, folder: Path, seconds: float) -> str:
    """What happened, in words."""
    lines = [json.loads(line) for line in (folder / "killed" / "metrics.jsonl").read_text().splitlines()]
    epoch = {line["step"]: line["epoch"] for line in lines if "epoch" in line}
    known = [step for step in outcome.steps if step in epoch]
    where = f"at steps {', '.join(map(str, outcome.steps))}"
    if known:
        where += f"; epoch {epoch[known[0]]:.2f} to {epoch[known[-1]]:.2f} of {max(epoch.values()):.2f}"
    same = "**yes** (weights, what the optimisers remember, scores, and the log of every step)"
    return "\n".join([
        f"{outcome.kills} kills in {seconds:.0f} s, {outcome.partial} of them while a checkpoint was being written, {where}.",
        f"{outcome.checked} checkpoints read after kills, **{len(outcome.unreadable)} unreadable**. Ended with the same bits as "
        f"undisturbed: {same if not outcome.differences else 'NO: ' + ', '.join(outcome.differences)}.",
    ])  # fmt: skip


def first_texts(path: Path, to: Path, texts: int) -> Path:
    """The first lines of a file of texts, gzipped or not, as a file of its own."""
    with (gzip.open if path.suffix == ".gz" else open)(path, "rt", encoding="utf-8") as file:
        to.write_text("".join(islice(file, texts)), encoding="utf-8")
    return to


def main() -> int:
    if sys.argv[1:2] == ["--child"]:
        child(Path(sys.argv[2]), sys.argv[3:])
        return 0
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--pretrain", action="store_true")
    parser.add_argument("--mini", action="store_true")
    parser.add_argument("--gan", action="store_true")
    parser.add_argument("--optim", default="adamw", help="of both players of --gan")
    parser.add_argument("--texts", type=int, help="of the file, the first so many lines")
    chosen = parser.parse_args()
    from machine import record

    started, data = time.monotonic(), chosen.data.resolve()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if chosen.texts:
            data = first_texts(data, folder / "texts.txt", chosen.texts)
        size = (MINI, 2000) if chosen.mini else (TINY, 400)
        sets = settings(data, chosen.steps, rows=2000)
        if chosen.pretrain:
            sets = pretraining(data, chosen.steps, *size)
        elif chosen.gan:
            sets = playing(data, chosen.steps, rows=600, optim=chosen.optim)
        outcome = run(folder, sets, kills=chosen.kills, stride=max(1, 4 * chosen.steps // (5 * chosen.kills)))
        text = told(outcome, folder, time.monotonic() - started)
    kind = "pretraining" if chosen.pretrain else "GAN" if chosen.gan else "training"
    name = {"pretraining": "kill_test_pretrain", "GAN": "kill_test_gan"}.get(kind, "kill_test")
    command = " ".join(["python benchmarks/kill_test.py", chosen.data.name, *sys.argv[2:]])
    record(name, f"{outcome.kills} kills of a {kind}, the same bits", text, command)
    return int(outcome.kills < chosen.kills or bool(outcome.unreadable or outcome.differences))


if __name__ == "__main__":
    sys.exit(main())
