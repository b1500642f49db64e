"""Several voices in one model: the recipe `speak` on the spoken digits of six speakers, each digit said by each of them, and who and what classifiers hear that
learned from recordings alone.

    python benchmarks/synthesis_speakers.py --data digits_en --work FOLDER

The data are a folder with `metadata.csv` (file_name, transcript, speaker, split). The voice and both classifiers (`spoken`, by digit and by speaker) learn from the training recordings; the classifiers
are asked about the published test recordings first. One word is kept for validation, as no sentence stands in two splits, and is not said; every other one is met in training by every speaker, so that this asks whether a speaker can be chosen, not whether new texts are said well
(`synthesis.py` does). Speed: the middle of the durations at each, against those at 1. What is finished in --work is not trained again.
"""

from __future__ import annotations

import argparse
import csv
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
from machine import record, table

import zhuji
from zhuji.core.records import Sound
from zhuji.data.sounds import as_wav
from zhuji.model.predictor import Predictor
from zhuji.model.speak import SpeakSettings, Spoken, spoken
from zhuji.tools._own_rows import own_rows

ALWAYS = ("train.threads=1", "train.rehearse=false", "data.leaks=allow")
"""The transcripts are ten words: they stand in every split."""
RUNS = {
    "voices": ("speak", ["--set", "task.frames.rate=8000", "--set", "train.epochs=60"]),
    "words": ("spoken", ["--set", "train.precision=fp32"]),
    "who": ("spoken", ["--label", "speaker", "--set", "train.precision=fp32"]),
}
SPEEDS = (0.7, 1.0, 1.4)


def trained(data: Path, work: Path, name: str) -> tuple[Predictor, str]:
    """A run's predictor, and the CPU minutes that it took."""
    recipe, words = RUNS[name]
    run, told = work / name, work / f"{name}.minutes"
    if not (run / "results.json").exists():
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        sets = [word for pair in ALWAYS for word in ("--set", pair)]
        subprocess.run(
            [sys.executable, "-m", "zhuji", "train", str(data), "--model", recipe, "--run-dir", str(run), *sets, *words],
            check=True,
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        told.write_text(f"{(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / 60:.1f}", encoding="utf-8")
    return zhuji.load(run).predictor, told.read_text(encoding="utf-8").strip()


def share(right: np.ndarray) -> str:
    """With its 95 % interval, by resampled rows."""
    chance = np.random.default_rng(0)
    means = [right[chance.integers(len(right), size=len(right))].mean() for _ in range(1000)]
    low, high = np.quantile(means, (0.025, 0.975))
    return f"{right.mean():.3f} [{low:.3f}, {high:.3f}]"


def heard(judge: Predictor, files: list[Sound], wanted: list[str]) -> np.ndarray:
    return np.array([str(one.answer) == name for one, name in zip(judge.predict(files), wanted, strict=True)])


def saved(folder: Path, said: list[Spoken], names: list[str]) -> list[Sound]:
    folder.mkdir(parents=True, exist_ok=True)
    for one, name in zip(said, names, strict=True):
        (folder / f"{name}.wav").write_bytes(as_wav(one.samples, one.rate))
    return [Sound(str(folder / f"{name}.wav")) for name in names]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    asked = parser.parse_args()
    runs = {name: trained(asked.data, asked.work, name) for name in RUNS}
    voice, words, who = (runs[name][0] for name in RUNS)
    with open(asked.data / "metadata.csv", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "test"]
    _, prepared = own_rows(asked.work / "voices")
    met = {str(record.input) for record in prepared.split("train")}
    people, digits = sorted({row["speaker"] for row in rows}), sorted({row["transcript"] for row in rows} & met)
    lines: list[list[object]] = []
    totals: dict[tuple[str, str], list[np.ndarray]] = {}
    faster: dict[float, list[float]] = {speed: [] for speed in SPEEDS}
    for person in people:
        mine = [row for row in rows if row["speaker"] == person]
        said = {speed: spoken(voice, digits, SpeakSettings(speaker=person, speed=speed)) for speed in SPEEDS}
        sets = {
            "recordings": ([Sound(str(asked.data / row["file_name"])) for row in mine], [row["transcript"] for row in mine]),
            "said": (saved(asked.work / "said" / person, said[1.0], digits), digits),
        }
        lengths = {"recordings": [float(row["duration"]) for row in mine], "said": [one.seconds for one in said[1.0]]}
        for name, (files, texts) in sets.items():
            found = heard(words, files, texts), heard(who, files, [person] * len(files))
            for about, right in zip(("word", "who"), found, strict=True):
                totals.setdefault((name, about), []).append(right)
            lines.append([person, name, len(files), *(f"{one.mean():.2f}" for one in found), f"{np.mean(lengths[name]):.2f}"])
        for speed in SPEEDS:
            faster[speed] += [b.seconds / a.seconds for a, b in zip(said[speed], said[1.0], strict=True)]
    whole = {key: np.concatenate(parts) for key, parts in totals.items()}
    lines += [
        ["all", name, len(whole[name, "word"]), share(whole[name, "word"]), share(whole[name, "who"]), ""]
        for name in ("recordings", "said")
    ]
    speeds = ", ".join(
        f"{speed:g}: {np.median(faster[speed]):.2f} [{min(faster[speed]):.2f}, {max(faster[speed]):.2f}]" for speed in SPEEDS
    )
    minutes = ", ".join(f"{name} {of[1]}" for name, of in runs.items())
    body = table(["speaker", "what is heard", "sounds", "word right", "speaker right", "seconds each"], lines)
    notes = f"Times as fast as at speed 1, middle [least, most]: {speeds}. CPU minutes of training: {minutes}. Words: {', '.join(digits)}. One seed. Griffin-Lim makes the samples. Nobody has listened."
    record(
        "synthesis_speakers",
        "Several voices in one model",
        f"{body}\n\n{notes}",
        f"python benchmarks/synthesis_speakers.py --data {asked.data.name} --work FOLDER",
    )


if __name__ == "__main__":
    main()
