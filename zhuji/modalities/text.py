"""Text: strings to ids by a tokenizer that is trained on the training split, or that another model brings along."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np
import safetensors.numpy
import torch
from pydantic import Field, PrivateAttr, model_validator
from torch import nn

from zhuji.core.config import Settings
from zhuji.core.contracts import Encoded, Modality, Shown
from zhuji.core.errors import BadSetting
from zhuji.core.log import in_language
from zhuji.core.units import Units, UnitSpec
from zhuji.data.phonemes import phonemes
from zhuji.modalities import _marked, _ngrams, _tokenizers, _words
from zhuji.modalities._marked import Marked
from zhuji.modalities._tokenizers import BYTE_VOCABULARY, CLASSIFY, MASK, PAD, RESERVED, SEPARATE, UNKNOWN, Kind, printable
from zhuji.nn.stems import IdStem

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_FILE = "tokenizer.json"
_UNITS = "units.safetensors"


class SpecialIds(Settings):
    """Ids that stand for no piece of text; None: the vocabulary has no such id."""

    pad: int | None = Field(default=PAD, ge=0)
    unknown: int | None = Field(default=UNKNOWN, ge=0)
    start: int | None = Field(default=CLASSIFY, ge=0)
    end: int | None = Field(default=SEPARATE, ge=0)
    mask: int | None = Field(default=MASK, ge=0)


class Text(Modality):
    """`ids (T,)`: the tokens in order; with `ngrams`, then the known runs of 2, 3 … tokens, for backbones that see no order.

    An input is a str or a tuple of words.
    """

    tokenizer: Kind | Literal["read"] = "words"
    """read: the one that came with another model, as it is; settings about training a tokenizer do not touch it."""
    vocab_size: int = Field(default=50_000, gt=len(RESERVED))
    max_units: int = Field(default=512, gt=0)
    """Tokens kept of a text, from its start, those of `wrap` included."""
    wrap: Literal["none", "both", "start", "end"] = "none"
    """Ids that every text is put between: the one for a start, the one for an end."""
    pieces: bool = False
    """Tell which tokens are pieces of one word, for objectives that hide whole words."""
    phonemes: str | None = Field(default=None, pattern="^[a-z]{2,3}(-[A-Za-z0-9]+)*$")
    """The language, as espeak-ng names it (`en-us`, `cmn`), in whose phonemes texts are written before they are cut: for models that speak or listen."""
    lowercase: bool = True
    min_frequency: int = Field(default=1, gt=0)
    """Rarer tokens are unknown."""
    ngrams: int = Field(default=1, gt=0, le=5)
    """Longest run of tokens that gets an id of its own."""
    ngram_frequency: int = Field(default=2, gt=0)
    """Training texts in which a run must stand to get one."""
    ngram_size: int = Field(default=500_000, gt=0)
    """Runs that get an id, the most frequent first."""
    special: SpecialIds = SpecialIds()
    """Learned: what the tokenizer's special ids are."""
    weigh: bool = False
    """Each id has a learned weight that begins at its inverse document frequency (Sparck Jones 1972): for backbones that average."""

    _learned: Tokenizer | None = PrivateAttr(None)
    _later: Tokenizer | None = PrivateAttr(None)
    """The same for what is not at the beginning, made when it is first needed."""
    _runs: np.ndarray = PrivateAttr(default_factory=lambda: np.empty(0, np.uint64))
    """Sorted hashes of the runs that have an id."""
    _rarity: np.ndarray | None = PrivateAttr(None)
    """Log of each id's inverse document frequency over the mean of all, (num_ids,) float32."""

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.tokenizer in ("bpe", "unigram") and self.vocab_size < BYTE_VOCABULARY:
            raise ValueError(
                in_language(
                    f"must have a vocab_size of at least {BYTE_VOCABULARY} for {self.tokenizer}, which begins with all bytes",
                    f"{self.tokenizer} 以全部字节开头，其 vocab_size 至少为 {BYTE_VOCABULARY}",
                )
            )
        if self.wrap != "none" and self.max_units < 3:
            raise ValueError(in_language("must keep max_units >= 3 units with wrap", "使用 wrap 时 max_units 至少为 3"))
        if any(id is None for id in (*self._before, *self._after)):
            raise ValueError(
                in_language(
                    f"cannot have wrap={self.wrap}: the tokenizer has no such id",
                    f"wrap={self.wrap} 不可用：分词器没有这样的编号",
                )
            )
        return self

    @classmethod
    def read(cls, tokenizer_json: str, **settings: Any) -> Self:
        """Text as another model's tokenizer.json cuts it. `settings`: at least `vocab_size`, the ids that the model's table has, and
        `special`. Raises ValueError when it cannot be read or has more ids than that."""
        text = cls.parse({"tokenizer": "read", **settings}, prefix="modality")
        return text.with_files({_FILE: tokenizer_json.encode()})

    @property
    def _before(self) -> list[int | None]:
        return [self.special.start] if self.wrap in ("both", "start") else []

    @property
    def _after(self) -> list[int | None]:
        return [self.special.end] if self.wrap in ("both", "end") else []

    @property
    def opening(self) -> int | None:
        """The id that `wrap` puts before every text."""
        return next(iter(self._before), None)

    @property
    def _tokenizer(self) -> Tokenizer:
        assert self._learned is not None, "the text modality must be fitted first"
        return self._learned

    @property
    def fitted(self) -> bool:
        return self._learned is not None

    @property
    def num_tokens(self) -> int:
        """Ids of tokens, the reserved ones included."""
        return self.vocab_size if self.tokenizer == "read" else self._tokenizer.get_vocab_size()

    @property
    def spec(self) -> UnitSpec:
        special = self.special
        # Runs stand behind the tokens: no text can be written so.
        start, end = (special.start, special.end) if self.ngrams == 1 else (None, None)
        return UnitSpec(
            grid_ndim=1, num_ids=self.num_tokens + len(self._runs), start=start, end=end, mask=special.mask, reserved=self._reserved,
        )  # fmt: skip

    @property
    def tokenizer_json(self) -> str:
        """The tokenizer as the `tokenizers` library writes it."""
        return self._tokenizer.to_str()

    @property
    def _reserved(self) -> tuple[int, ...]:
        known = {id for id in self.special.plain().values() if id is not None}
        known |= {id for id, token in self._tokenizer.get_added_tokens_decoder().items() if token.special}
        return tuple(sorted(known))

    def fit(self, inputs: Iterable[Any], seed: int = 0) -> Self:
        """Trains the tokenizer, then learns runs and rarities. Inputs that can be gone through again are never held all at once.
        Nothing in it is left to chance, so `seed` changes nothing."""
        texts = _Texts(list(inputs) if iter(inputs) is inputs else inputs, self._written)
        fitted = self.model_copy()
        fitted._later = None
        fitted._learned = self._given() if self.tokenizer == "read" else _tokenizers.train(
            self.tokenizer, texts, vocab_size=self.vocab_size, min_frequency=self.min_frequency, lowercase=self.lowercase
        )  # fmt: skip
        if self.ngrams > 1:
            batches = ([row.ids for row in fitted._tokens(part) if row.ids is not None] for part in _parts(texts))
            fitted._runs = _ngrams.learn(batches, self.ngrams, self.ngram_frequency, self.ngram_size)
        if self.weigh:
            fitted._rarity = _rarity((fitted.encode(part) for part in _parts(texts)), fitted.spec.num_ids)
        return fitted

    def _given(self) -> Tokenizer:
        if self._learned is None:
            rule = in_language("'read' needs a model that brings its tokenizer along", "为 read 时须有自带分词器的模型")
            raise BadSetting(key="modality.tokenizer", rule=rule)
        return self._learned

    def encode(self, inputs: Sequence[Any]) -> list[Encoded]:
        """`ids (T,)` int32, T >= 1: a text without any token is one unknown one. `words (T,)` for tuples of words, and with
        `pieces`."""
        rows = self._tokens(inputs)
        runs = self._known_runs(rows) if self.ngrams > 1 else [np.empty(0, np.int32)] * len(rows)
        if self.wrap == "none" and self.ngrams == 1:
            return rows
        before, after = np.array(self._before, np.int32), np.array(self._after, np.int32)
        return [_joined((before,), row, (after, found)) for row, found in zip(rows, runs, strict=True)]

    def shown(self, raw: Any) -> Shown:
        """Parts are words; of scripts without blanks, what a token holds. A run of tokens stands for all of their words."""
        if isinstance(raw, str):
            text = written = self._written(raw)
            found = self._tokenizer.encode(written, add_special_tokens=False)
            parts, word = _words.gathered(written, found.offsets)
        else:
            text, parts = "".join(_words.spaced(raw)), _words.placed(raw)
            split = _words.spaced([*map(self._written, raw)])
            found = self._tokenizer.encode(split, is_pretokenized=True, add_special_tokens=False)
            word = np.array(found.word_ids, np.int64)
        row = self._limited(found.ids)
        word = word[: self._room] if found.ids else np.full(row.length, -1)
        units = [np.stack([word, word + 1], 1).clip(0), *self._spans_of_runs(row, word)]
        around = [np.zeros((len(part), 2), np.int64) for part in (self._before, self._after)]
        return Shown(text, parts, np.concatenate([around[0], units[0], around[1], *units[1:]]))

    def _spans_of_runs(self, row: Encoded, word: np.ndarray) -> list[np.ndarray]:
        """Of each known run, in the order of `_known_runs`, its first word and the one past its last, (N, 2)."""
        if self.ngrams == 1 or row.ids is None:
            return []
        _, hashed = _ngrams.runs([row.ids], self.ngrams)
        ends = [(first, first + size - 1) for size in range(2, self.ngrams + 1) for first in range(row.length - size + 1)]
        known = np.array(ends, np.int64).reshape(-1, 2)[_ngrams.places(hashed, self._runs) >= 0]
        first, last = word[known].T
        return [np.stack([first, last + 1], 1) * ((first >= 0) & (last >= 0))[:, None]]

    def encode_masked(self, text: str) -> Encoded:
        """A text in which the mask's own name, such as "[MASK]", stands for a hidden token: the one place where a name in a text is
        more than text."""
        mask = self.special.mask
        assert mask is not None, "the vocabulary has no mask"
        *before, last = text.split(str(self._tokenizer.id_to_token(mask)))
        written = [self._written(part) for part in (*(part.rstrip() for part in before), last)]
        found = self._tokenizer.encode_batch_fast(written, add_special_tokens=False)
        ids = [id for part in found for id in (*part.ids, mask)][:-1]
        row = Encoded(np.array(ids, np.int32)[: self._room], cut=max(len(ids) - self._room, 0))
        return _joined((np.array(self._before, np.int32),), row, (np.array(self._after, np.int32),))

    def marked(self, names: Iterable[str]) -> Marked:
        """A reader of texts in which those of the names that are special tokens of this vocabulary stand for themselves where nobody said
        them."""
        if self._later is None:
            self._later = _marked.inner(self._tokenizer)
        return Marked(self._tokenizer, self._later, _marked.special(self._tokenizer, names, self._reserved))

    def encode_marked(self, texts: Sequence[str], names: Iterable[str], *, begun: bool) -> list[Encoded]:
        """Whole texts in which every such name stands for itself. `begun`: they begin as they are, without what `wrap` puts before."""
        reader, before = self.marked(names), np.array([] if begun else self._before, np.int32)
        rows = [self._limited(reader.ids([(self._written(text), False)])) for text in texts]
        return [_joined((before,), row, (np.array(self._after, np.int32),)) for row in rows]

    def _written(self, text: str) -> str:
        return printable(text) if self.phonemes is None else phonemes(printable(text), self.phonemes)

    def unknown(self, text: str) -> list[str]:
        """The signs of a text, as it is written before it is cut, that the tokenizer does not know."""
        signs = list(dict.fromkeys(self._written(text)))
        found = self._tokenizer.encode_batch_fast(signs, add_special_tokens=False)
        return [sign for sign, one in zip(signs, found, strict=True) if self.special.unknown in one.ids]

    @property
    def _room(self) -> int:
        return self.max_units - len(self._before) - len(self._after)

    def _tokens(self, inputs: Sequence[Any]) -> list[Encoded]:
        """Rows without what is put around them."""
        rows: list[Encoded] = []
        for is_text, group in groupby(inputs, lambda raw: isinstance(raw, str)):
            alike = list(group)
            rows += self._of_texts([*map(self._written, alike)]) if is_text else self._of_words(alike)
        return rows

    def _of_texts(self, texts: Sequence[str]) -> list[Encoded]:
        if not self.pieces:
            found = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
            return [self._limited(encoding.ids) for encoding in found]
        found = self._tokenizer.encode_batch(texts, add_special_tokens=False)
        pairs = zip(texts, found, strict=True)
        return [self._limited(encoding.ids, _words.numbered(text, encoding.offsets)) for text, encoding in pairs]

    def _of_words(self, rows: Sequence[Sequence[str]]) -> list[Encoded]:
        split = [_words.spaced([*map(self._written, row)]) for row in rows]
        found = self._tokenizer.encode_batch(split, is_pretokenized=True, add_special_tokens=False)
        return [self._limited(encoding.ids, np.array(encoding.word_ids, np.int32)) for encoding in found]

    def _limited(self, ids: Sequence[int], words: np.ndarray | None = None) -> Encoded:
        if not ids and self.wrap == "none":
            ids, words = [self._nothing], None if words is None else np.array([-1], np.int32)
        kept = np.asarray(ids, dtype=np.int32)[: self._room]
        return Encoded(kept, cut=len(ids) - len(kept), words=None if words is None else words[: self._room])

    @property
    def _nothing(self) -> int:
        """The id of a row that would be empty."""
        special = self.special
        return next((id for id in (special.unknown, special.end, special.start) if id is not None), 0)

    def _known_runs(self, rows: Sequence[Encoded]) -> list[np.ndarray]:
        """The ids of each row's known runs, in order of length and place."""
        tokens = [row.ids for row in rows if row.ids is not None]
        if not tokens:
            return []
        owner, hashed = _ngrams.runs(tokens, self.ngrams)
        place = _ngrams.places(hashed, self._runs)
        found = (self.num_tokens + place[place >= 0]).astype(np.int32)
        ends = np.cumsum(np.bincount(owner[place >= 0], minlength=len(tokens)))[:-1]
        return np.split(found, ends)

    def decode(self, ids: Iterable[int]) -> str:
        """The text that these ids stand for; reserved ids and runs of tokens are passed over."""
        reserved = set(self._reserved)
        return self._tokenizer.decode(
            [int(i) for i in ids if i < self.num_tokens and i not in reserved], skip_special_tokens=False
        )

    def spelling(self) -> Sequence[str]:
        """With a blank before what begins a word, as far as the tokenizer tells."""
        reserved, blank = set(self._reserved), " " if self.tokenizer == "words" else ""
        written = [self._tokenizer.decode([id], skip_special_tokens=False) for id in range(self.num_tokens)]
        return ["" if id in reserved else blank + text for id, text in enumerate(written)] + [""] * len(self._runs)

    def collate(self, rows: Sequence[Encoded], grid: tuple[int, ...]) -> Units:
        lengths = np.array([row.length for row in rows], dtype=np.int64)
        ids = _filled(rows, grid, lambda row: row.ids, self.special.pad or 0)
        known = any(row.words is not None for row in rows)
        words = torch.from_numpy(_filled(rows, grid, lambda row: row.words, -1)) if known else None
        mask = np.arange(grid[0]) < lengths[:, None]
        return Units(mask=torch.from_numpy(mask), ids=torch.from_numpy(ids), words=words)

    def stem(self, dim: int) -> nn.Module:
        return IdStem(self.spec.num_ids, dim, padding=self.special.pad, rarity=self._rarity if self.weigh else None)

    def files(self) -> Mapping[str, bytes]:
        learned = {_FILE: self._tokenizer.to_str().encode()}
        if self.ngrams > 1 or self.weigh:
            rarity = np.empty(0, np.float32) if self._rarity is None else self._rarity
            learned[_UNITS] = safetensors.numpy.save({"runs": self._runs.view(np.int64), "rarity": rarity})
        return learned

    def with_files(self, files: Mapping[str, bytes]) -> Self:
        """Raises ValueError when a file does not say what `files` would."""
        known = self.model_copy()
        known._later = None
        known._learned = _tokenizers.opened(files[_FILE].decode())
        if self.tokenizer == "read" and (most := max(known._learned.get_vocab().values(), default=0)) >= self.vocab_size:
            raise ValueError(f"{_FILE} must hold at most {self.vocab_size} ids, but holds id {most}")
        if self.ngrams > 1 or self.weigh:
            units = safetensors.numpy.load(files[_UNITS])
            known._runs = units["runs"].view(np.uint64)
            known._rarity = units["rarity"] if self.weigh else None
            ascending = bool((known._runs[1:] > known._runs[:-1]).all())
            if known._runs.ndim != 1 or not ascending or (self.weigh and units["rarity"].shape != (known.spec.num_ids,)):
                raise ValueError(f"{_UNITS} must hold sorted runs, and a rarity for each id")
        return known

    @classmethod
    def example(cls) -> tuple[Self, list[Any]]:
        texts = ["the cat sat on the mat", "筑基：从头开始 train it", "good", "no, not good at all 😀", "", "a b c d e f g h"]
        return cls(tokenizer="words", vocab_size=64, max_units=12).fit(texts), texts


