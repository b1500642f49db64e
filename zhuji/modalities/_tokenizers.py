"""Six kinds of tokenizer, trained and run by Hugging Face `tokenizers`.

bpe, unigram, bytes work on the 256 byte values, so they know no unknown text and give back exactly what they were given;
characters gives it back as far as it has seen the characters. words and wordpiece forget the blanks between words, and write
[UNK] for what they do not know.

Ids 0 to 4 are reserved in every vocabulary. The library is never told that they are special: text that happens to contain
"[MASK]" is text.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Kind = Literal["bpe", "unigram", "wordpiece", "bytes", "characters", "words"]

RESERVED = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PAD, UNKNOWN, CLASSIFY, SEPARATE, MASK = range(len(RESERVED))

BYTE_VOCABULARY = len(RESERVED) + 256
"""Ids that a vocabulary of bytes has."""

_WORD = r"[\p{Han}\p{Hiragana}\p{Katakana}]|[\p{L}\p{M}\p{N}_&&[^\p{Han}\p{Hiragana}\p{Katakana}]]+|[^\s\p{L}\p{M}\p{N}_\p{C}]"
"""One character of a script without blanks, a run of letters and digits, or one mark or symbol."""


def library() -> Any:
    """The `tokenizers` module. Its own threads are off: they ignore this process's share of the machine, and training Unigram
    on several of them adds up in another order each time."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import tokenizers

    return tokenizers


def train(kind: Kind, texts: Iterable[str], *, vocab_size: int, min_frequency: int, lowercase: bool) -> Tokenizer:
    """A tokenizer of that kind with at most `vocab_size` ids, learned from `texts`; units seen fewer than `min_frequency` times
    are left out (unigram chooses by likelihood instead). The same texts give the same tokenizer."""
    library()
    tokenizer = _untrained(kind, lowercase)
    if kind == "bytes":
        return _unspecial(tokenizer)
    tokenizer.train_from_iterator(texts, _trainer(kind, vocab_size, min_frequency))
    return _unspecial(tokenizer)


def _untrained(kind: Kind, lowercase: bool) -> Tokenizer:
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

    bytewise = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=kind != "bytes")
    model, split, decoder = {
        "bpe": lambda: (models.BPE(), bytewise, decoders.ByteLevel()),
        "unigram": lambda: (models.Unigram(), bytewise, decoders.ByteLevel()),
        "bytes": lambda: (models.BPE(vocab=_byte_vocab(), merges=[]), bytewise, decoders.ByteLevel()),
        "wordpiece": lambda: (
            models.WordPiece(unk_token=RESERVED[UNKNOWN]),
            pre_tokenizers.BertPreTokenizer(),
            decoders.WordPiece(),
        ),
        "characters": lambda: (
            models.WordLevel(unk_token=RESERVED[UNKNOWN]),
            pre_tokenizers.Split(Regex(r"(?m)."), "isolated"),
            decoders.Fuse(),
        ),
        "words": lambda: (
            models.WordLevel(unk_token=RESERVED[UNKNOWN]),
            pre_tokenizers.Split(Regex(_WORD), "removed", invert=True),
            None,
        ),
    }[kind]()
    tokenizer = Tokenizer(model)
    steps: list[Any] = [normalizers.Lowercase()] if lowercase else []
    if kind == "wordpiece":
        steps.append(
            normalizers.BertNormalizer(clean_text=False, handle_chinese_chars=True, strip_accents=False, lowercase=False)
        )
    if steps:
        tokenizer.normalizer = normalizers.Sequence(steps)  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.pre_tokenizer = split  # pyright: ignore[reportAttributeAccessIssue]
    if decoder is not None:
        tokenizer.decoder = decoder  # pyright: ignore[reportAttributeAccessIssue]
    return tokenizer


def _alphabet() -> list[str]:
    from tokenizers import pre_tokenizers

    return sorted(pre_tokenizers.ByteLevel.alphabet())


def _byte_vocab() -> dict[str, int]:
    return {token: number for number, token in enumerate([*RESERVED, *_alphabet()])}


def _trainer(kind: Kind, vocab_size: int, min_frequency: int) -> Any:
    from tokenizers import trainers

    common: dict[str, Any] = {"vocab_size": vocab_size, "special_tokens": list(RESERVED), "show_progress": False}
    if kind == "bpe":
        return trainers.BpeTrainer(initial_alphabet=_alphabet(), min_frequency=min_frequency, **common)
    if kind == "unigram":
        return trainers.UnigramTrainer(initial_alphabet=_alphabet(), unk_token=RESERVED[UNKNOWN], **common)
    if kind == "wordpiece":
        return trainers.WordPieceTrainer(min_frequency=min_frequency, **common)
    return trainers.WordLevelTrainer(min_frequency=min_frequency, **common)


def _unspecial(tokenizer: Tokenizer) -> Tokenizer:
    """The same tokenizer, for which the reserved names are ids that no text leads to."""
    from tokenizers import Tokenizer

    plain = json.loads(tokenizer.to_str())
    plain["added_tokens"] = []
    model = plain["model"]
    if model["type"] == "Unigram":
        least = min(score for _, score in model["vocab"]) - 100.0
        model["vocab"] = [
            [piece, least if number < len(RESERVED) else score] for number, (piece, score) in enumerate(model["vocab"])
        ]
    return Tokenizer.from_str(json.dumps(plain, ensure_ascii=False))
