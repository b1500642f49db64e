# pyright: reportMissingTypeStubs=false, reportUnknownVariableType=false, reportUnknownArgumentType=false
# pyarrow ships no types.
"""Parquet as a table, through pyarrow (an optional extra)."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from zhuji.core.errors import DamagedFile, MissingExtra
from zhuji.core.log import in_language
from zhuji.data.media import of_bytes, of_path
from zhuji.data.tables import Row, distinct, flat

BATCH_ROWS = 256
HEAVY_ROWS = 32
"""The same of tables that hold bytes: a photograph has millions."""


class ParquetTable:
    """Read by batches of rows through pyarrow.

    Raises:
        MissingExtra: pyarrow is not installed.
        DamagedFile: the file is truncated or no Parquet at all.
    """

    format, encoding = "parquet", "utf-8"
    delimiter: str | None = None

    def __init__(self, path: Path) -> None:
        try:
            importlib.import_module("pyarrow.parquet")
        except ImportError:
            raise MissingExtra(what="Parquet", package="pyarrow", extra="parquet") from None
        self.path = path
        self.why = {"encoding": in_language("Parquet is UTF-8 by definition", "Parquet 规定为 UTF-8")}
        schema = self._open().schema_arrow
        self.columns = distinct(schema.names, path)
        self._heavy = any("binary" in str(kind) for kind in schema.types)

    def _open(self) -> Any:
        from pyarrow import ArrowException
        from pyarrow.parquet import ParquetFile

        try:
            return ParquetFile(self.path)
        except (ArrowException, OSError, ValueError) as error:
            raise _damaged(self.path, error) from None

    def rows(self) -> Iterator[Row]:
        from pyarrow import ArrowException

        try:
            for batch in self._open().iter_batches(HEAVY_ROWS if self._heavy else BATCH_ROWS):
                for values, problem in _batch_rows(batch):
                    yield (None if values is None else {name: self._cell(value) for name, value in values.items()}), problem
        except (ArrowException, OSError) as error:
            raise _damaged(self.path, error) from None

    def _cell(self, value: Any) -> Any:
        """A struct of bytes and path, as Hugging Face writes them, is a picture or a sound."""
        if isinstance(value, dict) and {"bytes", "path"} == {*cast(dict[str, Any], value)}:
            data, path = value["bytes"], value["path"]
            if isinstance(data, bytes):
                return of_bytes(data, path or "")
            return of_path(str(self.path.parent / path)) if isinstance(path, str) and path else None
        return flat(value)


def _batch_rows(batch: Any) -> Iterator[Row]:
    try:
        rows = batch.to_pylist()
    except (ValueError, OverflowError) as error:  # Parquet checks neither its strings nor its dates
        if batch.num_rows == 1:
            yield None, "undecodable bytes" if isinstance(error, UnicodeError) else "value out of range"
        else:
            for i in range(batch.num_rows):
                yield from _batch_rows(batch.slice(i, 1))
        return
    for row in rows:
        yield row, ""


def _damaged(path: Path, error: BaseException) -> DamagedFile:
    first = (str(error).splitlines() or [type(error).__name__])[0][:200]
    return DamagedFile(file=path, format="Parquet", why=in_language(first, f"「{first}」"))
