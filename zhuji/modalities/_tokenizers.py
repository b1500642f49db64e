"""Six kinds of tokenizer, trained and run by Hugging Face `tokenizers`.

bpe, unigram, bytes work on the 256 byte values, so they know no unknown text and give back exactly what they were given;
characters gives it back as far as it has seen the characters. words and wordpiece forget the blanks between words, and write
[UNK] for what they do not know.

Ids 0 to 4 are reserved in every vocabulary that is trained here. Text that happens to contain "[MASK]" is text: the library is never
told that ours are special, and is told to take the special names of tokenizers from elsewhere for text (`opened`).
"""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal, TypeVar

if TYPE_CHECKING:
    from tokenizers import Tokenizer

T = TypeVar("T")

Kind = Literal["bpe", "unigram", "wordpiece", "bytes", "characters", "words"]

RESERVED = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PAD, UNKNOWN, CLASSIFY, SEPARATE, MASK = range(len(RESERVED))

BYTE_VOCABULARY = len(RESERVED) + 256
"""Ids that a vocabulary of bytes has."""

_WORD = r"[\p{Han}\p{Hiragana}\p{Katakana}]|[\p{L}\p{M}\p{N}_&&[^\p{Han}\p{Hiragana}\p{Katakana}]]+|[^\s\p{L}\p{M}\p{N}_\p{C}]"
"""One character of a script without blanks, a run of letters and digits, or one mark or symbol."""


_LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def printable(text: str) -> str:
    """Half a surrogate pair, which JSON can hold and UTF-8 cannot, becomes the replacement character."""
    return _LONE_SURROGATE.sub("\ufffd", text)


def library() -> Any:
    """The `tokenizers` module. Its own threads are off: they ignore this process's share of the machine, and training Unigram
    on several of them adds up in another order each time."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import tokenizers

    return tokenizers


def train(kind: Kind, texts: Iterable[str], *, vocab_size: int, min_frequency: int, lowercase: bool) -> Tokenizer:
    """A tokenizer of that kind with at most `vocab_size` ids, learned from `texts`; units seen fewer than `min_frequency` times
    are left out (unigram chooses by likelihood instead). The same texts give the same tokenizer. `texts` are gone through twice for
    wordpiece, so they must be no iterator, and never held all at once by us."""
    library()
    tokenizer = _untrained(kind, lowercase)
    if kind != "bytes":
        first = [*RESERVED, *(_continuations(texts, lowercase) if kind == "wordpiece" else [])]
        tokenizer.train_from_iterator(texts, _trainer(kind, vocab_size, min_frequency, first))
    return _settled(tokenizer)


def guarded(build: Callable[[], T]) -> T:
    """What the library builds of a stranger's values. Raises ValueError for whatever it stumbles over."""
    try:
        return build()
    except BaseException as error:
        # The library raises no narrower class than Exception, and where it panics one that is not even that.
        if isinstance(error, Exception) or type(error).__name__ == "PanicException":
            raise ValueError(" ".join(str(error).split())[:200]) from None
        raise


def opened(written: str) -> Tokenizer:
    """A tokenizer from its tokenizer.json, which neither cuts, nor pads, nor finds special tokens in a text. Raises ValueError."""
    tokenizer = guarded(lambda: library().Tokenizer.from_str(written))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    return tokenizer


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


def _continuations(texts: Iterable[str], lowercase: bool) -> list[str]:
    """The one-character pieces "##x" that these texts may need. Given to the WordPiece trainer beforehand, because it numbers what
    it meets in the order of a hash table that differs from process to process, and breaks ties by number."""
    characters: set[str] = set()
    for text in texts:
        characters.update(text.lower() if lowercase else text)
    return [f"##{c}" for c in sorted(characters) if unicodedata.category(c)[0] not in "ZP" and not "\u4e00" <= c <= "\u9fff"]


def _trainer(kind: Kind, vocab_size: int, min_frequency: int, first: list[str]) -> Any:
    from tokenizers import trainers

    common: dict[str, Any] = {"vocab_size": vocab_size, "special_tokens": first, "show_progress": False}
    if kind == "bpe":
        return trainers.BpeTrainer(initial_alphabet=_alphabet(), min_frequency=min_frequency, **common)
    if kind == "unigram":
        return trainers.UnigramTrainer(initial_alphabet=_alphabet(), unk_token=RESERVED[UNKNOWN], **common)
    if kind == "wordpiece":
        return trainers.WordPieceTrainer(min_frequency=min_frequency, **common)
    return trainers.WordLevelTrainer(min_frequency=min_frequency, **common)


def _settled(tokenizer: Tokenizer) -> Tokenizer:
    """The same tokenizer, for which the reserved names are ids that no text leads to."""
    from tokenizers import Tokenizer

    plain = json.loads(tokenizer.to_str())
    plain["added_tokens"] = []
    if plain["model"]["type"] == "Unigram":
        plain["model"]["vocab"] = _ordered(plain["model"]["vocab"])
    return Tokenizer.from_str(json.dumps(plain, ensure_ascii=False))


def _ordered(pieces: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """Unigram's pieces, likeliest first. The trainer adds up in the order of a hash table, so the last digits of its scores and
    the order of bytes that it never met differ from process to process: scores are rounded, and those bytes all get the least."""
    learned = pieces[len(RESERVED) :]
    least = min(score for _, score in learned)
    unmet = least + 1e-4 * len(_alphabet())
    settled = [(piece, round(least if len(piece) == 1 and score <= unmet else score, 4)) for piece, score in learned]
    reserved = [(name, round(least, 4) - 100.0) for name in RESERVED]
    return reserved + sorted(settled, key=lambda entry: (-entry[1], entry[0]))
