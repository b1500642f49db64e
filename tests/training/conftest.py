"""A small real training in seconds: made-up sentences whose words tell the class."""

from __future__ import annotations

import csv
import random

import pytest

from tests.made_up import WORDS
from zhuji.training.run import compose

GOOD, BAD = ["good", "fine", "great", "lovely", "warm", "bright"], ["bad", "poor", "awful", "dull", "cold", "grey"]


def sentence(rng: random.Random, good: bool) -> str:
    words = rng.choices(WORDS, k=rng.randint(3, 40)) + rng.choices(GOOD if good else BAD, k=2)
    rng.shuffle(words)
    return " ".join(words)


@pytest.fixture(scope="session")
def reviews(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "reviews.csv"
    rng = random.Random(0)
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        writer.writerows([sentence(rng, i % 2 == 0), "yes" if i % 2 == 0 else "no"] for i in range(320))
    return path


@pytest.fixture
def settings(reviews):
    """A function from `--set` pairs to a quick run over the reviews."""

    def make(*sets):
        return compose(
            {
                "data": {"path": str(reviews), "near": 0},
                "backbone": {"name": "recurrent", "width": 8, "hidden": 6},
                "train": {"epochs": 2, "batch_rows": 16, "precision": "fp32", "threads": 1, "rehearse": False},
                "evaluate": {"bootstrap": 10, "baselines": False, "golden_rows": 4},
            },
            sets=sets,
        )

    return make
