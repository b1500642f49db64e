"""Sentiment on four questions: three-way and as a score by source, SST-2 at full size, Chinese reviews; models beside simple ones.

    python benchmarks/sentiment.py --sentiment en_sentiment.csv --sst2 en_sst2.csv --reviews zh_reviews.csv --work FOLDER

Every run is an ordinary `zhuji train FILE --model NAME`; `foundation` is `zhuji pretrain` on the training texts of the same file, without a
label and without a test text, and `zhuji train FILE --from` it. One that is finished in --work is not trained again.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
from machine import record, table

PUBLISHED = [
    ["CNN, random vectors", "0.827", "Kim 2014, table 2"],
    ["CNN, word2vec vectors, tuned", "0.872", "Kim 2014, table 2"],
    ["LSTM, GloVe vectors", "0.849", "Tai et al. 2015, table 2"],
    ["constituency Tree-LSTM, GloVe vectors", "0.880", "Tai et al. 2015, table 2"],
]
PUBLISHED_TOLD = (
    "Published, on all 1,821 test sentences (here those that repeat a training sentence are moved out). All of these learned from labelled "
    "phrases, about ten times as many rows as the sentences that ours learn from, and all but the first from vectors of large corpora:"
)
NAMES = {
    "majority": "most frequent class", "tfidf_svm": "TF-IDF + linear SVM", "tfidf_logistic": "TF-IDF + logistic regression",
    "mean": "mean of the training rows", "tfidf_ridge": "TF-IDF + ridge",
}  # fmt: skip
CORPUS = ("corpus.duplicates=exact", "corpus.quality=null", "train.threads=1")


def done(folder: Path, *words: str) -> dict[str, Any]:
    """`results.json` of a run, which is made by `zhuji WORDS` if it is not finished."""
    if not (folder / "results.json").exists():
        begin = [*words, "--run-dir", str(folder), "--set", "train.threads=1"]
        again = ["resume", str(folder)] if (folder / "start.json").exists() else begin
        subprocess.run([sys.executable, "-m", "zhuji", *again], check=True)
    return json.loads((folder / "results.json").read_text(encoding="utf-8"))


def foundation(data: Path, work: Path, epochs: int) -> Path:
    """Pretrained on the file's own texts that are not in its test split."""
    folder = work / f"{data.stem}-foundation"
    own, out = (work / f"{data.stem}-{part}.jsonl" for part in ("own", "out"))
    with open(data, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for path, test in ((own, False), (out, True)):
        texts = [row["text"] for row in rows if (row["split"] == "test") == test]
        path.write_text("".join(json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in texts), encoding="utf-8")
    sets = [word for pair in CORPUS for word in ("--set", pair)]
    done(
        folder, "pretrain", str(own), "--objective", "contrast", "--model", "embed", "--text", "text", "--without", str(out),
        "--epochs", str(epochs), *sets,
    )  # fmt: skip
    return folder


def interval(score: dict[str, float]) -> str:
    return f"{score['value']:.3f} [{score['low']:.3f}, {score['high']:.3f}]"


def scored(runs: dict[str, dict[str, Any]], metrics: tuple[str, ...]) -> str:
    """A line a model, then the simple models of the first."""
    rivals = next(iter(runs.values()))["baselines"]
    lines: list[list[object]] = [
        [name, *(interval(facts["test"][metric]) for metric in metrics), f"{facts['seconds']:.0f}"]
        for name, facts in runs.items()
    ]
    lines += [[NAMES.get(name, name), *(interval(of[m]) for m in metrics), ""] for name, of in rivals.items()]
    return table(["model", *metrics, "seconds"], lines)


def by_source(data: Path, polarity: dict[str, Any], score: dict[str, Any]) -> str:
    """Scores of each source, beside what one answers who knows nothing but the source."""
    with open(data, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    train, test = (defaultdict[str, list[dict[str, str]]](list) for _ in range(2))
    for row in rows:
        (test if row["split"] == "test" else train)[row["source"]].append(row)
    lines, right, squares = list[list[object]](), 0, 0.0
    for source, asked in sorted(test.items()):
        usual = Counter(row["label"] for row in train[source]).most_common(1)[0][0]
        mean = np.mean([float(row["score"]) for row in train[source]])
        hits = sum(row["label"] == usual for row in asked)
        error = sum((float(row["score"]) - mean) ** 2 for row in asked)
        right, squares = right + hits, squares + error
        ours, number = polarity["by_group"][source], score["by_group"][source]
        neutral = np.mean([row["label"] == "neutral" for row in asked])
        lines.append([
            source, f"{len(asked):,}", f"{neutral:.2f}", interval(ours["accuracy"]), interval(ours["macro_f1"]),
            f"{hits / len(asked):.3f} ({usual})", interval(number["rmse"]), f"{(error / len(asked)) ** 0.5:.3f}",
        ])  # fmt: skip
    count = sum(map(len, test.values()))
    head = ["source", "test rows", "neutral", "accuracy", "macro-F1", "usual class of the source", "rmse", "rmse of its mean"]
    told = f"Who knows the source alone is right in {right / count:.3f} of all test rows; rmse {(squares / count) ** 0.5:.3f}."
    return table(head, lines) + "\n\n" + told


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentiment", type=Path, required=True)
    parser.add_argument("--sst2", type=Path, required=True)
    parser.add_argument("--reviews", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=20, help="of the foundations")
    asked = parser.parse_args()
    work = asked.work
    work.mkdir(parents=True, exist_ok=True)
    words = ["train", str(asked.sentiment), "--group", "source"]
    polarity = {"bag": done(work / "polarity-bag", *words)}
    number = {"bag": done(work / "score-bag", *words, "--label", "score")}
    sst2 = {name: done(work / f"sst2-{name}", "train", str(asked.sst2), "--model", name) for name in ("bag", "cnn")}
    start = foundation(asked.sst2, work, asked.epochs)
    sst2["foundation"] = done(work / "sst2-from", "train", str(asked.sst2), "--from", str(start))
    reviews = {"bag": done(work / "reviews-bag", "train", str(asked.reviews))}
    cost = json.loads((start / "results.json").read_text(encoding="utf-8"))["cost"]
    body = [
        "## en_sentiment.csv, three-way", scored(polarity, ("accuracy", "macro_f1")),
        "## en_sentiment.csv, score from -4 to 4", scored(number, ("rmse", "mae", "r2")),
        "## en_sentiment.csv by source", by_source(asked.sentiment, polarity["bag"], number["bag"]),
        "## en_sst2.csv", scored(sst2, ("accuracy",)),
        f"The foundation: {cost['cpu_hours']:.3f} CPU-hours on the sentences of training and validation alone.",
        PUBLISHED_TOLD,
        table(["model", "accuracy", "source"], [list[object](line) for line in PUBLISHED]),
        "## zh_reviews.csv", scored(reviews, ("accuracy", "macro_f1")),
    ]  # fmt: skip
    names = " ".join(f"--{name} {getattr(asked, name).name}" for name in ("sentiment", "sst2", "reviews"))
    record("sentiment", "Sentiment", "\n\n".join(body), f"python benchmarks/sentiment.py {names} --work FOLDER")


if __name__ == "__main__":
    main()
