import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from zhuji.core.files import PARTIAL, atomic_file, atomic_folder, read_json, sha256, sweep, write_json, write_text

WRITER = """
import sys
from pathlib import Path
from zhuji.core.files import write_text
target, size = Path(sys.argv[1]), int(sys.argv[2])
print("ready", flush=True)
while True:
    for letter in "ab":
        write_text(target, letter * size)
"""


@pytest.mark.parametrize("moment", range(5))
def test_a_killed_writer_leaves_the_whole_old_or_the_whole_new_file(tmp_path: Path, moment: int) -> None:
    target, size = tmp_path / "state", 1_000_000
    write_text(target, "a" * size)
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(target), str(size)], stdout=subprocess.PIPE)
    assert writer.stdout is not None
    writer.stdout.readline()
    time.sleep(0.01 + 0.013 * moment)
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    writer.stdout.close()
    text = target.read_text()
    assert text in ("a" * size, "b" * size)
    sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_a_failed_write_keeps_the_old_file_and_leaves_nothing(tmp_path: Path) -> None:
    target = tmp_path / "state"
    write_text(target, "old")
    with pytest.raises(KeyboardInterrupt), atomic_file(target) as file:
        file.write(b"half")
        raise KeyboardInterrupt
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_the_file_is_not_there_before_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "state"
    with atomic_file(target) as file:
        file.write(b"whole")
        assert not target.exists()
    assert target.read_bytes() == b"whole"


def test_a_folder_appears_complete_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(ValueError), atomic_folder(tmp_path / "bundle") as folder:
        (folder / "a").write_text("half")
        raise ValueError
    assert not list(tmp_path.iterdir())
    with atomic_folder(tmp_path / "bundle") as folder:
        (folder / "inner").mkdir()
        (folder / "inner" / "a").write_text("whole")
        assert not (tmp_path / "bundle").exists()
    assert (tmp_path / "bundle" / "inner" / "a").read_text() == "whole"


def test_a_folder_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / "kept").write_text("kept")
    with pytest.raises(OSError), atomic_folder(tmp_path / "bundle") as folder:
        (folder / "a").write_text("new")
    assert [path.name for path in (tmp_path / "bundle").iterdir()] == ["kept"]


def test_others_may_read_what_the_umask_lets_them(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "a", "")
        with atomic_folder(tmp_path / "b"):
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o640
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == 0o750


def test_sweep_takes_only_what_was_being_written(tmp_path: Path) -> None:
    (tmp_path / f"{PARTIAL}folder").mkdir()
    (tmp_path / f"{PARTIAL}file").write_text("half")
    (tmp_path / "kept").write_text("whole")
    sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_json_is_read_back_and_readable_by_people(tmp_path: Path) -> None:
    data = {"名": ["中文", 1.5, None, True], "nested": {"a": []}}
    write_json(tmp_path / "a.json", data)
    assert read_json(tmp_path / "a.json") == data
    assert "中文" in (tmp_path / "a.json").read_text(encoding="utf-8")


def test_sha256_is_that_of_the_standard(tmp_path: Path) -> None:
    """FIPS 180-4 example: the digest of 'abc'."""
    write_text(tmp_path / "a", "abc")
    assert sha256(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
