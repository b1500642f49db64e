"""Are planted leaks found, and only those? Recall and precision by kind, on real files, over several seeds.

    python benchmarks/planted_leaks.py --data FOLDER [--files en_spam.csv en_sections.csv] [--seeds 3]

A file has columns `text`, `label`, `split`. Into its test split are planted copies of training rows (as they are; with other blanks;
in other case; with 3 % of the words, at least one, replaced by words of the file), into its group column test rows that bear a
training group, beside its text columns that equal the label or are a code for it, among decoys. The file then goes the whole way
through `zhuji.data.prepare`. Copies that the file holds by nature are neither credit nor fault: they are found beforehand by a
method of its own, brute force over all pairs of character 5-gram sets from scikit-learn.
"""

from __future__ import annotations

import argparse
import csv
import random
import re
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np

from zhuji.data.prepare import Prepared, prepare
from zhuji.data.settings import DataSettings

SHARE = 0.05
"""Planted rows, as a share of the training rows."""
Row = dict[str, str]
Change = Callable[[str, random.Random, Sequence[str]], str]


@dataclass(frozen=True)
class Score:
    """`natural`: rows found that leak by nature; `wrong`: rows found that neither were planted nor leak by nature."""

    planted: int
    found: int
    wrong: int
    natural: int = 0

    @property
    def recall(self) -> float:
        return self.found / self.planted

    @property
    def precision(self) -> float:
        return self.found / max(self.found + self.wrong, 1)


def as_it_is(text: str, rng: random.Random, vocabulary: Sequence[str]) -> str:
    return text


def other_blanks(text: str, rng: random.Random, vocabulary: Sequence[str]) -> str:
    return (
        " " * rng.randrange(3)
        + re.sub(r"\s+", lambda _: rng.choice(["  ", "\t", " \n ", "\u00a0", "   "]), text)
        + rng.choice(["", " ", "\n"])
    )


def other_case(text: str, rng: random.Random, vocabulary: Sequence[str]) -> str:
    return rng.choice([str.upper, str.lower, str.title, str.swapcase])(text)


def other_words(text: str, rng: random.Random, vocabulary: Sequence[str]) -> str:
    parts = cut(text)
    words = [i for i, part in enumerate(parts) if part.strip()]
    for i in rng.sample(words, max(1, round(0.03 * len(words)))):
        parts[i] = rng.choice(vocabulary)
    return "".join(parts)


def cut(text: str) -> list[str]:
    """Words and the blanks between them; a Chinese character is a word."""
    return [part for part in re.split(r"(\s+|[\u4e00-\u9fff])", text) if part]


COPIES: dict[str, Change] = {
    "exact": as_it_is, "whitespace": other_blanks, "case": other_case, "3 % of words": other_words,
}  # fmt: skip


