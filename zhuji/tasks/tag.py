"""Tagging: one tag for each word, such as which words are names of whom.

Shapes: B rows, T units, W words of a row, C tags.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, NamedTuple, Self, cast

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from zhuji.core.contracts import About, Columns, Encoder, Example, Metric, Needs, Prediction, Task
from zhuji.core.errors import UnknownName
from zhuji.core.log import in_language
from zhuji.core.records import Record, named
from zhuji.core.units import Batch, Ratio, Units, UnitSpec
from zhuji.data.tags import OUTSIDE, kinds, may_follow, parted, scheme_of, spans
from zhuji.metrics import spans as span_metrics
from zhuji.nn import losses
from zhuji.nn.crf import CrfHead, Links, log_likelihood, marginals
from zhuji.nn.heads import PerUnitHead

_UNMET = "(other)"
"""Kind of the spans that training never met."""


class Tagged(NamedTuple):
    """`logits (B, W, C)` of the first unit of each word, which words there are, `real (B, W)`, and how well tags follow each other."""

    logits: Tensor
    real: Tensor
    links: Links | None = None


class Tag(Task):
    """A linear layer on the first unit of each word (Devlin et al. 2019, section 5.3). Tags that mark spans are decoded so that they
    keep to their scheme: the best of the allowed sequences (Viterbi 1967). With `crf` it also learns which tags follow each other, and its
    loss is that of whole rows (Lafferty et al. 2001; Lample et al. 2016, section 2.2).

    A tag that training never met has the target -1: it teaches nothing and counts as wrong. Words that were cut off count as `O`.
    """

    explains: ClassVar[bool] = True
    per_unit: ClassVar[bool] = True
    needs: ClassVar[Needs] = "tags"

    dropout: float = Field(default=0.1, ge=0, lt=1)
    label_smoothing: float = Field(default=0.0, ge=0, lt=1)
    crf: bool = False
    """A row's tags are learned together, with the links between them (a conditional random field)."""
    labels: tuple[str, ...] = ()
    """Learned: tags, the most frequent first."""

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        if len(set(self.labels)) != len(self.labels):
            raise ValueError(in_language("labels must differ", "labels 不得重复"))
        if self.crf and self.label_smoothing:
            raise ValueError(
                in_language(
                    "label_smoothing must be 0 with crf: it smooths the cross entropy of single words",
                    "使用 crf 时 label_smoothing 必须为 0：它平滑的是单个词的交叉熵",
                )
            )
        return self

    @property
    def marks_spans(self) -> bool:
        """Do the tags keep to BIO or BIOES?"""
        return scheme_of([self.labels]) != "plain"

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """What spans are called; the last one stands for all that training never met."""
        return (*(kind for kind in kinds(self.labels) if kind != OUTSIDE), _UNMET)

    @property
    def classes(self) -> tuple[str, ...]:
        return self.kinds if self.marks_spans else ()

    def fit(self, records: Sequence[Record]) -> Self:
        counts = Counter(tag for record in records for tag in named(record.label))
        return type(self).parse({**self.plain(), "labels": sorted(counts, key=lambda tag: (-counts[tag], tag))})

    def targets(self, record: Record) -> Mapping[str, Tensor]:
        """`tags (W,)` int64, `words ()` their number, and `spans (S, 3)`: number of the kind, first and last word."""
        tags = named(record.label)
        found = [(self._kind.get(kind, len(self.kinds) - 1), a, b) for kind, a, b in spans(tags)] if self.marks_spans else []
        return {
            "tags": torch.tensor([self._index.get(tag, losses.UNSEEN) for tag in tags], dtype=torch.int64),
            "words": torch.tensor(len(tags)),
            "spans": torch.tensor(found, dtype=torch.int64).reshape(-1, 3),
        }

    def head(self, spec: UnitSpec, dim: int) -> nn.Module:
        return (CrfHead if self.crf else PerUnitHead)(dim, len(self.labels), dropout=self.dropout)

    def outputs(self, encoder: Encoder, head: nn.Module, batch: Batch) -> Tagged:
        """Only the first unit of each word is computed further: other pieces carry no tag."""
        features = encoder(batch.units)
        states, mask = features.flat()
        first, real = first_units(batch.units, mask)
        chosen = states.gather(1, first[..., None].expand(-1, -1, states.shape[-1]))
        return Tagged(head(type(features)(chosen, real)), real, head.links() if isinstance(head, CrfHead) else None)

    def answers(self, encoder: Encoder, head: nn.Module, units: Units) -> dict[str, Tensor]:
        """`logits` and `real` as in `Tagged`; with `crf` also the links, `first (C,)`, `between (C, C)`, `last (C,)`, which are the same for
        all rows."""
        tagged = self.outputs(encoder, head, Batch(units))
        links = {} if tagged.links is None else tagged.links._asdict()
        return {"logits": tagged.logits, "real": tagged.real} | links

    def loss(self, outputs: Tagged, batch: Batch) -> Ratio:
        """Sum over the words whose tag is known, and their number."""
        tags = _as_wide(batch.targets["tags"], outputs.logits.shape[1]).masked_fill(~outputs.real, losses.UNSEEN)
        if outputs.links is not None:
            return Ratio(-log_likelihood(outputs.logits.float(), tags, outputs.real, outputs.links).sum(), (tags >= 0).sum())
        each = losses.cross_entropy(outputs.logits.flatten(0, 1), tags.flatten(), smoothing=self.label_smoothing)
        return Ratio(each.sum(), (tags >= 0).sum())

    def lesson(self, outputs: Tagged) -> Tensor:
        """`(B, W, C)`: the probabilities of each word's tags; -1 where there is no word. Words are the same for every tokenizer."""
        return outputs.logits.float().softmax(-1).masked_fill(~outputs.real[..., None], -1.0)

    def lesson_loss(self, outputs: Tagged, lesson: Tensor, temperature: float) -> Ratio:
        """As in classification, summed over the words that both have, and their number."""
        lesson = _as_wide(lesson, outputs.logits.shape[1])
        both = outputs.real & (lesson >= 0).all(-1)
        # A logarithm of a probability is a logit; what underflowed to nothing stays finite.
        each = losses.soft_cross_entropy(outputs.logits, lesson.clamp_min(1e-30).log(), temperature)
        return Ratio(torch.where(both, each, 0.0).sum(), both.sum())

    def evidence(self, outputs: Tagged | Mapping[str, Tensor], batch: Batch) -> Columns:
        """See `_compared`; cheaper than `judge`, and equal to it."""
        tags, sizes, truth = (batch.targets[name].cpu().numpy() for name in ("tags", "words", "spans"))
        known = [row[:size].tolist() for row, size in zip(tags, sizes.tolist(), strict=True)]
        return self._compared(self._answers(_tagged(outputs)), known, list(truth))

    def judge(self, answers: Sequence[Prediction], records: Sequence[Record]) -> Columns:
        """What `evidence` holds, from the answers alone."""
        targets = [self.targets(record) for record in records]
        known, truth = [row["tags"].tolist() for row in targets], [row["spans"].numpy() for row in targets]
        return self._compared([answer.answer for answer in answers], known, truth)

    def _compared(self, answers: Sequence[Sequence[str]], known: Sequence[list[int]], truth: Sequence[np.ndarray]) -> Columns:
        """By row: `words`, how many were `right` and `lost` (cut off), and of spans `actual`, `predicted`, `correct (B, K)`.
        `truth`: of each row (S, 3); kinds below zero are no spans."""
        counts = np.zeros((3, len(answers), len(self.kinds)), np.int64)
        right, lost = np.zeros((2, len(answers)), np.int64)
        for row, (answer, tags) in enumerate(zip(answers, known, strict=True)):
            lost[row] = max(len(tags) - len(answer), 0)
            given = [*answer, *[OUTSIDE] * len(tags)][: len(tags)]
            right[row] = sum(self._index.get(tag, -2) == true for tag, true in zip(given, tags, strict=True))
            counts[:, row] = self._counts(given, truth[row])
        correct, predicted, actual = counts
        words = np.array([len(tags) for tags in known], np.int64)
        return {"words": words, "right": right, "lost": lost, "actual": actual, "predicted": predicted, "correct": correct}

    def _counts(self, given: Sequence[str], truth: np.ndarray) -> np.ndarray:
        """(3, K): correct, predicted and actual spans."""
        actual = {(kind, first, last) for kind, first, last in truth.tolist() if kind >= 0}
        found = {(self._kind[kind], first, last) for kind, first, last in spans(given)} if self.marks_spans else set[Any]()
        some = (actual & found, found, actual)
        return np.stack([np.bincount([kind for kind, _, _ in part], minlength=len(self.kinds)) for part in some])

    def metrics(self) -> Mapping[str, Metric]:
        """Span F1 first; of tags that mark no spans, the share of words that are right."""
        if not self.marks_spans:
            return {"accuracy": span_metrics.accuracy, "words_lost": span_metrics.lost}
        return {
            "span_f1": span_metrics.f1, "span_precision": span_metrics.precision, "span_recall": span_metrics.recall,
            "span_macro_f1": span_metrics.macro_f1, "accuracy": span_metrics.accuracy, "words_lost": span_metrics.lost,
        }  # fmt: skip

    def notes(self) -> Mapping[str, str]:
        if not self.marks_spans:
            return {}
        return {"span_f1": f"seqeval 1.2, strict, {'BIOES' if self._letters == 'BIOES' else 'BIO (IOB2)'}, micro-averaged"}

    def decode(self, outputs: Tagged | Mapping[str, Tensor]) -> list[Prediction]:
        """A tag for each word, with the mean probability of these tags; with `crf` that which they have in the whole row."""
        outputs = _tagged(outputs)
        logits = outputs.logits.detach().float()
        chances = logits.softmax(-1) if outputs.links is None else marginals(logits, outputs.real, outputs.links)
        probabilities = chances.detach().cpu().numpy()
        return [
            Prediction(answer, _sureness([row[place, self._index[tag]] for place, tag in enumerate(answer)]))
            for answer, row in zip(self._answers(outputs), probabilities, strict=True)
        ]

    def reading(self) -> Mapping[str, Any]:
        """The best path through the log-softmax of `logits`, plus the links where there are any; `begin`, `follow` and `end` say which tags
        may."""
        begin, follow, end = (np.isfinite(rule).tolist() for rule in self.transitions)
        return {"kind": "tags", "labels": list(self.labels), "begin": begin, "follow": follow, "end": end}

    def _answers(self, outputs: Tagged) -> list[tuple[str, ...]]:
        scores = outputs.logits.detach().float().log_softmax(-1).cpu().numpy()
        sizes = outputs.real.sum(1).tolist()
        allowed = self.transitions
        if outputs.links is not None:
            allowed = tuple(
                rule + link.detach().float().cpu().numpy() for rule, link in zip(allowed, outputs.links, strict=True)
            )
        return [
            tuple(self.labels[tag] for tag in best_path(row[:size], *allowed)) for row, size in zip(scores, sizes, strict=True)
        ]

    def abouts(self, answer: Prediction, asked: str | None = None, words: Sequence[str] = ()) -> list[About]:
        """Every span that was marked, or the words that are `asked` for, each by its tag; of tags that mark no spans, every word."""
        tags = answer.answer
        if asked is not None:
            places = [place for place, word in enumerate(words[: len(tags)]) if word == asked]
            if not places:
                raise UnknownName(kind=in_language("word", "词"), name=asked, choices=", ".join(words))
        elif self.marks_spans:
            return [About(kind, first, last) for kind, first, last in spans(tags)]
        else:
            places = range(len(tags))
        return [About(self._kind_of(tags[place]), place, place) for place in places]

    def spoken_for(self, outputs: Tagged, about: About) -> Tensor:
        """Log-odds that the words are of the kind, in their mean; what the tags around them say with `crf` is left out. A word that was cut
        off speaks for nothing."""
        inside = torch.tensor([self._kind_of(tag) == about.name for tag in self.labels], device=outputs.logits.device)
        words = outputs.logits[:, about.first : about.last + 1].float()
        if inside.all() or not inside.any():
            return words.sum((1, 2)) * 0
        return (words[..., inside].logsumexp(2) - words[..., ~inside].logsumexp(2)).sum(1) / max(words.shape[1], 1)

    def _kind_of(self, tag: str) -> str:
        mark, kind = parted(tag) if self.marks_spans else (tag, tag)
        return OUTSIDE if mark == OUTSIDE else kind

    @cached_property
    def _index(self) -> dict[str, int]:
        return {tag: i for i, tag in enumerate(self.labels)}

    @cached_property
    def _kind(self) -> dict[str, int]:
        return {kind: i for i, kind in enumerate(self.kinds)}

    @property
    def _letters(self) -> str:
        return "BIOES" if any(parted(tag)[0] in "ES" for tag in self.labels) else "BIO"

    @cached_property
    def transitions(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Which tag may begin a row, (C,), follow another, (C, C), and end a row, (C,): 0 where it may, else -inf."""
        if not self.marks_spans:
            free = np.zeros(len(self.labels))
            return free, np.zeros((len(self.labels),) * 2), free
        letters = self._letters
        first = [may_follow(OUTSIDE, tag, letters) for tag in self.labels]
        last = [may_follow(tag, OUTSIDE, letters) for tag in self.labels]
        between = [[may_follow(before, tag, letters) for tag in self.labels] for before in self.labels]
        # Tags met in training may allow no sequence of some length at all; then anything goes.
        if not any(first) or not any(last) or not all(map(any, between)):
            first, last, between = [True] * len(first), [True] * len(last), [[True] * len(first)] * len(first)
        return tuple(np.where(np.array(rule, bool), 0.0, -np.inf) for rule in (first, between, last))  # pyright: ignore

    @classmethod
    def example(cls) -> Example:
        rows = [("O", "B-a", "I-a"), ("B-b", "O"), ("B-a",), ("O", "B-b", "I-b", "O")]
        records = [Record(f"row-{i}", tuple("word" for _ in tags), label=tags) for i, tags in enumerate(rows * 2)]
        return Example(cls(dropout=0.0).fit(records), records)


def _tagged(outputs: Tagged | Mapping[str, Tensor]) -> Tagged:
    """Also from what `Tag.answers` gives by name."""
    if isinstance(outputs, Tagged):
        return outputs
    links = Links(outputs["first"], outputs["between"], outputs["last"]) if "between" in outputs else None
    return Tagged(outputs["logits"], outputs["real"], links)


def first_units(units: Units, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Index of the first unit of each word, `(B, W)` int64, and which words there are, `(B, W)` bool. A word between others that has no unit
    shares that of the word before. Without `Units.words` every real unit `mask (B, T)` is a word."""
    words = torch.where(mask, mask.cumsum(1) - 1, -1) if units.words is None else units.words.flatten(1).masked_fill(~mask, -1)
    size = cast(int, (words.max() + 1).clamp_min(1).item())
    torch._check(size >= 1)  # what an exporter is told of a size that the data decides
    places = torch.arange(words.shape[1], device=words.device).expand_as(words)
    absent = words.shape[1]
    first = torch.full((words.shape[0], size + 1), absent, device=words.device)
    first = first.scatter_reduce(1, torch.where(words < 0, size, words), places, "amin")[:, :size]
    real = torch.arange(size, device=words.device) <= words.amax(1, keepdim=True)
    # The words that have a unit, side by side; each word then looks up the last of them that is not behind it.
    present = first < absent
    rank = present.cumsum(1) - 1
    found = torch.zeros_like(rank).scatter_add(1, rank.clamp_min(0), torch.where(present, first, 0))
    return torch.where(rank < 0, 0, found.gather(1, rank.clamp_min(0))), real


def best_path(scores: np.ndarray, first: np.ndarray, between: np.ndarray, last: np.ndarray) -> list[int]:
    """The best sequence of tags (Viterbi 1967): `scores (W, C)`; `first (C,)`, `between (C, C)` and `last (C,)` are added where a row begins,
    goes on and ends."""
    if not len(scores):
        return []
    total, came_from = scores[0] + first, list[np.ndarray]()
    for step in scores[1:]:
        ways = total[:, None] + between
        came_from.append(ways.argmax(0))
        total = ways.max(0) + step
    path = [int((total + last).argmax())]
    for back in reversed(came_from):
        path.append(int(back[path[-1]]))
    return path[::-1]


def _as_wide(tags: Tensor, width: int) -> Tensor:
    """`(B, W, …)` as `(B, width, …)`: cut, or filled with -1."""
    tags = tags[:, :width]
    missing = tags.new_full((len(tags), width - tags.shape[1], *tags.shape[2:]), losses.UNSEEN)
    return torch.cat((tags, missing), 1)


def _sureness(probabilities: Sequence[float]) -> float | None:
    return float(np.mean(probabilities)) if probabilities else None
