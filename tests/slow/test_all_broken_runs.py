"""`train` and `check` over every broken input; `tests/faults/test_broken_runs.py` has some of each kind."""

from collections import Counter

import pytest

from tests.faults.broken_files import broken_files
from tests.faults.broken_runs import require_sound_check, require_sound_training


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("ends", [require_sound_training, require_sound_check], ids=["train", "check"])
def test_every_input_ends_well(ends, tmp_path):
    paths = broken_files(tmp_path / "files")
    found = Counter[str]()
    for number, path in enumerate(paths):
        (folder := tmp_path / str(number)).mkdir()
        found[ends(path, folder)] += 1
    assert found.total() == len(paths) >= 200
    assert found["done"] + found["passed"] + found["failed"] >= 50
    assert {"EmptyData", "DamagedFile", "UnknownFormat", "NotAFile", "MissingFile", "NoReadableRow"} <= found.keys()
