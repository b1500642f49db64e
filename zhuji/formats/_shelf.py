"""Formats are found by the name of the module they live in; in commands a hyphen stands for the underscore."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from pathlib import Path

from zhuji.core.errors import DamagedBundle, UnknownName
from zhuji.core.log import in_language
from zhuji.formats._format import IO, Format, declared
from zhuji.model import huggingface, parity
from zhuji.model.bundle import bundle_folder, open_bundle
from zhuji.model.predictor import Predictor


def names() -> list[str]:
    """Names of all formats as commands know them, sorted; imports none of them."""
    package = importlib.import_module("zhuji.formats")
    found = (module.name for module in pkgutil.iter_modules(package.__path__))
    return sorted(name.replace("_", "-") for name in found if not name.startswith("_"))


def find(name: str) -> Format:
    """The one format in the module of this name. Raises UnknownName."""
    if name not in names():
        raise UnknownName(kind=in_language("format", "格式"), name=name, choices=", ".join(names()))
    module = importlib.import_module(f"zhuji.formats.{name.replace('-', '_')}")
    kinds = [
        member
        for _, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, Format) and member.__module__ == module.__name__
    ]
    assert len(kinds) == 1, f"{module.__name__} must define exactly one Format, but defines {kinds}"
    return kinds[0]()


def open_model(path: Path | str) -> Predictor:
    """A run, a bundle, an exported folder of any format, or a folder of Hugging Face, ready to answer on the CPU, once its golden rows came out
    as the trained model answered them.

    Raises AnswersDiffer, MissingExtra where a format's package is not installed, and what opening a bundle raises."""
    if huggingface.looks_like(path):
        return huggingface.read(path)
    folder = bundle_folder(Path(path))
    if (folder / IO).is_file():
        name = declared(folder)
        if name not in names():
            raise DamagedBundle(file=folder / IO, why=in_language("its format is unknown", "其格式未知"), value=name)
        predictor, limit = find(name).open(folder)
    else:
        predictor, limit = open_bundle(folder), parity.EXACT
    parity.hop("reload", predictor.golden, predictor.predict, limit).require(folder)
    return predictor
