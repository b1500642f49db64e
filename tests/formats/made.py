"""Small models with golden rows, and folders that they were exported to, each made once a process."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from zhuji.backbones.bag import Bag
from zhuji.backbones.cnn import Cnn
from zhuji.backbones.conformer import Conformer
from zhuji.backbones.recurrent import Recurrent
from zhuji.backbones.resnet import Resnet
from zhuji.backbones.transformer import Transformer
from zhuji.core.contracts import Backbone, Modality, Task
from zhuji.core.records import Record
from zhuji.formats import find
from zhuji.modalities.image import Image
from zhuji.modalities.spelled import Spelled
from zhuji.modalities.text import Text
from zhuji.model.assembly import assemble
from zhuji.model.golden import soiled, told
from zhuji.model.predictor import Predictor
from zhuji.tasks.classify import Classify
from zhuji.tasks.contrast import Contrast
from zhuji.tasks.detect import Detect
from zhuji.tasks.masked_units import MaskedUnits
from zhuji.tasks.next_unit import NextUnit
from zhuji.tasks.regress import Regress
from zhuji.tasks.tag import Tag
from zhuji.tasks.transcribe import Transcribe

_KEPT: list[tempfile.TemporaryDirectory[str]] = []
TEXTS = [
    "the cat sat on the mat and slept", "a dog is a dog", "筑基：从头开始训练模型", "good", "no, not good at all 😀", "café crème",
    "the dog sat on the cat and the cat on the dog and all of them on the mat", "mat",
]  # fmt: skip
SENTENCES = [("Ada", "met", "Bo"), ("she", "went"), ("Cy", "Smith", "saw", "Di", "Smith", "-", "then"), ("Ed",)]
TAGS = [("B-P", "O", "B-P"), ("O", "O"), ("B-P", "I-P", "O", "B-P", "I-P", "O", "O"), ("B-P",)]
LABELLED = [Record(str(n), text, label="abc"[n % 3]) for n, text in enumerate(TEXTS)]
NUMBERED = [Record(str(n), text, label=float(n)) for n, text in enumerate(TEXTS)]
TAGGED = [Record(str(n), words, label=tags) for n, (words, tags) in enumerate(zip(SENTENCES, TAGS, strict=True))]
SPELLED = [Record(str(n), text, target="ab ba"[n % 4 :]) for n, text in enumerate(TEXTS)]

WORDS = Text(max_units=12, wrap="both").fit(TEXTS)
PICTURES, SEEN = Image.example()
RUNS = Text(max_units=12, ngrams=3, ngram_frequency=1, weigh=True).fit(TEXTS)
MODELS: dict[str, tuple[Modality, Backbone, Task]] = {
    "bag": (RUNS, Bag(width=8), Classify(pool="mean_max").fit(LABELLED)),
    "many": (WORDS, Bag(width=8), Classify(many=True).fit(LABELLED)),
    "wide": (Text(max_units=12).fit(TEXTS), Bag(width=8), Classify(wide=3, wide_size=64).fit(LABELLED)),
    "lstm": (WORDS, Recurrent(width=6, hidden=5), Classify(pool="ends").fit(LABELLED)),
    "gru": (WORDS, Recurrent(cell="gru", width=6, hidden=5, layers=2), Classify(pool="last").fit(LABELLED)),
    "rnn": (WORDS, Recurrent(cell="rnn", width=6, hidden=5), Classify(pool="max").fit(LABELLED)),
    "cnn": (WORDS, Cnn(width=6, windows=(1, 2, 5), channels=4, blocks=1), Regress().fit(NUMBERED)),
    "transformer": (WORDS, Transformer(width=16, layers=2, heads=2, kv_heads=1), Classify(pool="attention").fit(LABELLED)),
    "bert": (
        Text(max_units=12, wrap="both", tokenizer="wordpiece", vocab_size=200).fit(TEXTS),
        Transformer(width=16, layers=2, heads=2, hidden=32, feedforward="gelu", norm="layer", norm_eps=1e-12, norm_place="post",
                    positions="learned", max_positions=32, segment_types=2),
        Classify(pool="first", hidden=16, activation="tanh").fit(LABELLED),
    ),
    "tagger": (Spelled(buckets=64), Cnn(width=6, windows=(1, 3), channels=4), Tag(crf=True).fit(TAGGED)),
    "pieces": (WORDS, Recurrent(width=6, hidden=5), Tag().fit(TAGGED)),
    "embedder": (WORDS, Transformer(width=16, layers=1, heads=2), Contrast()),
    "masked": (WORDS, Transformer(width=16, layers=1, heads=2), MaskedUnits()),
    "pictures": (PICTURES, Resnet(blocks=(1, 1), widths=(4, 6)), Classify().fit(LABELLED)),
    "boxes": (PICTURES, Resnet(blocks=(1, 1), widths=(4, 6)), Detect(kind="scales", width=6, threshold=0.02).fit(Detect.example().records)),
    "cells": (PICTURES, Resnet(blocks=(1, 1), widths=(4, 6)), Detect(width=6, depth=1, threshold=0.02).fit(Detect.example().records)),
    "speller": (WORDS, Conformer(width=16, layers=1, heads=2, window=3, subsample=2), Transcribe().fit(SPELLED)),
    "writer": (WORDS, Transformer(width=16, layers=1, heads=2), NextUnit()),
}  # fmt: skip


@cache
def predictor(name: str) -> Predictor:
    found = Predictor(assemble(*MODELS[name], seed=3))
    if name in ("bag", "wide", "lstm", "gru", "rnn", "transformer", "many", "bert", "pictures"):
        # Initial weights hardly prefer any class; a model that has learned something does.
        head = found.model.head
        for parameter in head.parameters():
            parameter.data += parameter.data.new_tensor(range(parameter.numel())).sin().view_as(parameter)
    texts = SENTENCES if MODELS[name][2].needs == "tags" else TEXTS
    rows = told(found, SEEN if MODELS[name][0].reads == "pictures" else texts)
    found.golden = [*rows, *soiled(found, rows)]
    return found


@cache
def exported(name: str, format: str) -> Path:
    _KEPT.append(tempfile.TemporaryDirectory())
    folder = Path(_KEPT[-1].name) / name
    find(format).write(predictor(name), folder)
    return folder
