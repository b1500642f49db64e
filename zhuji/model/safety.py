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
                    kind = "a link" if entry.is_symlink() else "a folder" if entry.is_dir() else "a special file"
                    raise UnsafeBundle(file=folder, why=f"it holds {kind}", value=entry.name)
                found[entry.name] = entry.stat(follow_symlinks=False).st_size
                if len(found) > MAX_FILES:
                    raise UnsafeBundle(file=folder, why=f"it holds more than {MAX_FILES} files")
    except OSError as error:
        raise NotABundle(file=folder, why=error.strerror or "it cannot be read") from None
    return found


def read_bytes(path: Path, limit: int) -> bytes:
    """At most `limit` bytes of a plain file that is no link. Raises UnsafeBundle and DamagedBundle."""
    # Opening a pipe would wait for a writer, and following a link would leave the folder: neither must happen, even if the file
    # was exchanged after it was listed.
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        with os.fdopen(os.open(path, flags), "rb") as file:
            facts = os.fstat(file.fileno())
            if not stat.S_ISREG(facts.st_mode):
                raise UnsafeBundle(file=path, why="it is not a plain file")
            if facts.st_size > limit:
                raise UnsafeBundle(file=path, why=f"it must hold at most {limit} bytes", value=facts.st_size)
            return file.read(limit)
    except OSError as error:
        raise DamagedBundle(file=path, why=error.strerror or "it cannot be read") from None


def parse_json(data: bytes, path: Path, largest: int | None = None) -> Any:
    """JSON as the standard has it: UTF-8, no NaN, no key twice, at most 16 levels deep, no whole number beyond `largest`.
    Raises DamagedBundle."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        keys = dict(pairs)
        if len(keys) != len(pairs):
            raise ValueError("a key stands twice")
        return keys

    def constant(word: str) -> Any:
        raise ValueError(f"{word} is not JSON")

    def bounded(digits: str) -> int:
        number = int(digits)
        if largest is not None and abs(number) > largest:
            raise ValueError(f"a number is larger than {largest}")
        return number

    try:
        parsed = json.loads(data.decode("utf-8"), object_pairs_hook=unique, parse_constant=constant, parse_int=bounded)
    except RecursionError:
        raise DamagedBundle(file=path, why="it is nested too deeply") from None
    except ValueError as error:
        raise DamagedBundle(file=path, why=f"it is not valid JSON: {error}") from None
    level = [parsed]
    for _ in range(MAX_DEPTH):
        level = [inner for item in level for inner in _inside(item)]
        if not level:
            return parsed
    raise DamagedBundle(file=path, why="it is nested too deeply")


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
        raise DamagedBundle(file=path, why="it ends before its header")
    length = int.from_bytes(_first_bytes(path, 8), "little")
    if length > min(MAX_HEADER, size - 8):
        raise DamagedBundle(file=path, why="its header is larger than the file may hold", value=length)
    header = parse_json(_first_bytes(path, 8 + length)[8:], path)
    if not isinstance(header, dict):
        raise DamagedBundle(file=path, why="its header is not a list of tensors")
    header.pop("__metadata__", None)
    tensors: dict[str, TensorInfo] = {}
    end = 0
    try:
        for name, entry in sorted(header.items(), key=lambda item: (item[1]["data_offsets"], item[0])):
            tensors[name] = info = _tensor_info(entry)
            if entry["data_offsets"] != [end, end + info.bytes]:
                raise ValueError(f"{name} does not lie where it should")
            end += info.bytes
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DamagedBundle(file=path, why=f"its header is wrong: {error}") from None
    if end != size - 8 - length:
        raise DamagedBundle(file=path, why=f"its tensors need {end} bytes, but {size - 8 - length} are there")
    return tensors


def _first_bytes(path: Path, count: int) -> bytes:
    with path.open("rb") as file:
        return file.read(count)


def _tensor_info(entry: Mapping[str, Any]) -> TensorInfo:
    shape = entry["shape"]
    if not isinstance(shape, list) or not all(type(n) is int and 0 <= n < 1 << 48 for n in shape):
        raise ValueError("a shape must be a list of whole numbers")
    if set(entry) != {"dtype", "shape", "data_offsets"}:
        raise ValueError("a tensor has a dtype, a shape and offsets")
    return TensorInfo(DTYPES[entry["dtype"]], tuple(shape))
