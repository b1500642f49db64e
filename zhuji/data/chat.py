"""Conversations as a model reads them: who says what, told by marks around each text.

A chat format is data, never a template: what stands before and after a role's text, and which marks only the format may write. It can come
from a stranger with his model, and the worst that it can do is to write other marks.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self, cast

from pydantic import BeforeValidator, Field, model_validator

from zhuji.core.config import Settings, read_yaml
from zhuji.core.errors import BadSetting
from zhuji.core.log import in_language

Role = Literal["system", "user", "assistant"]
ROLES: tuple[Role, ...] = ("system", "user", "assistant")
COLUMN = "messages"
"""The column of a table that holds conversations."""
MOST_MESSAGES = 4096

_NAMED = Path(__file__).with_name("chat_formats.yaml")

Around = Annotated[str, Field(max_length=200)]
Mark = Annotated[str, Field(min_length=1, max_length=60)]


@dataclass(frozen=True, slots=True)
class Message:
    """What one of them said."""

    role: Role
    text: str


class Piece(NamedTuple):
    """A part of a rendered conversation: what somebody `said`, or what the format writes."""

    text: str
    said: bool


class Turn(Settings):
    """What stands around a text."""

    before: Around = ""
    after: Around = ""


class ChatFormat(Settings):
    """How a conversation is written. A blank at the end of `assistant.before` belongs to the answer's first word: whoever asks for an answer
    leaves it out."""

    begin: Around | None = None
    """Before everything. None: as every text of the model begins, with the start of its vocabulary if texts are wrapped in one."""
    user: Turn
    assistant: Turn
    system: Turn | None = None
    """None: there is no place for one."""
    inside: bool = False
    """The system message is written inside the first user message, before its text; then there is one at most, and user and assistant take
    turns."""
    trim: bool = False
    """Texts are written without blanks and line breaks at their ends."""
    marks: Annotated[tuple[Mark, ...], Field(min_length=1, max_length=32)]
    """What only the format may write: special tokens where the vocabulary has them as such, else refused in what somebody says."""
    ends: Annotated[tuple[Mark, ...], Field(min_length=1, max_length=8)]
    """Marks at which an answer ends."""

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if unknown := [end for end in self.ends if end not in self.marks]:
            raise ValueError(
                in_language(f"must have '{unknown[0]}' of its ends among its marks", f"ends 中的「{unknown[0]}」须列于 marks")
            )
        between = (self.user.after + self.assistant.before, self.assistant.after + self.user.before)
        if not all(any(mark in text for mark in self.marks) for text in between):
            rule = in_language(
                "must have a mark between what a user says and the answer, and between an answer and what a user says",
                "用户的话与回答之间、回答与用户的话之间都须有标记",
            )
            raise ValueError(rule)
        return self

    @property
    def asks(self) -> str:
        """What begins an answer."""
        return self.assistant.before.rstrip(" ")

    def pieces(self, messages: Sequence[Message], answer: bool = True) -> list[Piece]:
        """The conversation, and with `answer` what begins the next one's answer; `begin` is left to whoever knows the vocabulary. Raises
        BadSetting for messages that the format has no place for."""
        self._refuse(messages, answer)
        found, held = list[Piece](), list[Piece]()
        for message in messages:
            turn: Turn = getattr(self, message.role)
            text = Piece(message.text.strip() if self.trim else message.text, True)
            if self.inside and message.role == "system":
                held = [Piece(turn.before, False), text, Piece(turn.after, False)]
            else:
                found += [Piece(turn.before, False), *held, text, Piece(turn.after, False)]
                held = []
        return [*found, Piece(self.asks, False)] if answer else found

    def _refuse(self, messages: Sequence[Message], answer: bool) -> None:
        roles = [message.role for message in messages]
        if not 0 < len(roles) <= MOST_MESSAGES:
            raise _bad(f"must be between 1 and {MOST_MESSAGES} messages", f"须有 1 至 {MOST_MESSAGES} 条消息", len(roles))
        if self.system is None and "system" in roles:
            raise _bad(
                "must hold no system message: the format has no place for one", "不得含有 system 消息：该格式没有它的位置"
            )
        if "user" not in roles:
            raise _bad("must hold a message of the user", "须含有一条 user 消息")
        if answer and roles[-1] == "assistant":
            raise _bad("must end with what is to be answered, not with an answer", "须以待回答的消息结尾，而不是以回答结尾")
        turns = roles[roles[0] == "system" :]
        if self.inside and any(role != ("user", "assistant")[place % 2] for place, role in enumerate(turns)):
            raise _bad(
                "must be at most one system message, then user and assistant in turn: the format has no place for others",
                "最多一条 system 消息在前，随后 user 与 assistant 轮流：该格式没有其他消息的位置",
            )


def _bad(en: str, zh: str, value: object = None) -> BadSetting:
    return BadSetting(key="messages", rule=in_language(en, zh), value=value)


@cache
def named() -> dict[str, ChatFormat]:
    """The formats that have a name."""
    plain = read_yaml(_NAMED.read_text(encoding="utf-8"), str(_NAMED))
    return {name: ChatFormat.model_validate(given) for name, given in plain.items()}


def name_of(chat: ChatFormat) -> str | None:
    """The name of a format, whatever its `begin`; None of one that was described for one model."""
    return next((name for name, known in named().items() if chat.model_copy(update={"begin": known.begin}) == known), None)


def _format(given: Any) -> Any:
    """A name stands for its format."""
    if not isinstance(given, str):
        return given
    if given not in named():
        known = ", ".join(named())
        raise ValueError(
            in_language(f"must be a description of a format, or one of: {known}", f"须为格式的描述，或以下之一：{known}")
        )
    return named()[given]


Chat = Annotated[ChatFormat, BeforeValidator(_format)]
"""A setting that holds a format: its description, or the name of one; a bundle keeps the description."""


def forged(pieces: Sequence[Piece], marks: Iterable[str]) -> str | None:
    """A mark that comes more often in the whole than in what the format itself wrote, because somebody said it or completed one at the edge
    of his text; None where there is none. Capital letters do not hide one."""
    whole = "".join(piece.text for piece in pieces).casefold()
    written = ["".join(piece.text for piece in run) for said, run in groupby(pieces, lambda piece: piece.said) if not said]
    for mark in marks:
        wanted = mark.casefold()
        if _count(whole, wanted) > sum(_count(run.casefold(), wanted) for run in written):
            return mark
    return None


def _count(text: str, wanted: str) -> int:
    """How often it stands there, overlaps included."""
    found, at = 0, text.find(wanted)
    while at >= 0:
        found, at = found + 1, text.find(wanted, at + 1)
    return found


def messages_of(cell: str) -> list[Message] | None:
    """The messages in a cell of a table: JSON, a list of objects with `role` and `content`, both texts; None where it is none."""
    try:
        given = json.loads(cell)
    except (ValueError, RecursionError):
        return None
    if not isinstance(given, list) or not given:
        return None
    found = list[Message]()
    for one in cast(list[Any], given):
        said: dict[str, Any] = cast(dict[str, Any], one) if isinstance(one, dict) else {}
        role, text = said.get("role"), said.get("content")
        if role not in ROLES or not isinstance(text, str):
            return None
        found.append(Message(role, text))
    return found


def text_to_learn(chat: ChatFormat, cell: str) -> tuple[str | None, str]:
    """A conversation in a cell as a text to learn from, or the cause why it is none. Every mark in it is the format's."""
    messages = messages_of(cell)
    if messages is None:
        return None, "no conversation"
    try:
        pieces = chat.pieces(messages, answer=False)
    except BadSetting:
        return None, "not as the chat format wants it"
    if forged(pieces, chat.marks) is not None:
        return None, "a mark in what is said"
    return (chat.begin or "") + "".join(piece.text for piece in pieces), ""
