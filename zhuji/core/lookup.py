"""Parts are found by the name of the module they live in: no registry, no list to edit."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Mapping
from typing import Any, TypeVar

from zhuji.core.config import Part
from zhuji.core.errors import UnknownName

P = TypeVar("P", bound=Part)

_FOLDERS = {"modality": "modalities", "backbone": "backbones", "task": "tasks"}


def names(kind: type[Part]) -> list[str]:
    """Names of all parts on this shelf, sorted; imports none of them."""
    package = importlib.import_module(f"zhuji.{_FOLDERS[kind.shelf]}")
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__) if not module.name.startswith("_"))


def find(kind: type[P], name: str) -> type[P]:
    """The one concrete part of this kind in the module `zhuji.<shelf>.<name>`."""
    if name not in names(kind):
        raise UnknownName(kind=kind.sort(), name=name, choices=", ".join(names(kind)))
    module = importlib.import_module(f"zhuji.{_FOLDERS[kind.shelf]}.{name}")
    found = [
        member
        for _, member in inspect.getmembers(module, inspect.isclass)
        if issubclass(member, kind) and not inspect.isabstract(member) and member.__module__ == module.__name__
    ]
    assert len(found) == 1, f"{module.__name__} must define exactly one {kind.__name__}, but defines {found}"
    return found[0]


def build(kind: type[P], described: Mapping[str, Any]) -> P:
    """The part that `{"name": …, **settings}` describes."""
    settings = dict(described)
    name = str(settings.pop("name", ""))
    return find(kind, name).parse(settings, prefix=kind.shelf)
