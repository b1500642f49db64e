import numpy as np
import pytest

from tests.data.corpus import made
from zhuji.data.corpus import writing
from zhuji.data.corpus.shards import ArraySpec, Corpus, SourceFacts
from zhuji.data.corpus.writing import Writer, corpus_folder, finish


def test_shards_are_begun_anew_when_full_and_values_have_channels(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "SHARD_BYTES", 5_000)
    values = [np.random.default_rng(n).normal(size=(n % 7 + 1, 3)).astype(np.float32) for n in range(300)]
    with corpus_folder(tmp_path / "c") as partial:
        writer = Writer(partial, {"values": ArraySpec(dtype="<f4", channels=3)}, block_bytes=1_000)
        for n, value in enumerate(values):
            writer.add(0, "valid" if n % 10 == 0 else "train", {"values": value})
        assert writer.documents("valid") == 30
        finish(writer, fingerprint="f", encoder="e", sources=(SourceFacts(name="s"),))
    train, valid = Corpus(tmp_path / "c"), Corpus(tmp_path / "c", "valid")
    assert len(list((tmp_path / "c").glob("shard-*.bin"))) > 2
    for held, wanted in ((train, [v for n, v in enumerate(values) if n % 10]), (valid, values[::10])):
        got = np.concatenate([held.read(i).arrays["values"] for i in range(len(held.blocks))])
        assert np.array_equal(got, np.concatenate(wanted))
        assert held.documents == len(wanted)


def test_what_a_killed_writer_left_is_removed_and_nothing_shows_before_the_end(tmp_path):
    left = tmp_path / ".partial-c"
    left.mkdir()
    (left / "shard-00000.bin").write_bytes(b"half")
    with corpus_folder(tmp_path / "c") as partial:
        assert partial == left
        assert not list(partial.iterdir())
        assert not (tmp_path / "c").exists()
    assert (tmp_path / "c").exists()
    with pytest.raises(KeyboardInterrupt), corpus_folder(tmp_path / "d"):
        raise KeyboardInterrupt
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c"]


def test_blocks_hold_one_source_and_split(tmp_path):
    held = made.corpus(tmp_path / "c", [10] * 200, [10] * 200, block_bytes=1_000)
    assert held.bytes.max() < 1_000 + 4 + 30
    for i, source in enumerate(held.blocks["source"].tolist()):
        assert set((held.read(i).arrays["ids"] // 1000).tolist()) == {source}
