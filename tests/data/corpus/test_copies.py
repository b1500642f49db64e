"""Against brute force: the exact Jaccard similarity of every pair."""

import os
import tempfile
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from zhuji.core.seed import stream
from zhuji.data.corpus import copies as module
from zhuji.data.corpus.copies import NearIndex
from zhuji.data.duplicates import normalised

FAMILIES = 60
SIZE = 8


def shingles(text):
    raw = b" " + normalised(text).encode() + b" "
    return {raw[i : i + 5] for i in range(len(raw) - 4)}


@pytest.fixture(scope="module")
def texts():
    """Families of texts, each with more of its words changed than the one before, in random order."""
    rng = stream(0, "families")
    words = ["".join(map(chr, rng.integers(97, 123, int(rng.integers(3, 9))))) for _ in range(2000)]
    found = []
    for _ in range(FAMILIES):
        own = [words[i] for i in rng.integers(0, len(words), 80)]
        for changed in range(SIZE):
            copy = list(own)
            for at in rng.integers(0, len(own), changed):
                copy[at] = words[int(rng.integers(0, len(words)))]
            found.append(" ".join(copy))
    return [found[i] for i in rng.permutation(len(found))]


@pytest.fixture(scope="module")
def alike(texts):
    sets = [shingles(text) for text in texts]
    number = {shingle: i for i, shingle in enumerate(sorted(set().union(*sets)))}
    rows = np.repeat(np.arange(len(sets)), [len(own) for own in sets])
    columns = [number[shingle] for own in sets for shingle in own]
    held = sparse.csr_array((np.ones(len(rows), np.int64), (rows, columns)))
    shared, sizes = (held @ held.T).toarray(), held.sum(1)
    return shared / (sizes[:, None] + sizes - shared)


@pytest.mark.parametrize("chunk", [7, 64, 1000])
def test_near_copies_are_those_of_brute_force(texts, alike, chunk):
    with closing(NearIndex(0.8, seed=0)) as index:
        found = np.concatenate([index.add(texts[i : i + chunk]) for i in range(0, len(texts), chunk)])
        kept = np.flatnonzero(found < 0)
        assert len(index) == len(kept)
    dropped = np.flatnonzero(found >= 0)
    # what is dropped is like the very text that is named, within the error of the estimate (0.04)
    named = alike[dropped, kept[found[dropped]]]
    assert named.min() > 0.66
    assert np.mean(named >= 0.75) > 0.9
    # what is kept is like no text that was kept before it
    left = [(i, j) for i in kept for j in kept if j < i and alike[i, j] >= 0.8]
    clear = [(i, j) for i, j in left if alike[i, j] >= 0.9]
    expected = sum(bool((alike[i, :i] >= 0.8).any()) for i in range(len(texts)))
    assert expected > 200
    assert len({i for i, _ in left}) < 0.1 * expected
    assert not clear


def test_the_outcome_does_not_depend_on_how_the_stream_is_cut_into_calls(texts):
    def found(chunk):
        with closing(NearIndex(0.8, seed=0)) as index:
            return np.concatenate([index.add(texts[i : i + chunk]) for i in range(0, len(texts), chunk)]) < 0

    assert np.mean(found(5) == found(480)) > 0.995  # of several partners, another one may be named


def test_numbers_are_right_and_edges_are_no_special_case(monkeypatch):
    monkeypatch.setattr(module, "PAIRS", 7)
    rng = stream(1, "runs")
    texts = [" ".join(map(str, rng.integers(0, 10**6, 20))) for _ in range(600)]
    with closing(NearIndex(0.8, seed=0)) as index:
        assert index.add([]).tolist() == []
        assert index.add(texts[:1]).tolist() == [-1]
        for i in range(1, 600, 10):
            assert (index.add(texts[i : i + 10]) == -1).all()
        assert index.add(texts[::-1]).tolist() == list(range(600))[::-1]
        assert index.add([]).tolist() == []
        assert len(index) == 600


DESCRIPTORS = Path("/proc/self/fd")


@pytest.mark.skipif(not DESCRIPTORS.is_dir(), reason="finds open files as Linux shows them")
def test_temporary_files_have_no_name_and_are_gone_after_close(texts, tmp_path, monkeypatch):
    def opened():
        return sum(os.path.realpath(file).startswith(f"{tmp_path}/") for file in DESCRIPTORS.iterdir())

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with closing(NearIndex(0.8, seed=0)) as index:
        for i in range(0, len(texts), 60):
            index.add(texts[i : i + 60])
        assert opened() == 2 * len(index._runs) + 1
        assert not list(tmp_path.iterdir())
    assert opened() == 0
