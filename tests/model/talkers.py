"""Tiny models that can be talked with: one that was taught a few dozen conversations in seconds, and some that say what a test wants."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import torch

from tests.model import writers
from zhuji.backbones.transformer import Transformer
from zhuji.data.chat import Message, named
from zhuji.modalities.text import Text
from zhuji.model.assembly import Model, assemble, collate
from zhuji.tasks.next_unit import NextUnit

SOUNDS = {
    "cat": "meow", "dog": "woof", "cow": "moo", "duck": "quack", "sheep": "baa", "pig": "oink", "lion": "roar", "bee": "buzz",
    "frog": "ribbit", "owl": "hoot", "horse": "neigh", "mouse": "squeak",
}  # fmt: skip
"""What was taught: animals, and what they say."""


def asked(*texts: str) -> list[Message]:
    """Texts of user and assistant in turn."""
    return [Message(("user", "assistant")[place % 2], text) for place, text in enumerate(texts)]


def conversations() -> list[list[Message]]:
    """One question, or two after one another, some with a system message."""
    animals = list(SOUNDS)
    one = [asked(f"What says the {animal}?", f"The {animal} says {SOUNDS[animal]}.") for animal in animals]
    two = [[*one[place], *one[(place + apart) % len(one)]] for apart in (1, 5) for place in range(len(one))]
    told = [[Message("system", "Be brief."), *asked(f"What says the {animal}?", SOUNDS[animal])] for animal in animals]
    return [*one, *two, *told]


@cache
def talker(format: str = "chatml") -> Model:
    """A model that knows the sounds; a mark is text in its vocabulary. Every conversation is seen 45 times."""
    chat = named()[format]
    texts = ["".join(piece.text for piece in chat.pieces(one, answer=False)) for one in conversations()]
    text = Text.parse({"tokenizer": "bpe", "vocab_size": 420, "lowercase": False, "max_units": 200, "wrap": "both"}).fit(texts)
    model = assemble(text, Transformer(width=48, layers=2, heads=4, dropout=0.0), NextUnit(chat=chat), seed=1)
    rows = text.encode(texts)
    batches = [collate(model, rows[begin::4], None, max(row.length for row in rows[begin::4])) for begin in range(4)]
    optimiser = torch.optim.AdamW(model.parameters(), 1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 1e-2, total_steps=180)
    for step in range(180):
        loss = model.loss(batches[step % 4])
        optimiser.zero_grad()
        (loss.total / loss.count).backward()
        optimiser.step()
        schedule.step()
    return model.eval()


def sayer(says: str, format: str = "chatml") -> Model:
    """Answers the bytes of `says`, whatever is asked."""
    model = writers.parrot(says, max_units=2000)
    model.task = NextUnit(chat=named()[format])
    return model


def untaught(text: Text, format: str, ends: Sequence[str] = ()) -> Model:
    """A model of random weights with this vocabulary."""
    return assemble(text, Transformer(width=16, layers=1, heads=2, dropout=0.0), NextUnit(chat=named()[format]), seed=2).eval()
