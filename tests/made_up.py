"""Made-up reviews whose last word tells the class: for tests of what training does, where what is learned does not matter."""

from __future__ import annotations

import csv
import random
from pathlib import Path

WORDS = [
    "the",
    "a",
    "film",
    "scene",
    "story",
    "hour",
    "actor",
    "music",
    "camera",
    "voice",
    "room",
    "street",
    "river",
    "light",
    "house",
    "tree",
]


def reviews(path: Path, rows: int = 200) -> Path:
    """A CSV of that many reviews at `path`; the same ones at every call. The golden loss curves are of these."""
    rng = random.Random(0)
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for i in range(rows):
            text = " ".join([*rng.choices(WORDS, k=rng.randint(5, 30)), ["good", "bad"][i % 2]])
            writer.writerow([text, ["yes", "no"][i % 2]])
    return path


def texts(path: Path, lines: int = 300) -> Path:
    """A text file of that many made-up sentences, each another; the same ones at every call."""
    rng = random.Random(1)
    names = [f"{word}{rng.choice('aeiou')}{rng.choice('lmnrst')}" for word in WORDS]
    with open(path, "w") as file:
        for i in range(lines):
            kept = rng.sample([*WORDS, *names], 12)
            file.write(f"{' '.join(kept)} {i} {rng.getrandbits(40):x}\n")
    return path
