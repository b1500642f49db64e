"""A voice made by hand, so that a tiny network can learn it in seconds: every letter is a tone of its own, and lasts as long as it likes."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from tests.trained import folder
from zhuji.backbones.conformer import Conformer
from zhuji.core.framing import Framing
from zhuji.core.records import Record, Sound
from zhuji.data.infer import Roles
from zhuji.data.settings import CleanSettings
from zhuji.data.sounds import as_wav
from zhuji.modalities.text import Text
from zhuji.model import bundle
from zhuji.model.assembly import assemble
from zhuji.model.golden import told
from zhuji.model.predictor import Predictor
from zhuji.tasks.speak import Speak

RATE = 4_000
FRAMING = Framing(rate=RATE, window=0.032, hop=0.016, bands=12)
HERTZ = {"a": 300, "b": 700, "c": 1_200, "d": 1_700, " ": 0}
FRAMES = {"a": 4, "b": 6, "c": 8, "d": 5, " ": 3}
"""How long each letter is said."""


def said(text: str, shrill: float = 1.0) -> np.ndarray:
    """`(S,)` float32."""
    parts = []
    for sign in text:
        time = np.arange(FRAMES[sign] * FRAMING.step) / RATE
        parts.append(0.4 * np.sin(2 * np.pi * shrill * HERTZ[sign] * time) * (HERTZ[sign] > 0))
    return np.concatenate(parts).astype(np.float32)


def texts(count: int, seed: int = 0) -> list[str]:
    random = np.random.default_rng(seed)
    words = [["".join(random.choice(list("abcd"), random.integers(2, 5))) for _ in range(2)] for _ in range(count)]
    return [" ".join(pair) for pair in words]


def records(count: int, seed: int = 0) -> list[Record]:
    """Two speakers by turns, the second a little shriller."""
    return [
        Record(f"row-{n}", text, target=Sound(data=as_wav(said(text, 1 + 0.1 * (n % 2)), RATE)), extra={"speaker": ("low", "high")[n % 2]})
        for n, text in enumerate(texts(count, seed))
    ]  # fmt: skip


def recordings(place: Path, count: int = 24) -> Path:
    """A folder with `metadata.csv`, as `zhuji train` reads it."""
    (place / "clips").mkdir(parents=True)
    lines = ["file_name,transcript,speaker"]
    for number, text in enumerate(texts(count)):
        (place / "clips" / f"{number}.wav").write_bytes(as_wav(said(text), RATE))
        lines.append(f"clips/{number}.wav,{text},{'ab'[number % 2]}")
    (place / "metadata.csv").write_text("\n".join(lines) + "\n")
    return place


@cache
def untaught(kind: str = "durations") -> Predictor:
    """Ready to speak, without having learned how."""
    rows = records(8)
    modality = Text(tokenizer="characters", wrap="both", max_units=40).fit([*(row.input for row in rows), "abcd"])
    settings = {
        "kind": kind,
        "frames": FRAMING.plain(),
        "layers": 1,
        "heads": 2,
        "width": 16,
        "window": 3,
        "dropout": 0.0,
        "prenet": 8,
    }
    task = Speak.parse(settings).fit(rows)
    model = assemble(modality, Conformer(width=16, layers=1, heads=2, window=3, subsample=1, dropout=0.0), task)
    return Predictor(model.eval())


@cache
def voice(kind: str = "durations") -> Path:
    """The same as a bundle."""
    predictor, place = untaught(kind), folder() / f"voice-{kind}"
    golden = told(predictor, ["ab cd", "cab"])
    bundle.save(
        predictor.model, place, clean=CleanSettings(), roles=Roles(text=("transcript",), recording="file_name"), golden=golden
    )
    return place
