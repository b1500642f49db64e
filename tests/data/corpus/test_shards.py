import hashlib
import json

import numpy as np
import pytest

from tests.data.corpus import made
from zhuji.core.errors import CorpusFormat, DamagedFile, MissingFile
from zhuji.data.corpus.blocks import RECORD, TABLE
from zhuji.data.corpus.shards import MANIFEST, Corpus, Documents


@pytest.fixture
def folder(tmp_path):
    made.corpus(tmp_path / "c", made.lengths_of(120), [7, 9])
    return tmp_path / "c"


def change(folder, edit):
    path = folder / MANIFEST
    manifest = json.loads(path.read_text())
    edit(manifest)
    path.write_text(json.dumps(manifest))


def test_what_was_written_is_read(folder):
    held = Corpus(folder)
    assert held.documents == 122
    assert held.units == sum(made.lengths_of(120)) + 16
    got = Documents.joined([held.read(i) for i in range(len(held.blocks)) if held.blocks[i]["source"] == 0])
    assert got.lengths.tolist() == made.lengths_of(120)
    assert got.arrays["ids"].tolist() == np.repeat(np.arange(120), made.lengths_of(120)).tolist()
    assert got.arrays["ids"].dtype == np.uint16
    assert Corpus(folder, "valid").documents == 0


def test_a_changed_byte_is_found(folder):
    shard = folder / "shard-00000.bin"
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    held = Corpus(folder)
    with pytest.raises(DamagedFile, match="changed"):
        for i in range(len(held.blocks)):
            held.read(i)


def test_a_short_a_missing_and_a_linked_shard_are_found(folder):
    shard = folder / "shard-00000.bin"
    data = shard.read_bytes()
    shard.write_bytes(data[:-1])
    with pytest.raises(DamagedFile, match="shorter"):
        Corpus(folder)
    shard.unlink()
    with pytest.raises(DamagedFile, match="missing"):
        Corpus(folder)
    (folder / "elsewhere").write_bytes(data)
    shard.symlink_to(folder / "elsewhere")
    with pytest.raises(DamagedFile, match="no regular file"):
        Corpus(folder)


def rewrite(folder, records):
    """What a stranger would do: another table, and its hash."""
    (folder / TABLE).write_bytes(records.tobytes())
    facts = {"number": len(records), "sha256": hashlib.sha256(records.tobytes()).hexdigest()}
    change(folder, lambda manifest: manifest.update(blocks=facts))


def records_of(folder):
    return np.frombuffer((folder / TABLE).read_bytes(), RECORD).copy()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("shard", 7), ("shard", 1 << 31), ("offset", 1 << 20), ("offset", (1 << 64) - 1), ("units", 10**12), ("units", 1),
        ("units", (1 << 64) - 1), ("documents", 0), ("documents", 1 << 31), ("source", 5), ("split", 2), ("sizes", 1),
        ("sizes", (1 << 32) - 1),
    ],
)  # fmt: skip
def test_a_table_of_blocks_is_not_believed(folder, name, value):
    records = records_of(folder)
    (records if name == "sizes" else records["block"])[name][0] = value
    rewrite(folder, records)
    with pytest.raises(DamagedFile):
        Corpus(folder)


@pytest.mark.parametrize(
    "edit",
    [
        lambda m: m.update(format="2"), lambda m: m.update(arrays={}), lambda m: m["arrays"]["ids"].update(dtype="|O"),
        lambda m: m["arrays"]["ids"].update(channels=10**9), lambda m: m["arrays"]["ids"].update(dtype="<u4", channels=1 << 20),
        lambda m: m["sources"][0].update(weight=-1), lambda m: m.pop("blocks"), lambda m: m["blocks"].update(number=-1),
        lambda m: m["blocks"].update(number=10**9), lambda m: m["blocks"].update(sha256="00"),
        lambda m: m["blocks"].update(sha256="0" * 64), lambda m: m["blocks"].update(more=1), lambda m: m.update(blocks=[]),
    ],
)  # fmt: skip
def test_a_manifest_is_not_believed(folder, edit):
    change(folder, edit)
    with pytest.raises(DamagedFile):
        Corpus(folder)


@pytest.mark.parametrize("version", [1, 3])
def test_a_corpus_of_another_format_is_refused_by_name(folder, version):
    change(folder, lambda m: m.update(format=version))
    with pytest.raises(CorpusFormat, match="format 2"):
        Corpus(folder)


def test_a_missing_linked_or_short_table_is_found(folder):
    data = (folder / TABLE).read_bytes()
    for cut in (data[:-1], data[: -RECORD.itemsize], data + bytes(RECORD.itemsize)):
        (folder / TABLE).write_bytes(cut)
        with pytest.raises(DamagedFile, match="as long as"):
            Corpus(folder)
    (folder / TABLE).write_bytes(data[:70] + b"x" + data[71:])
    with pytest.raises(DamagedFile):
        Corpus(folder)
    (folder / TABLE).unlink()
    with pytest.raises(DamagedFile, match="missing"):
        Corpus(folder)
    (folder / "elsewhere").write_bytes(data)
    (folder / TABLE).symlink_to(folder / "elsewhere")
    with pytest.raises(DamagedFile, match="missing"):
        Corpus(folder)


def test_a_manifest_that_is_no_json_and_none(folder):
    (folder / MANIFEST).write_text("[" * 100_000)
    with pytest.raises(DamagedFile):
        Corpus(folder)
    (folder / MANIFEST).unlink()
    with pytest.raises(MissingFile):
        Corpus(folder)


@pytest.mark.parametrize("what", ["ids", "lengths", "sizes"])
def test_contents_that_lie_are_found_though_their_hash_is_right(folder, what):
    """Whoever writes a hostile corpus can hash it, too."""
    held = Corpus(folder)
    documents, size = int(held.blocks["documents"][0]), int(held.bytes[0])
    shard = folder / "shard-00000.bin"
    data = bytearray(shard.read_bytes())
    assert held.blocks["offset"][0] == 0
    if what == "ids":
        change(folder, lambda m: m["arrays"]["ids"].update(below=2))
    elif what == "lengths":
        data[:4] = (0xFFFFFFFF).to_bytes(4, "little")
    else:
        lengths = np.frombuffer(data[: 4 * documents], "<u4").copy()
        lengths[0], lengths[1] = lengths[:2].sum() - 1, 1
        data[: 4 * documents] = lengths.tobytes()
    shard.write_bytes(data)
    records = records_of(folder)
    records["block"]["sha256"][0] = np.void(hashlib.sha256(data[:size]).digest())
    rewrite(folder, records)
    with pytest.raises(DamagedFile, match="beyond" if what == "ids" else "lengths"):
        Corpus(folder).read(0)
