"""Tokenizers as they travel in such folders: tokenizer.json, or the vocabulary files that came before it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from zhuji.core.errors import DamagedBundle, UnreadableModel
from zhuji.core.log import in_language
from zhuji.modalities._tokenizers import RESERVED, guarded, library
from zhuji.modalities.text import SpecialIds, Text
from zhuji.model.huggingface.family import unwritable
from zhuji.model.huggingface.files import read_object, read_text

TOKENIZER, SETTINGS, SPECIAL = "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"

T = TypeVar("T")

_KEYS = {
    "pad": ("pad_token",), "unknown": ("unk_token",), "start": ("cls_token", "bos_token"), "end": ("sep_token", "eos_token"),
    "mask": ("mask_token",),
}  # fmt: skip
"""Which of their tokens is which of ours; the first that is named."""
_BERT = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
_ROBERTA = {"pad_token": "<pad>", "unk_token": "<unk>", "cls_token": "<s>", "sep_token": "</s>", "mask_token": "<mask>"}
_GPT2 = {"unk_token": "<|endoftext|>", "bos_token": "<|endoftext|>", "eos_token": "<|endoftext|>"}
_USUAL = {"bert": _BERT, "distilbert": _BERT, "roberta": _ROBERTA, "gpt2": _GPT2}


def read(folder: Path, kind: str, vocab_size: int, positions: int) -> Text:
    """The folder's tokenizer as a modality of `vocab_size` ids and at most `positions` units a row."""
    settings = read_object(folder, SETTINGS) or {}
    names = {**(read_object(folder, SPECIAL) or {}), **{key: name for key, name in settings.items() if name is not None}}
    written, usual = _written(folder, kind, settings)
    tokenizer = _opened(written, folder / TOKENIZER)
    if not any(key in names for keys in _KEYS.values() for key in keys):
        names = usual
    special = {ours: _id_of(tokenizer, names, keys) for ours, keys in _KEYS.items()}
    around = tokenizer.encode("").ids
    asked = [settings.get("add_bos_token"), settings.get("add_eos_token")]
    if len(around) == 2:
        special |= {"start": around[0], "end": around[1]}
        wrap = "both"
    elif len(around) == 1:
        wrap = "end" if around[0] == special["end"] != special["start"] else "start"
        special[wrap] = around[0]
    elif not around:
        wrap = {(True, True): "both", (True, False): "start", (False, True): "end"}.get(
            (asked[0] is True, asked[1] is True), "none"
        )
    else:
        raise UnreadableModel(
            file=folder / TOKENIZER,
            why=in_language("it puts more than two ids around a text", "它在文本前后加入两个以上的编号"),
            value=len(around),
        )
    limit = settings.get("model_max_length")
    longest = min(positions, limit) if type(limit) is int and limit > 0 else positions
    return _guarded(
        folder / TOKENIZER,
        lambda: Text.read(written, vocab_size=vocab_size, max_units=longest, wrap=wrap, special=special),
    )


def _guarded(path: Path, build: Callable[[], T]) -> T:
    try:
        return guarded(build)
    except ValueError as error:
        raise DamagedBundle(file=path, why=str(error)) from None


def _opened(written: str, path: Path) -> Any:
    """Without cutting and padding, and with what it puts around a text."""
    tokenizer = _guarded(path, lambda: library().Tokenizer.from_str(written))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _id_of(tokenizer: Any, names: Mapping[str, Any], keys: tuple[str, ...]) -> int | None:
    for key in keys:
        name = names.get(key)
        text = name.get("content") if isinstance(name, dict) else name
        if isinstance(text, str) and (number := tokenizer.token_to_id(text)) is not None:
            return number
    return None


def _written(folder: Path, kind: str, settings: Mapping[str, Any]) -> tuple[str, Mapping[str, str]]:
    """tokenizer.json, if need be made of the older files; and the names that its special tokens usually have."""
    usual = _USUAL.get(kind, {})
    if (written := read_text(folder, TOKENIZER)) is not None:
        return written, usual
    if (lines := read_text(folder, "vocab.txt")) is not None:
        return _guarded(folder / "vocab.txt", lambda: _wordpiece(lines, settings, usual or _BERT)), usual
    if (bytewise := _bytewise(folder, kind, settings, usual)) is not None:
        return bytewise, usual
    why = in_language(
        "there is no tokenizer.json, no vocab.txt, and no vocab.json with merges.txt",
        "没有 tokenizer.json、vocab.txt，也没有 vocab.json 与 merges.txt",
    )
    raise UnreadableModel(file=folder, why=why)


