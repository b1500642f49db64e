"""The article's program in Keras, with the faults mended that keep it from running on real files.

    python keras_bilstm.py --data en_sections.csv --epochs 10 --model bilstm.keras

As it stands there: a CSV of text and label, a word vocabulary, every text padded to the longest one, embedding 16,
bidirectional LSTM 32, dense 32, softmax, Adam, 10 epochs, batches of Keras' default 32, accuracy, save. Mended: the CSV is read
as CSV (commas inside the text), labels that are words become numbers, the vocabulary is learned from the training rows and saved.
`--length` pads and cuts to a sensible length instead. `--steps` times so many batches an epoch, after a warm-up, and stops there.
Each epoch prints one JSON line on standard output; with `--lockstep` it waits for a line on standard input before each.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
import time
from pathlib import Path

import keras
import numpy as np

BATCH = 32
WARM_UP = 3


def read(path: Path) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Texts and labels of the rows, by split."""
    csv.field_size_limit(1 << 30)
    texts: dict[str, list[str]] = {"train": [], "test": []}
    labels: dict[str, list[str]] = {"train": [], "test": []}
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            texts[row["split"]].append(row["text"])
            labels[row["split"]].append(row["label"])
    return texts, labels


def build(words: int, classes: int) -> keras.Model:
    """Embedding 16, BiLSTM 32, dense 32, softmax."""
    model = keras.Sequential(
        [
            keras.layers.Embedding(words, 16),
            keras.layers.Bidirectional(keras.layers.LSTM(32)),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dense(classes, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def encode(texts: dict[str, list[str]], length: int | None) -> tuple[dict[str, np.ndarray], list[str]]:
    """Word numbers (N, T), T the longest training text's word count or `length`; the vocabulary is that of the training rows."""
    longest = length or max(len(text.split()) for text in texts["train"])
    layer = keras.layers.TextVectorization(output_sequence_length=longest)
    layer.adapt(texts["train"])
    encoded = {split: np.asarray(layer(np.array(rows, dtype=object)), dtype=np.int32) for split, rows in texts.items()}
    return encoded, list(layer.get_vocabulary())


def timed_steps(model: keras.Model, x: np.ndarray, y: np.ndarray, steps: int, rng: np.random.Generator) -> float:
    """Seconds that a whole epoch would take, from `steps` shuffled batches after a warm-up; Keras' own fit does the steps."""
    rows = rng.permutation(len(x))
    warm, timed = rows[: WARM_UP * BATCH], rows[WARM_UP * BATCH : (WARM_UP + steps) * BATCH]
    model.fit(x[warm], y[warm], batch_size=BATCH, epochs=1, verbose=0)
    began = time.perf_counter()
    model.fit(x[timed], y[timed], batch_size=BATCH, epochs=1, verbose=0)
    return (time.perf_counter() - began) / len(timed) * len(x)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--length", type=int, help="words kept of a text; default: the longest text's")
    parser.add_argument("--steps", type=int, help="batches timed an epoch; default: the whole epoch")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", type=Path, help="where to save the model and its vocabulary")
    parser.add_argument("--lockstep", action="store_true", help="wait for a line before each epoch")
    return parser.parse_args()


def train(options: argparse.Namespace) -> None:
    """Trains, printing one JSON line an epoch: seconds, and test accuracy where the epoch was whole."""
    keras.utils.set_random_seed(options.seed)
    texts, labels = read(options.data)
    names = sorted(set(labels["train"]))
    y = {split: np.array([names.index(label) for label in rows], dtype=np.int32) for split, rows in labels.items()}
    x, vocabulary = encode(texts, options.length)
    model, rng = build(len(vocabulary), len(names)), np.random.default_rng(options.seed)
    tell(kind="ready", keras=keras.__version__, words=len(vocabulary), length=x["train"].shape[1], rows=len(x["train"]))
    for epoch in range(1, options.epochs + 1):
        if options.lockstep and not sys.stdin.readline():
            break
        if options.steps:
            tell(kind="epoch", epoch=epoch, seconds=timed_steps(model, x["train"], y["train"], options.steps, rng))
            continue
        began = time.perf_counter()
        model.fit(x["train"], y["train"], batch_size=BATCH, epochs=1, verbose=0)
        seconds = time.perf_counter() - began
        tell(kind="epoch", epoch=epoch, seconds=seconds, accuracy=accuracy(model, x["test"], y["test"]))
    if options.model:
        model.save(options.model)
        options.model.with_suffix(".json").write_text(json.dumps({"words": vocabulary, "labels": names}, ensure_ascii=False))


def accuracy(model: keras.Model, x: np.ndarray, y: np.ndarray) -> float:
    return float(model.evaluate(x, y, batch_size=256, verbose=0)[1])


def tell(**facts: object) -> None:
    print(json.dumps(facts), flush=True)


if __name__ == "__main__":
    train(arguments())
