"""Connectionist temporal classification: a text learned and found without knowing which of its letters stands where (Graves et al. 2006).

A path names a letter or the blank in each frame; a text is what is left of it once repeats are merged and blanks are dropped. Shapes: B rows, T frames, L
letters of a text, V letters with the blank, which is 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

BLANK = 0
Ids = tuple[int, ...]
Language = Callable[[Sequence[Ids]], np.ndarray]
"""`(N texts)` -> `(N, V)` log-probabilities of what comes next; in the place of the blank, that the text ends there."""
_NEVER = -math.inf


def losses(logits: Tensor, mask: Tensor, letters: Tensor) -> tuple[Tensor, Tensor]:
    """`(B,)` float32: minus the log of the sum over all paths that spell a row's `letters (B, L)`, filled up with -1 (Graves et al. 2006, section 4.1);
    and `(B,)` bool: which texts fit into their frames, of `mask (B, T)`, the real ones in front. `logits (B, T, V)`.

    A text needs a frame for each letter, and one more between two of a kind. One that does not fit costs nothing, for no path spells it.
    """
    frames, sizes = mask.sum(1), (letters >= 0).sum(1)
    twice = ((letters[:, 1:] == letters[:, :-1]) & (letters[:, 1:] >= 0)).sum(1)
    fits = (frames >= sizes + twice) & (frames > 0)
    # What does not fit is computed as if nothing had been said, so that nothing infinite touches a slope.
    sizes, frames = torch.where(fits, sizes, 0), frames.clamp_min(1)
    log_p = logits.float().log_softmax(-1).transpose(0, 1)
    each = F.ctc_loss(log_p, letters.clamp_min(0), frames, sizes, blank=BLANK, reduction="none")
    return torch.where(fits, each, 0.0), fits


def greedy(log_p: np.ndarray) -> Ids:
    """The text of the likeliest path of one row, `log_p (T, V)` (Graves et al. 2006, equation 4)."""
    best = log_p.argmax(1)
    kept = np.r_[True, best[1:] != best[:-1]] & (best != BLANK) if len(best) else np.zeros(0, bool)
    return tuple(best[kept].tolist())


@dataclass(frozen=True)
class Heard:
    """A text, `ids (L,)`, and the log of its probability, with what the language model and the bonus say of it."""

    ids: Ids
    score: float


@dataclass(frozen=True)
class Search:
    """How texts are looked for. `beams` of them are open at once; a letter whose log-probability is below `least` ends none and begins none.

    `language` is asked about each text once and counts `weight` times; `bonus (V,)` is added for each letter that is written: at a blank between words, it
    is the bonus of a word (Amodei et al. 2016, equation 12).
    """

    beams: int
    least: float = _NEVER
    language: Language | None = None
    weight: float = 0.0
    bonus: np.ndarray | None = None

    def __call__(self, log_p: np.ndarray) -> list[Heard]:
        """The texts that are open at the end of one row, `log_p (T, V)`, the best first (Hannun et al. 2014, algorithm 1).

        All paths of a text are summed up, as long as it stays open: with as many beams as there are texts the score is exact.
        """
        asked = _Asked(self)
        # Of each text: the log of the sum over its paths that end in the blank, and over those that end in its last letter.
        ends: dict[Ids, tuple[float, float]] = {(): (0.0, _NEVER)}
        for frame in log_p.astype(np.float64):
            likely = [id for id in np.flatnonzero(frame > self.least).tolist() if id != BLANK]
            ends = _grown(ends, frame.tolist(), likely)
            asked.about(ends)
            ranked = sorted(ends, key=lambda ids: -(_add(*ends[ids]) + asked.told[ids]))
            ends = {ids: ends[ids] for ids in ranked[: self.beams]}
            asked.forget_all_but(ends)
        found = [Heard(ids, _add(*both) + asked.told[ids] + asked.end(ids)) for ids, both in ends.items()]
        return sorted(found, key=lambda heard: -heard.score)


class _Asked:
    """What the language model and the bonus add to each text that is open; of a text that was, the language model's row of what follows it is kept, so that
    it is asked once."""

    def __init__(self, search: Search) -> None:
        self.search = search
        self.told: dict[Ids, float] = {(): 0.0}
        self.next: dict[Ids, np.ndarray] = {}

    def about(self, texts: dict[Ids, tuple[float, float]]) -> None:
        """Every text but the first is a letter longer than one that is known."""
        new = [ids for ids in texts if ids not in self.told]
        if self.search.language is None:
            self.told.update((ids, self.told[ids[:-1]] + self._bonus(ids[-1])) for ids in new)
            return
        self._ask(list(dict.fromkeys(ids[:-1] for ids in new)))
        for ids in new:
            likely = float(self.next[ids[:-1]][ids[-1]])
            self.told[ids] = self.told[ids[:-1]] + self.search.weight * likely + self._bonus(ids[-1])

    def forget_all_but(self, texts: Iterable[Ids]) -> None:
        """Of half a minute a search looks at hundreds of thousands of texts, each as long as all before it."""
        self.told = {ids: self.told[ids] for ids in texts}

    def end(self, ids: Ids) -> float:
        """That it ends here."""
        if self.search.language is None:
            return 0.0
        self._ask([ids])
        return self.search.weight * float(self.next[ids][BLANK])

    def _ask(self, texts: Sequence[Ids]) -> None:
        unknown = [ids for ids in texts if ids not in self.next]
        if unknown and self.search.language is not None:
            self.next.update(zip(unknown, self.search.language(unknown), strict=True))

    def _bonus(self, id: int) -> float:
        return 0.0 if self.search.bonus is None else float(self.search.bonus[id])


def _grown(
    ends: dict[Ids, tuple[float, float]], frame: Sequence[float], likely: Sequence[int]
) -> dict[Ids, tuple[float, float]]:
    """One frame more."""
    blank, other = dict[Ids, float](), dict[Ids, float]()
    for ids, (by_blank, by_letter) in ends.items():
        total = _add(by_blank, by_letter)
        blank[ids] = total + frame[BLANK]
        if ids:
            other[ids] = _add(other.get(ids, _NEVER), by_letter + frame[ids[-1]])
        for id in likely:
            longer = (*ids, id)
            # A letter follows its like only behind a blank; otherwise it is the same one, heard for longer.
            before = by_blank if ids and ids[-1] == id else total
            other[longer] = _add(other.get(longer, _NEVER), before + frame[id])
    grown = {ids: (blank.get(ids, _NEVER), other.get(ids, _NEVER)) for ids in (*blank, *other)}
    return {ids: both for ids, both in grown.items() if max(both) > _NEVER}


def _add(a: float, b: float) -> float:
    """log(exp(a) + exp(b))."""
    if a < b:
        a, b = b, a
    return a if b == _NEVER else a + math.log1p(math.exp(b - a))


def aligned(log_p: np.ndarray, ids: Sequence[int]) -> np.ndarray:
    """`(L, 2)` int64: the first frame of each letter and the one past its last, on the likeliest path of one row, `log_p (T, V)`, that spells `ids`
    (Viterbi 1967, over the states of Graves et al. 2006, section 4.1). The text must fit."""
    if not len(ids):
        return np.zeros((0, 2), np.int64)
    states = np.full(2 * len(ids) + 1, BLANK)
    states[1::2] = ids
    # From a letter one may go on to the next without a blank, if it is another.
    skips = np.zeros(len(states), bool)
    skips[3::2] = states[3::2] != states[1:-2:2]
    total = np.full(len(states), _NEVER)
    total[:2] = log_p[0, states[:2]]
    came_from = np.zeros((len(log_p), len(states)), np.int8)  # of ten minutes 270 million
    for frame in range(1, len(log_p)):
        ways = np.stack([total, np.r_[_NEVER, total[:-1]], np.where(skips, np.r_[_NEVER, _NEVER, total[:-2]], _NEVER)])
        came_from[frame] = ways.argmax(0)
        total = ways.max(0) + log_p[frame, states]
    at = len(states) - 1 if total[-1] >= total[-2] else len(states) - 2
    assert total[at] > _NEVER, "no path spells this text in so few frames"
    path = [at]
    for back in came_from[:0:-1]:
        path.append(path[-1] - int(back[path[-1]]))
    places = np.array(path[::-1])
    frames = [np.flatnonzero(places == 2 * letter + 1) for letter in range(len(ids))]
    return np.array([(own[0], own[-1] + 1) for own in frames], np.int64)
