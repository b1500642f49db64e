"""Between our bundles and the folders of Hugging Face."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zhuji.core.errors import RunExists
from zhuji.data.chat import ChatFormat
from zhuji.formats.huggingface import HuggingFace
from zhuji.model import huggingface, parity
from zhuji.model.bundle import open_bundle, save
from zhuji.model.card import card
from zhuji.model.chat import Chat
from zhuji.model.parity import Hop
from zhuji.model.predictor import Predictor
from zhuji.tasks.next_unit import NextUnit
from zhuji.version import __version__


@dataclass(frozen=True)
class Conversion:
    """`wrote`: "bundle", or the architecture of a Hugging Face folder; `parameters` by stem, body and head."""

    source: str
    target: str
    wrote: str
    parameters: Mapping[str, int]

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def convert(source: Path | str, target: Path | str, chat: ChatFormat | None = None) -> Conversion:
    """A Hugging Face folder as a bundle, a bundle or run as a Hugging Face folder. `target` must not exist yet. `chat`: how conversations with
    the model are written, in place of what the source says.

    What is written answers the golden rows as its source does, or it is kept aside (see `parity.admit`): raises AnswersDiffer. Raises
    RunExists, ImpossiblePair for a format that the model cannot be told, and the errors of `huggingface.read`, `huggingface.write` and `open_bundle`.
    """
    source, target = Path(source), Path(target)
    if target.exists():
        raise RunExists(file=target)
    if huggingface.looks_like(source):
        predictor, wrote = _talking(huggingface.read(source), chat), "bundle"
        _save(predictor, target, source.name)
    else:
        predictor, wrote = _talking(open_bundle(source), chat), ""

        def write(place: Path) -> None:
            nonlocal wrote
            wrote = huggingface.write(predictor.model, place)

        def measure(place: Path) -> Sequence[Hop]:
            opened, limit = HuggingFace().open(place, predictor)
            return (parity.hop("huggingface", predictor.golden, opened.predict, limit),)

        parity.admit(target, write, measure)
    return Conversion(str(source), str(target), wrote, predictor.model.parameter_counts())


def _talking(predictor: Predictor, chat: ChatFormat | None) -> Predictor:
    if chat is not None:
        model = predictor.model
        if isinstance(model.task, NextUnit):
            model.task = model.task.model_copy(update={"chat": chat})
        Chat(model)
    return predictor


def _save(predictor: Predictor, target: Path, name: str) -> None:
    model = predictor.model
    told = {
        "name": name, "version": __version__,
        "model": {
            "modality": model.modality.name(), "backbone": model.backbone.name(), "task": model.task.name(),
            "parameters": model.parameter_count,
        },
    }  # fmt: skip
    save(model, target, clean=predictor.clean, roles=predictor.roles, card=card(told), run=predictor.run)
