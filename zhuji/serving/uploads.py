"""Files of rows that a client sends: read as `zhuji predict` reads files, every row told with its number, broken ones with the cause."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zhuji.core.contracts import Prediction
from zhuji.core.log import in_language
from zhuji.core.refusals import Refused, TooLarge
from zhuji.data.cells import joined
from zhuji.data.clean import Cleaner
from zhuji.data.ledger import Ledger
from zhuji.data.media import ENDINGS
from zhuji.data.media import KINDS as OF_FILES
from zhuji.data.media import Kind as OfFile
from zhuji.data.writing import csv_rows
from zhuji.model.predictor import Predictor
from zhuji.tools.predict import Answered, file_rows, free_name

KINDS = {
    "text/csv": ".csv", "application/csv": ".csv", "text/tab-separated-values": ".tsv", "application/jsonl": ".jsonl",
    "application/x-ndjson": ".jsonl", "application/x-jsonlines": ".jsonl", "text/plain": ".txt",
}  # fmt: skip
"""How a body of rows may be called, and the ending of such a file."""
_PACKED = (b"\x1f\x8b", b"PK\x03\x04", b"PAR1", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
"""How files begin whose content may be far larger than they are."""


@dataclass(frozen=True)
class Row:
    """`number` is 1-based in the file; `values` by column, None where the row cannot be read; `input` is what is answered, or `cause` says
    why it is not."""

    number: int
    values: Mapping[str, Any] | None
    input: Any = None
    cause: str = ""


def ending_of(name: str) -> str:
    """The ending of a file's name; nothing else of a name that a client gives is used. Raises Refused."""
    ending = "." + name.rpartition(".")[2].lower()
    if ending not in (*KINDS.values(), *ENDINGS):
        raise _unknown(name[-40:])
    return ending


_CHINESE = {"table": "表格", "picture": "图片", "sound": "声音", "pictures": "图片", "sounds": "声音"}


def kind_of(ending: str) -> OfFile | None:
    """What a file of this ending is, if it is an input by itself."""
    return next((kind for kind in OF_FILES if ending in kind.endings), None)


def rows_of(predictor: Predictor, data: bytes, ending: str, text: Sequence[str], limit: int) -> list[Row]:
    """The rows of a file of this ending. `text`: columns to answer, those of training by default.

    Raises TooLarge for more than `limit` rows, Refused for a packed file, and what reading raises."""
    reads, kind = predictor.model.modality.reads, kind_of(ending)
    if reads != "texts":
        # A table names pictures and sounds by their paths: here these would be files of the server.
        what = "table" if kind is None else kind.one
        raise _unknown(
            in_language(f"a {what}, and this model reads {reads}", f"{_CHINESE[what]}，而该模型读取{_CHINESE[reads]}")
        )
    if kind is not None:
        raise _unknown(in_language(f"a {kind.one}, and this model reads texts", f"{_CHINESE[kind.one]}，而该模型读取文本"))
    if data.startswith(_PACKED):
        raise _unknown(in_language("a packed file", "压缩文件"))
    cleaner, rows = Cleaner(predictor.clean), list[Row]()
    for number, values, found in _raw(predictor, data, ending, text):
        if len(rows) == limit:
            what = in_language("the rows of a file", "文件的行数")
            raise TooLarge(what=what, limit=limit, setting="request_rows", param="file")
        if values is None:
            rows.append(Row(number, None, cause=joined(found)))
        elif not cleaner(joined(found))[0].strip():
            rows.append(Row(number, values, cause="empty text"))
        else:
            rows.append(Row(number, values, found))
    return rows


def _raw(predictor: Predictor, data: bytes, ending: str, text: Sequence[str]) -> list[tuple[int, Any, Any]]:
    if ending == ".txt":
        lines = data.decode("utf-8-sig", errors="replace").splitlines()
        return [(number, {"text": line}, line) for number, line in enumerate(lines, 1)]
    columns = {"text": tuple(text)} if text else {}
    with tempfile.TemporaryDirectory(prefix="zhuji-rows-") as folder:
        path = Path(folder) / f"rows{ending}"
        path.write_bytes(data)
        found = file_rows(predictor, path, {"clean": predictor.clean.plain(), **columns})
        return [(number, values, raw) for _, number, values, raw in found]


def ledger_of(rows: Sequence[Row]) -> dict[str, Any]:
    """`read = used + dropped`, with the causes."""
    ledger = Ledger(read=len(rows))
    for row in rows:
        if row.cause:
            ledger.drop(row.cause)
        else:
            ledger.settle("used", split=None, label=None)
    told = ledger.as_dict()
    return {"read": told["read"], "used": told["used"], "dropped": told["dropped"], "causes": told["causes"]["dropped"]}


def as_csv(rows: Sequence[Row], found: Sequence[Prediction], words: Sequence[tuple[str, ...]]) -> str:
    """The columns that came, `prediction` and `score`, and `error` where any row has none; in the rows' order."""
    answers = iter(zip(found, words, strict=True))
    told: list[dict[str, Any]] = []
    for row in rows:
        values = dict(row.values or {})
        if row.cause:
            told.append({**values, free_name("error", values): row.cause})
        else:
            prediction, said = next(answers)
            told.append(Answered("", row.number, values, prediction, said).as_dict())
    file = io.StringIO()
    write, names = csv_rows(file), list(dict.fromkeys(name for row in told for name in row if name != "scores"))
    for row in told:
        write({name: row.get(name, "") for name in names} if row is told[0] else row)
    return file.getvalue()


def _unknown(value: str) -> Refused:
    rule = in_language(
        f"a file must be CSV, TSV, JSONL or plain text, or a picture or a sound for a model that reads these, but is {value!r}",
        f"文件须为 CSV、TSV、JSONL 或纯文本，读取图片或声音的模型则须为图片或声音；实际为 {value!r}",
    )
    return Refused(
        rule=rule, fix=in_language("convert it, and name its kind", "请转换格式并注明类型"), status=415, param="file"
    )
