"""Two small runs, trained once a process: one that tags words, one that writes a second text."""

from __future__ import annotations

import csv
import random
from functools import cache
from pathlib import Path

import zhuji
from tests.trained import folder

FAST = ("train.rehearse=false", "evaluate.bootstrap=20", "train.precision=fp32", "modality.ngrams=1", "modality.weigh=false",
        "backbone.name=recurrent", "backbone.width=16", "backbone.hidden=16", "train.batch_rows=32", "task.dropout=0.0",
        "data.near=0", "train.optim.lr=0.02")  # fmt: skip
NAMES, PLAIN = ["Ada", "Bo", "Cy", "Di", "Ed"], ["went", "saw", "with", "met", "and", "then"]
GERMAN = {"one": "eins", "two": "zwei", "three": "drei", "four": "vier", "five": "fünf"}


@cache
def sentences() -> Path:
    """A folder of CoNLL files: a name, maybe of two words, is a person."""
    rng, place = random.Random(0), folder()
    for split, rows in {"train": 160, "dev": 30, "test": 30}.items():
        lines: list[str] = []
        for number in range(rows):
            for _ in range(rng.randint(2, 4)):
                lines.append(f"{rng.choice(NAMES)}\tB-PER")
                if rng.random() < 0.4:
                    lines.append("Smith\tI-PER")
                lines.append(f"{rng.choice(PLAIN)}\tO")
            lines += [f"{split}{number}\tO", ""]
        (place / f"{split}.conll").write_text("\n".join(lines), encoding="utf-8")
    return place


@cache
def pairs() -> Path:
    """A CSV of numbers in English and German, with two test sets, from two origins."""
    rng, path = random.Random(0), folder() / "pairs.csv"
    with open(path, "w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["en", "de", "split", "group"])
        for number in range(300):
            words = rng.choices(list(GERMAN), k=rng.randint(1, 4))
            split = "train" if number < 240 else ("val", "test_a", "test_b")[number % 3]
            out.writerow([" ".join(words), " ".join(GERMAN[word] for word in words), split, f"g{number % 2}"])
    return path


@cache
def tagged() -> zhuji.Result:
    return zhuji.train(sentences(), epochs=3, run_dir=folder() / "run", sets=FAST)


@cache
def translated() -> zhuji.Result:
    more = (
        "task.decoder=lstm",
        "task.layers=1",
        "train.batch_rows=16",
        "task.beams=2",
        "data.leaks=allow",
        "data.splits.by=random",
    )
    return zhuji.train(pairs(), epochs=6, run_dir=folder() / "run", sets=(*FAST, *more))
