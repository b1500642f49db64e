"""The JSON schema of run files, of training and of pretraining: every setting, and the options of every part by its name, for editors and
validators."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from zhuji.core.config import Part, nearest
from zhuji.core.errors import UnknownKey
from zhuji.core.lookup import find, names
from zhuji.training.pretraining import Pretraining
from zhuji.training.run import Run

_AUTO = {
    "description": "classify, regress, tag or translate, by what the columns hold",
    "properties": {"name": {"const": "auto"}},
}


def schema(defaults: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of `Run` and `Pretraining`, told apart by `data` and `corpus`; a part is one of its shelf's schemas,
    told apart by `name`. `defaults` (as in a run file) become the defaults of the sections they name."""
    from zhuji.core.contracts import Backbone, Modality, Task

    whole = _both_kinds()
    whole["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    whole["title"] = "Zhuji run"
    defs: dict[str, Any] = whole.setdefault("$defs", {})
    shelves: dict[str, type[Part]] = {"modality": Modality, "backbone": Backbone, "task": Task}
    for key, kind in shelves.items():
        choices = [_part(find(kind, name), defs) for name in names(kind)]
        if key == "task":
            defs["task.auto"] = {"type": "object", "required": ["name"], **_AUTO}
            choices.append({"$ref": "#/$defs/task.auto"})
        old = whole["properties"][key]
        whole["properties"][key] = {"description": old.get("description", ""), "oneOf": choices}
    for key, value in (defaults or {}).items():
        if key not in whole["properties"]:
            raise UnknownKey(key=key, where="", nearest=nearest(key, whole["properties"]))
        whole["properties"][key]["default"] = value
    return whole


def _both_kinds() -> dict[str, Any]:
    """The settings of both kinds of run file, of which each excludes what only the other has."""
    rows, texts = Run.model_json_schema(), Pretraining.model_json_schema()
    own = {
        "data": rows["properties"].keys() - texts["properties"].keys(),
        "corpus": texts["properties"].keys() - rows["properties"].keys(),
    }
    kinds = [
        {"title": "training", "required": ["data"], "properties": dict.fromkeys(sorted(own["corpus"]), False)},
        {"title": "pretraining", "required": ["corpus"], "properties": dict.fromkeys(sorted(own["data"]), False)},
    ]
    properties = {**texts["properties"], **rows["properties"]}
    defs = {**texts.get("$defs", {}), **rows.get("$defs", {})}
    return {
        **rows,
        "description": "A training or a pretraining.",
        "properties": properties,
        "required": [],
        "oneOf": kinds,
        "$defs": defs,
    }


def _part(part: type[Part], defs: dict[str, Any]) -> dict[str, str]:
    """Put the part's schema into `defs` and hand back the reference to it."""
    key = f"{part.shelf}.{part.name()}"
    own = part.model_json_schema(ref_template=f"#/$defs/{key}.{{model}}")
    for inner, body in own.pop("$defs", {}).items():
        defs[f"{key}.{inner}"] = body
    own["properties"] = {"name": {"const": part.name()}, **own.get("properties", {})}
    own["required"] = ["name", *own.get("required", [])]
    defs[key] = own
    return {"$ref": f"#/$defs/{key}"}
