"""Folders from a stranger: whatever files stand in them, opening ends in a BundleError and runs nothing of theirs."""

import contextlib
import json
import os
import pickle
import shutil

import pytest

from tests.faults.hostile import FILES, sealed, write_hashes
from zhuji.core.errors import BundleError, DamagedBundle, NotABundle, UnsafeBundle
from zhuji.model.bundle import open_bundle
from zhuji.model.parity import reopened


def test_the_untouched_one_opens(folder):
    predictor = open_bundle(folder)
    assert reopened(predictor).passed and reopened(predictor).gap <= 1e-6
    assert open_bundle(sealed(folder)).run == {"seed": 1}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("place", [0.0, 0.5, 0.999])
def test_a_changed_byte(folder, name, place):
    data = bytearray((folder / name).read_bytes())
    data[int(place * len(data))] ^= 1
    (folder / name).write_bytes(data)
    with pytest.raises(BundleError):
        open_bundle(folder)


@pytest.mark.parametrize("name", FILES)
def test_every_changed_byte_of_what_is_read_first(folder, name):
    data = (folder / name).read_bytes()
    for place in range(0, len(data), max(1, len(data) // 20)):
        (folder / name).write_bytes(data[:place] + bytes([data[place] ^ 32]) + data[place + 1 :])
        with pytest.raises(BundleError):
            open_bundle(folder)


@pytest.mark.parametrize("name", FILES)
def test_truncated(folder, name):
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[: len(data) // 2])
    with pytest.raises(DamagedBundle):
        open_bundle(folder)


@pytest.mark.parametrize("name", [n for n in FILES if n != "hashes.json"])
@pytest.mark.parametrize(
    "content", [b"", b"\x00\xff\xfe", b"[]", b"{}", b"null", b"[" * 100_000, b'{"a":' * 100_000, b"1" * 10_000]
)
def test_other_content_with_matching_hashes(folder, name, content):
    if name == "README.md" and content != b"\x00\xff\xfe":
        return
    if name == "golden.jsonl" and not content:
        return
    (folder / name).write_bytes(content)
    with pytest.raises(BundleError):
        open_bundle(sealed(folder))


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"{}", b"null", b"\xff", b"[" * 60_000, b" " * 100_000, b'{"config.json": 1}\n']
)
def test_other_hashes(folder, content):
    (folder / "hashes.json").write_bytes(content)
    with pytest.raises(BundleError):
        open_bundle(folder)


@pytest.mark.parametrize("name", FILES)
def test_missing(folder, name):
    (folder / name).unlink()
    with pytest.raises(BundleError):
        open_bundle(folder)


@pytest.mark.parametrize("name", [n for n in FILES if n in ("labels.json", "tokenizer.json", "golden.jsonl", "README.md")])
def test_missing_with_matching_hashes(folder, name):
    (folder / name).unlink()
    with pytest.raises(DamagedBundle):
        open_bundle(sealed(folder))


@pytest.mark.parametrize("name", FILES)
def test_a_link_instead_of_a_file(folder, name, tmp_path):
    shutil.move(folder / name, tmp_path / "elsewhere")
    (folder / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnsafeBundle, match="link"):
        open_bundle(folder)


@pytest.mark.parametrize(
    "name", ["extra.json", "model.py", "pytorch_model.bin", ".hidden", "zhuji.pth", "sitecustomize.py", "a b.json"]
)
def test_an_unknown_file(folder, name):
    (folder / name).write_bytes(b"{}")
    with pytest.raises(UnsafeBundle):
        open_bundle(folder)
    with pytest.raises(BundleError):
        open_bundle(sealed(folder))


def test_a_folder_inside(folder):
    (folder / "code").mkdir()
    with pytest.raises(UnsafeBundle):
        open_bundle(folder)


def test_a_pipe_does_not_hang(folder):
    (folder / "README.md").unlink()
    os.mkfifo(folder / "README.md")
    with pytest.raises(UnsafeBundle):
        open_bundle(folder)


def test_very_many_files(folder):
    for i in range(100):
        (folder / f"a{i}.json").touch()
    with pytest.raises(UnsafeBundle):
        open_bundle(folder)


@pytest.mark.parametrize("name", ["../outside.json", "/etc/passwd", "bundle/../../x.json", "..\\x.json", "tokenizer.json\0"])
def test_names_that_leave_the_folder(folder, name):
    hashes = json.loads((folder / "hashes.json").read_text())
    hashes[name] = hashes.pop("tokenizer.json")
    write_hashes(folder, hashes)
    with pytest.raises(UnsafeBundle):
        open_bundle(folder)


class Bomb:
    def __reduce__(self):
        return (os.mkdir, (os.environ["ZHUJI_TEST_BOMB"],))


@pytest.mark.parametrize("name", FILES)
def test_a_pickle_is_not_run(folder, name, tmp_path, monkeypatch):
    monkeypatch.setenv("ZHUJI_TEST_BOMB", str(tmp_path / "bomb"))
    (folder / name).write_bytes(pickle.dumps(Bomb()))
    for attempt in (lambda: folder, lambda: sealed(folder)):
        if name == "hashes.json" and attempt() == folder:
            (folder / name).write_bytes(pickle.dumps(Bomb()))
        with contextlib.suppress(BundleError):
            open_bundle(attempt())
    assert not (tmp_path / "bomb").exists()


@pytest.mark.parametrize("name", [n for n in FILES if n not in ("model.safetensors",)])
def test_a_file_that_only_claims_to_be_huge(folder, name):
    """A sparse file of 8 GiB takes no disk; reading it whole would take the machine."""
    os.truncate(folder / name, 8 << 30)
    hashes = json.loads((folder / "hashes.json").read_text()) if name != "hashes.json" else None
    if hashes:
        hashes[name]["bytes"] = 8 << 30
        write_hashes(folder, hashes)
    with pytest.raises(BundleError):
        open_bundle(folder)


def test_not_a_bundle_at_all(tmp_path):
    for path in (tmp_path / "nothing", tmp_path):
        with pytest.raises(NotABundle):
            open_bundle(path)
    (tmp_path / "file").touch()
    with pytest.raises(NotABundle):
        open_bundle(tmp_path / "file")


def test_a_run_whose_bundle_is_a_link(whole, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "bundle").symlink_to(whole)
    with pytest.raises(UnsafeBundle):
        open_bundle(tmp_path / "run")
