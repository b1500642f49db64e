"""Rows as vectors in a file: one for each row, in order, however long the file is."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from zhuji.core.errors import BadSetting, MissingExtra
from zhuji.core.files import atomic_file
from zhuji.core.log import in_language
from zhuji.core.records import Record
from zhuji.data.ledger import Ledger
from zhuji.model.pooled import Vectors
from zhuji.model.predictor import Predictor
from zhuji.tools._rows import rows_of, settings_for, vectors_of
from zhuji.training import threads
from zhuji.training.transfer import open_model

FORMATS = (".npy", ".parquet", ".jsonl")
Put = Callable[[Sequence[Record], Vectors], None]


@dataclass(frozen=True)
class Embedded:
    """`rows` vectors of `width` numbers in `file`; beside a .npy file stand the rows' ids, one a line (`ids`)."""

    file: Path
    rows: int
    width: int
    ledger: Mapping[str, Any]
    seconds: float
    ids: Path | None = None

    def as_dict(self) -> dict[str, Any]:
        return {
            "file": str(self.file), "ids": None if self.ids is None else str(self.ids), "rows": self.rows, "width": self.width,
            "ledger": dict(self.ledger), "seconds": round(self.seconds, 3),
        }  # fmt: skip


def embed(
    model: Path | str,
    data: Path | str,
    to: Path | str,
    *,
    sets: Sequence[str] = (),
    columns: Mapping[str, Any] | None = None,
    predictor: Predictor | None = None,
) -> Embedded:
    """Write the vector of every row of `data` to `to` (.npy, .parquet or .jsonl), which appears whole or not at all.

    A vector is what the model's head would pool from the encoder's last states. Raises BadSetting for another kind of file, MissingExtra,
    and what reading and opening raise."""
    begun, to = time.monotonic(), Path(to)
    if to.suffix not in FORMATS:
        rule = in_language(f"must end in {', '.join(FORMATS)}", f"必须以 {', '.join(FORMATS)} 结尾")
        raise BadSetting(key="to", rule=rule, value=to.name)
    threads.use(None)
    predictor, ledger = predictor or open_model(str(model)), Ledger()
    records = rows_of(predictor, settings_for(predictor, data, sets, columns), ledger)
    rows = width = 0
    with _writer(to) as put:
        for chunk, vectors in vectors_of(predictor, records, ledger):
            put(chunk, vectors)
            rows, width = rows + len(chunk), vectors.shape[1]
    ids = _ids_beside(to) if to.suffix == ".npy" else None
    return Embedded(to, rows, width, ledger.as_dict(), time.monotonic() - begun, ids)


def _ids_beside(path: Path) -> Path:
    return path.with_suffix(".ids.jsonl")


def _writer(path: Path) -> Any:
    return {".npy": _npy, ".jsonl": _jsonl, ".parquet": _parquet}[path.suffix](path)


@contextmanager
def _npy(path: Path) -> Generator[Put]:
    """The header is written again at the end, when the number of rows is known: numpy leaves room in it for that."""
    rows = width = 0

    def header() -> bytes:
        text = io.BytesIO()
        np.lib.format.write_array_header_1_0(text, {"descr": "<f4", "fortran_order": False, "shape": (rows, width)})
        return text.getvalue()

    with atomic_file(_ids_beside(path)) as ids, atomic_file(path) as file:
        size = file.write(header())

        def put(records: Sequence[Record], vectors: Vectors) -> None:
            nonlocal rows, width
            rows, width = rows + len(vectors), vectors.shape[1]
            file.write(vectors.astype("<f4").tobytes())
            ids.writelines(json.dumps(record.id, ensure_ascii=False).encode() + b"\n" for record in records)

        yield put
        file.seek(0)
        assert file.write(header()) == size, "the header of a .npy file must keep its length"


@contextmanager
def _jsonl(path: Path) -> Generator[Put]:
    with atomic_file(path) as file:

        def put(records: Sequence[Record], vectors: Vectors) -> None:
            for record, vector in zip(records, vectors, strict=True):
                line = {"id": record.id, "vector": [float(f"{number:.7g}") for number in vector]}
                file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")

        yield put


@contextmanager
def _parquet(path: Path) -> Generator[Put]:
    try:
        import pyarrow
        from pyarrow.parquet import ParquetWriter
    except ImportError:
        raise MissingExtra(what=path.name, package="pyarrow", extra="parquet") from None
    with atomic_file(path) as file:
        writer: Any = None

        def put(records: Sequence[Record], vectors: Vectors) -> None:
            nonlocal writer
            flat = pyarrow.array(vectors.reshape(-1), pyarrow.float32())
            lists = pyarrow.FixedSizeListArray.from_arrays(flat, vectors.shape[1])
            table = pyarrow.table({"id": [record.id for record in records], "vector": lists})
            writer = writer or ParquetWriter(file, table.schema)
            writer.write_table(table)

        yield put
        if writer is None:
            writer = ParquetWriter(
                file, pyarrow.schema([("id", pyarrow.string()), ("vector", pyarrow.list_(pyarrow.float32()))])
            )
        writer.close()
