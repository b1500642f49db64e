"""How long a model waits for sounds, and how many seconds of sound it learns from in a second: `zhuji train` of the network of `recognise` against a plain
loop with soundfile and a `DataLoader` (`peers/plain_conformer.py`).

    python benchmarks/sound_input.py --data prompts_en

Both train the same network by CTC with AdamW on the same training clips, in batches of as many seconds of sound on average, in turns on one thread.
Zhuji's numbers are those of its own loop, measured where it takes a batch: from the first batch to the last. What it does once before, reading, comparing
and encoding all clips, is told apart and spread over the recipe's epochs in `with what comes before`. It is measured as it trains by itself, with
`precision=auto`, as well as in fp32, without and with the variation of the recipe; the plain loop knows fp32 and no variation.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from machine import record, table
from peers.plain_conformer import Clips, Plain, Row, padded, steps
from torch.utils.data import DataLoader

from zhuji import recipes
from zhuji.training import loop
from zhuji.training.fit import fit
from zhuji.training.run import compose

HOP = 0.01
OURS = {
    "zhuji, fp32": ("fp32", False),
    "zhuji, bf16": ("bf16", False),
    "zhuji, bf16, with speed and SpecAugment": ("bf16", True),
}


@dataclass
class Turn:
    """Of one turn: seconds of sound learned from, seconds that it took, of these waited for batches, rows, and seconds before the first batch."""

    learned: float = 0.0
    took: float = 0.0
    waited: float = 0.0
    rows: int = 0
    batches: int = 0
    before: float = 0.0

    @property
    def pace(self) -> float:
        return self.learned / self.took


class Watched:
    """Batches as the loop takes them; a batch is learned from until the next is there. The first is waited for by everybody."""

    def __init__(self, batches: Iterator[Any], turn: Turn, began: float) -> None:
        self.batches, self.turn, self.began = batches, turn, began
        self.last, self.sound = 0.0, 0.0

    def __iter__(self) -> Watched:
        return self

    def __next__(self) -> Any:
        asked = time.perf_counter()
        number, batch = next(self.batches)
        now, turn = time.perf_counter(), self.turn
        if self.last:
            turn.took += now - self.last
            turn.waited += now - asked
            turn.learned += self.sound
        else:
            turn.before = now - self.began
        turn.rows, turn.batches = turn.rows + len(batch), turn.batches + 1
        self.last, self.sound = now, float(batch.units.mask.sum()) * HOP
        return number, batch


def ours(options: argparse.Namespace, precision: str, varied: bool) -> Turn:
    turn, began, prefetched = Turn(), time.perf_counter(), loop.prefetched

    class Context:
        def __init__(self, *given: Any) -> None:
            self.inner = prefetched(*given)

        def __enter__(self) -> Watched:
            return Watched(self.inner.__enter__(), turn, began)

        def __exit__(self, *error: Any) -> Any:
            return self.inner.__exit__(*error)

    loop.prefetched = Context  # type: ignore[assignment]
    sets = [f"train.steps={options.steps}", f"train.precision={precision}", "train.threads=1", "train.rehearse=false", "data.leaks=allow",
            "evaluate.baselines=false", "evaluate.bootstrap=0", "train.optim={name: adamw, lr: 0.001}"]  # fmt: skip
    sets += [] if varied else ["modality.variation={}"]
    try:
        with tempfile.TemporaryDirectory() as folder:
            fit(
                compose(recipes.layer("recognise", "train"), {"data": {"path": str(options.data)}}, sets=sets),
                Path(folder) / "run",
                progress=False,
            )
    finally:
        loop.prefetched = prefetched
    return turn


def theirs(options: argparse.Namespace, clips: Clips, workers: int, rows: int, seed: int) -> Turn:
    """A turn of the plain loop; more epochs where one has too few steps."""
    torch.manual_seed(seed)
    began = time.perf_counter()
    model = Plain(len(clips.letters)).train()
    optimiser = torch.optim.AdamW(model.parameters(), 1e-3)
    loader: DataLoader[Row] = DataLoader(clips, rows, shuffle=True, num_workers=workers, collate_fn=padded)
    turn, last = Turn(), 0.0

    def endless() -> Iterator[tuple[float, float]]:
        while True:
            yield from steps(model, optimiser, loader)

    for learned, waited in islice(endless(), options.steps):
        now = time.perf_counter()
        if last:
            turn.learned, turn.waited, turn.took = turn.learned + learned, turn.waited + waited, turn.took + now - last
        else:
            turn.before = now - began
        last, turn.rows, turn.batches = now, turn.rows + rows, turn.batches + 1
    return turn


def measured(options: argparse.Namespace) -> tuple[dict[str, list[Turn]], int]:
    """All turns by name, and how many rows a batch of the plain loop has."""
    clips = Clips(options.data)
    probe = ours(
        argparse.Namespace(**{**vars(options), "steps": options.steps}), "fp32", False
    )  # warms up, and tells how large its batches are
    rows = max(1, round(probe.rows / probe.batches))
    found: dict[str, list[Turn]] = {name: [] for name in (*OURS, *(plain(workers) for workers in options.workers))}
    for number in range(options.turns):
        for name, how in OURS.items():
            found[name].append(ours(options, *how))
        for workers in options.workers:
            found[plain(workers)].append(theirs(options, clips, workers, rows, number))
        print(
            f"turn {number + 1}/{options.turns}", {name: round(turns[-1].pace, 1) for name, turns in found.items()}, flush=True
        )
    return found, rows


def plain(workers: int) -> str:
    return f"plain loop, fp32, {workers} workers"


def lines_of(found: dict[str, list[Turn]], peer: str, epochs: float, minutes: float) -> list[list[object]]:
    lines: list[list[object]] = []
    for name, turns in found.items():
        paces = [turn.pace for turn in turns]
        ratio = statistics.median(turn.pace / other.pace for turn, other in zip(turns, found[peer], strict=True))
        waited = sum(turn.waited for turn in turns) / sum(turn.took for turn in turns)
        before = statistics.median(turn.before for turn in turns) if name in OURS else 0.0
        whole = 1 / (1 / statistics.median(paces) + before / (60 * minutes * epochs))
        lines.append(
            [
                name,
                f"{statistics.median(paces):.1f}",
                f"{min(paces):.1f} – {max(paces):.1f}",
                f"{ratio:.2f}",
                f"{waited:.1%}",
                f"{whole:.1f}",
            ]
        )
    return lines


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1])
    options = parser.parse_args(words)
    torch.set_num_threads(1)
    found, rows = measured(options)
    clips = Clips(options.data)
    minutes = sum(len(clips[number][0]) for number in range(len(clips))) / 16_000 / 60
    epochs = float(recipes.read("recognise").settings["train"]["epochs"])
    peer = max(
        (plain(workers) for workers in options.workers), key=lambda name: statistics.median(turn.pace for turn in found[name])
    )
    header = [
        "training",
        "seconds of sound a second (median)",
        "range",
        f"times that of {peer}",
        "share of time spent waiting",
        "with what comes before",
    ]
    before = statistics.median(turn.before for name in OURS for turn in found[name])
    body = (
        f"{table(header, lines_of(found, peer, epochs, minutes))}\n\n"
        f"{len(clips)} training clips, {minutes:.1f} minutes; batches of {rows} clips in the plain loop, of 3,072 frames with their padding in Zhuji's; {options.turns} turns of "
        f"{options.steps} steps, the first of which is not counted; one thread for the network. Ratios are medians over the turns.\n\n"
        f"Before its first batch Zhuji takes {before:.1f} s to read, compare and encode all clips, once; the last column spreads it over {epochs:g} epochs."
    )
    command = f"python benchmarks/sound_input.py --data {options.data.name} --steps {options.steps} --turns {options.turns}"
    record("sound_input", "Sounds on their way to a model", body, command)


if __name__ == "__main__":
    main()
