"""What a foundation without labels is worth where labels are few: accuracy on the test rows of one file, by number of labels, beside a
linear model over TF-IDF and the article's network on the same rows.

python benchmarks/few_labels.py --data en_sections.csv --corpus en_sections_unlabelled.txt.gz --first
python benchmarks/few_labels.py --data zh_shopping.csv.gz --label category --characters --name few_labels_zh
python benchmarks/few_labels.py --data en_sst2.csv --sizes 0 --name few_labels_sst2

The foundation is pretrained on the texts of --corpus and of the training rows, without their labels and without every text of the test
split. The n labelled rows are drawn at random; with --first, for files that are in no order, seed 0 has the first n. Settings are chosen by
cross-validation on the n rows alone.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import json
import sys
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
QUIET = (
    "evaluate.baselines=false",
    "train.rehearse=false",
    "data.leaks=allow",
    "data.near=0",
    "train.threads=1",
    "train.precision=fp32",
    "evaluate.bootstrap=200",
)
CORPUS = ("corpus.duplicates=exact", "corpus.quality=null", "train.threads=1")
"""Texts are short and clean; only copies, and what is in the test split, are left out."""


def read(path: Path, text: str, label: str) -> tuple[list[Row], list[Row]]:
    """Training and test rows with `text`, `label` and `split`; what a file holds out for validation is training here."""
    open_it: Callable[..., Any] = gzip.open if path.suffix == ".gz" else open
    with open_it(path, "rt", encoding="utf-8", newline="") as file:
        rows = [{"text": row[text], "label": row[label], "split": row["split"]} for row in csv.DictReader(file)]
    return [row for row in rows if row["split"] != "test"], [row for row in rows if row["split"] == "test"]


def chosen(rows: int, size: int, seed: int, first: bool) -> np.ndarray:
    """Numbers of the labelled rows, at random; with `first` seed 0 has those that stand first."""
    return np.arange(rows)[:size] if (first and seed == 0) or size >= rows else stream(seed, "labels").permutation(rows)[:size]


def write(path: Path, train: list[Row], test: list[Row], labelled: np.ndarray) -> Path:
    """The labelled training rows and the test rows."""
    with open(path, "w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["text", "label", "split"])
        writer.writeheader()
        writer.writerows({**train[i], "split": "train"} for i in labelled)
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
    """Test accuracy with its interval, seconds, and what was chosen."""
    begun = time.perf_counter()
    result = api.train(
        path, run_dir=folder, text="text", label="label", split="split", sets=(*QUIET, *options.pop("sets", ())), **options
    )
    choice = folder / "choice.json"
    chosen = json.loads(choice.read_text())["chosen"] if choice.exists() else None
    way = "" if chosen is None else f"{chosen['name']}, C = {chosen['penalty']:g}"
    return {**result.test["accuracy"], "seconds": time.perf_counter() - begun, "way": way}


def compared(
    train: list[Row], test: list[Row], size: int, seed: int, start: Path, options: argparse.Namespace
) -> dict[str, Any]:
    """One size and seed: accuracies of the linear models, of the foundation and, for the first seeds, of the article's network."""
    labelled = chosen(len(train), size or len(train), seed, options.first)
    found: dict[str, Any] = {"rows": len(labelled), "seed": seed}
    kinds = [("char", 2), ("char", 3)] if options.characters else [("word", 1), ("word", 2)]
    for name, (analyzer, longest) in zip(("short", "long"), kinds, strict=True):
        found[name] = linear(train, test, labelled, analyzer, longest)
    with tempfile.TemporaryDirectory() as scratch:
        path = write(Path(scratch) / "rows.csv", train, test, labelled)
        found["ours"] = trained(path, Path(scratch) / "ours", start=start, sets=("data.splits.valid=0",))
        if seed < options.bilstm_seeds:
            found["bilstm"] = trained(path, Path(scratch) / "bilstm", model="bilstm")["value"]
    return found


def known(kept: Path | None, rows: int, seed: int) -> dict[str, Any] | None:
    """What an earlier call has compared."""
    lines = kept.read_text().splitlines() if kept is not None and kept.exists() else []
    return next((each for each in map(json.loads, lines) if (each["rows"], each["seed"]) == (rows, seed)), None)


def keep(kept: Path | None, each: dict[str, Any]) -> dict[str, Any]:
    print(each, file=sys.stderr, flush=True)
    if kept is not None:
        with open(kept, "a") as file:
            file.write(json.dumps(each) + "\n")
    return each


def line(found: list[dict[str, Any]]) -> list[object]:
    """A size: mean and deviation over its seeds."""
    ours = np.array([each["ours"]["value"] for each in found])
    best = np.array([max(each["short"], each["long"]) for each in found])
    columns = [np.array([each[name] for each in found if name in each]) for name in ("bilstm", "short", "long")]
    gains = (ours - best) * 100
    return [
        f"{found[0]['rows']:,}", len(found), *(spread(column) for column in columns), f"**{spread(ours)}**",
        f"{gains.mean():+.1f} ({gains.min():+.1f} to {gains.max():+.1f})",
        f"{np.mean([each['ours']['seconds'] for each in found]):.0f}",
    ]  # fmt: skip


