import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.data.corpus.made import BYTES
from tests.data.corpus.test_sieve import text_of
from zhuji.core.errors import CorpusExists, MissingFile, TooFewRows
from zhuji.data.corpus import build as module
from zhuji.data.corpus.build import Coding, build, sample
from zhuji.data.corpus.packed import Packed
from zhuji.data.corpus.settings import CorpusSettings
from zhuji.data.corpus.shards import Corpus


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("\n".join([*(text_of(n) for n in range(400)), "too short", text_of(0)]) + "\n")
    return path


def settings_of(*sources, **more):
    return CorpusSettings.parse({"sources": [s if isinstance(s, dict) else str(s) for s in sources], "valid": 0.05, **more})


def texts_in(folder, split="train"):
    held = Corpus(folder, split)
    found = []
    for i in range(len(held.blocks)):
        block = held.read(i)
        ends = np.cumsum(block.lengths)
        found += [part.tobytes().decode() for part in np.split(block.arrays["ids"], ends[:-1])]
    return found


def test_every_good_text_is_written_once_and_the_ledger_holds(tmp_path, source):
    manifest = build(tmp_path / "c", settings_of(source), BYTES, block_bytes=5_000)
    train, valid = texts_in(tmp_path / "c"), texts_in(tmp_path / "c", "valid")
    assert Counter(train + valid) == Counter(text_of(n) for n in range(400))
    assert 5 < len(valid) < 40
    ledger = manifest.ledger
    assert (ledger["read"], ledger["used"], ledger["cut"], ledger["dropped"]) == (402, 400, 0, 2)
    assert ledger["causes"]["dropped"] == {"copy": 1, "too short": 1}
    assert ledger["units"] == sum(map(len, train + valid)) == sum(Corpus(tmp_path / "c", s).units for s in ("train", "valid"))
    assert manifest.sources[0].files["a.txt"]["bytes"] == source.stat().st_size
    stream = Packed([Corpus(tmp_path / "c")], 100, 4, seed=0)
    assert sum(len(row) for n in range(stream.batches_in_epoch(0)) for row in stream.rows(n)) == Corpus(tmp_path / "c").units


def test_texts_without_units_and_cut_ones_are_counted(tmp_path, source):
    coding = Coding(lambda texts: [{"ids": np.arange("a" in text[:9])} for text in texts], BYTES.arrays, "a")
    ledger = build(tmp_path / "c", settings_of(source, longest=50), coding).ledger
    having = sum("a" in text_of(n)[:9] for n in range(400))
    assert ledger["cut"] == having
    assert ledger["causes"]["dropped"]["no units"] == 400 - having


def test_the_same_corpus_is_not_built_again_and_another_not_over_it(tmp_path, source):
    first = build(tmp_path / "c", settings_of(source), BYTES)
    never = Coding(lambda texts: pytest.fail("encoded again"), BYTES.arrays, BYTES.fingerprint)
    assert build(tmp_path / "c", settings_of(source), never) == first
    assert build(tmp_path / "c", settings_of({"path": str(source), "weight": 2}), never) == first  # weights belong to reading
    os.rename(source, tmp_path / "moved.txt")
    assert build(tmp_path / "c", settings_of(tmp_path / "moved.txt"), never) == first
    os.rename(tmp_path / "moved.txt", source)
    for changed in ({"valid": 0.2}, {"near": 0.7}, {"exclude": [str(source)]}):
        with pytest.raises(CorpusExists):
            build(tmp_path / "c", settings_of(source, **changed), BYTES)
    source.write_text(source.read_text() + "one more line that was not there before\n")
    with pytest.raises(CorpusExists):
        build(tmp_path / "c", settings_of(source), BYTES)


def test_nothing_is_left_of_a_build_that_fails(tmp_path, source):
    with pytest.raises(TooFewRows):
        build(tmp_path / "c", settings_of(source, exclude=[str(source)]), BYTES)
    with pytest.raises(MissingFile):
        build(tmp_path / "c", settings_of(tmp_path / "none.txt"), BYTES)
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_several_sources_are_told_apart_and_share_no_text(tmp_path, source):
    (tmp_path / "b.txt").write_text("\n".join(text_of(n) for n in range(350, 500)) + "\n")
    manifest = build(tmp_path / "c", settings_of(source, tmp_path / "b.txt"), BYTES)
    documents = Counter()
    for split in ("train", "valid"):
        for block in Corpus(tmp_path / "c", split).blocks:
            documents[int(block["source"])] += int(block["documents"])
    assert documents == {0: 400, 1: 100}
    assert sum(row["rows"] for row in manifest.ledger["rows"] if row["label"].endswith("b.txt")) == 150


def test_a_sample_is_spread_over_the_training_part(tmp_path, source):
    settings = settings_of(source)
    build(tmp_path / "c", settings, BYTES)
    assert sorted(sample(settings)) == sorted(texts_in(tmp_path / "c"))
    size = source.stat().st_size
    some = sample(settings, size // 4)
    assert 60 < len(some) < 110
    assert set(some) <= set(texts_in(tmp_path / "c"))
    places = [n for n in range(400) if text_of(n) in some]
    assert places[0] < 20
    assert places[-1] > 380


WORKER = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from tests.data.corpus.made import BYTES
from zhuji.data.corpus import sieve
from zhuji.data.corpus.build import build
from zhuji.data.corpus.settings import CorpusSettings
sieve.CHUNK_TEXTS = 8
build(Path(sys.argv[3]), CorpusSettings.parse({"sources": [sys.argv[2]], "valid": 0.05}), BYTES, block_bytes=2000,
      watch=lambda ledger: time.sleep(0.05))
"""


def test_a_killed_build_leaves_no_corpus_and_the_next_is_the_same(tmp_path, source):
    command = [sys.executable, "-c", WORKER, str(Path(__file__).parents[3]), str(source), str(tmp_path / "c")]
    worker = subprocess.Popen(command)
    partial = tmp_path / ".partial-c"
    while not list(partial.glob("shard-*")):
        assert worker.poll() is None
        time.sleep(0.01)
    time.sleep(0.2)
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    assert partial.exists()
    assert not (tmp_path / "c").exists()
    again = build(tmp_path / "c", settings_of(source), BYTES)
    assert not partial.exists()
    assert again == build(tmp_path / "d", settings_of(source), BYTES)
    for file in (tmp_path / "d").iterdir():
        assert (tmp_path / "c" / file.name).read_bytes() == file.read_bytes()


def test_the_fingerprint_is_of_the_format_too(tmp_path, source, monkeypatch):
    before = module.fingerprint_of(settings_of(source), module.sources_of(settings_of(source)), BYTES)
    monkeypatch.setattr(module, "FORMAT", 99)
    assert module.fingerprint_of(settings_of(source), module.sources_of(settings_of(source)), BYTES) != before
