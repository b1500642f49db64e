"""Whatever the file: rows are read or counted as dropped, or one error of the catalogue says why not."""

import importlib.util
import os
from pathlib import Path

import pytest

from zhuji.core.errors import ZhujiError, catalogue
from zhuji.data.ledger import Ledger
from zhuji.data.read import read_records
from zhuji.data.settings import DataSettings

spec = importlib.util.spec_from_file_location("broken_files", Path(__file__).with_name("broken_files.py"))
assert spec and spec.loader
generator = importlib.util.module_from_spec(spec)
spec.loader.exec_module(generator)


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """By name: (rows yielded, ledger, error or None)."""
    return {path.name: outcome(path) for path in generator.broken_files(tmp_path_factory.mktemp("broken") / "files")}


def outcome(path, **options):
    ledger, yielded, error = Ledger(), 0, None
    try:
        for record in read_records(DataSettings(path=str(path), **options), ledger=ledger):
            record.input.encode(), str(record.label).encode(), record.id.encode()
            yielded += 1
    except ZhujiError as raised:
        error = raised
    return yielded, ledger, error


def test_there_are_many(outcomes):
    assert len(outcomes) >= 200


def test_every_row_has_its_fate_and_every_error_its_entry(outcomes):
    for name, (yielded, ledger, error) in outcomes.items():
        assert ledger.read == yielded + ledger.total("dropped"), name
        assert error is None or (error.code in catalogue() and error.message("en") and error.message("zh")), name
        assert yielded or error or ledger.total("dropped"), name


@pytest.mark.parametrize(
    ("name", "rows", "dropped"),
    [
        ("open_quote_first.csv", 30, {"unterminated quote": 1}),
        ("open_quote_middle.csv", 60, {"unterminated quote": 1}),
        ("ragged_more.csv", 60, {"ragged row": 2}),
        ("header_twice.csv", 60, {"header again": 1}),
        ("blank_texts.csv", 30, {"empty text": 5}),
        ("nul_in_text.csv", 61, {}),
        ("long_line.csv", 31, {}),
        ("long_quoted.csv", 31, {}),
        ("json_long.jsonl", 31, {}),
        ("too_long_line.csv", 30, {"row too long": 1}),
        ("json_too_long.jsonl", 30, {"row too long": 1}),
        ("half_gb18030.csv", 50, {"undecodable bytes": 5}),
        ("utf16_odd.csv", 30, {"undecodable bytes": 1}),
        ("carriage_returns.csv", 30, {}),
        ("json_garbage.jsonl", 60, {"bad JSON": 4}),
        ("json_scalars.jsonl", 60, {"not a JSON object": 5}),
        ("unknown_splits.csv", 27, {"unknown split": 9}),
        ("regression_with_words.csv", 200, {"label is not a number": 3}),
        ("folder_with_pipe", 2, {"not a regular file": 1}),
    ],
)
def test_no_more_is_lost_than_is_broken(outcomes, name, rows, dropped):
    yielded, ledger, error = outcomes[name]
    assert (yielded, dict(ledger.causes("dropped")), error) == (rows, dropped, None)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("empty.csv", "EmptyData"), ("header_only.csv", "EmptyData"), ("all_ragged.csv", "NoReadableRow"), ("only_numbers.csv", "NoRole"),
        ("duplicate_header.csv", "DuplicateColumn"), ("junk.csv", "UnknownFormat"), ("workbook.csv", "UnknownFormat"),
        ("truncated.csv.gz", "DamagedFile"), ("bad_checksum.csv.gz", "DamagedFile"), ("parquet_garbage.parquet", "DamagedFile"),
        ("parquet_same_names.parquet", "DuplicateColumn"), ("folder_empty", "UnknownFormat"), ("folder_other_columns", "MissingColumn"),
        ("not_there.csv", "MissingFile"), ("dangling.csv", "MissingFile"), ("loop.csv", "UnreadableFile"), ("s.csv", "NotAFile"),
        ("pipe.csv", "NotAFile"), ("zero", "NotAFile"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_says_why(outcomes, name, code):
    assert outcomes[name][2] is not None and outcomes[name][2].code == code


def test_texts_in_other_encodings_arrive_whole(tmp_path):
    paths = {path.name: path for path in generator.broken_files(tmp_path / "files")}
    for name, (good, _) in generator.OTHER_TEXTS.items():
        records = read_records(DataSettings(path=str(paths[f"other_{name}.csv"])))
        assert next(records).input == good, name


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up its rights and take them back")
def test_no_permission(tmp_path):
    for above in (tmp_path, *tmp_path.parents[:2]):
        above.chmod(0o755)
    path = tmp_path / "no_permission.csv"
    path.write_text("text,label\na,b\n")
    path.chmod(0)
    os.seteuid(65534)
    try:
        error = outcome(path)[2]
    finally:
        os.seteuid(0)
    assert error is not None and error.code == "UnreadableFile"
