"""Answers in a conversation, of a model whose task carries a chat format.

Whatever somebody says is text: he cannot end his turn and begin another's. Where the vocabulary has a format's marks as special tokens, only
the format writes those; where it has not, a message that would form one is refused.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import replace

from zhuji.core.errors import BadSetting, ImpossiblePair
from zhuji.core.log import in_language
from zhuji.data.chat import Message, Piece, forged
from zhuji.modalities.text import Text
from zhuji.model import generate as writing
from zhuji.model.assembly import Model
from zhuji.model.generate import Generated, GenerateSettings
from zhuji.tasks.next_unit import NextUnit

_LONGEST = 2**31 - 1
"""Units of a text that is only looked at."""


class Chat:
    """A model that can be talked with. `ends`: ids at which an answer ends; `stop`: texts before which it does."""

    def __init__(self, model: Model) -> None:
        """Raises ImpossiblePair for a model without a chat format, and for one whose vocabulary does not keep the format's marks apart from
        other text."""
        text, task = model.modality, model.task
        if not isinstance(text, Text) or not isinstance(task, NextUnit) or task.chat is None:
            raise _silent(model)
        self.model, self.modality, self.format = model, text, task.chat
        self._whole = text.model_copy(update={"wrap": "none", "max_units": _LONGEST})
        self.reader = text.marked(self.format.marks)
        self.ends = [self.reader.marks[end] for end in self.format.ends if end in self.reader.marks]
        self.stop = tuple(mark for mark in self.format.marks if mark not in self.reader.marks)
        for mark in self.stop:
            if self._as_read(mark) != mark.casefold():
                raise _unmarkable(mark)

    def read(self, messages: Sequence[Message]) -> tuple[int, ...]:
        """The ids of a conversation, and of what begins the next one's answer. Raises BadSetting for messages that the format has no place
        for, that would forge one of its marks, or that are longer than the model reads."""
        pieces = self.format.pieces(messages)
        as_read = [Piece(self._as_read(text), said) if said else Piece(text, said) for text, said in pieces]
        for some in (pieces, as_read):
            if (mark := forged(some, self.stop)) is not None:
                rule = in_language(
                    "must not hold a mark by which this model is told who speaks", "不得含有用来告诉模型谁在说话的标记"
                )
                raise BadSetting(key="messages", rule=rule, value=mark)
        ids = (*self._begin(), *self.reader.ids([Piece(self.format.begin or "", False), *pieces]))
        if (more := len(ids) - self.modality.max_units) > 0:
            most = self.modality.max_units
            rule = in_language(
                f"must have at most {most} units together, but have {more} more", f"合计最多 {most} 个单元，但超出 {more} 个"
            )
            raise BadSetting(key="messages", rule=rule)
        return ids

    def answers(self, messages: Sequence[Message], settings: GenerateSettings, n: int = 1) -> list[Generated]:
        """`n` answers, each without blanks at its ends. Raises what `read` and `generate` raise."""
        ids = self.read(messages)
        found = writing.generate(self.model, [ids] * n, self._stopping(settings), self.ends)
        return [replace(one, text=one.text.strip()) for one in found]

    def stream(self, messages: Sequence[Message], settings: GenerateSettings) -> Generator[str, None, Generated]:
        """One answer piece by piece; the generator's own value is what `answers` would have said."""
        ended = list[Generated]()

        def written() -> Iterator[str]:
            ended.append((yield from writing.stream(self.model, self.read(messages), self._stopping(settings), self.ends)))

        yield from _stripped(written())
        (one,) = ended
        return replace(one, text=one.text.strip())

    def _stopping(self, settings: GenerateSettings) -> GenerateSettings:
        return settings.model_copy(update={"stop": (*settings.stop, *self.stop)})

    def _begin(self) -> Sequence[int]:
        """As every text of the model begins, where the format does not say how."""
        opening = self.modality.opening
        return [opening] if self.format.begin is None and opening is not None else []

    def _as_read(self, text: str) -> str:
        """What the model can tell of a text, in small letters; read between letters, for at its ends blanks may go."""
        (row,) = self._whole.encode([f"a{text}b"])
        assert row.ids is not None
        return self._whole.decode(row.ids.tolist()).casefold().strip(" ").removeprefix("a").removesuffix("b")


def chats(model: Model) -> bool:
    """Whether it can be talked with."""
    try:
        Chat(model)
    except ImpossiblePair:
        return False
    return True


def _stripped(pieces: Iterable[str]) -> Iterator[str]:
    """The same text without blanks at its ends."""
    begun, held = False, ""
    for piece in pieces:
        text = held + piece if begun else (held + piece).lstrip()
        kept = text.rstrip()
        if kept:
            begun = True
            yield kept
        held = text[len(kept) :]


def _silent(model: Model) -> ImpossiblePair:
    return ImpossiblePair(
        first=in_language("chat", "对话"), second=in_language("this model", "该模型"),
        rule=in_language("only a model with a chat format, which predicts the next unit of a text, can be talked with",
                         "只有带对话格式、预测文本下一个单元的模型才能对话"),
        advice=in_language("pretrain one on conversations with --objective next --set task.chat=chatml",
                           "请以 --objective next --set task.chat=chatml 在对话上预训练"),
    )  # fmt: skip


def _unmarkable(mark: str) -> ImpossiblePair:
    shown = mark.encode("unicode_escape").decode()
    return ImpossiblePair(
        first=in_language("the chat format", "对话格式"), second=in_language("this tokenizer", "该分词器"),
        rule=in_language(f"the tokenizer must give back the mark '{shown}' as it was", f"分词器必须能原样还原标记「{shown}」"),
        advice=in_language("choose the tokenizer bpe, unigram, bytes or characters", "请选用 bpe、unigram、bytes 或 characters 分词器"),
    )  # fmt: skip