def _wordpiece(lines: str, settings: Mapping[str, Any], usual: Mapping[str, str]) -> str:
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

    vocab = {token: number for number, token in enumerate(lines.rstrip("\n").split("\n"))}
    unknown = usual.get("unk_token", "[UNK]")
    tokenizer = Tokenizer(models.WordPiece(vocab, unk_token=unknown, max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(  # pyright: ignore[reportAttributeAccessIssue]
        clean_text=True,
        handle_chinese_chars=settings.get("tokenize_chinese_chars", True) is not False,
        strip_accents=settings.get("strip_accents"),
        lowercase=settings.get("do_lower_case", True) is not False,
    )
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.decoder = decoders.WordPiece()  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.add_special_tokens([name for name in usual.values() if name in vocab])
    return _between(tokenizer, usual["cls_token"], usual["sep_token"])


def _bytewise(folder: Path, kind: str, settings: Mapping[str, Any], usual: Mapping[str, str]) -> str | None:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    vocab, merges = read_object(folder, "vocab.json"), read_text(folder, "merges.txt")
    if vocab is None or merges is None:
        return None
    pairs = [tuple(line.split(" ")) for line in merges.split("\n") if line and not line.startswith("#version")]
    tokenizer = _guarded(folder / "merges.txt", lambda: Tokenizer(models.BPE(vocab, pairs)))  # pyright: ignore[reportArgumentType]
    blank = settings.get("add_prefix_space") is True
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=blank)  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.decoder = decoders.ByteLevel()  # pyright: ignore[reportAttributeAccessIssue]
    tokenizer.add_special_tokens(sorted({name for name in usual.values() if name in vocab}, key=vocab.__getitem__))
    return _between(tokenizer, usual["cls_token"], usual["sep_token"]) if kind == "roberta" else tokenizer.to_str()


def _between(tokenizer: Any, start: str | None, end: str | None) -> str:
    """The tokenizer with these tokens around a text, and around each of two."""
    from tokenizers import processors

    before, after = [start] if start else [], [end] if end else []
    one, two = " ".join([*before, "$A", *after]), " ".join([*before, "$A", *after, "$B:1", *(f"{name}:1" for name in after)])
    names = [(name, tokenizer.token_to_id(name)) for name in sorted({*before, *after})]
    tokenizer.post_processor = processors.TemplateProcessing(single=one, pair=two, special_tokens=names)
    return tokenizer.to_str()


def written(text: Text) -> Iterator[tuple[str, str]]:
    """The files for a text modality. Raises UnwritableModel for one that makes more of a text than tokens."""
    if text.ngrams > 1 or text.weigh:
        raise unwritable(
            "modality.ngrams and modality.weigh have no counterpart there", "modality.ngrams 与 modality.weigh 没有对应"
        )
    tokenizer = _with_special(text)
    special = {ours: tokenizer.id_to_token(number) for ours, number in text.special.plain().items() if number is not None}
    start = special.get("start") if text.wrap in ("both", "start") else None
    end = special.get("end") if text.wrap in ("both", "end") else None
    known = {key: special[ours] for ours, keys in _KEYS.items() for key in keys if ours in special}
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": text.max_units, "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"], **known,
    }  # fmt: skip
    yield TOKENIZER, tokenizer.to_str() if tokenizer.encode("").ids == _around(text) else _between(tokenizer, start, end)
    yield SETTINGS, json.dumps(settings, ensure_ascii=False, indent=1)
    yield SPECIAL, json.dumps(known, ensure_ascii=False, indent=1)


def _around(text: Text) -> list[int | None]:
    special: SpecialIds = text.special
    return [
        *([special.start] if text.wrap in ("both", "start") else []),
        *([special.end] if text.wrap in ("both", "end") else []),
    ]


def _with_special(text: Text) -> Any:
    """The tokenizer as other programs expect it: the reserved names of ours are special tokens there."""
    if text.tokenizer == "read":
        return library().Tokenizer.from_str(text.tokenizer_json)
    plain = json.loads(text.tokenizer_json)
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    plain["added_tokens"] = [{"id": number, "content": name, **flags} for number, name in enumerate(RESERVED)]
    return library().Tokenizer.from_str(json.dumps(plain, ensure_ascii=False))
