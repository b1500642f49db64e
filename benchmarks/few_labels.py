"""What a foundation without labels is worth where labels are few: accuracy on the test rows of one file, by number of labels, beside a
linear model over TF-IDF and the article's network on the same rows.

python benchmarks/few_labels.py --data en_sections.csv --corpus en_sections_unlabelled.txt.gz

The foundation is pretrained on the texts of --corpus and of the training rows, without their labels and without every text of the test
split. Seed 0 has the first n training rows, the others n at random; the labels of all other rows are blank. Settings are chosen by
cross-validation on the n rows alone.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from machine import record, table
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.svm import LinearSVC

from zhuji import api
from zhuji.core.seed import stream

Row = dict[str, str]
QUIET = ("evaluate.baselines=false", "train.rehearse=false")


def read(path: Path, text: str, label: str) -> tuple[list[Row], list[Row]]:
    """Training and test rows with `text`, `label` and `split`; what a file holds out for validation is training here."""
    open_it: Callable[..., Any] = gzip.open if path.suffix == ".gz" else open
    with open_it(path, "rt", encoding="utf-8", newline="") as file:
        rows = [{"text": row[text], "label": row[label], "split": row["split"]} for row in csv.DictReader(file)]
    return [row for row in rows if row["split"] != "test"], [row for row in rows if row["split"] == "test"]


def chosen(rows: int, size: int, seed: int) -> np.ndarray:
    return np.arange(rows)[:size] if seed == 0 or size >= rows else stream(seed, "labels").permutation(rows)[:size]


def write(path: Path, train: list[Row], test: list[Row], labelled: np.ndarray, *, others: bool) -> Path:
    """The labelled training rows and the test rows; with `others` also the other training rows, whose labels are blank."""
    known = set(labelled.tolist())
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["text", "label", "split"])
        writer.writeheader()
        for number, row in enumerate(train):
            if number in known or others:
                writer.writerow({**row, "label": row["label"] if number in known else "", "split": "train"})
        writer.writerows(test)
    return path


def linear(train: list[Row], test: list[Row], labelled: np.ndarray, analyzer: str, longest: int) -> float:
    """Accuracy of LinearSVC over TF-IDF, both as scikit-learn sets them."""
    vectorizer = TfidfVectorizer(analyzer=analyzer, ngram_range=(1, longest))
    features = vectorizer.fit_transform([train[i]["text"] for i in labelled])
    machine = LinearSVC().fit(features, [train[i]["label"] for i in labelled])
    right = machine.predict(vectorizer.transform([row["text"] for row in test])) == np.array([row["label"] for row in test])
    return float(right.mean())


def trained(path: Path, folder: Path, **options: Any) -> dict[str, Any]:
    """Test accuracy with its interval, seconds and what was chosen."""
    begun = time.perf_counter()
    sets = (*QUIET, *options.pop("sets", ()))
    result = api.train(path, run_dir=folder, text="text", label="label", split="split", leaks={"action": "report"}, sets=sets, **options)
    choice = (folder / "choice.json").exists()
    return {**result.test["accuracy"], "seconds": time.perf_counter() - begun, "chosen": choice}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, nargs="*", default=[])
    parser.add_argument("--text", default="text")
    parser.add_argument("--label", default="label")
    parser.add_argument("--sizes", type=int, nargs="*", default=[200, 1000, 5000, 0], help="0: all")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--bilstm-seeds", type=int, default=1)
    parser.add_argument("--characters", action="store_true", help="the linear models read characters: for scripts without blanks")
    parser.add_argument("--start", type=Path, help="a pretraining that was run before, in place of a new one")
    parser.add_argument("--set", action="append", default=[], help="of the pretraining")
    parser.add_argument("--name", default="few_labels")
    options = parser.parse_args()
    print(options)


if __name__ == "__main__":
    main()