def copies_by_nature(rows: Sequence[Row], threshold: float = 0.8) -> set[int]:
    """Test rows whose character 5-gram set is similar to that of a training row, or of such a test row; by brute force."""
    from scipy.sparse.csgraph import connected_components
    from sklearn.feature_extraction.text import CountVectorizer

    grams = CountVectorizer(analyzer="char", ngram_range=(5, 5), binary=True, dtype=np.int32)
    sets = grams.fit_transform(f" {' '.join(row['text'].split())} " for row in rows)
    sizes = np.asarray(sets.sum(1)).ravel()
    test = np.array([i for i, row in enumerate(rows) if row["split"] == "test"])
    ends: list[np.ndarray] = []
    for part in np.array_split(test, max(1, len(test) // 200)):
        shared = (sets[part] @ sets.T).toarray()
        pairs = np.argwhere(shared >= threshold * (sizes[part][:, None] + sizes[None] - shared))
        ends.append(np.stack([part[pairs[:, 0]], pairs[:, 1]]))
    from scipy.sparse import coo_array

    left, right = np.concatenate(ends, 1)
    component = connected_components(coo_array((np.ones(len(left)), (left, right)), shape=(len(rows),) * 2), directed=False)[1]
    held = {int(component[i]) for i, row in enumerate(rows) if row["split"] == "train"}
    return {int(i) for i in test if int(component[i]) in held}


def through(rows: Iterable[Row]) -> Prepared:
    rows = list(rows)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "planted.csv"
        with open(path, "w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        return prepare(DataSettings(path=str(path)), seed=0)


def reported(ready: Prepared, kinds: Sequence[str]) -> set[int]:
    """Indexes of the test rows that are reported to leak in one of these ways."""
    return {int(p.id_a.removeprefix("row-")) - 1 for p in ready.leaks.pairs if p.kind in kinds and p.split_a == "test"}


def planted_copies(rows: Sequence[Row], change: Change, seed: int, natural: set[int]) -> Score:
    rng = random.Random(seed)
    train = [row for row in rows if row["split"] == "train"]
    vocabulary = [word for row in rng.sample(train, min(len(train), 1000)) for word in cut(row["text"]) if word.strip()]
    chosen = rng.sample(train, round(SHARE * len(train)))
    copies = [{**row, "text": change(row["text"], rng, vocabulary), "split": "test"} for row in chosen]
    found = reported(through([*rows, *copies]), ("exact", "near"))
    planted = set(range(len(rows), len(rows) + len(copies)))
    return Score(len(planted), len(found & planted), len(found - planted - natural), len(found & natural))


def planted_groups(rows: Sequence[Row], seed: int) -> Score:
    """Groups of three rows of one split each; then some test rows are given the group of a training row."""
    rng = random.Random(seed)
    seen: Counter[str] = Counter()
    grouped: list[Row] = []
    for row in rows:
        grouped.append({**row, "group": f"{row['split'][:2]}{seen[row['split']] // 3}"})
        seen[row["split"]] += 1
    test = [i for i, row in enumerate(rows) if row["split"] == "test"]
    groups = [row["group"] for row in grouped if row["split"] == "train"]
    planted = set(rng.sample(test, round(SHARE * len(test))))
    for i in planted:
        grouped[i]["group"] = rng.choice(groups)
    ready = through(grouped)
    found = reported(ready, ("group",))
    assert not ready.leaks.kept
    return Score(len(planted), len(found & planted), len(found - planted))


def planted_columns(rows: Sequence[Row], seed: int) -> Score:
    """A copy of the label and a code for it; as decoys chance, the row's number, the text's length, and a mark that is right for
    eight rows in ten."""
    rng = random.Random(seed)
    code = {label: str(i) for i, label in enumerate(sorted({row["label"] for row in rows}))}
    labels = list(code)
    made = [
        {**row, "copied": row["label"], "coded": f"k{code[row['label']]}", "chance": str(rng.randrange(9)),
         "number": str(i), "characters": str(len(row["text"])),
         "mark": row["label"] if rng.random() < 0.8 else rng.choice(labels)}
        for i, row in enumerate(rows)
    ]  # fmt: skip
    found = {proxy.column for proxy in through(made).leaks.proxies}
    planted = {"copied", "coded"}
    return Score(2, len(found & planted), len(found - planted))


def read(path: Path) -> list[Row]:
    """Rows with text, label and split; what is not test is train."""
    csv.field_size_limit(1 << 30)
    with open(path, encoding="utf-8", newline="") as file:
        return [
            {"text": row["text"], "label": row["label"], "split": "test" if row["split"] == "test" else "train"}
            for row in csv.DictReader(file)
        ]


def measure(rows: Sequence[Row], seeds: int, natural: set[int]) -> dict[str, list[Score]]:
    """Scores by kind of leak, one a seed."""
    scores: dict[str, list[Score]] = defaultdict(list)
    for seed in range(seeds):
        for name, change in COPIES.items():
            scores[name].append(planted_copies(rows, change, seed, natural))
        scores["group crossing"].append(planted_groups(rows, seed))
        scores["column = label"].append(planted_columns(rows, seed))
    return scores


def cells(kind: str, scores: Sequence[Score]) -> list[object]:
    def spread(values: list[float]) -> str:
        return f"{fmean(values):.4f} ({min(values):.4f}–{max(values):.4f})"

    counts = [", ".join(str(getattr(s, name)) for s in scores) for name in ("planted", "found", "wrong", "natural")]
    return [kind, spread([s.recall for s in scores]), spread([s.precision for s in scores]), *counts]


def main() -> None:
    from machine import record, table

    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the files")
    parser.add_argument("--files", nargs="+", default=["en_spam.csv", "en_sections.csv"])
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args()
    header = [
        "planted",
        "recall: mean (least–most)",
        "precision: mean (least–most)",
        "rows planted",
        "found",
        "wrong",
        "by nature",
    ]
    body: list[str] = []
    worst = 1.0
    for name in asked.files:
        rows = read(asked.data / name)
        begin = time.perf_counter()
        natural = copies_by_nature(rows)
        scores = measure(rows, asked.seeds, natural)
        seconds = time.perf_counter() - begin
        body.append(
            f"## {name}\n\n{len(rows)} rows, of which {len(natural)} test rows leak by nature (brute force); {seconds:.0f} s."
        )
        body.append(table(header, [cells(kind, of_kind) for kind, of_kind in scores.items()]))
        worst = min([worst, *(value for of_kind in scores.values() for s in of_kind for value in (s.recall, s.precision))])
    body.append(f"{asked.seeds} seeds. Least of all: **{worst:.4f}**, must be at least 0.95.")
    record(
        "planted_leaks",
        "Planted leaks are found, and only those",
        "\n\n".join(body),
        "python benchmarks/planted_leaks.py --data FOLDER",
    )
    sys.exit(worst < 0.95)


if __name__ == "__main__":
    main()
