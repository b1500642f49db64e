"""Reading what a stranger made: plain files only, of bounded size; JSON of bounded depth; weights whose header is checked before
a byte of memory is given to them. Every refusal is a BundleError."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from zhuji.core.errors import DamagedBundle, NotABundle, UnsafeBundle
from zhuji.core.files import os_reason
from zhuji.core.log import in_language

MIB = 1 << 20
MAX_FILES = 32
MAX_HEADER = 16 * MIB
MAX_DEPTH = 16
DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8, "U8": torch.uint8, "BOOL": torch.bool,
}  # fmt: skip
"""Names of number types in a safetensors header."""


def list_files(folder: Path) -> dict[str, int]:
    """Name -> bytes of every file in `folder`. Raises NotABundle, and UnsafeBundle for links, folders and devices."""
    found: dict[str, int] = {}
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.is_file(follow_symlinks=False):
                    raise UnsafeBundle(file=folder, why=_holds(entry), value=entry.name)
                found[entry.name] = entry.stat(follow_symlinks=False).st_size
                if len(found) > MAX_FILES:
                    raise UnsafeBundle(
                        file=folder, why=in_language(f"it holds more than {MAX_FILES} files", f"其中的文件超过 {MAX_FILES} 个")
                    )
    except OSError as error:
        raise NotABundle(file=folder, why=os_reason(error)) from None
    return found


def _holds(entry: os.DirEntry[str]) -> str:
    if entry.is_symlink():
        return in_language("it holds a link", "其中有链接")
    if entry.is_dir():
        return in_language("it holds a folder", "其中有文件夹")
    return in_language("it holds a special file", "其中有特殊文件")


def read_bytes(path: Path, limit: int) -> bytes:
    """At most `limit` bytes of a plain file that is no link. Raises UnsafeBundle and DamagedBundle."""
    # Opening a pipe would wait for a writer, and following a link would leave the folder: neither must happen, even if the file
    # was exchanged after it was listed.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(path, flags), "rb") as file:
            facts = os.fstat(file.fileno())
            if not stat.S_ISREG(facts.st_mode):
                raise UnsafeBundle(file=path, why=in_language("it is not a plain file", "它不是普通文件"))
            if facts.st_size > limit:
                why = in_language(f"it must hold at most {limit} bytes", f"它最多可有 {limit} 字节")
                raise UnsafeBundle(file=path, why=why, value=facts.st_size)
            return file.read(limit)
    except OSError as error:
        raise DamagedBundle(file=path, why=os_reason(error)) from None


def parse_json(data: bytes, path: Path, largest: int | None = None, deepest: int = MAX_DEPTH) -> Any:
    """JSON as the standard has it: UTF-8, no NaN, no key twice, at most `deepest` levels deep, no whole number beyond `largest`.
    Raises DamagedBundle."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = dict(pairs)
        if len(keys) != len(pairs):
            raise ValueError(in_language("a key stands twice", "有键重复出现"))
        return keys

    def constant(word: str) -> Any:
        raise ValueError(in_language(f"{word} is not JSON", f"{word} 不是 JSON"))

    def bounded(digits: str) -> int:
        number = int(digits)
        if largest is not None and abs(number) > largest:
            raise ValueError(in_language(f"a number is larger than {largest}", f"有数值大于 {largest}"))
        return number

    try:
        parsed = json.loads(data.decode("utf-8"), object_pairs_hook=unique, parse_constant=constant, parse_int=bounded)
    except RecursionError:
        raise _too_deep(path) from None
    except ValueError as error:
        why = in_language(f"it is not valid JSON: {error}", f"它不是有效的 JSON：「{error}」")
        raise DamagedBundle(file=path, why=why) from None
    level = [parsed]
    for _ in range(deepest):
        level = [inner for item in level for inner in _inside(item)]
        if not level:
            return parsed
    raise _too_deep(path)


def _too_deep(path: Path) -> DamagedBundle:
    return DamagedBundle(file=path, why=in_language("it is nested too deeply", "其嵌套过深"))


def _inside(item: Any) -> list[Any]:
    return list(item.values()) if isinstance(item, dict) else item if isinstance(item, list) else []


@dataclass(frozen=True, slots=True)
class TensorInfo:
    """What a header says of one tensor."""

    dtype: torch.dtype
    shape: tuple[int, ...]

    @property
    def bytes(self) -> int:
        count = self.dtype.itemsize
        for size in self.shape:
            count *= size
        return count


def read_header(path: Path, size: int) -> dict[str, TensorInfo]:
    """The tensors that a safetensors file of `size` bytes declares, which together must fill it exactly. Reads the header only.
    Raises DamagedBundle and UnsafeBundle."""
    if size < 8:
        raise DamagedBundle(file=path, why=in_language("it ends before its header", "文件在文件头之前就结束了"))
    length = int.from_bytes(_first_bytes(path, 8), "little")
    if length > min(MAX_HEADER, size - 8):
        why = in_language("its header is larger than the file may hold", "其文件头超过了文件所能容纳的大小")
        raise DamagedBundle(file=path, why=why, value=length)
    header = parse_json(_first_bytes(path, 8 + length)[8:], path)
    if not isinstance(header, dict):
        raise DamagedBundle(file=path, why=in_language("its header is not a list of tensors", "其文件头不是张量列表"))
    header.pop("__metadata__", None)
    tensors: dict[str, TensorInfo] = {}
    end = 0
    try:
        for name, entry in sorted(header.items(), key=lambda item: (item[1]["data_offsets"], item[0])):
            tensors[name] = info = _tensor_info(entry)
            if entry["data_offsets"] != [end, end + info.bytes]:
                raise ValueError(in_language(f"{name} does not lie where it should", f"{name} 不在应在的位置"))
            end += info.bytes
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        why = in_language(f"its header is wrong: {error}", f"其文件头有误：「{error}」")
        raise DamagedBundle(file=path, why=why) from None
    if end != size - 8 - length:
        there = size - 8 - length
        why = in_language(f"its tensors need {end} bytes, but {there} are there", f"其张量需要 {end} 字节，但只有 {there} 字节")
        raise DamagedBundle(file=path, why=why)
    return tensors


def _first_bytes(path: Path, count: int) -> bytes:
    with path.open("rb") as file:
        return file.read(count)


def _tensor_info(entry: Mapping[str, Any]) -> TensorInfo:
    shape = entry["shape"]
    if not isinstance(shape, list) or not all(type(n) is int and 0 <= n < 1 << 48 for n in shape):
        raise ValueError(in_language("a shape must be a list of whole numbers", "形状必须是整数列表"))
    if set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError(in_language("a tensor has a dtype, a shape and offsets", "张量须有 dtype、shape 和 data_offsets"))
    return TensorInfo(DTYPES[entry["dtype"]], tuple(shape))
