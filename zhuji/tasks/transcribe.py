"""Transcription: what is said in a row, letter by letter, without anybody telling where (Graves et al. 2006).

Shapes: B rows, T frames of the backbone, L letters of a transcript, D width of a state, V letters with the blank.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field, PrivateAttr
from torch import Tensor, nn

from zhuji.core import scripts
from zhuji.core.answers import Timed
from zhuji.core.contracts import Columns, Encoder, Example, Metric, Needs, Prediction, Task
from zhuji.core.errors import BadSetting, ImpossiblePair
from zhuji.core.log import in_language
from zhuji.core.records import Record
from zhuji.core.units import Batch, Features, Ratio, Units, UnitSpec
from zhuji.data.cells import joined
from zhuji.data.pinyin import PINYIN, syllables
from zhuji.data.transcripts import Alphabet, Case, Marks, normal
from zhuji.metrics import transcription
from zhuji.nn import ctc, losses
from zhuji.nn.decoder import TransformerDecoder
from zhuji.nn.heads import PerUnitHead
from zhuji.nn.layers import embedding, linear

_LEAST = -7.0
"""Log-probability of a letter below which a search passes over it: one in a thousand."""
_UNFIT = 0.05
"""Share of rows with too few frames, or with unknown letters, from which a person is told."""


class Speller(nn.Module):
    """The head: `logits (B, T, V)` of each frame; with `layers`, a decoder beside it that writes the transcript while it is learned."""

    def __init__(self, task: Transcribe, dim: int) -> None:
        super().__init__()
        size = len(task.letters) + 1
        self.each = PerUnitHead(dim, size, dropout=task.dropout)
        self.decoder = self.letters = self.told = None
        if task.attention:
            self.decoder = TransformerDecoder(
                dim, dim, layers=task.layers, heads=task.heads, hidden=4 * dim, feedforward="gelu", dropout=task.dropout
            )
            # The number that stands for no letter begins a text, and ends it.
            self.letters, self.told = embedding(size, dim), linear(dim, size)

    def forward(self, features: Features) -> Tensor:
        return self.each(features)

    def written(self, features: Features, letters: Tensor) -> Tensor:
        """`letters (B, L)`, filled up with -1 -> logits `(B, L + 1, V)` of each letter and of the end, given those before."""
        assert self.decoder is not None and self.letters is not None and self.told is not None
        return self.told(self.decoder(self.letters(F.pad(letters.clamp_min(0), (1, 0))), features))


class Transcribe(Task):
    """A distribution over letters in each frame; a text's probability is that of all the ways in which it may be spelled (CTC). With `attention` a decoder
    learns to write the text as well, and what it teaches the encoder is its use (Kim et al. 2017; Watanabe et al. 2017): answers are those of the frames.

    Transcripts are compared, learned and answered as `data.transcripts.normal` writes them. One that has more letters than its row has frames teaches
    nothing; how many do is told (`unfit`).
    """

    needs: ClassVar[Needs] = "transcript"
    seeks: ClassVar[tuple[str, ...]] = ("beams", "language_weight", "word_bonus")

    units: Literal["characters", "bpe", "pinyin"] = "characters"
    """What a letter is: a character, a piece of a word, or a Mandarin syllable with its tone; texts are then learned, answered and scored in pinyin."""
    vocab_size: int = Field(default=256, gt=1, le=1 << 16)
    """Pieces at most; only of bpe."""
    case: Case = "lower"
    """lower: transcripts are learned and scored in lower case."""
    punctuation: Marks = "drop"
    """drop: signs other than letters, numbers and apostrophes inside of words are neither learned nor scored."""
    dropout: float = Field(default=0.1, ge=0, lt=1)
    attention: float = Field(default=0.0, ge=0, lt=1)
    """Weight of the decoder's loss beside that of the frames; 0: there is no decoder."""
    layers: int = Field(default=1, gt=0, le=64)
    """Of the decoder."""
    heads: int = Field(default=4, gt=0)
    """Of the decoder."""
    beams: int = Field(default=1, gt=0, le=1024)
    """Texts that a search keeps open; 1: the likeliest path is followed."""
    language_weight: float = Field(default=0.5, ge=0)
    """Of the log-probabilities of a language model, where one was given."""
    word_bonus: float = 0.0
    """Added for each word, in a search."""
    letters: tuple[str, ...] = ()
    """Learned: the alphabet."""
    merges: tuple[tuple[str, str], ...] = ()
    """Learned: of bpe, which pieces become one, in order."""

    _language: ctc.Language | None = PrivateAttr(None)

    @cached_property
    def alphabet(self) -> Alphabet:
        return Alphabet(self.letters, self.merges, syllables=self.units == "pinyin")

    def written(self, transcript: Any) -> str:
        """A transcript as it is learned and scored. Raises MissingExtra for pinyin without pypinyin."""
        text = normal(joined(transcript or ""), self.case, self.punctuation)
        return syllables(text) if self.units == "pinyin" else scripts.closed(text)

    def with_language(self, language: ctc.Language | None) -> Self:
        """A copy whose search asks `language` about its texts, given as numbers of `letters`."""
        known = self.model_copy()
        known._language = language
        return known

    def fit(self, records: Sequence[Record]) -> Self:
        texts = [self.written(record.target) for record in records]
        learned = {"characters": Alphabet.of_characters, "pinyin": Alphabet.of_syllables}.get(self.units)
        found = Alphabet.of_pieces(texts, self.vocab_size) if learned is None else learned(texts)
        return type(self).parse({**self.plain(), "letters": found.letters, "merges": found.merges})

    def targets(self, record: Record) -> Mapping[str, Tensor]:
        """`letters (L,)` int64; what training never met is left out, and then `unspelled ()` int64 is 1."""
        text = self.written(record.target)
        letters = torch.tensor(self.alphabet.encode(text), dtype=torch.int64)
        return {"letters": letters, "unspelled": torch.tensor(int(not self.alphabet.spells(text)))}

    def head(self, spec: UnitSpec, dim: int) -> nn.Module:
        """Raises ImpossiblePair where units do not follow each other, and BadSetting where heads do not divide the width."""
        if spec.grid_ndim != 1:
            raise ImpossiblePair(
                first=in_language("the modality", "模态"),
                second=self.called(),
                rule=in_language("the other reads units that follow each other in time", "后者读取按时间先后排列的单元"),
                advice=in_language("choose --set modality.name=speech", "请选用 --set modality.name=speech"),
            )
        if self.attention and (dim % self.heads or dim // self.heads % 2):
            rule = in_language(f"must divide the width {dim} into even parts", f"必须把宽度 {dim} 分成偶数宽的部分")
            raise BadSetting(key="task.heads", rule=rule, value=self.heads)
        return Speller(self, dim)

    def outputs(self, encoder: Encoder, head: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """What `answers` gives, and where the decoder learns `told (B, L + 1, V)`."""
        assert isinstance(head, Speller)
        features = encoder(batch.units)
        found = {"logits": head(features), "real": features.mask}
        if self.attention and "letters" in batch.targets:
            found["told"] = head.written(features, batch.targets["letters"])
        return found

    def answers(self, encoder: Encoder, head: nn.Module, units: Units) -> dict[str, Tensor]:
        """`logits (B, T, V)` of each frame, and which frames there are, `real (B, T)`."""
        return self.outputs(encoder, head, Batch(units))

    def loss(self, outputs: Mapping[str, Tensor], batch: Batch) -> Ratio:
        """Sum over the rows whose text fits, over their letters and ends; with `attention` that of the decoder too, both by their weights."""
        letters = batch.targets["letters"]
        each, fits = ctc.losses(outputs["logits"], outputs["real"], letters)
        sizes = (letters >= 0).sum(1) + 1
        framed = Ratio(each.sum(), (sizes * fits).sum())
        if not self.attention:
            return framed
        wanted = F.pad(letters, (0, 1), value=losses.UNSEEN).scatter(1, sizes[:, None] - 1, ctc.BLANK)
        written = Ratio(losses.cross_entropy(outputs["told"].flatten(0, 1), wanted.flatten()).sum(), sizes.sum())
        weight = self.attention
        return Ratio((1 - weight) * framed.total + weight * written.total, (1 - weight) * framed.count + weight * written.count)

    def evidence(self, outputs: Mapping[str, Tensor], batch: Batch) -> Columns:
        """By row: edits of the likeliest path, against the letters that training met (`metrics.transcription.judged`), and whether the text is `unfit`, or
        `unspelled`."""
        letters = batch.targets["letters"]
        said = [self.alphabet.decode(row[row > 0].tolist()) for row in letters.cpu()]
        heard = [self.alphabet.decode(ctc.greedy(log_p)) for log_p in frames_of(outputs)]
        _, fits = ctc.losses(outputs["logits"].detach(), outputs["real"], letters)
        unfit = fits.logical_not().cpu().numpy().astype(np.int64)
        unspelled = batch.targets["unspelled"].cpu().numpy().astype(np.int64)
        return {
            **transcription.judged(heard, said, "greedy_"),
            "unfit": unfit,
            "unspelled": unspelled,
            "rows": np.ones_like(unfit),
        }

    def metrics(self) -> Mapping[str, Metric]:
        """Of the likeliest path, which costs no search. That of characters comes first: it orders models in which no word is right yet. Without words that
        are written apart only characters count."""
        by_word = {"greedy_wer": transcription.greedy_wer} if self.alphabet.spaced else {}
        return {
            "greedy_cer": transcription.greedy_cer,
            **by_word,
            "unfit": transcription.unfit,
            "unspelled": transcription.unspelled,
        }

    def decode(self, outputs: Mapping[str, Tensor]) -> list[Prediction]:
        """The text of each row; `score`: the geometric mean of its letters' probabilities, each in the frame where it is surest; `times` of its words, in
        shares of the row, where its letters stand on the likeliest path."""
        search = self._search
        return [
            self._told(log_p, ctc.greedy(log_p) if search is None else search(log_p)[0].ids) for log_p in frames_of(outputs)
        ]

    @property
    def _search(self) -> ctc.Search | None:
        if self.beams == 1 and self._language is None:
            return None
        bonus = self.word_bonus * np.array(self.alphabet.begins, np.float64)
        return ctc.Search(self.beams, _LEAST, self._language, self.language_weight, bonus)

    def _told(self, log_p: np.ndarray, ids: ctc.Ids) -> Prediction:
        places = ctc.aligned(log_p, ids)
        sure = [log_p[begin:end, id].max() for id, (begin, end) in zip(ids, places.tolist(), strict=True)]
        times = tuple(
            Timed(word, float(places[first, 0] / len(log_p)), float(places[past - 1, 1] / len(log_p)))
            for word, first, past in self.alphabet.words(ids)
        )
        return Prediction(self.alphabet.decode(ids), float(np.exp(np.mean(sure))) if sure else None, times=times)

    def judge(self, answers: Sequence[Prediction], records: Sequence[Record]) -> Columns:
        """Raises MissingExtra without jiwer."""
        return transcription.judged([one.answer for one in answers], [self.written(record.target) for record in records])

    def answer_metrics(self) -> Mapping[str, Metric]:
        by_word = {"wer": transcription.wer} if self.alphabet.spaced else {}
        return {**by_word, "cer": transcription.cer}

    def notes(self) -> Mapping[str, str]:
        """How texts were written before they were compared."""
        rule = [transcription.note(self.case, self.punctuation), *([PINYIN] if self.units == "pinyin" else [])]
        rule += [f"beams {self.beams}", *([] if self._language is None else [f"language model {self.language_weight:g}"])]
        told = dict.fromkeys(self.answer_metrics(), ", ".join(rule))
        if "wer" in told and any(map(scripts.alone, self.letters)):
            told["wer"] += ", each character of Chinese or Japanese a word"
        return told

    def warnings(self, scores: Mapping[str, float]) -> list[str]:
        told = list[str]()
        if (unfit := scores.get("unfit", 0.0)) > _UNFIT:
            told.append(
                in_language(
                    f"{unfit:.0%} of the transcripts have more letters than their rows have frames, and teach nothing: choose a backbone that keeps more "
                    "frames (backbone.subsample), or task.units=bpe",
                    f"{unfit:.0%} 的转写文本比其帧数还长，无法学习：请选用保留更多帧的骨干网络（backbone.subsample），或 task.units=bpe",
                )
            )
        if (unspelled := scores.get("unspelled", 0.0)) > _UNFIT:
            told.append(
                in_language(
                    f"{unspelled:.0%} of the transcripts have letters that training never met, and no answer can be right there: choose smaller letters "
                    f"(task.units=characters; here {self.units}), or learn from more transcripts",
                    f"{unspelled:.0%} 的转写文本含有训练中从未出现的字母单元，这些行不可能答对：请选用更小的单元（task.units=characters；当前为 {self.units}），"
                    "或增加训练用的转写文本",
                )
            )
        return told

    def reading(self) -> Mapping[str, Any]:
        """The likeliest letter of each real frame, merged where it repeats, number 0 being none; where a search is asked for, it is left to the reader."""
        if self.beams > 1:
            return super().reading()
        return {"kind": "letters", "letters": ["", *self.letters], "spaced": self.alphabet.spaced}

    @classmethod
    def example(cls) -> Example:
        records = [Record(f"row-{i}", "", target=text) for i, text in enumerate(("a", "b", "A", "b", "a b", "b.", "", "a"))]
        return Example(cls(dropout=0.0, attention=0.3, heads=1).fit(records), records)


def frames_of(outputs: Mapping[str, Tensor]) -> list[np.ndarray]:
    """Of each row the log-probabilities of its real frames, `(T, V)` float32."""
    log_p = outputs["logits"].detach().float().log_softmax(-1).cpu().numpy()
    return [row[: int(real)] for row, real in zip(log_p, outputs["real"].sum(1), strict=True)]
