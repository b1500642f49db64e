"""Text: strings to ids by a tokenizer that is trained on the training split."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import safetensors.numpy
import torch
from pydantic import Field, PrivateAttr, model_validator
from torch import nn

from zhuji.core.contracts import Encoded, Modality
from zhuji.core.log import in_language
from zhuji.core.units import Units, UnitSpec
from zhuji.modalities import _ngrams, _tokenizers
from zhuji.modalities._tokenizers import BYTE_VOCABULARY, MASK, PAD, RESERVED, UNKNOWN, Kind
from zhuji.nn.stems import IdStem

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_FILE = "tokenizer.json"
_UNITS = "units.safetensors"
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class Text(Modality):
    """`ids (T,)`: the tokens in order; with `ngrams`, then the known runs of 2, 3 … tokens, for backbones that see no order."""

    tokenizer: Kind = "words"
    vocab_size: int = Field(default=50_000, gt=len(RESERVED))
    max_units: int = Field(default=512, gt=0)
    """Tokens kept of a text, from its start."""
    lowercase: bool = True
    min_frequency: int = Field(default=1, gt=0)
    """Rarer tokens are unknown."""
    ngrams: int = Field(default=1, gt=0, le=5)
    """Longest run of tokens that gets an id of its own."""
    ngram_frequency: int = Field(default=2, gt=0)
    """Training texts in which a run must stand to get one."""
    ngram_size: int = Field(default=500_000, gt=0)
    """Runs that get an id, the most frequent first."""
    weigh: bool = False
    """Each id has a learned weight that begins at its inverse document frequency (Sparck Jones 1972): for backbones that average."""

    _learned: Tokenizer | None = PrivateAttr(None)
    _runs: np.ndarray = PrivateAttr(default_factory=lambda: np.empty(0, np.uint64))
    """Sorted hashes of the runs that have an id."""
    _rarity: np.ndarray | None = PrivateAttr(None)
    """Log of each id's inverse document frequency over the mean of all, (num_ids,) float32."""

    @model_validator(mode="after")
    def _bytes_fit(self) -> Self:
        if self.tokenizer in ("bpe", "unigram") and self.vocab_size < BYTE_VOCABULARY:
            raise ValueError(
                in_language(
                    f"must have a vocab_size of at least {BYTE_VOCABULARY} for {self.tokenizer}, which begins with all bytes",
                    f"{self.tokenizer} 以全部字节开头，其 vocab_size 至少为 {BYTE_VOCABULARY}",
                )
            )
        return self

    @property
    def _tokenizer(self) -> Tokenizer:
        assert self._learned is not None, "the text modality must be fitted first"
        return self._learned

    @property
    def num_tokens(self) -> int:
        """Ids of tokens, the reserved ones included."""
        return self._tokenizer.get_vocab_size()

    @property
    def spec(self) -> UnitSpec:
        return UnitSpec(grid_ndim=1, num_ids=self.num_tokens + len(self._runs))

    def mask_id(self) -> int:
        """The id that stands for a hidden token."""
        return MASK

    def fit(self, inputs: Iterable[Any], seed: int = 0) -> Self:
        """Trains the tokenizer, then learns runs and rarities. Nothing in it is left to chance, so `seed` changes nothing."""
        texts = [_printable(text) for text in inputs]
        fitted = self.model_copy()
        fitted._learned = _tokenizers.train(
            self.tokenizer, texts, vocab_size=self.vocab_size, min_frequency=self.min_frequency, lowercase=self.lowercase
        )  # fmt: skip
        if self.ngrams > 1:
            batches = (fitted._tokens(part)[0] for part in _parts(texts))
            fitted._runs = _ngrams.learn(batches, self.ngrams, self.ngram_frequency, self.ngram_size)
        if self.weigh:
            fitted._rarity = _rarity((fitted.encode(part) for part in _parts(texts)), fitted.spec.num_ids)
        return fitted

    def encode(self, inputs: Sequence[Any]) -> list[Encoded]:
        """`ids (T,)` int32, T >= 1: a text without any token is one unknown one."""
        tokens, cut = self._tokens([_printable(text) for text in inputs])
        ids = self._with_runs(tokens) if self.ngrams > 1 else tokens
        return [Encoded(ids=row, cut=lost) for row, lost in zip(ids, cut, strict=True)]

    def _tokens(self, texts: Sequence[str]) -> tuple[list[np.ndarray], list[int]]:
        encodings = self._tokenizer.encode_batch_fast(list(texts), add_special_tokens=False)
        tokens = [np.asarray(encoding.ids, dtype=np.int32) for encoding in encodings]
        kept = [row[: self.max_units] if row.size else np.array([UNKNOWN], dtype=np.int32) for row in tokens]
        return kept, [max(row.size - self.max_units, 0) for row in tokens]

    def _with_runs(self, tokens: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Each row followed by the ids of its known runs, in order of length and place."""
        if not tokens:
            return []
        owner, hashed = _ngrams.runs(tokens, self.ngrams)
        place = _ngrams.places(hashed, self._runs)
        found = (self.num_tokens + place[place >= 0]).astype(np.int32)
        ends = np.cumsum(np.bincount(owner[place >= 0], minlength=len(tokens)))[:-1]
        return [np.concatenate(pair) for pair in zip(tokens, np.split(found, ends), strict=True)]

    def decode(self, ids: Iterable[int]) -> str:
        """The text that these ids stand for; padding and runs of tokens are passed over."""
        return self._tokenizer.decode([int(i) for i in ids if PAD != i < self.num_tokens], skip_special_tokens=False)

    def collate(self, rows: Sequence[Encoded], grid: tuple[int, ...]) -> Units:
        lengths = np.array([row.length for row in rows], dtype=np.int64)
        ids = np.full((len(rows), *grid), PAD, dtype=np.int64)
        for place, row, length in zip(ids, rows, lengths, strict=True):
            place[:length] = row.ids
        mask = np.arange(grid[0]) < lengths[:, None]
        return Units(mask=torch.from_numpy(mask), ids=torch.from_numpy(ids))

    def stem(self, dim: int) -> nn.Module:
        return IdStem(self.spec.num_ids, dim, padding=PAD, rarity=self._rarity if self.weigh else None)

    def files(self) -> Mapping[str, bytes]:
        learned = {_FILE: self._tokenizer.to_str().encode()}
        if self.ngrams > 1 or self.weigh:
            rarity = np.empty(0, np.float32) if self._rarity is None else self._rarity
            learned[_UNITS] = safetensors.numpy.save({"runs": self._runs.view(np.int64), "rarity": rarity})
        return learned

    def with_files(self, files: Mapping[str, bytes]) -> Self:
        """Raises ValueError when a file does not say what `files` would."""
        known = self.model_copy()
        known._learned = _tokenizers.library().Tokenizer.from_str(files[_FILE].decode())
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


def _printable(text: str) -> str:
    """Half a surrogate pair, which JSON can hold and UTF-8 cannot, becomes the replacement character."""
    return _LONE_SURROGATE.sub("\ufffd", text)


def _parts(texts: Sequence[str], size: int = 4096) -> Iterator[Sequence[str]]:
    for start in range(0, len(texts), size):
        yield texts[start : start + size]


def _rarity(batches: Iterable[Sequence[Encoded]], num_ids: int) -> np.ndarray:
    """Log of ln((1 + rows) / (1 + rows with the id)) + 1, the smoothed inverse document frequency, over its mean."""
    rows, having = 0, np.zeros(num_ids, np.int64)
    for batch in batches:
        rows += len(batch)
        seen = [np.unique(row.ids) for row in batch if row.ids is not None]
        having += np.bincount(np.concatenate(seen), minlength=num_ids)
    inverse = np.log((1 + rows) / (1 + having)) + 1
    return np.log(inverse / inverse.mean()).astype(np.float32)
