"""Our own bundle: parts and weights, every number as it was trained."""

from __future__ import annotations

from pathlib import Path

from zhuji.formats._format import Format
from zhuji.model import parity
from zhuji.model.bundle import open_bundle, save
from zhuji.model.predictor import Predictor


class Safetensors(Format):
    """The hop that changes nothing; holds every model."""

    loops = True

    def write(self, predictor: Predictor, folder: Path, gap: float | None = None) -> None:
        save(
            predictor.model, folder, clean=predictor.clean, roles=predictor.roles, golden=predictor.golden, card=predictor.card,
            run=predictor.run,
        )  # fmt: skip

    def open(self, folder: Path, like: Predictor | None = None) -> tuple[Predictor, float]:
        return open_bundle(folder), parity.EXACT
