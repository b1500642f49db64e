"""Translation: a second text written for each input, unit by unit.

Shapes: B rows, T units of the second text with its end, S units read, W width of an id's vector, V ids, M real units of all rows.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from zhuji.core.contracts import Columns, Encoder, Example, Metric, Needs, Prediction, Task
from zhuji.core.errors import BadSetting, ImpossiblePair
from zhuji.core.log import in_language
from zhuji.core.records import Record
from zhuji.core.units import Batch, Features, Ratio, Units, UnitSpec
from zhuji.data.cells import joined
from zhuji.metrics import translation, units
from zhuji.nn import search
from zhuji.nn.decoder import Decoder, LstmDecoder, Positions, TransformerDecoder
from zhuji.nn.feedforward import Kind
from zhuji.nn.losses import UNSEEN
from zhuji.nn.vocabulary import TiedVocabulary


@dataclass(frozen=True)
class Output:
    """`memory`: what was read. Where the second text is known, for each of its units and its end: the decoder's `states (M, W)`, the ids
    `wanted (M,)` and `row (M,)`. `write`: searches for the second text."""

    memory: Features
    write: Callable[[], list[search.Found]]
    head: Writer
    table: Tensor
    states: Tensor | None = None
    wanted: Tensor | None = None
    row: Tensor | None = None

    def __iter__(self) -> Iterator[Tensor]:
        """The tensors among it."""
        yield self.memory.states
        if self.states is not None:
            yield self.states


class Writer(nn.Module):
    """The head: a decoder, and logits through the vectors by which ids are read (Press & Wolf 2017): one vocabulary for both texts."""

    def __init__(self, decoder: Decoder, spec: UnitSpec) -> None:
        super().__init__()
        assert spec.start is not None and spec.end is not None
        self.decoder = decoder
        self.vocabulary = TiedVocabulary(spec.stem_width, spec.stem_width, spec.num_ids, bias=True)
        self.start, self.end = spec.start, spec.end
        self.never = [id for id in spec.reserved if id != spec.end]

    def forward(self, other: Units, memory: Features, table: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """States of all units that are to be told, their ids and their rows."""
        inputs, wanted = shifted(other, self.start, self.end)
        states = self.decoder(F.embedding(inputs, table), memory)
        real = wanted >= 0
        return states[real], wanted[real], real.nonzero()[:, 0]

    def write(self, memory: Features, table: Tensor, rules: search.Rules, beams: int, alpha: float) -> list[search.Found]:
        def step(last: Tensor, so_far: search.State) -> tuple[Tensor, search.State]:
            states, after = self.decoder.step(F.embedding(last, table), so_far)  # pyright: ignore[reportArgumentType]
            logits = self.vocabulary.logits(states, table)
            logits[:, self.never] = -torch.inf
            return logits, after

        rows, start = len(memory.mask), torch.tensor(self.start, device=table.device)
        with torch.no_grad():
            return search.beam(step, self.decoder.begin(memory), rows=rows, start=start, rules=rules, beams=beams, alpha=alpha)


class Translate(Task):
    """A decoder over what any encoder made of the input (Sutskever et al. 2014; Vaswani et al. 2017)."""

    needs: ClassVar[Needs] = "target"
    writes: ClassVar[bool] = True
    loops: ClassVar[bool] = True
    seeks: ClassVar[tuple[str, ...]] = ("beams", "length_penalty", "max_units")

    decoder: Literal["transformer", "lstm"] = "transformer"
    """lstm: with attention (Luong et al. 2015)."""
    layers: int = Field(default=4, gt=0, le=256)
    heads: int = Field(default=4, gt=0)
    hidden: int | None = Field(default=None, gt=0, le=65536)
    """Width between the two layers of the feedforward part; defaults to 4 x width, or 8/3 x width for swiglu."""
    feedforward: Kind = "swiglu"
    positions: Positions = "rotary"
    max_positions: int = Field(default=512, gt=0, le=1 << 20)
    """Learned positions only; units beyond share the last one."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    """Szegedy et al. 2016, section 7."""
    beams: int = Field(default=4, gt=0, le=64)
    length_penalty: float = Field(default=1.0, ge=0)
    """Power of the length by which a score is divided (Wu et al. 2016, equation 14)."""
    max_units: int = Field(default=256, gt=0)
    """Most units that are written; at most twice as many as were read, and ten."""
    bleu_words: translation.Cut = "13a"
    """Learned: how BLEU cuts the second texts, by their script."""

    def fit(self, records: Sequence[Record]) -> Self:
        return type(self).parse({**self.plain(), "bleu_words": _cut_of([joined(record.target) for record in records[:1000]])})

    def head(self, spec: UnitSpec, dim: int) -> nn.Module:
        """Raises ImpossiblePair where units have no ids to write, and BadSetting where heads do not divide the width."""
        if not spec.num_ids or spec.grid_ndim != 1 or spec.start is None or spec.end is None:
            raise ImpossiblePair(
                first=in_language("the modality", "模态"),
                second=self.called(),
                rule=in_language(
                    "the other writes ids in a row, from an id for the start to one for the end",
                    "后者从起始编号到结束编号逐个写出单元编号",
                ),
                advice=in_language(
                    "choose a modality of text, with --set modality.ngrams=1",
                    "请选用文本模态，并设置 --set modality.ngrams=1",
                ),
            )
        return Writer(self._decoder(spec.stem_width, dim), spec)

    def _decoder(self, width: int, memory: int) -> Decoder:
        if self.decoder == "lstm":
            return LstmDecoder(width, memory, layers=self.layers, dropout=self.dropout)
        if width % self.heads or (self.positions == "rotary" and width // self.heads % 2):
            rule = in_language(f"must divide the width {width} into even parts", f"必须把宽度 {width} 分成偶数宽的部分")
            raise BadSetting(key="task.heads", rule=rule, value=self.heads)
        hidden = self.hidden or (-(-8 * width // 24) * 8 if self.feedforward == "swiglu" else 4 * width)
        return TransformerDecoder(
            width, memory, layers=self.layers, heads=self.heads, hidden=hidden, feedforward=self.feedforward,
            positions=self.positions, max_positions=self.max_positions, dropout=self.dropout,
        )  # fmt: skip

    def outputs(self, encoder: Encoder, head: nn.Module, batch: Batch) -> Output:
        assert isinstance(head, Writer)
        memory, table = encoder(batch.units), encoder.table()
        assert table is not None, "units with ids have a table"

        def write() -> list[search.Found]:
            return head.write(memory, table, self._rules(head.end, memory.mask), self.beams, self.length_penalty)

        known = (None, None, None) if batch.other is None else head(batch.other, memory, table)
        return Output(memory, write, head, table, *known)

    def _rules(self, end: int, mask: Tensor) -> search.Rules:
        limits = [min(self.max_units, 2 * size + 10) for size in mask.flatten(1).sum(1).tolist()]
        return search.Rules(max(limits), end, stop=lambda row, written: len(written) >= limits[row])

    def loss(self, outputs: Output, batch: Batch) -> Ratio:
        """Sum over the units of the second texts and their ends, and how many these are."""
        assert outputs.states is not None and outputs.wanted is not None
        each = outputs.head.vocabulary.loss(outputs.states, outputs.wanted, outputs.table, smoothing=self.label_smoothing)
        return Ratio(each.sum(), torch.tensor(len(each), device=each.device))

    def evidence(self, outputs: Output, batch: Batch) -> Columns:
        """By row: `named` units to tell, how many were `right`, given those before, and their `id_loss`, without smoothing."""
        assert outputs.states is not None and outputs.wanted is not None and outputs.row is not None
        vocabulary, rows = outputs.head.vocabulary, outputs.row.cpu().numpy()
        with torch.no_grad():
            each = vocabulary.loss(outputs.states, outputs.wanted, outputs.table).double().cpu().numpy()
            right = (vocabulary.best(outputs.states, outputs.table) == outputs.wanted).cpu().numpy()
        size = len(batch)
        return {
            "id_loss": np.bincount(rows, each, size),
            "named": np.bincount(rows, minlength=size),
            "right": np.bincount(rows[right], minlength=size),
        }

    def metrics(self) -> Mapping[str, Metric]:
        """Perplexity first: it orders checkpoints as the loss does, and costs no search."""
        return {"perplexity": units.perplexity, "unit_accuracy": units.accuracy}

    def decode(self, outputs: Output) -> list[Prediction]:
        """What was written, as ids; `score`: its probability, each unit's with the weight of the length penalty."""
        return [Prediction(found.ids, min(1.0, math.exp(found.score))) for found in outputs.write()]

    def judge(self, answers: Sequence[Prediction], records: Sequence[Record]) -> Columns:
        """Raises MissingExtra without sacrebleu."""
        texts, references, sources = (
            [joined(raw) for raw in some]
            for some in ((a.answer for a in answers), (r.target for r in records), (r.input for r in records))
        )
        return translation.judged(texts, references, sources, self.bleu_words)

    def answer_metrics(self) -> Mapping[str, Metric]:
        return {
            "bleu": translation.bleu, "chrf": translation.chrf,
            "empty": translation.empty, "copied": translation.copied,
        }  # fmt: skip

    def notes(self) -> Mapping[str, str]:
        """sacrebleu's signatures."""
        return translation.signatures(self.bleu_words)

    @classmethod
    def example(cls) -> Example:
        records = [Record(f"row-{i}", "", target="no, not good"[: 2 + i]) for i in range(8)]
        return Example(
            cls(layers=1, heads=1, hidden=6, positions="learned", dropout=0.0, beams=2, max_units=6).fit(records), records
        )


def shifted(other: Units, start: int, end: int) -> tuple[Tensor, Tensor]:
    """What is read while units are learned, and what is to be told, each `(B, T)`: the start and the units; the units and the end, and -1
    behind it."""
    assert other.ids is not None
    ids, mask = other.ids, other.mask
    lengths = mask.sum(1, keepdim=True)
    inputs = F.pad(ids, (1, 0), value=start)
    wanted = F.pad(ids.masked_fill(~mask, UNSEEN), (0, 1), value=UNSEEN).scatter(1, lengths, end)
    return inputs, wanted


def _cut_of(texts: Sequence[str]) -> translation.Cut:
    """Chinese is cut by sacrebleu's own rule; other scripts without blanks into characters."""
    letters = [unicodedata.name(c, "")[:3] for c in "".join(texts) if c.isalpha()]
    if 2 * letters.count("CJK") > len(letters):
        return "zh"
    unspaced = sum(letters.count(name) for name in ("CJK", "HIR", "KAT", "THA", "LAO", "KHM", "MYA"))
    return "char" if 2 * unspaced > len(letters) else "13a"
