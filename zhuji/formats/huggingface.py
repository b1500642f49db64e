"""The folder that `transformers` and `sentence-transformers` read, of models that these know. It says nothing of how texts are cleaned and holds
no golden rows, so both come from the model it was written from while it is measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from zhuji.formats._format import Format
from zhuji.model import huggingface, parity
from zhuji.model.predictor import Predictor


class HuggingFace(Format):
    """Of transformers over text; holds those that write unit by unit as well."""

    loops = True

    def write(self, predictor: Predictor, folder: Path, gap: float | None = None) -> None:
        huggingface.write(predictor.model, folder)

    def open(self, folder: Path, like: Predictor | None = None) -> tuple[Predictor, float]:
        found = huggingface.read(folder)
        known = found if like is None else replace(found, clean=like.clean, roles=like.roles, golden=like.golden)
        return known, parity.EXACT