def spread(values: np.ndarray) -> str:
    if not len(values):
        return ""
    return f"{values.mean():.4f}" + (f" ± {values.std(ddof=1):.4f}" if len(values) > 1 else "")


def details(found: list[dict[str, Any]]) -> str:
    rows = [
        [f"{each['rows']:,}", each["seed"], f"{each['short']:.4f}", f"{each['long']:.4f}",
         f"{each['ours']['value']:.4f} ({each['ours']['low']:.4f}–{each['ours']['high']:.4f})", each["ours"]["way"]]
        for each in found
    ]  # fmt: skip
    return table(["labels", "seed", "TF-IDF 1", "TF-IDF 2", "foundation (95 % interval)", "chosen"], rows)


def report(found: list[dict[str, Any]], facts: dict[str, Any], options: argparse.Namespace) -> None:
    sizes = sorted({each["rows"] for each in found})
    kinds = ("characters 1–2", "characters 1–3") if options.characters else ("words", "words and pairs")
    header = [
        "labels",
        "seeds",
        "bilstm",
        *(f"TF-IDF + LinearSVC, {kind}" for kind in kinds),
        "foundation",
        "points over the better linear model",
        "seconds",
    ]
    cost, corpus = facts["cost"], facts["corpus"]
    body = table(header, [line([each for each in found if each["rows"] == size]) for size in sizes])
    body += (
        f"\n\nMean accuracy on {options.data.name}'s test rows ± deviation over seeds: {'seed 0 has the first n training rows, others n at random' if options.first else 'n rows at random'}. "
        f"The article's network ran with {options.bilstm_seeds} seed(s) a size, a tenth of its rows held back for validation.\n\n"
        f"Pretraining, once: {corpus['documents']:,} texts, {corpus['units']:,} units, no test text, no label; {cost['cpu_hours']:.3f} CPU-hours, "
        f"{cost['seconds']:.0f} s, {cost['joules']:,.0f} J ({cost['joules_from']}).\n\n{details(found)}"
    )
    command = f"python benchmarks/few_labels.py --data {options.data.name} --label {options.label}"
    command += "".join(f" --corpus {path.name}" for path in options.corpus) + "".join(
        f" --{flag}" for flag in ("characters", "first") if getattr(options, flag)
    )
    record(options.name, f"Few labels: {options.data.name}, {options.label}", body, command)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--corpus", type=Path, nargs="*", default=[])
    parser.add_argument("--text", default="text")
    parser.add_argument("--label", default="label")
    parser.add_argument(
        "--sizes", type=int, nargs="*", default=[200, 1000, 5000, 0], help="0: all, once: the rows are the same for every seed"
    )
    parser.add_argument("--first", action="store_true", help="seed 0 has the first rows, not rows at random")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--bilstm-seeds", type=int, default=1)
    parser.add_argument(
        "--characters", action="store_true", help="the linear models read characters: for scripts without blanks"
    )
    parser.add_argument("--start", type=Path, help="a pretraining that was run before, in place of a new one")
    parser.add_argument("--kept", type=Path, help="a file of what was compared before, one JSON line each; it is gone on with")
    parser.add_argument("--set", action="append", default=[], help="of the pretraining")
    parser.add_argument("--name", default="few_labels")
    options = parser.parse_args()
    found = list[dict[str, Any]]()
    train, test = read(options.data, options.text, options.label)
    with tempfile.TemporaryDirectory() as scratch:
        start = options.start or Path(scratch) / "pretrain"
        if options.start is None:
            texts = [row["text"] for row in train]
            pretrained(texts, test, options, start)
        facts = json.loads((start / "results.json").read_text())
        for seed in range(options.seeds):
            for size in options.sizes if not seed else [size for size in options.sizes if size]:
                each = known(options.kept, size or len(train), seed)
                found.append(each or keep(options.kept, compared(train, test, size, seed, start, options)))
        report(found, facts, options)


def pretrained(texts: list[str], test: list[Row], options: argparse.Namespace, folder: Path) -> None:
    """On the corpus and the training texts, less the test texts; without a label anywhere."""
    with tempfile.TemporaryDirectory() as scratch:
        own, out = (Path(scratch) / f"{name}.jsonl" for name in ("train", "test"))
        for path, rows in ((own, texts), (out, [row["text"] for row in test])):
            path.write_text("".join(json.dumps({"text": text}) + "\n" for text in rows), encoding="utf-8")
        api.pretrain(
            [*options.corpus, own], objective="contrast", model="embed", text="text", without=[out], run_dir=folder,
            sets=(*CORPUS, *options.set),
        )  # fmt: skip


if __name__ == "__main__":
    main()
