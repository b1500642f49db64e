"""Resident memory over a training with texts of mixed length: after 2,000 steps within 5 % of that after 200.

    python benchmarks/memory_flat.py DATA.csv [--steps 2000]

Prints resident memory at some steps and the ratio; leaves with 1 if the ratio is above 1.05.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from zhuji.core.threads import polite


def resident(folder: Path, data: Path, steps: int, backbone: str) -> dict[int, float]:
    """step -> MiB, from the run's own log."""
    polite()
    from zhuji.training.fit import fit
    from zhuji.training.run import compose

    sets = [
        f"data.path={data}", f"backbone={{name: {backbone}}}", f"train.steps={steps}", "train.batch_units=4096",
        "train.evaluate_every=1", "train.checkpoint_seconds=30", "train.precision=fp32", "evaluate.baselines=false",
        "evaluate.bootstrap=0", "data.near=0",
    ]  # fmt: skip
    fit(compose(sets=sets), folder)
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return {line["step"]: line["rss_mb"] for line in lines if line["kind"] == "train"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--backbone", default="recurrent")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        memory = resident(Path(folder) / "run", chosen.data.resolve(), chosen.steps, chosen.backbone)
    early = min(memory, key=lambda step: abs(step - chosen.steps / 10))
    late = max(memory)
    for step in sorted(memory)[:: max(1, len(memory) // 10)]:
        print(f"step {step:6d}: {memory[step]:8.1f} MiB")
    ratio = memory[late] / memory[early]
    print(f"step {late} / step {early}: {memory[late]:.1f} / {memory[early]:.1f} MiB = {ratio:.3f}")
    return int(ratio > 1.05)


if __name__ == "__main__":
    sys.exit(main())
