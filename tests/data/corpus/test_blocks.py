import numpy as np
import pytest

from zhuji.core.errors import DamagedFile
from zhuji.data.corpus import blocks
from zhuji.data.corpus.blocks import RECORD, SIZES, TABLE, TableWriter, counted, length_of, read_table, size_of, sizes_of


def test_lengths_are_rounded_up_to_few():
    lengths = np.arange(1, 5000)
    up = length_of(size_of(lengths))
    assert (up >= lengths).all()
    assert up[:16].tolist() == list(range(1, 17))
    assert (up[16:] / lengths[16:]).max() < 1.125
    assert (length_of(size_of(up)) == up).all()
    assert len(np.unique(up)) == 16 + 8 * 8 + 2  # 16 … 4096, and 4608 and 5120 above
    assert sorted(set(up.tolist())) == length_of(np.arange(82)).tolist()
    assert size_of(np.array([1, 2**31, 2**31 + 1, 2**32 - 1])).tolist() == [0, SIZES - 9, SIZES - 8, SIZES - 1]
    assert length_of(np.array([SIZES - 1])).tolist() == [2**32]


def test_lengths_are_counted():
    found = counted(np.array([17, 18, 3, 2**32 - 1]))
    assert {i: int(found[i]) for i in np.flatnonzero(found)} == {2: 1, 16: 2, SIZES - 1: 1}


@pytest.fixture
def table(tmp_path, monkeypatch):
    """Thirty blocks, block n of n + 1 documents of n + 1 units; read seven at a time."""
    monkeypatch.setattr(blocks, "CHUNK", 7)
    writer = TableWriter(tmp_path)
    for n in range(30):
        writer.add(np.full(n + 1, n + 1), source=n % 3, split=n % 2, shard=n // 10, offset=n * 5, sha256=bytes([n]) * 32)
    writer.flush()
    writer.close()
    return tmp_path, writer


def test_what_was_written_is_read(table):
    folder, writer = table
    found = read_table(folder, 30, writer.sha256, 3)
    assert found["units"].tolist() == [(n + 1) ** 2 for n in range(30)]
    assert found["documents"].tolist() == list(range(1, 31))
    assert [tuple(found[n])[:3] for n in (0, 29)] == [(0, 0, 0), (2, 2, 145)]
    assert found["sha256"][0].tobytes() == bytes(32)
    assert found["sha256"][29].tobytes() == bytes([29]) * 32
    for bad in ((29, writer.sha256, 3), (31, writer.sha256, 3), (30, "0" * 64, 3), (30, writer.sha256, 2)):
        with pytest.raises(DamagedFile):
            read_table(folder, *bad)


@pytest.mark.parametrize("numbers", [range(30), [4], [29, 0, 15], list(range(0, 30, 5)), [3, 3, 4], []])
def test_counts_are_read_for_any_blocks_in_their_order(table, numbers):
    parts = list(sizes_of(table[0], np.array(numbers, int)))
    assert [before for before, _ in parts] == list(range(0, len(numbers), 7))
    documents = np.concatenate([sizes.sum(1) for _, sizes in parts]) if parts else np.empty(0)
    assert documents.tolist() == [n + 1 for n in numbers]


def test_a_table_that_shrinks_while_it_is_used_is_found(table):
    folder, _ = table
    (folder / TABLE).write_bytes((folder / TABLE).read_bytes()[: 10 * RECORD.itemsize])
    for numbers in ([20], range(30)):
        with pytest.raises(DamagedFile):
            list(sizes_of(folder, np.array(numbers)))
