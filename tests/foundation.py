"""Small pretrained models, made once a session: one that writes, for the verbs that use a foundation."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from zhuji import api

TOPICS = {
    "cats": "the cat purrs and licks its soft paws",
    "dogs": "the dog barks and chases a long stick",
    "birds": "the bird sings and builds a small nest",
}
SMALL = (
    "backbone.width=16", "backbone.layers=1", "backbone.heads=2", "backbone.hidden=32", "modality.vocab_size=300",
    "modality.max_units=32", "pack=32", "train.batch_units=256", "train.precision=fp32", "train.rehearse=false", "corpus.duplicates=keep",
    "corpus.valid=0.1", "held.bootstrap=10",
)  # fmt: skip


@cache
def texts() -> Path:
    """Lines without labels."""
    path = Path(tempfile.mkdtemp(prefix="zhuji-foundation-")) / "pets.txt"
    path.write_text(
        "".join(f"{line} number {n} in house {n % 7}\n" for n in range(40) for line in TOPICS.values()), encoding="utf-8"
    )
    return path


@cache
def rows() -> Path:
    """The same kind of lines with labels."""
    path = texts().with_name("pets.csv")
    lines = [f"{line} day {n},{label}" for n in range(30) for label, line in TOPICS.items()]
    path.write_text("text,label\n" + "\n".join(lines) + "\n", encoding="utf-8")
    return path


@cache
def result() -> api.Foundation:
    """A GPT of a few hundred numbers a layer that read the lines once."""
    folder = texts().with_name("run")
    return api.pretrain(texts(), model="gpt-mini", epochs=1, run_dir=folder, sets=SMALL, progress=False)
