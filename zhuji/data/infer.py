"""What each column is for, found from names and from a bounded look at the content, with the reason in words.

Names are hints; they count only where the content allows what they say. Where no name helps, the content decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

from zhuji.core.config import nearest
from zhuji.core.errors import BadSetting, MissingColumn, NoRole
from zhuji.core.log import in_language
from zhuji.data import names
from zhuji.data.cells import is_flag, number, time_text
from zhuji.data.columns import GIVEN, Choice, Column, Search, as_named, best_named, look, told_as, varied, whole_name
from zhuji.data.files import TOGETHER, find_files, find_said, keep_sentences_together
from zhuji.data.media import KINDS
from zhuji.data.media import Kind as OfFiles
from zhuji.data.settings import DataSettings
from zhuji.data.sources import Source
from zhuji.data.tags import Scheme, scheme_of

Kind = Literal["classify", "classify_many", "regress", "tag", "pair", "detect", "unlabelled"]


@dataclass(frozen=True)
class Roles:
    """Columns by role. `reasons`: role -> why, also for `kind`; `scheme`: what tags keep to, where words are tagged. With an `image` or
    a `sound` there is no `text`. `recording`: the column of sounds in which the text is said, where these are what is learned."""

    text: tuple[str, ...]
    label: tuple[str, ...] = ()
    group: str | None = None
    time: str | None = None
    id: str | None = None
    split: str | None = None
    target: str | None = None
    kind: Kind = "unlabelled"
    label_separator: str | None = None
    scheme: Scheme | None = None
    image: str | None = None
    sound: str | None = None
    recording: str | None = None
    reasons: dict[str, str] = field(default_factory=dict[str, str])

    @property
    def files(self) -> OfFiles | None:
        """What the inputs are that are files of their own; None where they are texts."""
        return next((kind for kind in KINDS if self.column_of(kind) is not None), None)

    def column_of(self, kind: OfFiles) -> str | None:
        """The column of inputs of this kind."""
        return self.image if kind.role == "image" else self.sound

    def spoken(self) -> Roles:
        """The same columns the other way round: the text is the input, and the sound is what is learned. Who speaks is then something to be told, so rows
        are kept together by their sentences, unless another column of groups was given."""
        if self.target is None or self.sound is None:
            return self
        given = self.reasons.get("group") == in_language(*GIVEN)
        reasons = {role: why for role, why in self.reasons.items() if role != "target"}
        reasons |= {"text": self.reasons.get("target", "")} | ({} if given else {"group": in_language(*TOGETHER)})
        return replace(
            self, text=(self.target,), target=None, sound=None, recording=self.sound, group=self.group if given else self.target, reasons=reasons,
        )  # fmt: skip


def infer_roles(source: Source, settings: DataSettings, *, pairs: bool = False) -> Roles:
    """Roles of the columns; what `settings` names is taken as it is. Words with tags and pairs of texts are told by names and content.
    Without a label column the kind is `unlabelled`. `pairs`: it is known that there are pairs.

    Raises:
        EmptyData: there are no rows.
        NoReadableRow: none of the first rows can be read.
        MissingColumn: a column named in the settings does not exist.
        NoRole: no column looks like the text.
        BadSetting: several label columns, but one holds more than 0 and 1.
    """
    given = _given(source.columns, settings)
    columns = look(source)
    search = Search(columns, given)
    if not _INPUTS & given.keys():
        find_files(search, source.parts[0].path.parent)
    media = {kind.role for kind in KINDS} & search.found.keys()
    for both in () if media else (_tagged(columns, given), _paired(columns, given, pairs)):
        for role, name in ({} if both is None else both).items():
            search.give(role, (name, search.reasons.get(role) or _beside(role, name, both or {})))
    if "sound" in media:
        find_said(search, pairs)
    for role, find in _FINDERS.items():
        if (role == "label" and "target" in search.found) or (role == "text" and media):
            continue
        if role not in search.found and (choice := find(search.free)):
            search.give(role, choice)
    if "sound" in media:
        keep_sentences_together(search)
    found, reasons = search.found, search.reasons
    if len(inputs := [role for role in ("text", "image", "sound") if role in found]) > 1:
        one, other = inputs[0], inputs[1]
        rule = in_language(
            f"must not be given beside data.{one}: a row has one input", f"不能与 data.{one} 同时指定：每行只有一个输入"
        )
        raise BadSetting(file=settings.path, key=f"data.{other}", rule=rule)
    if not _INPUTS & found.keys():
        raise NoRole(file=source.parts[0].path, role="text", columns=", ".join(source.columns))
    by_role = {role: [c for name in found.get(role, ()) for c in columns if c.name == name] for role in ("text", "label")}
    scheme = _scheme(by_role)
    kind, reasons["kind"] = _kind(by_role["label"], settings)
    if scheme is not None:
        kind, reasons["kind"] = "tag", in_language(f"a tag for each word, by {scheme}", f"每个词一个标签，格式为 {scheme}")
    elif "target" in found:
        sounds = ("sounds and what is said in them", "声音及其文本")
        kind, reasons["kind"] = (
            "pair",
            in_language(*sounds) if "sound" in found else in_language("pairs of texts", "成对的文本"),
        )
    one = {role: found[role][0] if role in found else None for role in _ONE}
    return Roles(
        found.get("text", ()), found.get("label", ()), **one, kind=kind, label_separator=settings.label_separator, scheme=scheme,
        reasons=reasons,
    )  # fmt: skip


_INPUTS = frozenset({"text", "image", "sound"})
_ONE = ("group", "time", "id", "split", "target", "image", "sound")
"""Roles of one column at most."""


def named_files(settings: DataSettings, known: Roles, columns: Sequence[str]) -> DataSettings:
    """The settings with the column of pictures or sounds that is known by name, where it is there and none is given."""
    found = {kind.role: known.column_of(kind) for kind in KINDS if known.column_of(kind) in columns}
    return settings.model_copy(update={role: name for role, name in found.items() if getattr(settings, role) is None})


def _given(columns: tuple[str, ...], settings: DataSettings) -> dict[str, tuple[str, ...]]:
    asked: dict[str, tuple[str, ...] | None] = {"text": settings.text, "label": settings.label}
    for role in _ONE:
        name = cast(str | None, getattr(settings, role))
        asked[role] = (name,) if name else None
    given = {role: wanted for role, wanted in asked.items() if wanted}
    for role, wanted in given.items():
        for name in wanted:
            if name not in columns:
                like = nearest(name, columns)
                listed = ", ".join(sorted(columns, key=lambda column: column not in like.split(", "))[:20])
                raise MissingColumn(file=settings.path, role=role, name=name, columns=listed)
    return given


# ------------------------------------------------------------------------------------------- columns that go together


Both = dict[str, str] | None


def _tagged(columns: list[Column], given: dict[str, tuple[str, ...]]) -> Both:
    """Lists of words, and lists of as many tags."""
    lists = [c for c in columns if c.filled and c.share(lambda value: isinstance(value, list)) > 0.5]
    words = _chosen(lists, given.get("text"), names.WORDS)
    tags = _chosen([c for c in lists if c is not words], given.get("label"), names.TAGS)
    if words is None or tags is None or not _equally_long(words, tags):
        return None
    return {"text": words.name, "label": tags.name}


def _beside(role: str, name: str, both: dict[str, str]) -> str:
    """Why a column has its role: by what stands in the other one."""
    other = next(column for column in both.values() if column != name)
    if "target" in both:
        return in_language(f"'{name}', the other half of '{other}'", f"「{name}」，与「{other}」成对")
    if role == "text":
        return in_language(f"'{name}', lists as long as those of '{other}'", f"「{name}」，与「{other}」等长的列表")
    return in_language(f"'{name}', a tag for each of '{other}'", f"「{name}」，逐一对应于「{other}」")


def _chosen(columns: list[Column], asked: tuple[str, ...] | None, hints: tuple[str, ...]) -> Column | None:
    if asked is not None:
        return next((c for c in columns if (c.name,) == asked), None)
    return best_named(columns, hints)


def _equally_long(words: Column, tags: Column) -> bool:
    """Are nearly all lists as long as those beside them, and not just empty or of one element?"""
    lengths = [
        (len(cast(list[Any], a)), len(cast(list[Any], b)))
        for a, b in zip(words.values, tags.values, strict=True)
        if isinstance(a, list) and isinstance(b, list)
    ]
    return sum(a == b for a, b in lengths) > 0.95 * len(lengths) and any(a > 1 for a, _ in lengths)


def _scheme(by_role: dict[str, list[Column]]) -> Scheme | None:
    """What the tags keep to; None where the columns hold no tagged words."""
    text, label = by_role["text"], by_role["label"]
    if len(text) != 1 or len(label) != 1:
        return None
    if any(c.share(lambda value: isinstance(value, list)) <= 0.5 for c in (*text, *label)) or not _equally_long(*text, *label):
        return None
    return scheme_of([str(tag) for tag in cast(list[Any], value)] for value in label[0].values if isinstance(value, list))


def _paired(columns: list[Column], given: dict[str, tuple[str, ...]], known: bool) -> Both:
    """Two columns of texts, a source and its target, as their names say, or two columns that are called by their languages."""
    if "label" in given or ("target" not in given and not known and "text" in given):
        return None
    texts = [c for c in columns if c.share(lambda value: isinstance(value, str)) > 0.5 and not c.numeric and varied(c)]
    by_language = [c for c in texts if c.name.lower() in names.LANGUAGES]
    asked = {role: next((c for c in columns if (c.name,) == given.get(role)), None) for role in ("text", "target")}
    source = asked["text"] or whole_name(texts, names.SOURCE)
    target = asked["target"] or whole_name([c for c in texts if c is not source], names.TARGET)
    rest = [c for c in by_language if c is not source and c is not target]
    if source is None and target is None and len(by_language) != 2:
        return None
    source = source or next(iter(rest), None)
    target = target or next((c for c in rest if c is not source), None)
    return None if source is None or target is None else {"text": source.name, "target": target.name}


# ------------------------------------------------------------------------------------------------------ one finder a role


def _split(columns: list[Column]) -> Choice:
    named = [
        c
        for c in columns
        if names.is_one(c.name, names.SPLIT) and c.share(lambda value: names.split_name(told_as(value))) > 0.5
    ]
    fit = [c for c in columns if c.filled and c.share(lambda value: names.split_name(told_as(value))) > 0.95]
    column = best_named(named or fit, names.SPLIT) or next((c for c in fit if len(c.distinct) > 1), None)
    return (column.name, in_language("values ", "取值为 ") + "/".join(sorted(column.distinct)[:6])) if column else None


def _id(columns: list[Column]) -> Choice:
    fit = [c for c in columns if len(c.filled) > 1 and c.unique and c.length <= 200]
    if column := best_named(fit, names.ID):
        return column.name, f"{as_named(column)}{in_language('every value differs', '各值互不相同')}"
    for column in fit:
        numbers = [number(value) for value in column.values]
        if numbers[0] in (0, 1) and numbers == list(range(int(numbers[0]), int(numbers[0]) + len(numbers))):
            return column.name, in_language(f"counts up from {int(numbers[0])}", f"从 {int(numbers[0])} 起递增")
    return None


_ISO_DATE = re.compile(r"\d{4}[-/.年]\d{1,2}[-/.月]\d{1,2}.*")


def _time(columns: list[Column]) -> Choice:
    fit = [c for c in columns if c.filled and c.share(lambda value: time_text(told_as(value))) > 0.95]
    if column := best_named(fit, names.TIME):
        return column.name, f"{as_named(column)}{in_language('holds times such as ', '内容为时间，如 ')}{column.texts[0][:40]}"
    column = next((c for c in fit if all(map(_ISO_DATE.fullmatch, c.texts))), None)
    return (column.name, in_language("holds dates such as ", "内容为日期，如 ") + column.texts[0][:40]) if column else None


def _group(columns: list[Column]) -> Choice:
    fit = [c for c in columns if 1 < len(c.distinct) < len(c.filled) and c.length <= 200]
    column = best_named([c for c in fit if names.is_one(c.name, names.GROUP)], names.GROUP)
    if column is None:
        return None
    distinct = f"{len(column.distinct):,}"
    return column.name, as_named(column) + in_language(f"{distinct} distinct values", f"有 {distinct} 个不同的值")


def _text(columns: list[Column]) -> Choice:
    fit = [c for c in columns if c.filled and c.share(lambda value: isinstance(value, str)) > 0.5 and not c.numeric]
    if not fit:
        return None
    longest = max(fit, key=lambda c: c.length)
    named = best_named([c for c in fit if c.length >= 0.2 * longest.length and varied(c)], names.TEXT)
    if named:
        size = f"{named.length:.0f}"
        return named.name, as_named(named) + in_language(f"{size} characters on average", f"平均 {size} 个字符")
    size = f"{longest.length:.0f}"
    return longest.name, in_language(f"longest text on average: {size} characters", f"平均文本最长：{size} 个字符")


def _label(columns: list[Column]) -> Choice:
    fit = [c for c in columns if len(c.filled) > 0]
    if column := next(filter(_boxed, fit), None):
        return column.name, in_language(f"'{column.name}', boxes of objects", f"「{column.name}」，物体的框")
    hinted = [c for c in fit if c.numeric or _classes(c) or (names.is_one(c.name, names.LABEL) and c.length <= 200)]
    if column := best_named(hinted, names.LABEL):
        return column.name, as_named(column) + _distinct(column)
    few = [c for c in fit if len(c.distinct) > 1 and _classes(c)]
    if column := few[-1] if few else None:
        return column.name, in_language("few values that return: ", "少数几个反复出现的值：") + _distinct(column)
    column = next((c for c in reversed(fit) if c.numeric and len(c.distinct) > 1), None)
    return (
        (column.name, in_language("the last column of numbers, ", "最后一个数值列，") + _distinct(column)) if column else None
    )


def _boxed(column: Column) -> bool:
    return column.share(lambda value: isinstance(value, tuple)) > 0.5


def _classes(column: Column) -> bool:
    """Few distinct values, each short, most of them seen again; of a handful of rows nothing more can be asked."""
    repeated = len(column.distinct) <= max(0.2 * len(column.filled), min(len(column.filled), 20))
    return column.length <= 60 and (repeated or column.share(lambda value: isinstance(value, list)) > 0.5)


def _distinct(column: Column) -> str:
    values, rows = f"{len(column.distinct):,}", f"{len(column.filled):,}"
    return in_language(f"{values} distinct values in {rows} rows", f"{rows} 行中有 {values} 个不同的值")


_FINDERS: dict[str, Callable[[list[Column]], Choice]] = {
    "split": _split, "id": _id, "time": _time, "group": _group, "text": _text, "label": _label,
}  # fmt: skip


def _kind(label: list[Column], settings: DataSettings) -> tuple[Kind, str]:
    if not label:
        return "unlabelled", in_language("no column looks like a label", "没有列像标签")
    if len(label) > 1:
        for column in label:
            if wrong := next((value for value in column.filled if is_flag(value) is None), None):
                rule = in_language("must name columns that hold 0 and 1 when there are several", "有多列时，各列只能取 0 和 1")
                raise BadSetting(file=settings.path, column=column.name, key="data.label", rule=rule, value=wrong)
        return "classify_many", in_language(f"{len(label)} columns of 0 and 1", f"{len(label)} 个取值为 0 和 1 的列")
    column = label[0]
    if _boxed(column):
        return "detect", in_language("boxes of objects in pictures", "图片中物体的框")
    if settings.label_separator:
        mark = settings.label_separator
        return "classify_many", in_language(f"labels separated by '{mark}'", f"标签以「{mark}」分隔")
    if column.share(lambda value: isinstance(value, list)) > 0.5:
        return "classify_many", in_language("each cell is a list of labels", "每个单元格是标签列表")
    many, fractional = len(column.distinct), column.share(lambda value: (number(value) or 0.0) % 1 != 0) > 0.05
    if column.numeric and ((fractional and many > 20) or many > max(100, 0.2 * len(column.filled))):
        return "regress", in_language("numbers with ", "数值，") + _distinct(column)
    return "classify", _distinct(column)
