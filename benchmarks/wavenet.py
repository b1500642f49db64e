"""WaveNet over samples: what a made sample costs with queues (Paine et al. 2016) and without, and how well the recipe `wavenet` foresees spoken digits.

    python benchmarks/wavenet.py --run RUN --minutes 5.5

The network is the recipe's. Three ways make the same samples, turn about in every round, from the same prompt: with queues; by reading the receptive field
again for each sample, which is the least that must be read without them; and as the generator does for a network that keeps nothing, reading all samples so
far. Times are those of the process, not of the clock: other work on the machine costs them little. With `--run` the scores of a finished run stand below; `--minutes`:
of a processor, that it took.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from machine import record, table
from torch import Tensor

from zhuji import recipes
from zhuji.backbones.wavenet import Wavenet
from zhuji.core import lookup
from zhuji.core.contracts import Backbone, Modality, Task
from zhuji.core.units import Units
from zhuji.model.assembly import Model, assemble
from zhuji.model.continuing import Context, Continuing
from zhuji.tasks.next_unit import NextHead

CACHED, PLAIN = 200, 3
"""Samples made in a round, with queues and without."""


def network(seed: int) -> Model:
    """The recipe's, of random weights: they do not matter to time."""
    asked = recipes.layer("wavenet", "train")
    modality, task = lookup.build(Modality, asked["modality"]), lookup.build(Task, asked["task"])
    return assemble(modality, lookup.build(Backbone, asked["backbone"]), task, seed).eval()


def logits_of(model: Model, ids: Tensor) -> Tensor:
    """`ids (B, T)` -> logits `(B, V)` of what follows, from nothing that was kept."""
    states = model.encoder(Units(torch.ones_like(ids, dtype=torch.bool), ids)).states[:, -1]
    assert isinstance(model.head, NextHead)
    return model.head.logits(states, model.encoder.table())


def a_sample(work: Callable[[], object], count: int) -> float:
    """Milliseconds of the process for each of `count` samples."""
    begun = time.process_time()
    for _ in range(count):
        work()
    return (time.process_time() - begun) / count * 1e3


class Made:
    """Samples made with queues after a prompt, the likeliest each time."""

    def __init__(self, model: Model, prompt: Tensor) -> None:
        self.rows = Continuing(model, prompt.tolist())
        self.logits, self.context = self.rows.step(self.rows.start, self.rows.context)

    def step(self) -> None:
        assert isinstance(self.context, Context)
        self.logits, self.context = self.rows.step(self.logits.argmax(-1), self.context)


def speed(rounds: int, batches: tuple[int, ...], behind: int) -> str:
    """A table: milliseconds for each sample of each row, by what was read."""
    lines: list[list[object]] = []
    backbone = network(0).backbone
    assert isinstance(backbone, Wavenet)
    field = backbone.receptive_field
    for batch in batches:
        found: dict[str, list[float]] = {"queues": [], "field": [], "all": []}
        worst = 0.0
        for seed in range(rounds):
            model = network(seed)
            prompt = torch.randint(0, 256, (batch, behind), generator=torch.Generator().manual_seed(seed))
            made = Made(model, prompt)
            found["queues"].append(a_sample(made.step, CACHED) / batch)
            so_far = made.context.ids
            found["field"].append(a_sample(lambda m=model, s=so_far: logits_of(m, s[:, -field:]), PLAIN) / batch)
            found["all"].append(a_sample(lambda m=model, s=so_far: logits_of(m, s), PLAIN) / batch)
            worst = max(worst, (made.logits - logits_of(model, so_far)).abs().max().item())
        queues, of_field, of_all = (statistics.median(found[name]) for name in ("queues", "field", "all"))
        pairs = zip(found["queues"], found["field"], strict=True)
        ratio = statistics.median(plain / fast for fast, plain in pairs)
        lines.append([
            batch, f"{queues:.3f}", f"{of_field:.2f}", f"{of_all:.2f}", f"{ratio:.0f}×", f"{queues * 8:.1f}", f"{worst:.0e}",
        ])  # fmt: skip
    header = [
        "rows at once", "with queues, ms", f"receptive field ({field:,} samples) again, ms", f"all {behind + CACHED:,} samples again, ms", "queues are faster by",
        "seconds of work for a second of sound at 8 kHz", "largest difference of a logit",
    ]  # fmt: skip
    return table(header, lines)


def scores(run: Path, minutes: float | None) -> str:
    """The run's bits a sample beside those of counting."""
    facts = json.loads((run / "results.json").read_text(encoding="utf-8"))
    rows = {"zhuji, recipe wavenet": facts["test"], "what follows the previous sample, counted": facts["baselines"]["previous_unit"],
            "how often each sample comes, counted": facts["baselines"]["unigram"]}  # fmt: skip
    lines: list[list[object]] = []
    for name, of in rows.items():
        bits, right = of["bits_per_unit"], of["next_accuracy"]
        lines.append([name, f"{bits['value']:.3f} [{bits['low']:.3f}, {bits['high']:.3f}]", f"{right['value']:.3f}"])
    took = "" if minutes is None else f" {minutes:.1f} minutes of a processor for all of it, preparing and scoring included."
    told = f"{facts['model']['parameters']:,} parameters, {facts['steps']:,} steps; test rows: {len((run / 'predictions.csv').read_text().splitlines()) - 1:,}."
    return f"\n\n{told}{took}\n\n" + table(["of the next sample of a test recording", "bits a sample", "guessed right"], lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, help="a finished run of the recipe")
    parser.add_argument("--minutes", type=float, help="of a processor that the run took")
    parser.add_argument("--rounds", type=int, default=5, help="each with its own weights and prompt")
    parser.add_argument("--behind", type=int, default=4_000, help="samples of the prompt")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with torch.no_grad():
        body = speed(options.rounds, (1, 8), options.behind)
    body = f"Medians of {options.rounds} rounds, one thread, fp32.\n\n{body}"
    command = "python benchmarks/wavenet.py"
    if options.run is not None:
        body += scores(options.run, options.minutes)
        command += " --run RUN" + ("" if options.minutes is None else f" --minutes {options.minutes:g}")
    record("wavenet", "WaveNet over samples", body, command)


if __name__ == "__main__":
    main()
