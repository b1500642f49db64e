import tempfile
from contextlib import closing

import numpy as np
import pytest

from tests.data.corpus.made import full_file, needs_full
from zhuji.core.errors import ScratchFull
from zhuji.core.seed import stream
from zhuji.data.corpus.scratch import Scratch


@pytest.mark.parametrize(("dtype", "shape"), [(np.uint64, ()), (np.uint8, (5,)), (np.uint32, (2, 3))])
def test_rows_come_back_like_those_of_an_array(dtype, shape):
    rng = stream(0, "scratch")
    rows = rng.integers(0, 200, (1003, *shape)).astype(dtype)
    with closing(Scratch(dtype, *shape)) as scratch:
        for stop in (1, 1, 500, 503, 1003):
            scratch.append(rows[len(scratch) : stop])
            assert (scratch.read(0, stop) == rows[:stop]).all()
            scratch.read(0, 1)  # what follows is appended nevertheless
        assert len(scratch) == 1003
        assert (scratch.read(1000, 5000) == rows[1000:]).all()
        assert scratch.read(7, 7).shape == (0, *shape)
        for numbers in ([], [5], [3, 4, 5], [1002, 0, 7, 7, 6], rng.integers(0, 1003, 2000)):
            found = scratch.take(np.array(numbers, np.int64))
            assert found.dtype == dtype
            assert (found == rows[np.array(numbers, np.int64)]).all()


@pytest.mark.parametrize("numbers", [[], [0], [3], [0, 1, 2, 3], [1, 3], [0, 2, 3]])
def test_pieces_stand_one_after_the_other_and_the_last_may_be_short(numbers):
    rows = np.arange(35, dtype=np.uint32)
    with closing(Scratch(np.uint32)) as scratch:
        scratch.append(rows)
        expected = [rows[10 * number : 10 * number + 10] for number in numbers]
        assert scratch.pieces(np.array(numbers, np.int64), 10).tolist() == np.concatenate([rows[:0], *expected]).tolist()


@needs_full
def test_a_full_disk_is_told(monkeypatch):
    monkeypatch.setattr(tempfile, "TemporaryFile", full_file)
    with closing(Scratch(np.uint8)) as scratch, pytest.raises(ScratchFull, match=r"\(No space left on device\).*TMPDIR"):
        scratch.append(np.zeros(10_000, np.uint8))


def test_a_folder_for_temporary_files_that_is_not_there_is_told(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises(ScratchFull, match=r"none: .*\(No such file or directory\)"):
        Scratch(np.uint8)


def test_what_the_system_writes_or_reads_in_parts_is_whole(monkeypatch):
    class Slow:
        """A file that takes and gives seven bytes at a time."""

        def __init__(self):
            self.file = made(buffering=0)

        def write(self, data):
            return self.file.write(data[:7])

        def readinto(self, view):
            return self.file.readinto(view[:7])

        def __getattr__(self, name):
            return getattr(self.file, name)

    made = tempfile.TemporaryFile
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **settings: Slow())
    with closing(Scratch(np.uint64)) as scratch:
        scratch.append(np.arange(20, dtype=np.uint64))
        assert scratch.read(3, 18).tolist() == list(range(3, 18))
