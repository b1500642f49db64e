"""The real commands over inputs of every kind of damage; `tests/slow` has all of them."""

import pytest

from tests.faults.broken_files import broken_files
from tests.faults.broken_runs import require_sound_check, require_sound_training

TRAINED = {
    "one_class.csv": "OneClass", "no_label_column.csv": "NoRole", "empty_labels.csv": "NoRole", "title_above.csv": "NoRole",
    "lines.txt": "NoRole", "ragged_more.csv": "done", "stray_quotes.csv": "TooManyDropped", "nul_in_label.csv": "done",
    "labels_with_spaces.csv": "done", "right_to_left.csv": "TooFewRows", "long_label.csv": "NoRole", "duplicate_header.csv": "DuplicateColumn",
    "chinese_gb18030.csv": "TooFewRows", "mojibake.csv": "done", "cut_character.csv": "done", "json_lists.jsonl": "done", "json_nested.jsonl": "done",
    "regression_with_words.csv": "done", "huge_numbers.csv": "TooFewRows", "whole.csv.gz": "done", "truncated.csv.gz": "DamagedFile",
    "parquet_good.parquet": "done", "parquet_nested.parquet": "done", "folder_two_trains": "UnknownFormat", "wounded_13.txt": "NoRole",
    "loop.csv": "UnreadableFile", "loop_a.csv": "UnreadableFile", "s.csv": "NotAFile", "not_there.csv": "MissingFile",
    "zero": "NotAFile",
}  # fmt: skip
CHECKED = {
    "no_label_column.csv": "failed",
    "mojibake.csv": "passed",
    "json_lists.jsonl": "passed",
    "loop.csv": "UnreadableFile",
}


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return {path.name: path for path in broken_files(tmp_path_factory.mktemp("broken") / "files")}


@pytest.mark.parametrize("name", TRAINED)
def test_training_ends_with_a_balanced_ledger_or_an_error_of_the_catalogue(files, tmp_path, name):
    assert require_sound_training(files[name], tmp_path) == TRAINED[name]


@pytest.mark.parametrize("name", CHECKED)
def test_checking_ends_with_a_page_or_an_error_of_the_catalogue(files, tmp_path, name):
    assert require_sound_check(files[name], tmp_path) == CHECKED[name]
