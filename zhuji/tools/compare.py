"""Do two models really differ? Both are held against the rows that both were tested on."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zhuji.core import scripts
from zhuji.core.config import Settings, assignments
from zhuji.core.contracts import Columns
from zhuji.core.errors import NoCommonRows, NotABundle
from zhuji.core.files import read_json
from zhuji.core.log import in_language
from zhuji.data.pinyin import PINYIN, syllables
from zhuji.data.tags import spans as marked
from zhuji.data.transcripts import normal
from zhuji.metrics import classification, regression, spans, transcription, translation
from zhuji.metrics.intervals import Interval, bootstrap, paired_bootstrap, permutation_test
from zhuji.metrics.weighted import WeightedMetric

Key = tuple[str, str, str]
Answers = dict[Key, str]


class CompareSettings(Settings):
    """How two runs are compared."""

    resamples: int = 2000
    """Draws of the paired bootstrap, and exchanges of the permutation test."""
    level: float = 0.05
    """p below which a difference counts as real."""


@dataclass(frozen=True)
class Difference:
    """Scores of both, `difference` = a - b with its 95 % interval (paired bootstrap), `p` by permutation; `better`: a, b, or None
    when chance explains it."""

    a: Interval
    b: Interval
    difference: Interval
    p: float
    better: str | None

    def as_dict(self) -> dict[str, Any]:
        pair = {"a": self.a.as_dict(), "b": self.b.as_dict(), "difference": self.difference.as_dict()}
        return {**pair, "p": self.p, "better": self.better}


@dataclass(frozen=True)
class Comparison:
    """`rows`: how many test rows both runs share; `only_a` and `only_b`: how many just one has."""

    a: str
    b: str
    rows: int
    only_a: int
    only_b: int
    metrics: Mapping[str, Difference]

    def as_dict(self) -> dict[str, Any]:
        return {
            "a": self.a, "b": self.b, "rows": self.rows, "only_a": self.only_a, "only_b": self.only_b,
            "metrics": {name: difference.as_dict() for name, difference in self.metrics.items()}, "verdict": self.verdict,
        }  # fmt: skip

    @property
    def verdict(self) -> str:
        """One sentence on the first metric."""
        name, found = next(iter(self.metrics.items()))
        size = in_language("{}: {:+.4f} [{:+.4f}, {:+.4f}], p = {:.3g}", "{}：{:+.4f} [{:+.4f}, {:+.4f}]，p = {:.3g}").format(
            name, found.difference.value, found.difference.low, found.difference.high, found.p
        )
        if found.better is None:
            return size + in_language("; chance alone explains it.", "；偶然即可解释。")
        better = self.a if found.better == "a" else self.b
        return size + in_language(f"; {better} is better.", f"；{better} 更好。")


def compare(a: Path | str, b: Path | str, *, seed: int = 0, sets: Sequence[str] = ()) -> Comparison:
    """Compare two finished runs by paired bootstrap (Koehn 2004) and approximate randomisation (Noreen 1989).

    A row is the same when its id, its input and its label are. Raises NotABundle, NoCommonRows.
    """
    settings = CompareSettings.parse(assignments(sets).get("compare", {}), "compare")
    first, second = _answers(Path(a)), _answers(Path(b))
    common = [key for key in first if key in second]
    if not common:
        raise NoCommonRows(a=a, b=b)
    facts = read_json(Path(a) / "results.json")
    evidence = [_evidence(common, answers, facts) for answers in (first, second)]
    found = {name: _difference(metric, evidence[0], evidence[1], settings, seed) for name, metric in _metrics(facts).items()}
    return Comparison(str(a), str(b), len(common), len(first) - len(common), len(second) - len(common), found)


def _answers(folder: Path) -> Answers:
    path = folder / "predictions.csv"
    if not path.is_file() or not (folder / "results.json").is_file():
        raise NotABundle(file=folder, why=in_language("comparing needs two finished runs", "比较需要两个已完成的运行"))
    with open(path, encoding="utf-8", newline="") as file:
        return {(row["id"], row["input"], row["label"]): row["prediction"] for row in csv.DictReader(file)}


def _metrics(facts: Mapping[str, Any]) -> dict[str, WeightedMetric]:
    """Those that can be computed from labels and answers alone."""
    if facts.get("kind") == "tag":
        return {"span_f1": spans.f1, "accuracy": spans.accuracy}
    if _heard(facts):
        return {"wer": transcription.wer, "cer": transcription.cer}
    if facts.get("kind") == "pair":
        return {"bleu": translation.bleu, "chrf": translation.chrf}
    if not facts.get("labels"):
        return {"rmse": regression.rmse, "mae": regression.mae}
    if not facts.get("confusion"):
        return {"micro_f1": classification.micro_f1, "subset_accuracy": classification.subset_accuracy}
    return {"accuracy": classification.accuracy, "macro_f1": classification.macro_f1}


def _evidence(keys: Sequence[Key], answers: Answers, facts: Mapping[str, Any]) -> Columns:
    actual, given = [label for _, _, label in keys], [answers[key] for key in keys]
    if facts.get("kind") == "tag":
        return _tagged([cell.split() for cell in actual], [cell.split() for cell in given])
    if _heard(facts):
        told = facts["notes"]["cer"]
        case, punctuation = transcription.rule_in(told)
        written = syllables if PINYIN in told.split(", ") else scripts.closed
        return transcription.judged(given, [written(normal(text, case, punctuation)) for text in actual])
    if facts.get("kind") == "pair":
        cut = translation.cut_in(str(facts.get("notes", {}).get("bleu", "")))
        return translation.judged(given, actual, [text for _, text, _ in keys], cut)
    if not facts.get("labels"):
        return {"target": np.array(actual, dtype=np.float64), "prediction": np.array(given, dtype=np.float64)}
    if not facts.get("confusion"):
        names = [str(name) for name in facts["labels"]]
        return {"label": _many(actual, names), "prediction": _many(given, names)}
    # Both models get the same numbers for the same names, also for names that only one of them knows.
    number = {name: i for i, name in enumerate(sorted({*facts["labels"], *actual, *given}))}
    return {"label": np.array([number[x] for x in actual]), "prediction": np.array([number[x] for x in given])}


def _heard(facts: Mapping[str, Any]) -> bool:
    """Were transcripts compared?"""
    return "cer" in facts.get("notes", {})


def _tagged(actual: Sequence[Sequence[str]], given: Sequence[Sequence[str]]) -> Columns:
    """Spans of all kinds together, and words, by row."""
    pairs = [({*marked(a)}, {*marked(b)}) for a, b in zip(actual, given, strict=True)]
    counts = {
        "correct": [len(a & b) for a, b in pairs], "predicted": [len(b) for _, b in pairs], "actual": [len(a) for a, _ in pairs]
    }  # fmt: skip
    right = [sum(x == y for x, y in zip(a, b)) for a, b in zip(actual, given, strict=True)]
    words = [len(a) for a in actual]
    return {"words": np.array(words), "right": np.array(right), **{name: np.array(n)[:, None] for name, n in counts.items()}}


def _many(cells: Sequence[str], names: Sequence[str]) -> np.ndarray:
    return np.array([[name in cell.split("|") for name in names] for cell in cells], dtype=bool)


def _difference(metric: WeightedMetric, a: Columns, b: Columns, settings: CompareSettings, seed: int) -> Difference:
    draws = settings.resamples
    paired = paired_bootstrap(metric, a, b, resamples=draws, seed=seed)
    p = permutation_test(metric, a, b, resamples=draws, seed=seed)
    ahead = (paired.difference.value > 0) == metric.higher_is_better
    better = None if p >= settings.level or paired.difference.value == 0 else "a" if ahead else "b"
    return Difference(
        bootstrap(metric, a, resamples=draws, seed=seed),
        bootstrap(metric, b, resamples=draws, seed=seed),
        paired.difference,
        p,
        better,
    )
