import gzip
import hashlib
import json
import os
import socket
import tracemalloc

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from zhuji.core.errors import DamagedFile, EmptyData, MissingFile, NotAFile, UnknownFormat, UnreadableFile
from zhuji.data.settings import DataSettings
from zhuji.data.sources import open_source

CSV = "text,label\ngood film,pos\nbad film,neg\n"
ROWS = [{"text": "good film", "label": "pos"}, {"text": "bad film", "label": "neg"}]


def source(path, **options):
    return open_source(DataSettings(path=str(path), **options))


def write(path, data):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def values(found):
    return [row.values for row in found]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.csv", CSV), ("a.tsv", CSV.replace(",", "\t")), ("a.csv", CSV.replace(",", "|").encode("utf-16")),
        ("a.csv.gz", gzip.compress(CSV.encode(), mtime=0)), ("a.jsonl", "\n".join(map(json.dumps, ROWS))),
        ("a.jsonl.gz", gzip.compress("\n".join(map(json.dumps, ROWS)).encode(), mtime=0)), ("a.csv", b"\xef\xbb\xbf" + CSV.encode()),
        ("a.csv", CSV.replace("\n", "\r\n")), ("a.csv", CSV.replace("\n", "\r")),
    ],
)  # fmt: skip
def test_the_same_rows_from_every_format(tmp_path, name, data):
    found = source(write(tmp_path / name, data))
    assert found.columns == ("text", "label")
    assert values(found) == ROWS == values(found)
    assert [(row.number, row.file, row.split) for row in found] == [(1, name, None), (2, name, None)]
    assert found.why["encoding"]


def test_parquet_rows(tmp_path):
    pq.write_table(pa.Table.from_pylist(ROWS), tmp_path / "a.parquet")
    assert values(source(tmp_path / "a.parquet")) == ROWS


def test_files_by_split(tmp_path):
    write(tmp_path / "test.csv", CSV), write(tmp_path / "train.jsonl", json.dumps(ROWS[0])), write(tmp_path / "dev.tsv.gz", CSV)
    write(tmp_path / "readme.md", "no data"), write(tmp_path / "training_notes.txt", "no data")
    found = source(tmp_path)
    assert [(row.split, row.file, row.number) for row in found] == [
        ("train", "train.jsonl", 1), ("valid", "dev.tsv.gz", 1), ("valid", "dev.tsv.gz", 2), ("test", "test.csv", 1), ("test", "test.csv", 2),
    ]  # fmt: skip
    assert [path.name for path in found.files] == ["train.jsonl", "dev.tsv.gz", "test.csv"]


def test_further_files_are_their_splits(tmp_path):
    a, b = write(tmp_path / "a.csv", CSV), write(tmp_path / "b.csv", CSV)
    assert [row.split for row in source(a, test_path=str(b))] == ["train", "train", "test", "test"]
    assert [row.split for row in source(a, valid_path=str(b))] == ["train", "train", "valid", "valid"]


def test_texts_by_class(tmp_path):
    write(tmp_path / "pos/1.txt", "good"), write(tmp_path / "neg/1.txt", "bad")
    found = source(tmp_path)
    assert [(row.file, row.values["label"]) for row in found if row.values] == [("neg/1.txt", "neg"), ("pos/1.txt", "pos")]
    assert set(found.fingerprint()) == {"neg/1.txt", "pos/1.txt"}


def test_limit_holds_for_each_file(tmp_path):
    write(tmp_path / "train.csv", CSV), write(tmp_path / "test.csv", CSV)
    assert [row.split for row in source(tmp_path, limit=1)] == ["train", "test"]


@pytest.mark.parametrize("how", ["lists", "tables", "texts", "sounds"])
def test_fingerprint_tells_files_of_one_name_apart(tmp_path, how):
    for split, number in (("train", 1), ("test", 2)):
        if how in ("lists", "tables"):
            write(tmp_path / split / "metadata.csv", CSV.replace("film", f"film {number}"))
        for kind in "ab":
            if how == "texts":
                write(tmp_path / split / "rows" / kind / "1.txt", f"film {number}")
            if how == "sounds":
                write(tmp_path / split / "rows" / kind / "1.wav", f"sound {number}")
    name = "metadata.csv" if how == "tables" else "rows"
    where = (
        {"path": tmp_path}
        if how == "lists"
        else {"path": tmp_path / "train" / name, "test_path": str(tmp_path / "test" / name)}
    )
    before = source(**where).fingerprint()
    if how in ("lists", "tables"):
        assert set(before) == {"train/metadata.csv", "test/metadata.csv"}
        assert {row.file for row in source(**where)} == set(before)
    for split in ("train", "test"):
        for changed in [path for path in (tmp_path / split).rglob("*") if path.is_file()]:
            whole = changed.read_bytes()
            changed.write_bytes(whole.replace(b"film", b"book").replace(b"sound", b"noise"))
            assert source(**where).fingerprint() != before
            changed.write_bytes(whole)
    assert source(**where).fingerprint() == before


