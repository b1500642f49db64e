"""Predictions as they go out: CSV, JSONL or Parquet, a row at a time."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from zhuji.core.errors import BadSetting, MissingExtra
from zhuji.core.files import atomic_file
from zhuji.core.log import in_language
from zhuji.data.writing import Write, cell, csv_rows, json_rows

FORMATS = (".csv", ".tsv", ".jsonl", ".parquet")
_PARQUET_ROWS = 4096


@contextlib.contextmanager
def writer(path: Path) -> Iterator[Write]:
    """A function that writes one row; the file appears when all are written. Its ending chooses the format.

    Raises BadSetting for another ending, MissingExtra for Parquet without pyarrow."""
    ending = path.suffix.lower()
    if ending not in FORMATS:
        rule = in_language(f"must end in one of {', '.join(FORMATS)}", f"必须以下列之一结尾：{'、'.join(FORMATS)}")
        raise BadSetting(key="--out", rule=rule, value=path.name)
    with atomic_file(path) as file:
        if ending == ".parquet":
            with _parquet(file) as write:
                yield write
            return
        text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
        yield json_rows(text) if ending == ".jsonl" else csv_rows(text, "\t" if ending == ".tsv" else ",")
        text.detach()


@contextlib.contextmanager
def _parquet(file: IO[bytes]) -> Iterator[Write]:
    """Row groups of `_PARQUET_ROWS`; the first one's types are the file's, columns of mixed types become text."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise MissingExtra(what="Parquet", package="pyarrow", extra="parquet") from None
    waiting: list[dict[str, Any]] = []
    out: pq.ParquetWriter | None = None

    def flush() -> None:
        nonlocal out
        if out is None and waiting:
            fields = [(name, pa.float64() if isinstance(value, float) else pa.string()) for name, value in waiting[0].items()]
            out = pq.ParquetWriter(file, pa.schema(fields))
        if out is not None and waiting:
            columns = {f.name: [_typed(row.get(f.name), pa.types.is_floating(f.type)) for row in waiting] for f in out.schema}
            out.write_table(pa.table(columns, schema=out.schema))
            waiting.clear()

    def write(row: Mapping[str, Any]) -> None:
        waiting.append({name: cell(value) for name, value in row.items() if not isinstance(value, Mapping)})
        if len(waiting) >= _PARQUET_ROWS:
            flush()

    yield write
    flush()
    if out is None:
        pq.write_table(pa.table({"prediction": pa.array([], pa.string())}), file)
    else:
        out.close()


def _typed(value: Any, number: bool) -> Any:
    if value is None or not number:
        return None if value is None else str(value)
    return float(value)
