"""Recipes are found by file name: a new YAML file in this folder is a new recipe."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zhuji.core.config import read_yaml
from zhuji.core.errors import MissingFile, UnknownName
from zhuji.core.log import in_language

FOLDER = Path(__file__).parent
FACTS = ("what", "source", "cost", "score", "command")
"""Every header has a comment line `# fact: …` for each."""


@dataclass(frozen=True)
class Recipe:
    """A named run. `facts` is its header, `settings` what it sets, `text` the file as it stands."""

    name: str
    facts: dict[str, str]
    settings: dict[str, Any]
    text: str

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, **self.facts, "settings": self.settings}


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def read(name: str) -> Recipe:
    """The recipe of this name. Raises `UnknownName`."""
    if name not in names():
        raise UnknownName(kind=in_language("recipe", "配方"), name=name, choices=", ".join(names()))
    return _parsed(FOLDER / f"{name}.yaml")


def layer(model: str) -> dict[str, Any]:
    """What `--model` asks for, as settings: a recipe's name, or the path of a YAML file of one's own.

    Raises `UnknownName` for a recipe and `MissingFile` for a file that is not there."""
    if not model.endswith((".yaml", ".yml")):
        return {**read(model).settings, "recipe": model}
    path = Path(model)
    if not path.is_file():
        raise MissingFile(file=path)
    return {**_parsed(path).settings, "recipe": path.stem}


def _parsed(path: Path) -> Recipe:
    text = path.read_text(encoding="utf-8")
    return Recipe(path.stem, _header(text), read_yaml(text, file=str(path)), text)


def _header(text: str) -> dict[str, str]:
    facts: dict[str, str] = {}
    last = ""
    for row in text.splitlines():
        if not row.startswith("#"):
            break
        body = row[1:].strip()
        key, colon, value = body.partition(": ")
        if colon and key in FACTS:
            last, facts[key] = key, value
        elif last:
            facts[last] += " " + body
    return facts