def test_fingerprint_is_of_the_bytes(tmp_path):
    path = write(tmp_path / "a.csv", CSV)
    assert source(path).fingerprint() == {"a.csv": {"sha256": hashlib.sha256(CSV.encode()).hexdigest(), "bytes": len(CSV)}}


def test_nothing_there(tmp_path):
    (tmp_path / "dangling.csv").symlink_to("nowhere")
    for path in ("nowhere.csv", "dangling.csv", "a\0b", "dangling.csv/below"):
        with pytest.raises(MissingFile):
            source(tmp_path / path)


def test_links_in_a_circle(tmp_path):
    (tmp_path / "a.csv").symlink_to("a.csv")
    with pytest.raises(UnreadableFile):
        source(tmp_path / "a.csv")


def test_pipes_sockets_and_devices_are_not_opened(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as plug:
        plug.bind("plug")
        for path, kind in ((tmp_path / "pipe", "pipe"), (tmp_path / "plug", "socket"), ("/dev/zero", "device")):
            with pytest.raises(NotAFile, match=kind):
                source(path)


def test_no_permission(tmp_path):
    path = write(tmp_path / "a.csv", CSV)
    path.chmod(0)
    tmp_path.chmod(0o755)
    root = os.geteuid() == 0
    if root:
        for above in tmp_path.parents[:2]:
            above.chmod(0o755)
        os.seteuid(65534)
    try:
        with pytest.raises(UnreadableFile, match="ermission"):
            source(path)
    finally:
        if root:
            os.seteuid(0)


@pytest.mark.parametrize("files", [[], ["a.csv"], ["train.csv", "train.tsv"], ["papers/a.pdf"]])
def test_folders_that_are_no_data(tmp_path, files):
    for file in files:
        write(tmp_path / file, CSV)
    with pytest.raises(UnknownFormat):
        source(tmp_path)


def test_one_empty_file_of_many_is_named(tmp_path):
    write(tmp_path / "train.csv", CSV), write(tmp_path / "test.csv", "")
    with pytest.raises(EmptyData, match=r"test\.csv"):
        source(tmp_path)


def test_a_packed_file_cut_off_is_an_error_when_the_end_is_reached(tmp_path):
    data = gzip.compress((CSV + "".join(f"télé {i * 7919},pos\n" for i in range(90_000))).encode())
    found = source(write(tmp_path / "a.csv.gz", data[:-1000]))
    with pytest.raises(DamagedFile):
        list(found)


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl"])
def test_memory_stays_flat_while_the_file_grows(tmp_path, name):
    def peak(rows):
        path = tmp_path / f"{rows}{name}"
        row = (
            f'"{"some words, " * 20}",pos\n'
            if name == "a.csv"
            else json.dumps({"text": "some words " * 20, "label": "pos"}) + "\n"
        )
        with open(path, "w") as file:
            file.write("text,label\n" if name == "a.csv" else "")
            for _ in range(rows // 1000):
                file.write(row * 1000)
        found = source(path)
        tracemalloc.start()
        count = sum(row.values is not None for row in found)
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert count == rows
        return top

    small, large = peak(2_000), peak(40_000)
    assert large < small + 200_000


def test_files_that_lie_beside_the_other_splits(tmp_path):
    for name in ("a", "b", "f", "h"):
        write(tmp_path / f"{name}.conll", f"{name}\tO\nx\tB-y\n")
    found = list(source(tmp_path, valid_path=str(tmp_path / "h.conll"), test_path=str(tmp_path / "f.conll")))
    assert [(row.split, row.file, row.values["words"][0]) for row in found] == [
        ("train", "a.conll", "a"), ("train", "b.conll", "b"), ("valid", "h.conll", "h"), ("test", "f.conll", "f"),
    ]  # fmt: skip
