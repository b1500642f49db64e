"""Do explanations name the words that matter? Words are taken out of texts, or put into empty ones, by weight; the area between both curves of
the answer's probability says how well the order was (Petsiuk et al. 2018, sections 3 and 4.3). Beside it: leaving each word out, and chance.

    python benchmarks/faithfulness.py RUN=TEXTS.txt [RUN=TEXTS.txt …] [--rows 200]
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from machine import record, table

from zhuji.api import load
from zhuji.model.explain import Explained, explain
from zhuji.model.predictor import Predictor

STEPS = np.linspace(0, 1, 11)


class Words:
    """The words of one explanation, and the texts that some of them make."""

    def __init__(self, one: Explained) -> None:
        self.name, self.parts = one.about, one.parts
        self.places = [place for place, part in enumerate(one.parts) if part.text.strip()]

    def text(self, kept: np.ndarray) -> str:
        """What is left, blanks as they stood."""
        gone = {place for place, keep in zip(self.places, kept, strict=True) if not keep}
        return "".join(part.text for place, part in enumerate(self.parts) if place not in gone)


def odds(predictor: Predictor, texts: Sequence[str], name: str) -> np.ndarray:
    """The class's probability for each text."""
    return np.array([(found.scores or {})[name] for found in predictor.predict(texts)])


def area(predictor: Predictor, words: Words, weights: np.ndarray) -> float:
    """Between the curve of insertion and that of deletion."""
    rank = np.empty(len(weights), np.int64)
    rank[np.argsort(-weights, kind="stable")] = np.arange(len(weights))
    taken = [rank < round(share * len(weights)) for share in STEPS]
    chances = odds(predictor, [words.text(~first) for first in taken] + [words.text(first) for first in taken], words.name)
    return float(np.trapezoid(chances[len(STEPS) :] - chances[: len(STEPS)], STEPS))


def measured(run: Path, texts: Sequence[str]) -> list[object]:
    """A line of the table: the mean area and its standard error by explanation, by leaving each word out, and by chance."""
    predictor, random = load(run).predictor, np.random.default_rng(0)
    found: list[list[float]] = []
    for text in texts:
        one = next(explain(predictor, text))
        words = Words(one)
        size = len(words.places)
        without = odds(predictor, [words.text(np.arange(size) != place) for place in range(size)], words.name)
        orders = (np.array([one.parts[place].weight for place in words.places]), -without, random.random(size))
        found.append([area(predictor, words, weights) for weights in orders])
    areas = np.array(found)
    errors = areas.std(0) / len(areas) ** 0.5
    return [run.name, len(areas), *(f"{mean:+.3f} ± {error:.3f}" for mean, error in zip(areas.mean(0), errors, strict=True))]


def main() -> None:
    """One table."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument(
        "given", nargs="+", metavar="RUN=TEXTS", help="a run of a classifier, and a text file with one text a line"
    )
    asked.add_argument("--rows", type=int, default=200)
    given = asked.parse_args()
    torch.set_num_threads(1)
    rows: list[list[object]] = []
    for pair in given.given:
        run, _, texts = pair.partition("=")
        lines = (line.strip() for line in Path(texts).read_text(encoding="utf-8").splitlines())
        rows.append(
            measured(Path(run), list(islice((line for line in lines if len(line.split()) > 1 or len(line) > 4), given.rows)))
        )
    header = ["run", "texts", "explanation", "each word left out", "by chance"]
    body = "Area between the curves of insertion and deletion, with its standard error.\n\n" + table(header, rows)
    record("faithfulness", "Faithfulness of explanations", body, "python benchmarks/faithfulness.py RUN=TEXTS.txt …")


if __name__ == "__main__":
    main()
