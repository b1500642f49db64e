"""Which column holds pictures or sounds, and what stands beside sounds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from zhuji.core.log import in_language, say
from zhuji.core.records import Medium
from zhuji.data import names
from zhuji.data.columns import Choice, Column, Search, as_named, best_named, varied, whole_name
from zhuji.data.media import KINDS, OFFSET, SECONDS, Kind

TOGETHER = ("no sentence stands in two splits", "同一句子不出现在两个划分中")
"""Why sentences are groups."""
_ZH = {"image": "图片", "sound": "声音"}
_TRIED = 50
"""Names of a column of which one must be that of a file: the first ones may be gone."""


def find_files(search: Search, folder: Path) -> None:
    """Gives a column its role where it holds pictures or sounds, of their bytes, or of names of their files as seen from `folder`."""
    for kind in KINDS:
        if choice := of_files(search.columns, folder, kind):
            search.give(kind.role, choice)
            return
    _tell_of_gone(search.columns, folder)


def _tell_of_gone(columns: Sequence[Column], folder: Path) -> None:
    """Whoever moved a table away from its files looks for a fault in its columns."""
    for kind in KINDS:
        column = best_named([c for c in columns if c.filled and c.share(kind.is_one) > 0.5], kind.hints)
        if column is not None:
            first = str(column.filled[0])
            say(
                in_language(
                    f"Column '{column.name}' names {kind.reads}, but none of them is there: {first} was looked for in {folder}.",
                    f"列「{column.name}」是{_ZH[kind.role]}文件名，但没有一个文件存在：在 {folder} 中查找了 {first}。",
                )
            )
            return


def of_files(columns: Sequence[Column], folder: Path, kind: Kind) -> Choice:
    """The column of pictures or sounds, of their bytes, or of names of their files as seen from `folder`."""
    fit = [c for c in columns if c.filled and c.share(kind.is_one) > 0.5]
    named = [c for c in fit if any(not isinstance(v, str) or (folder / v.strip()).is_file() for v in c.filled[:_TRIED])]
    column = best_named(named, kind.hints) or next(iter(named), None)
    if column is None:
        return None
    files = isinstance(column.filled[0], str) or (isinstance(column.filled[0], Medium) and column.filled[0].data is None)
    what = in_language(kind.reads, _ZH[kind.role])
    return column.name, in_language(f"files of {what}", f"{what}文件") if files else in_language(
        f"bytes of {what}", f"{what}数据"
    )


def find_said(search: Search, known: bool) -> None:
    """Gives what is said in sounds its role: a column of texts so named. Where a few texts return they are classes, unless it is `known` that
    sentences are asked for. How long a sound is says nothing of what it is."""
    search.taken |= {OFFSET, SECONDS} & {column.name for column in search.columns}
    if {"label", "target"} & search.given.keys():
        return
    texts = [c for c in search.free if c.share(lambda value: isinstance(value, str)) > 0.5 and not c.numeric]
    column = whole_name([c for c in texts if known or varied(c)], names.TRANSCRIPT)
    if column is not None:
        size = f"{column.length:.0f}"
        told = in_language(f"{size} characters on average", f"平均 {size} 个字符")
        search.give("target", (column.name, as_named(column) + told))


def keep_sentences_together(search: Search) -> None:
    """Without a column of groups, rows of equal transcripts are one."""
    if "target" in search.found and "group" not in search.found:
        search.found["group"] = search.found["target"]
        search.reasons["group"] = in_language(*TOGETHER)
