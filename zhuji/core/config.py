"""Settings: frozen, typed, unknown keys refused with the nearest valid name; read from and written to YAML."""

from __future__ import annotations

import difflib
import types
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, ClassVar, Self, Union, cast, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from zhuji.core.errors import BadSetting, UnknownKey
from zhuji.core.log import in_language


class Settings(BaseModel):
    """A frozen group of settings."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, ser_json_inf_nan="strings", use_attribute_docstrings=True
    )

    @classmethod
    def parse(cls, data: Mapping[str, Any], prefix: str = "") -> Self:
        """Settings from plain data; errors name the key, the rule, the value and the nearest valid name."""
        try:
            return cls.model_validate(dict(data))
        except ValidationError as error:
            raise _translated(cls, error, prefix) from None

    def plain(self) -> dict[str, Any]:
        """Plain data for YAML and JSON; `parse` is its inverse."""
        return self.model_dump(mode="json")


_SHELVES = {"modality": "模态", "backbone": "骨干网络", "task": "任务"}


class Part(Settings):
    """One component on a shelf; its name is the name of the module that it lives in."""

    shelf: ClassVar[str] = "part"

    @classmethod
    def name(cls) -> str:
        return cls.__module__.rpartition(".")[2]

    @classmethod
    def sort(cls) -> str:
        """What lies on its shelf, as a person reads it."""
        return in_language(cls.shelf, _SHELVES[cls.shelf])

    @classmethod
    def called(cls) -> str:
        """Sort and name, as a person reads them: task 'classify'."""
        return in_language(f"{cls.shelf} '{cls.name()}'", f"{_SHELVES[cls.shelf]}「{cls.name()}」")

    def described(self) -> dict[str, Any]:
        """`{"name": …, **settings}`: what a bundle and a run file hold."""
        return {"name": self.name(), **self.plain()}


def _settings_at(cls: type[BaseModel], path: Iterable[Any]) -> type[BaseModel]:
    for key in path:
        field = cls.model_fields.get(str(key))
        inner = _model_in(field.annotation) if field else None
        if inner is None:
            return cls
        cls = inner
    return cls


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) is Annotated:
        return _model_in(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return next((m for a in get_args(annotation) if (m := _model_in(a))), None)
    return None


def nearest(word: str, choices: Iterable[str]) -> str:
    """The choice most like `word`; all of them when none is like it."""
    choices = sorted(choices)
    return next(iter(difflib.get_close_matches(word, choices, n=1, cutoff=0.5)), ", ".join(choices))


_CHINESE = {
    **dict.fromkeys(("int_parsing", "int_type", "int_from_float"), "必须是整数"),
    **dict.fromkeys(("float_parsing", "float_type"), "必须是数值"),
    **dict.fromkeys(("bool_parsing", "bool_type"), "必须是 true 或 false"),
    **dict.fromkeys(("model_type", "model_attributes_type", "dict_type", "mapping_type"), "必须是一组设置"),
    **dict.fromkeys(("tuple_type", "list_type"), "必须是列表"), "string_type": "必须是文本", "finite_number": "必须是有限的数值",
    "greater_than": "必须大于 {gt}", "greater_than_equal": "必须不小于 {ge}", "less_than": "必须小于 {lt}",
    "less_than_equal": "必须不大于 {le}", "literal_error": "必须是以下之一：{expected}", "string_too_short": "不得为空",
    "string_too_long": "最多 {max_length} 个字符", "too_long": "最多 {max_length} 项", "too_short": "至少 {min_length} 项",
}  # fmt: skip
"""What pydantic says, by its name for the error; rules of our own come in the person's language."""


def _translated(cls: type[BaseModel], error: ValidationError, prefix: str) -> Exception:
    first = error.errors()[0]
    path = [str(part) for part in first["loc"]]
    key = ".".join(filter(None, [prefix, *path]))
    if first["type"] == "extra_forbidden":
        group = ".".join(filter(None, [prefix, *path[:-1]]))
        names = _settings_at(cls, path[:-1]).model_fields
        where = f" ({group})" if group else ""
        return UnknownKey(key=path[-1], where=where, nearest=nearest(path[-1], names))
    if first["type"] == "missing":
        return BadSetting(key=key, rule=in_language("must be given", "必须指定"))
    rule = first["msg"].removeprefix("Value error, ").replace("Input should", "must").partition(", unable to")[0]
    if first["type"] in _CHINESE:
        facts = {name: str(fact).replace(" or ", "、") for name, fact in first.get("ctx", {}).items()}
        rule = in_language(rule, _CHINESE[first["type"]].format(**facts))
    # A rule over a whole group names what it is about itself.
    return BadSetting(key=key, rule=rule, value=None if isinstance(first["input"], Mapping) else first["input"])


def read_yaml(text: str, file: str = "") -> dict[str, Any]:
    """A YAML mapping; safe loading only."""
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        told = " ".join(str(error).split())
        rule = in_language(f"must be valid YAML: {told}", f"必须是有效的 YAML：「{told}」")
        raise BadSetting(file=file, key="YAML", rule=rule) from None
    if data is None:
        return {}
    if not isinstance(data, dict):
        rule = in_language("must be a mapping of settings", "必须是设置项的映射")
        raise BadSetting(file=file, key="YAML", rule=rule, value=type(data).__name__)
    return cast(dict[str, Any], data)


def write_yaml(data: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(data), sort_keys=False, allow_unicode=True, default_flow_style=None, width=120)


def overlay(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `over` laid on it, group by group. A part of another name replaces the whole part: its options are its own."""
    merged = dict(base)
    for key, value in over.items():
        under = merged.get(key)
        if isinstance(value, Mapping) and isinstance(under, Mapping):
            group, laid = cast(Mapping[str, Any], under), cast(Mapping[str, Any], value)
            renamed = "name" in laid and laid["name"] != group.get("name")
            merged[key] = dict(laid) if renamed else overlay(group, laid)
        else:
            merged[key] = value
    return merged


_MARKS = frozenset("|;,:-#~>*&!%@`?^/\\.+=_\t ")
"""Separators: a single one is meant as it stands, though YAML reads most of them otherwise."""


def assignments(pairs: Iterable[str]) -> dict[str, Any]:
    """`["train.steps=500"]` -> `{"train": {"steps": 500}}`; values are read as YAML."""
    tree: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not all(key.split(".")):
            raise BadSetting(
                key=key or pair, rule=in_language("must be written as key=value", "必须写成 key=value"), value=pair
            )
        *groups, last = key.split(".")
        leaf: dict[str, Any] = {last: _yaml_value(key, value)}
        for group in reversed(groups):
            leaf = {group: leaf}
        tree = overlay(tree, leaf)
    return tree


def _yaml_value(key: str, text: str) -> Any:
    if text in _MARKS:
        return text
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        rule = in_language("must be given a valid YAML value", "必须给出有效的 YAML 值")
        raise BadSetting(key=key, rule=rule, value=text) from None
