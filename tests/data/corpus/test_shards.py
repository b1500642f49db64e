import hashlib
import json

import numpy as np
import pytest

from tests.data.corpus import made
from zhuji.core.errors import DamagedFile, MissingFile
from zhuji.data.corpus.shards import MANIFEST, Corpus, Documents, rounded, sizes_of


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
    got = Documents.joined([held.read(i) for i in range(len(held.blocks)) if held.blocks[i].source == 0])
    assert got.lengths.tolist() == made.lengths_of(120)
    assert got.arrays["ids"].tolist() == np.repeat(np.arange(120), made.lengths_of(120)).tolist()
    assert got.arrays["ids"].dtype == np.uint16
    assert Corpus(folder, "valid").documents == 0
    assert held.manifest.total("train") == (held.documents, held.units)


def test_lengths_are_rounded_up_to_few():
    lengths = np.arange(1, 5000)
    up = rounded(lengths)
    assert (up >= lengths).all()
    assert up[:16].tolist() == list(range(1, 17))
    assert (up[16:] / lengths[16:]).max() < 1.125
    assert (rounded(up) == up).all()
    assert len(np.unique(up)) == 16 + 8 * 8 + 2  # 16 … 4096, and 4608 and 5120 above
    assert sizes_of(np.array([17, 18, 3])) == ((3, 1), (18, 2))


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


def block(**facts):
    return lambda manifest: manifest["blocks"][0].update(facts)


@pytest.mark.parametrize(
    "edit",
    [
        block(file="../shard-00000.bin"), block(file="/etc/passwd"), block(offset=-1), block(offset="x"), block(units=10**12),
        block(documents=0), block(source=5), block(sha256="00"), block(split="test"), block(sizes=[[1, 10**9]]), block(more=1),
        lambda m: m.update(format=2), lambda m: m.update(arrays={}), lambda m: m["arrays"]["ids"].update(dtype="|O"),
        lambda m: m["arrays"]["ids"].update(channels=10**9), lambda m: m["sources"][0].update(weight=-1), lambda m: m.pop("blocks"),
    ],
)  # fmt: skip
def test_a_manifest_is_not_believed(folder, edit):
    change(folder, edit)
    with pytest.raises(DamagedFile):
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
    first, size = held.blocks[0], held.bytes_of(0)
    data = bytearray((folder / first.file).read_bytes())
    if what == "ids":
        change(folder, lambda m: m["arrays"]["ids"].update(below=2))
    elif what == "lengths":
        data[:4] = (0xFFFFFFFF).to_bytes(4, "little")
    else:
        lengths = np.frombuffer(data[: 4 * first.documents], "<u4").copy()
        lengths[0], lengths[1] = lengths[:2].sum() - 1, 1
        data[: 4 * first.documents] = lengths.tobytes()
    (folder / first.file).write_bytes(data)
    change(folder, block(sha256=hashlib.sha256(data[:size]).hexdigest()))
    with pytest.raises(DamagedFile, match="beyond" if what == "ids" else "lengths"):
        Corpus(folder).read(0)
