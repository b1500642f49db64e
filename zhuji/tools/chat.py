"""Answers in a conversation: the verb `chat`."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from zhuji.data.chat import Message
from zhuji.data.clean import Cleaner
from zhuji.model.chat import Chat
from zhuji.model.generate import Generated, GenerateSettings
from zhuji.model.predictor import Predictor


def answers(predictor: Predictor, messages: Sequence[Message], settings: GenerateSettings, n: int = 1) -> list[Generated]:
    """`n` answers to a conversation. Raises ImpossiblePair for a model that cannot be talked with, and BadSetting for messages that it cannot
    be told."""
    return Chat(predictor.model).answers(_cleaned(predictor, messages), settings, n)


def stream(predictor: Predictor, messages: Sequence[Message], settings: GenerateSettings) -> Generator[str, None, Generated]:
    """One answer, piece by piece as it is written; the generator's own value is what `answers` would have said."""
    return (yield from Chat(predictor.model).stream(_cleaned(predictor, messages), settings))


def units_of(predictor: Predictor, messages: Sequence[Message]) -> int:
    """How many units the model reads of a conversation, what begins the answer included. Raises what `answers` raises."""
    return len(Chat(predictor.model).read(_cleaned(predictor, messages)))


@dataclass
class Conversation:
    """A conversation with one model, which remembers what was said."""

    predictor: Predictor
    settings: GenerateSettings = field(default_factory=GenerateSettings)
    messages: list[Message] = field(default_factory=list[Message])

    def __post_init__(self) -> None:
        """Raises ImpossiblePair for a model that cannot be talked with."""
        Chat(self.predictor.model)

    def say(self, text: str) -> Iterator[str]:
        """The answer, piece by piece; both are remembered once it is whole. Raises BadSetting for what the model cannot be told."""
        said = [*self.messages, Message("user", text)]
        pieces = list[str]()
        for piece in stream(self.predictor, said, self.settings):
            pieces.append(piece)
            yield piece
        self.messages = [*said, Message("assistant", "".join(pieces))]

    def as_dict(self) -> dict[str, Any]:
        """What `zhuji chat --json` prints: the conversation as OpenAI's clients write it."""
        return {"messages": [{"role": one.role, "content": one.text} for one in self.messages]}


def _cleaned(predictor: Predictor, messages: Sequence[Message]) -> list[Message]:
    """Each text as the model's training texts were: before anybody looks for marks, for cleaning can bring them about."""
    cleaner = Cleaner(predictor.clean)
    return [replace(message, text=cleaner(message.text)[0]) for message in messages]
