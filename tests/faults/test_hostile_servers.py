"""A server that is started with, or handed, a stranger's folder: one clear error, and nothing outside the folder is read or written."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import shutil
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

import zhuji
from tests.faults.strangers import CASES
from tests.serving import made
from zhuji.core.errors import BundleError
from zhuji.serving import shelf
from zhuji.serving.service import Service
from zhuji.serving.settings import ServeSettings

QUIET = {"builtins.id", "object.__getattr__", "object.__setattr__", "object.__delattr__", "sys._getframe", "code.__new__"}
"""Events in which nothing leaves the process. What begins with `cpython.` tells of the interpreter itself."""
OURS = (str(Path(zhuji.__file__).parent), sys.prefix, sys.base_prefix)
"""Where code of ours and of Python is read from."""
_listeners: list[list[tuple[str, tuple[Any, ...]]]] = []


def _hook(event: str, facts: tuple[Any, ...]) -> None:
    if _listeners and event not in QUIET and not event.startswith("cpython."):
        _listeners[-1].append((event, facts))


sys.addaudithook(_hook)  # for as long as the process lives; it listens only inside `watched`


@contextlib.contextmanager
def watched() -> Generator[list[tuple[str, tuple[Any, ...]]]]:
    """What the interpreter is asked for meanwhile. A bomb that goes off takes 8 GiB at most, not the machine."""
    limits = resource.getrlimit(resource.RLIMIT_AS)
    now = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + (8 << 30), limits[1]))
    _listeners.append(seen := [])
    try:
        yield seen
    finally:
        _listeners.remove(seen)
        resource.setrlimit(resource.RLIMIT_AS, limits)


def strange(event: str, facts: tuple[Any, ...], folder: Path) -> bool:
    """Whether this is more than reading inside the folder."""
    if event in ("compile", "exec"):
        # Annotations of our own classes are evaluated the first time; no file is.
        return "<string>" not in str(facts)
    # A number is a file that was opened, and told of, before. Parts are looked up in our own folders.
    inside = bool(facts) and (isinstance(facts[0], int) or str(facts[0]).startswith((str(folder), *OURS)))
    reading = event in ("os.scandir", "os.listdir") or (
        event == "open" and facts[1] in ("r", "rb", None) and not facts[2] & 0o3
    )
    return not (inside and reading) or _led_out(event, facts, folder)


def _led_out(event: str, facts: tuple[Any, ...], folder: Path) -> bool:
    """Whether a path inside leads elsewhere, by a link that nobody refused to follow."""
    if not (event in ("open", "os.scandir", "os.listdir") and facts and str(facts[0]).startswith(str(folder))):
        return False
    path = Path(str(facts[0]))
    followed = path if event != "open" or not facts[2] & os.O_NOFOLLOW else path.parent
    return not followed.resolve().is_relative_to(folder.resolve())


@pytest.fixture(scope="module")
def whole() -> Path:
    # Opened once before anybody watches: what is imported late is imported now.
    shelf.load(place := made.of_task("classify"))
    return place


@pytest.fixture
def folder(whole, tmp_path) -> Path:
    (tmp_path / "outside").mkdir()
    shutil.copytree(whole, tmp_path / "b")
    return tmp_path / "b"


def told(error: BundleError) -> list[str]:
    return [error.message(language) for language in ("en", "zh")]


def test_there_are_as_many_as_is_said() -> None:
    assert len(CASES) >= 180
    assert len({name.partition(":")[0] for name in CASES}) >= 25


@pytest.mark.parametrize("name", CASES)
def test_a_server_does_not_start_with_it(folder, name):
    CASES[name](folder, folder.with_name("outside"))
    before = sorted(folder.parent.rglob("*"))
    with watched() as seen, pytest.raises(BundleError) as caught:
        shelf.load(folder)
    assert not [found for found in seen if strange(*found, folder)]
    assert sorted(folder.parent.rglob("*")) == before
    assert caught.value.exit_code == 4
    assert all(message and "\n" not in message and len(message) < 1000 for message in told(caught.value))


KINDS = {name.partition(":")[0]: name for name in sorted(CASES, key=lambda name: "hashes.json" in name)}
"""One case of each kind, that of hashes.json where there is one; the slow tests hand over all of them."""


@pytest.mark.parametrize("name", KINDS.values(), ids=KINDS)
def test_a_server_that_is_handed_it_goes_on_with_what_it_has(folder, name, capsys):
    service = Service(ServeSettings.parse({"models": [{"name": "m", "path": str(folder)}]}))

    async def handed() -> tuple[Any, Any, list[Any]]:
        before, version = await service.answer("m", made.TEXTS), shelf.version_of(folder)
        CASES[name](folder, folder.with_name("outside"))
        changed.append(shelf.version_of(folder) != version)
        with watched() as seen:
            await service.reload()
        after = await service.answer("m", made.TEXTS)
        await service.close()
        return before, after, seen

    changed: list[bool] = []
    before, after, seen = asyncio.run(handed())
    assert (after.served.version, after.predictions) == (before.served.version, before.predictions)
    assert not [found for found in seen if strange(*found, folder)]
    assert not (folder.parent / "outside" / "ran").exists()
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    refused = [line for line in lines if line["event"] == "version_refused"]
    # Where the hashes are what they were there is no new version, whatever else was changed.
    assert len(refused) == changed[0]
    assert all(line["kept"] == before.served.version and line["reason"] for line in refused)
