"""A vocoder of the voice of `tests/voiced.py`: of its frames, and so small that it learns in seconds."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from tests import voiced
from tests.trained import folder
from zhuji.backbones.convnext_1d import Convnext1d
from zhuji.core.framing import Framing
from zhuji.core.records import Record, Sound
from zhuji.data.infer import Roles
from zhuji.data.settings import CleanSettings
from zhuji.data.sounds import as_wav
from zhuji.modalities.speech import Speech
from zhuji.model import bundle
from zhuji.model.assembly import Model, assemble
from zhuji.model.golden import told
from zhuji.model.predictor import Predictor
from zhuji.tasks.vocode import Vocode


def records(count: int = 8) -> list[Record]:
    texts = voiced.texts(count)
    return [Record(f"row-{n}", Sound(data=as_wav(voiced.said(text), voiced.RATE))) for n, text in enumerate(texts)]


def modality(framing: Framing = voiced.FRAMING, **more: object) -> Speech:
    names = ("rate", "window", "hop", "bands", "low", "high", "scale", "floor")
    given = {name: getattr(framing, name) for name in names}
    return Speech.parse({**given, **more}).fit([record.input for record in records()])


def model(width: int = 16, framing: Framing = voiced.FRAMING, **task: object) -> Model:
    settings = {"rate": voiced.RATE, "piece": 0.25, "channels": 2, **task}
    return assemble(modality(framing), Convnext1d(width=width, layers=2, window=3), Vocode.parse(settings)).eval()


@cache
def bundled() -> Path:
    """Untaught."""
    return saved(folder() / "vocoder")


def saved(place: Path, framing: Framing = voiced.FRAMING) -> Path:
    made = model(framing=framing)
    golden = told(Predictor(made), [record.input for record in records(2)])
    bundle.save(made, place, clean=CleanSettings(), roles=Roles(text=(), sound="file_name"), golden=golden)
    return place


@cache
def untaught() -> Predictor:
    return Predictor(model())
