# pyright: basic
# (sacrebleu has no types to be strict about)
"""BLEU (Papineni et al. 2002) and chrF (Popović 2015) as sacrebleu computes them (Post 2018), from what it counts in each row.

Both are functions of sums over rows, so that an interval can be drawn from resampled rows: at weights of one they are sacrebleu's
corpus scores. N rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Literal

import numpy as np

from zhuji.core.contracts import Columns
from zhuji.core.errors import MissingExtra
from zhuji.metrics.weighted import Compute, Floats, WeightedMetric, ratio

Cut = Literal["13a", "zh", "char"]
"""How BLEU cuts texts into words, by sacrebleu's names: mteval-v13a; Chinese characters apart; all characters apart."""
CUTS: tuple[Cut, ...] = ("13a", "zh", "char")
EMPTY, COPIED, ROWS = "empty", "copied", "answered"


def judged(answers: Sequence[str], references: Sequence[str], sources: Sequence[str], cut: Cut) -> Columns:
    """What sacrebleu counts, `bleu (N, 10)` and `chrf (N, 18)`; whether an answer is empty, or the source once more.

    Raises MissingExtra without sacrebleu.
    """
    blank = [not answer.strip() for answer in answers]
    copied = [answer.split() == source.split() for answer, source in zip(answers, sources, strict=True)]
    return {
        "bleu": _counted(_bleu(cut), answers, references), "chrf": _counted(_chrf(), answers, references),
        EMPTY: np.array(blank, np.int64), COPIED: np.array(copied, np.int64), ROWS: np.ones(len(answers), np.int64),
    }  # fmt: skip


def _counted(metric: Any, answers: Sequence[str], references: Sequence[str]) -> np.ndarray:
    # What sacrebleu's own significance tests are made of.
    return np.array(metric._extract_corpus_statistics(list(answers), [list(references)]), np.int64)


def _library() -> Any:
    try:
        import sacrebleu.metrics
    except ImportError:
        raise MissingExtra(what="translate", package="sacrebleu", extra="translation") from None
    return sacrebleu.metrics


@cache
def _bleu(cut: Cut) -> Any:
    return _library().BLEU(tokenize=cut, force=True)


@cache
def _chrf() -> Any:
    return _library().CHRF()


def _of_sums(name: str, metric: Any) -> Compute:
    """`metric()`: sacrebleu's, asked for only when there is something to score."""

    def compute(evidence: Columns, weights: Floats) -> Floats:
        sums = np.rint(weights @ evidence[name].astype(np.float64)).astype(np.int64)
        return np.array([metric()._compute_score_from_stats(row.tolist()).score for row in sums])

    return compute


def _share(name: str) -> Compute:
    def compute(evidence: Columns, weights: Floats) -> Floats:
        return ratio(weights @ evidence[name].astype(np.float64), weights @ evidence[ROWS].astype(np.float64))

    return compute


# How texts were cut is in the counts already; the formula is the same for all.
bleu = WeightedMetric(("bleu",), True, _of_sums("bleu", lambda: _bleu("13a")))
"""Corpus BLEU, 0 to 100."""
chrf = WeightedMetric(("chrf",), True, _of_sums("chrf", _chrf))
"""Corpus chrF2, 0 to 100."""
empty = WeightedMetric((EMPTY, ROWS), False, _share(EMPTY))
"""Share of the answers that say nothing."""
copied = WeightedMetric((COPIED, ROWS), False, _share(COPIED))
"""Share of the answers that are the source once more."""


def signatures(cut: Cut) -> dict[str, str]:
    """What must stand beside these scores so that others can be compared with them (Post 2018)."""
    library = _library()
    asked = {"bleu": library.BLEU(tokenize=cut, force=True), "chrf": library.CHRF()}
    for metric in asked.values():
        metric.corpus_score(["a"], [["a"]])  # only then does it know the number of references
    return {name: str(metric.get_signature()) for name, metric in asked.items()}


def cut_in(signature: str) -> Cut:
    """How a signature of BLEU says that texts were cut."""
    for cut in CUTS:
        if f"|tok:{cut}|" in signature:
            return cut
    return CUTS[0]
