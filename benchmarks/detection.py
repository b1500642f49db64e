"""Objects in photographs: mAP of the recipe `detector` on blood cells under the microscope, trained from nothing on one core, by head.

    python benchmarks/detection.py --data blood_cells --work FOLDER
    python benchmarks/detection.py --data blood_cells --work FOLDER --heads cell --pretrain 400 --name detection_pretrained

The published splits are used; one validation photograph nearly repeats a training photograph and is moved to it by the leak gate. Every run is an ordinary
`zhuji train FOLDER --model detector` whose pictures may stand on their heads, too: blood has no up. CPU seconds are those of the whole command, with
reading, validations, test and report. A run that is finished in --work is not trained again.

--pretrain: the same again, begun from a network that was taught for so many steps to find two crops of a photograph again among those of others (recipe simclr with the
detector's network), on the photographs of the training and validation splits without their boxes.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml
from machine import record, table

from zhuji import recipes

HEADS = ("cell", "scales")
SCORES = ("map50", "map50_95", "map75", "f1")
ALWAYS = ("train.threads=1", "train.precision=fp32", "modality.variation.flip_down=0.5")
CPU = "cpu_seconds.json"


def trained(folder: Path, begin: list[str]) -> dict[str, Any]:
    """`results.json` of a run, which is begun with this command if it is not finished, and the CPU seconds that it took: none of one that was stopped and
    resumed."""
    if not (folder / "results.json").exists():
        begun = (folder / "start.json").exists()
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = ["resume", str(folder)] if begun else ["train", *begin, "--run-dir", str(folder)]
        subprocess.run([sys.executable, "-m", "zhuji", *command], check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        (folder / CPU).write_text(json.dumps(None if begun else spent), encoding="utf-8")
    facts: dict[str, Any] = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    return {**facts, "cpu": json.loads((folder / CPU).read_text(encoding="utf-8"))}


def with_sets(words: list[str], sets: Iterable[str]) -> list[str]:
    return [*words, *(word for pair in sets for word in ("--set", pair))]


def detector(data: Path, head: str, seed: int, sets: list[str], start: Path | None = None) -> list[str]:
    """The words of a training. What begins from another network has that one's modality: size and variation are those of the recipe again."""
    words = [str(data), "--model", "detector", "--seed", str(seed)]
    if start is not None:
        words += ["--from", str(start)]
        sets = [*(f"modality.{key}={json.dumps(recipe()['modality'][key])}" for key in ("size", "variation")), *sets]
    return with_sets(words, (f"task.kind={head}", *sets, *ALWAYS))


def recipe() -> dict[str, Any]:
    return yaml.safe_load((Path(recipes.__file__).parent / "detector.yaml").read_text(encoding="utf-8"))


def without_boxes(data: Path, folder: Path) -> Path:
    """The photographs of the published training and validation splits, by the same splits, and nothing of what stands in them."""
    for part, split in (("train", "train"), ("val", "valid")):
        (folder / split).mkdir(parents=True, exist_ok=True)
        for name in (data / "ImageSets" / "Main" / f"{part}.txt").read_text().split():
            shutil.copy(data / "JPEGImages" / f"{name}.jpg", folder / split)
    return folder


def pretraining(data: Path, steps: int) -> list[str]:
    network = {**recipe()["backbone"], "shortcut": "project"}
    sets = (
        "modality.size=[96, 128]", "modality.variation.zoom=[0.04, 0.2]", "modality.variation.flip_down=0.5", f"backbone={json.dumps(network)}",
        f"train.steps={steps}", "train.batch_rows=64", "train.batch_units=1000000", "train.threads=1", "data.splits.test=0.05", "evaluate.baselines=false",
    )  # fmt: skip
    return with_sets([str(data), "--model", "simclr"], sets)


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
    parser.add_argument("--pretrain", type=int, default=0, metavar="STEPS")
    parser.add_argument("--name", default="detection")
    parser.add_argument("--set", dest="sets", action="append", default=[], metavar="KEY=VALUE")
    asked = parser.parse_args()
    runs = {
        f"{head}, seed {seed}": trained(asked.work / f"{head}-{seed}", detector(asked.data, head, seed, asked.sets))
        for head in asked.heads
        for seed in range(asked.seeds)
    }
    told = ""
    if asked.pretrain:
        start = asked.work / "pretrained"
        first = trained(start, pretraining(without_boxes(asked.data, asked.work / "unlabelled"), asked.pretrain))
        told = f" Pretraining: {asked.pretrain} steps, {_minutes(first['cpu'])} CPU minutes."
        for head in asked.heads:
            for seed in range(asked.seeds):
                words = detector(asked.data, head, seed, asked.sets, start)
                runs[f"{head}, pretrained, seed {seed}"] = trained(asked.work / f"{head}-pretrained-{seed}", words)
    ledger = next(iter(runs.values()))["ledger"]
    body = "\n\n".join((
        table(["run", *SCORES, "map50 of validation", "CPU minutes"], lines(runs)),
        table(["run", "class", "test objects", "AP50", "AP50-95", "precision", "recall", "F1"], by_class(runs)),
        f"Photographs: {ledger['read']} read. Precision, recall and F1 at IoU 0.5 of what is given to a person; 95 % intervals from resampled photographs."
        + told,
    ))  # fmt: skip
    command = ["python benchmarks/detection.py --data blood_cells --work FOLDER", *(f"--set {pair}" for pair in asked.sets)]
    if asked.pretrain:
        command.append(f"--heads {' '.join(asked.heads)} --pretrain {asked.pretrain} --name {asked.name}")
    record(asked.name, "Objects in photographs", body, " ".join(command))


if __name__ == "__main__":
    main()
