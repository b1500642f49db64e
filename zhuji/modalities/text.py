"""Text: strings to ids by a tokenizer that is trained on the training split."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from pydantic import Field, PrivateAttr, model_validator
from torch import nn

from zhuji.core.contracts import Encoded, Modality
from zhuji.core.units import Units, UnitSpec
from zhuji.modalities import _tokenizers
from zhuji.modalities._tokenizers import BYTE_VOCABULARY, MASK, PAD, RESERVED, UNKNOWN, Kind
from zhuji.nn.stems import IdStem

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_FILE = "tokenizer.json"
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


class Text(Modality):
    """`ids (T,)`: the tokens in order; with `ngrams`, then the hashed runs of 2, 3 … tokens, for backbones that see no order."""

    tokenizer: Kind = "words"
    vocab_size: int = Field(default=50_000, gt=len(RESERVED))
    max_units: int = Field(default=512, gt=0)
    """Tokens kept of a text, from its start."""
    lowercase: bool = True
    min_frequency: int = Field(default=1, gt=0)
    """Rarer tokens are unknown."""
    ngrams: int = Field(default=1, gt=0, le=5)
    """Longest run of tokens that gets an id of its own."""
    ngram_buckets: int = Field(default=200_000, gt=0)
    """Ids that runs of tokens share by hashing (Weinberger et al. 2009; Joulin et al. 2016)."""

    _learned: Tokenizer | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _bytes_fit(self) -> Self:
        if self.tokenizer in ("bpe", "unigram") and self.vocab_size < BYTE_VOCABULARY:
            raise ValueError(
                f"must have a vocab_size of at least {BYTE_VOCABULARY} for {self.tokenizer}, which begins with all bytes"
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
        hashed = self.ngram_buckets if self.ngrams > 1 else 0
        return UnitSpec(grid_ndim=1, num_ids=self.num_tokens + hashed)

    def mask_id(self) -> int:
        """The id that stands for a hidden token."""
        return MASK

    def fit(self, inputs: Iterable[Any], seed: int = 0) -> Self:
        """Trains the tokenizer. Nothing in it is left to chance, so `seed` changes nothing."""
        tokenizer = _tokenizers.train(
            self.tokenizer,
            map(_printable, inputs),
            vocab_size=self.vocab_size,
            min_frequency=self.min_frequency,
            lowercase=self.lowercase,
        )
        return self._with(tokenizer)

    def _with(self, tokenizer: Tokenizer) -> Self:
        copy = self.model_copy()
        copy._learned = tokenizer
        return copy

    def encode(self, inputs: Sequence[Any]) -> list[Encoded]:
        """`ids (T,)` int32, T >= 1: a text without any token is one unknown one."""
        encodings = self._tokenizer.encode_batch_fast([_printable(text) for text in inputs], add_special_tokens=False)
        tokens = [np.asarray(encoding.ids, dtype=np.int32) for encoding in encodings]
        kept = [row[: self.max_units] if row.size else np.array([UNKNOWN], dtype=np.int32) for row in tokens]
        cut = [max(row.size - self.max_units, 0) for row in tokens]
        if self.ngrams > 1 and kept:
            kept = with_ngrams(kept, self.ngrams, self.num_tokens, self.ngram_buckets)
        return [Encoded(ids=ids, cut=lost) for ids, lost in zip(kept, cut, strict=True)]

    def decode(self, ids: Iterable[int]) -> str:
        """The text that these ids stand for; padding and hashed runs of tokens are passed over."""
        return self._tokenizer.decode([int(i) for i in ids if PAD != i < self.num_tokens], skip_special_tokens=False)

    def collate(self, rows: Sequence[Encoded], grid: tuple[int, ...]) -> Units:
        lengths = np.array([row.length for row in rows], dtype=np.int64)
        ids = np.full((len(rows), *grid), PAD, dtype=np.int64)
        for place, row, length in zip(ids, rows, lengths, strict=True):
            place[:length] = row.ids
        mask = np.arange(grid[0]) < lengths[:, None]
        return Units(mask=torch.from_numpy(mask), ids=torch.from_numpy(ids))

    def stem(self, dim: int) -> nn.Module:
        return IdStem(self.spec.num_ids, dim, padding=PAD)

    def files(self) -> Mapping[str, bytes]:
        return {_FILE: self._tokenizer.to_str().encode()}

    def with_files(self, files: Mapping[str, bytes]) -> Self:
        from_str = _tokenizers.library().Tokenizer.from_str
        return self._with(from_str(files[_FILE].decode()))

    @classmethod
    def example(cls) -> tuple[Self, list[Any]]:
        texts = ["the cat sat on the mat", "筑基：从头开始 train it", "good", "no, not good at all 😀", "", "a b c d e f g h"]
        return cls(tokenizer="words", vocab_size=64, max_units=12).fit(texts), texts


def _printable(text: str) -> str:
    """Half a surrogate pair, which JSON can hold and UTF-8 cannot, becomes the replacement character."""
    return _LONE_SURROGATE.sub("\ufffd", text)


def with_ngrams(rows: Sequence[np.ndarray], longest: int, first_id: int, buckets: int) -> list[np.ndarray]:
    """Each row of ids followed by an id in `first_id … first_id + buckets - 1` for every run of 2 to `longest` of its ids.

    The hash is a polynomial of the ids modulo 2^64, mixed by SplitMix64's finaliser (Steele et al. 2014): the same on every
    machine and in every process.
    """
    lengths = np.array([row.size for row in rows])
    flat = np.concatenate(rows)
    left = np.concatenate([np.arange(length, 0, -1) for length in lengths])
    row_of = np.repeat(np.arange(len(rows)), lengths)
    hashed, pieces, owners = flat.astype(np.uint64) + np.uint64(1), [flat], [row_of]
    for size in range(2, longest + 1):
        following = flat[size - 1 :].astype(np.uint64) + np.uint64(1)
        hashed = hashed[: following.size] * np.uint64(0x9E3779B97F4A7C15) + following
        inside = left[: following.size] >= size
        pieces.append((first_id + _mixed(hashed[inside]) % np.uint64(buckets)).astype(np.int32))
        owners.append(row_of[: following.size][inside])
    owner = np.concatenate(owners)
    ordered = np.concatenate(pieces)[np.argsort(owner, kind="stable")]
    return np.split(ordered, np.cumsum(np.bincount(owner, minlength=len(rows)))[:-1])


def _mixed(bits: np.ndarray) -> np.ndarray:
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))