class _Texts:
    """Inputs as texts, as often as one likes; tuples of words are set as they would be written."""

    def __init__(self, inputs: Iterable[Any], written: Callable[[str], str]) -> None:
        self.inputs, self.written = inputs, written

    def __iter__(self) -> Iterator[str]:
        for raw in self.inputs:
            yield self.written(raw if isinstance(raw, str) else "".join(_words.spaced(raw)))


def _parts(texts: Iterable[str], size: int = 4096) -> Iterator[Sequence[str]]:
    remaining = iter(texts)
    while part := list(islice(remaining, size)):
        yield part


def _joined(before: Sequence[np.ndarray], row: Encoded, after: Sequence[np.ndarray]) -> Encoded:
    """The row between other ids, which belong to no word."""
    assert row.ids is not None
    ids = np.concatenate((*before, row.ids, *after))
    if row.words is None:
        return Encoded(ids, cut=row.cut)
    none = [np.full(len(part), -1, np.int32) for part in (*before, *after)]
    return Encoded(ids, cut=row.cut, words=np.concatenate((*none[: len(before)], row.words, *none[len(before) :])))


def _filled(
    rows: Sequence[Encoded], grid: tuple[int, ...], column: Callable[[Encoded], np.ndarray | None], filler: int
) -> np.ndarray:
    """A column of all rows, (B, *grid) int64, with `filler` where a row has none."""
    filled = np.full((len(rows), *grid), filler, dtype=np.int64)
    for place, row in zip(filled, rows, strict=True):
        values = column(row)
        if values is not None:
            place[: len(values)] = values
    return filled


def _rarity(batches: Iterable[Sequence[Encoded]], num_ids: int) -> np.ndarray:
    """Log of ln((1 + rows) / (1 + rows with the id)) + 1, the smoothed inverse document frequency, over its mean."""
    rows, having = 0, np.zeros(num_ids, np.int64)
    for batch in batches:
        rows += len(batch)
        seen = [np.unique(row.ids) for row in batch if row.ids is not None]
        having += np.bincount(np.concatenate(seen), minlength=num_ids)
    inverse = np.log((1 + rows) / (1 + having)) + 1
    return np.log(inverse / inverse.mean()).astype(np.float32)
