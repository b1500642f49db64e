import subprocess
import sys

import numpy as np
import pytest

from zhuji.core.errors import DamagedBundle
from zhuji.core.seed import stream
from zhuji.tools._graph import HEAD, LOOKED_AT, open_graph, sound, write_graph

pytest.importorskip("usearch")
ROWS, WIDTH = 400, 6
START = 8 + 4 * ROWS * WIDTH
LEVELS = START + HEAD.itemsize + 40
NODES = LEVELS + 2 * ROWS


@pytest.fixture(scope="module")
def vectors():
    found = stream(0, "graph").normal(size=(ROWS, WIDTH)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def data(vectors, tmp_path_factory):
    path = tmp_path_factory.mktemp("graph") / "g"
    write_graph(path, vectors)
    return path.read_bytes()


def test_a_graph_that_was_written_is_read_and_finds_what_comparing_all_finds(data, vectors, tmp_path):
    (tmp_path / "g").write_bytes(data)
    found = open_graph(tmp_path / "g", len(data), vectors).search(vectors, 5).keys
    exact = np.argsort(-(vectors @ vectors.T), axis=1, kind="stable")[:, :5]
    assert np.mean([len(set(a.tolist()) & set(b.tolist())) / 5 for a, b in zip(found, exact, strict=True)]) > 0.95


def test_the_same_vectors_make_the_same_graph_and_it_is_searched_with_care(data, vectors, tmp_path):
    write_graph(tmp_path / "g", vectors)
    assert (tmp_path / "g").read_bytes() == data
    assert open_graph(tmp_path / "g", len(data), vectors).expansion_search == LOOKED_AT


@pytest.mark.parametrize("rows", [1, 2])
def test_the_smallest_graphs(vectors, rows, tmp_path):
    write_graph(tmp_path / "g", vectors[:rows])
    assert sound((tmp_path / "g").read_bytes(), vectors[:rows])


def levels_of(data):
    return np.frombuffer(data, "<i2", ROWS, LEVELS).astype(int)


def starts_of(data):
    own = 14 + 4 * 32 + levels_of(data) * (4 + 4 * 16)
    return NODES + np.cumsum(own) - own


def put(place, number, kind="<u4"):
    return lambda data: data[:place] + np.array(number, kind).tobytes() + data[place + np.dtype(kind).itemsize :]


def upper(number):
    """The first neighbour on level 1 of the first node that is there becomes another."""

    def edit(data):
        node = int(np.flatnonzero(levels_of(data) > 0)[0])
        return put(int(starts_of(data)[node]) + 14 + 4 * 32 + 4, number(data))(data)

    return edit


HARMS = {
    "empty": lambda data: b"",
    "cut": lambda data: data[:-1],
    "longer": lambda data: data + b"\0",
    "only vectors": lambda data: data[:START],
    "more rows": put(0, ROWS + 1),
    "wider": put(4, 4 * WIDTH + 4),
    "another vector": put(8, 0.5, "<f4"),
    "magic": put(START, 0),
    "version": put(START + 7, 3, "<u2"),
    "kind": put(START + 14, 12, "u1"),
    "present": put(START + 17, ROWS - 1, "<u8"),
    "deleted": put(START + 25, 1, "<u8"),
    "many keys": put(START + 41, 1, "u1"),
    "size": put(START + 64, 1 << 40, "<u8"),
    "links": put(START + 72, 1 << 60, "<u8"),
    "no links": put(START + 72, 0, "<u8"),
    "base links": put(START + 80, 31, "<u8"),
    "top": put(START + 88, 1 << 20, "<u8"),
    "entry": put(START + 96, ROWS, "<u8"),
    "entry below the top": lambda data: put(START + 96, int(np.flatnonzero(levels_of(data) == 0)[0]), "<u8")(data),
    "a level": put(LEVELS, 1000, "<i2"),
    "a level below none": put(LEVELS, -1, "<i2"),
    "a key": put(NODES, ROWS, "<u8"),
    "a key twice": lambda data: put(NODES, int(np.frombuffer(data, "<u8", 1, starts_of(data)[1])[0]), "<u8")(data),
    "the level of a node": lambda data: put(NODES + 8, int(levels_of(data)[0]) + 1, "<i2")(data),
    "too many neighbours": put(NODES + 10, 33),
    "a neighbour outside": put(NODES + 14, ROWS),
    "a neighbour far outside": put(NODES + 14, 0xFFFFFFFF),
    "a neighbour outside, above": upper(lambda data: ROWS),
    "a neighbour that is not on that level": upper(lambda data: int(np.flatnonzero(levels_of(data) == 0)[0])),
}


@pytest.mark.parametrize("harm", HARMS)
def test_a_hostile_graph_never_reaches_the_library(data, vectors, tmp_path, harm, monkeypatch):
    changed = HARMS[harm](data)
    assert changed != data
    (tmp_path / "g").write_bytes(changed)
    monkeypatch.setattr("usearch.index.Index", lambda **settings: pytest.fail("the library was reached"))
    with pytest.raises(DamagedBundle, match="vectors"):
        open_graph(tmp_path / "g", len(changed), vectors)


SEARCH = """
import sys
import numpy as np
from usearch.index import Index
with open(sys.argv[1], "rb") as file:
    data = file.read()
vectors = np.load(sys.argv[2])
for i in range(0, len(data), int(sys.argv[3])):
    graph = Index(ndim=vectors.shape[1], metric="ip", dtype="f32")
    graph.load(data[i : i + int(sys.argv[3])])
    assert np.asarray(graph.search(vectors[:50], 5).keys).max() < len(vectors)
"""


def test_what_is_let_through_of_many_changed_files_harms_nobody(data, vectors, tmp_path):
    """Of changed bytes anywhere behind the vectors; the library runs in a process of its own, which a wild read would end."""
    rng = stream(1, "harm")
    passed = []
    for _ in range(1500):
        changed = bytearray(data)
        changed[int(rng.integers(START, len(data)))] = int(rng.integers(0, 256))
        if changed != data and sound(bytes(changed), vectors):
            passed.append(bytes(changed))
    assert 10 < len(passed) < 1500
    (tmp_path / "all").write_bytes(b"".join(passed))
    np.save(tmp_path / "vectors.npy", vectors)
    command = [sys.executable, "-c", SEARCH, str(tmp_path / "all"), str(tmp_path / "vectors.npy"), str(len(data))]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
