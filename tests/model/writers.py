"""Tiny models that write: of random weights, or that say what a test tells them to."""

from __future__ import annotations

import torch

from zhuji.backbones.transformer import Transformer
from zhuji.core.contracts import Backbone
from zhuji.modalities.text import Text
from zhuji.model.assembly import Model, assemble
from zhuji.tasks.next_unit import NextUnit

TEXTS = ['{"name": "cat", "age": 12}', "the cat sat on the mat", "筑基：从头开始 😀", "a b c d e"] * 3


def text(**settings) -> Text:
    return Text.parse({"tokenizer": "bpe", "vocab_size": 300, "lowercase": False, "max_units": 40, **settings}).fit(TEXTS)


def writer(backbone: Backbone | None = None, loud: float = 1.0, **settings) -> Model:
    """`loud`: how far its logits are apart."""
    body = backbone or Transformer(width=16, layers=2, heads=2, dropout=0.0)
    model = assemble(text(**settings), body, NextUnit()).eval()
    with torch.no_grad():
        model.encoder.stem.table.weight.mul_(loud)
    return model


def parrot(says: str, **settings) -> Model:
    """Goes on with the bytes of `says`, one after another, whatever the prompt, then ends. A unit is a byte."""
    model = writer(tokenizer="bytes", **settings)
    (row,) = model.modality.encode([says])
    line = [*row.ids.tolist(), model.modality.spec.end]

    class Head(type(model.head)):
        said = 0

        def logits(self, states, shared):
            logits = torch.zeros(len(states), model.modality.spec.num_ids)
            logits[:, line[min(self.said, len(line) - 1)]] = 50.0
            self.said += 1
            return logits

    model.head.__class__ = Head
    return model
