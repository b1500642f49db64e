"""Texts in which some names stand for special tokens: a conversation, in which only the format may write them.

What somebody said never meets a tokenizer that looks for special tokens, so it is text whatever it says (what transformers calls
`split_special_tokens`); for harmless texts the ids are those of a tokenizer that looks for them in the whole.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zhuji.modalities._tokenizers import opened, printable

if TYPE_CHECKING:
    from tokenizers import AddedToken, Tokenizer

Pieces = Sequence[tuple[str, bool]]
"""(text, whether somebody said it)."""


def special(tokenizer: Tokenizer, names: Iterable[str], reserved: Iterable[int]) -> dict[str, int]:
    """Those of the names that are special tokens no text leads to, with their ids."""
    known = set(reserved)
    found = {name: id for name in names if (id := tokenizer.token_to_id(name)) in known and id is not None}
    plain = [encoding.ids for encoding in tokenizer.encode_batch(list(found), add_special_tokens=False)]
    return {name: id for (name, id), ids in zip(found.items(), plain, strict=True) if id not in ids}


def inner(tokenizer: Tokenizer) -> Tokenizer:
    """The tokenizer for text that is not at the very beginning: some put a blank before the first word of all, and only there."""
    plain = json.loads(tokenizer.to_str())
    if not _begins_only(plain.get("pre_tokenizer")):
        return tokenizer
    return opened(json.dumps(plain))


def _begins_only(step: Any) -> bool:
    """Whether the step says so; it is told to put no blank at all."""
    if not isinstance(step, dict):
        return False
    found = [_begins_only(one) for one in step.get("pretokenizers") or ()]
    if step.get("prepend_scheme") == "first":
        step["prepend_scheme"] = "never"
        return True
    return any(found)


@dataclass(frozen=True)
class Marked:
    """Reads texts in which `marks`, names of special tokens, stand for their ids wherever nobody said them. `later`: what `inner` gives."""

    first: Tokenizer
    later: Tokenizer
    marks: Mapping[str, int]

    def name(self, id: int) -> str:
        """How a special token is written."""
        return self.first.id_to_token(id) or ""

    def ids(self, pieces: Pieces) -> list[int]:
        """The ids of the pieces one after another. A text between two marks is cut as one, whoever wrote it."""
        tokens: Mapping[int, AddedToken] = self.first.get_added_tokens_decoder()
        found, waiting, before = list[int](), "", None
        for text, said in pieces:
            for place, part in enumerate([text] if said else self._split(text)):
                if place % 2 == 0:
                    waiting += part
                    continue
                mark = self.marks[part]
                found += self._between(waiting, before, tokens.get(mark), bool(found))
                found.append(mark)
                waiting, before = "", tokens.get(mark)
        return found + self._between(waiting, before, None, bool(found))

    def _split(self, text: str) -> list[str]:
        """Text, mark, text … mark, text."""
        if not self.marks:
            return [text]
        return re.split("(" + "|".join(map(re.escape, sorted(self.marks, key=len, reverse=True))) + ")", text)

    def _between(self, text: str, before: AddedToken | None, after: AddedToken | None, later: bool) -> list[int]:
        """Ids of a text between two special tokens, some of which take the blanks beside them for their own."""
        text = text.lstrip() if before is not None and before.rstrip else text
        text = text.rstrip() if after is not None and after.lstrip else text
        return (self.later if later else self.first).encode(printable(text), add_special_tokens=False).ids if text else []
