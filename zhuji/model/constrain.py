"""Writing that follows a JSON schema or a regular expression: at every unit only those ids are allowed with which the text can still
become a valid one (Willard & Louf 2023; the automata are llguidance's)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from zhuji.core.contracts import Modality
from zhuji.core.errors import BadSetting, MissingExtra
from zhuji.core.log import in_language
from zhuji.nn.search import History

if TYPE_CHECKING:
    from llguidance import LLMatcher

_TOKENIZER = "tokenizer.json"


class Constraint:
    """For `nn.search.Rules.allowed`. One object serves one search: it remembers how far each sequence has come."""

    def __init__(self, modality: Modality, *, json_schema: str | None = None, regex: str | None = None) -> None:
        """Exactly one of `json_schema`, a schema as JSON, and `regex` is given; the whole continuation must match it.

        Raises BadSetting for a modality without bytewise tokenizer or without an end, and for a schema or expression that cannot be
        read; MissingExtra where llguidance is not installed.
        """
        assert (json_schema is None) != (regex is None)
        library, spec = _library(), modality.spec
        if spec.end is None or _TOKENIZER not in modality.files():
            raise _unsuitable()
        self.end, self.num_ids = spec.end, spec.num_ids
        tokenizer = _tokenizer(library, modality, spec.reserved)
        if json_schema is not None:
            key, grammar = "json_schema", _of_schema(library, json_schema)
        else:
            key, grammar = "regex", library.LLMatcher.grammar_from_regex(regex)
        begin = library.LLMatcher(tokenizer, grammar, log_level=0)
        if begin.is_error():
            told = " ".join(begin.get_error().split())
            raise BadSetting(
                key=key, rule=in_language(f"must be one that can be followed: {told}", f"必须能够遵循：「{told}」")
            )
        self._begin: LLMatcher = begin
        self._reached: dict[tuple[int, History], LLMatcher] = {}

    def __call__(self, rows: Sequence[int], written: Sequence[History]) -> Tensor:
        """`(N, V)` bool: which ids may follow."""
        places = [(row, tuple(ids)) for row, ids in zip(rows, written, strict=True)]
        self._reached = {place: self._at(*place) for place in places}
        return torch.stack([self._mask(self._reached[place]) for place in places])

    def _at(self, row: int, ids: tuple[int, ...]) -> LLMatcher:
        known = self._reached.get((row, ids))
        if known is not None:
            return known
        before = self._reached.get((row, ids[:-1])) if ids else None
        matcher = (before or self._begin).deep_copy()
        for unit in ids[-1:] if before is not None else ids:
            assert matcher.consume_token(unit), "only what was allowed is written"
        return matcher

    def _mask(self, matcher: LLMatcher) -> Tensor:
        mask = torch.zeros(self.num_ids, dtype=torch.bool)
        if matcher.is_stopped():
            mask[self.end] = True
            return mask
        bits = np.unpackbits(np.frombuffer(matcher.compute_bitmask(), np.uint8), bitorder="little")[: self.num_ids]
        mask[: len(bits)] = torch.from_numpy(bits.astype(bool))
        return mask


def _library() -> Any:
    try:
        import llguidance
    except ImportError:
        what = in_language("writing by a schema or expression", "按模式或正则表达式书写")
        raise MissingExtra(what=what, package="llguidance", extra="constrained") from None
    return llguidance


def _unsuitable() -> BadSetting:
    rule = in_language(
        "must be bytewise (bpe, unigram or bytes) and have an end, for writing by a schema or expression",
        "按模式或正则表达式书写时，须为字节级（bpe、unigram 或 bytes）并有结束标记",
    )
    return BadSetting(key="modality.tokenizer", rule=rule)


def _tokenizer(library: Any, modality: Modality, reserved: Sequence[int]) -> Any:
    plain: dict[str, Any] = json.loads(modality.files()[_TOKENIZER])
    if not _bytewise(plain.get("decoder")):
        raise _unsuitable()
    known = {token["id"] for token in plain["added_tokens"]}
    names = _names(plain["model"]["vocab"])
    # The names of reserved ids must not be taken for text that they could spell.
    plain["added_tokens"] += [
        {"id": id, "content": names[id], "special": True, "normalized": False, "single_word": False, "lstrip": False, "rstrip": False}
        for id in reserved
        if id not in known and id in names
    ]  # fmt: skip
    plain["truncation"] = plain["padding"] = None
    return library.LLTokenizer(json.dumps(plain), n_vocab=modality.spec.num_ids, eos_token=modality.spec.end)


def _bytewise(decoder: Mapping[str, Any] | None) -> bool:
    steps = [] if decoder is None else [decoder, *decoder.get("decoders", [])]
    return any(step["type"] in ("ByteLevel", "ByteFallback") for step in steps)


def _names(vocab: Any) -> dict[int, str]:
    """By id; Unigram lists its pieces in order, with their scores."""
    if isinstance(vocab, dict):
        return {id: name for name, id in vocab.items()}
    return {id: piece[0] for id, piece in enumerate(vocab)}


def _of_schema(library: Any, json_schema: str) -> str:
    try:
        return library.LLMatcher.grammar_from_json_schema(json_schema)
    except ValueError as error:
        rule = in_language(f"must be a JSON schema: {error}", f"必须是 JSON 模式：「{error}」")
        raise BadSetting(key="json_schema", rule=rule) from None
