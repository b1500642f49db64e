"""Recipes are found by file name: a new YAML file in this folder is a new recipe."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zhuji.core.config import read_yaml
from zhuji.core.errors import BadSetting, MissingFile, UnknownName
from zhuji.core.log import in_language

FOLDER = Path(__file__).parent
FACTS = ("what", "source", "cost", "score", "command")
"""Every header has a comment line `# fact: …` for each."""
OBJECTIVES = {
    "masked": "masked_units", "next": "next_unit", "replaced": "replaced_unit", "contrast": "contrast", "triplet": "triplet",
    "distill-self": "distill_self", "patches": "masked_patches",
}  # fmt: skip
"""What a person calls an objective of pretraining, and the task that it is."""
_OF_CORPORA = frozenset({"corpus", "pack", "tokenizer", "held"})
_OF_ROWS = frozenset({"data", "evaluate"})
"""Settings that only a pretraining has, and those that only a run on labelled rows has."""
_WITHOUT_CORPUS = frozenset({"image", "speech", "waveform"})
"""Modalities whose rows are no corpus: an objective learns from them as any task does."""


@dataclass(frozen=True)
class Recipe:
    """A named run. `facts` is its header, `settings` what it sets, `text` the file as it stands."""

    name: str
    facts: dict[str, str]
    settings: dict[str, Any]
    text: str

    @property
    def verb(self) -> str | None:
        """`train` or `pretrain`: what it is for, by the command in its header, else by its settings; None where both could be."""
        told = self.facts.get("command", "").split()[1:2]
        if told:
            return told[0]
        if _OF_CORPORA & self.settings.keys():
            return "pretrain"
        task = (self.settings.get("task") or {}).get("name")
        if (self.settings.get("modality") or {}).get("name") in _WITHOUT_CORPUS:
            return "train"
        if _OF_ROWS & self.settings.keys() or task not in (None, *OBJECTIVES.values()):
            return "train"
        return None if task is None else "pretrain"

    def as_dict(self) -> dict[str, Any]:
        return {"name": self.name, "verb": self.verb, **self.facts, "settings": self.settings}


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def read(name: str) -> Recipe:
    """The recipe of this name. Raises `UnknownName`."""
    if name not in names():
        raise UnknownName(kind=in_language("recipe", "配方"), name=name, choices=", ".join(names()))
    return _parsed(FOLDER / f"{name}.yaml")


def layer(model: str, verb: str | None = None) -> dict[str, Any]:
    """What `--model` asks for, as settings: a recipe's name, or the path of a YAML file of one's own.

    Raises `UnknownName` for a recipe, `MissingFile` for a file that is not there, and `BadSetting` for one that is not for `verb`."""
    found = _asked(model)
    if verb is not None and found.verb not in (None, verb):
        raise _misplaced(model, str(found.verb))
    return {**found.settings, "recipe": found.name}


def _asked(model: str) -> Recipe:
    if not model.endswith((".yaml", ".yml")):
        return read(model)
    path = Path(model)
    if not path.is_file():
        raise MissingFile(file=path)
    return _parsed(path)


def _misplaced(model: str, verb: str) -> BadSetting:
    command = f"zhuji {verb} {'CORPUS' if verb == 'pretrain' else 'DATA'} --model {model}"
    kinds = {"pretrain": ("texts without labels", "无标签文本"), "train": ("labelled rows", "有标签的数据")}
    en, zh = (kinds["train" if verb == "pretrain" else "pretrain"][i] for i in (0, 1))
    rule = in_language(f"must be a recipe for {en}; '{model}' is for `{command}`",
                       f"必须是用于{zh}的配方；「{model}」用于 `{command}`")  # fmt: skip
    return BadSetting(key="--model", rule=rule)


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
