"""The folder of a run: where it is, what lies where in it, and that nothing in it is overwritten."""

# torch and its like are typed in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import hashlib
import json
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil
import torch

from zhuji.core.config import Settings, read_yaml, write_yaml
from zhuji.core.contracts import Modality
from zhuji.core.errors import ChangedSinceStart, NothingToResume, RunExists
from zhuji.core.files import PARTIAL, atomic_file, atomic_folder, write_json, write_text
from zhuji.core.log import in_language
from zhuji.core.records import Medium, Record
from zhuji.training.run import Run

RUN, START, RESULTS = "run.yaml", "start.json", "results.json"
METRICS, BOARD, CHECKPOINTS, BUNDLE = "metrics.jsonl", "tensorboard", "checkpoints", "bundle"
CORPUS = "corpus"
PROCESS, PLAN = "process.json", "plan.json"
"""Who works on the run, and how far it is to go: what an onlooker cannot read from the log."""
CHOICE = "choice.json"
"""What was tried with few labels, and what was chosen."""
LESSONS = "lessons"
"""Folder of what a teacher said about each training row."""
GALLERY = "gallery"
"""Folder of test pictures that a report shows."""
LEARNED = "learned"
"""Folder of what the modality learned: a resumed run takes it from there and does not learn it again."""

_NUMBERED = re.compile(r"(\d{3,})-")
_PACKAGES = ("torch", "numpy", "safetensors", "tokenizers", "scikit-learn", "ftfy", "rensa", "pydantic")


def next_run_dir(root: Path, name: str) -> Path:
    """Make and return `root/NNN-name`, with the first number above all that are taken; safe beside other processes that do the same."""
    root.mkdir(parents=True, exist_ok=True)
    slug = re.sub(r"[^\w.-]+", "-", name).strip("-.") or "run"
    taken = [int(m[1]) for path in root.iterdir() if (m := _NUMBERED.match(path.name))]
    number = max(taken, default=0) + 1
    while True:
        # The number itself is what is claimed, whatever the name behind it: mkdir fails for all but one.
        claim = root / f"{PARTIAL}{number:03d}"
        try:
            claim.mkdir()
        except FileExistsError:
            number += 1
            continue
        try:
            if not any(root.glob(f"{number:03d}-*")):
                folder = root / f"{number:03d}-{slug}"
                folder.mkdir()
                return folder
            number += 1
        finally:
            claim.rmdir()


def claim(folder: Path) -> Path:
    """A folder for a new run: made if it is not there. Raises RunExists if anything is in it."""
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise RunExists(file=folder)
    return folder.resolve()


def unclaim(folder: Path) -> None:
    """Take away a run that never began, and its folder if nothing else is in it."""
    if (folder / START).exists():
        return
    for name in (RUN, PROCESS):
        (folder / name).unlink(missing_ok=True)
    for made in (LEARNED, CORPUS, CHECKPOINTS):
        shutil.rmtree(folder / made, ignore_errors=True)
    if not any(folder.iterdir()):
        folder.rmdir()


def write_run(folder: Path, run: Settings) -> None:
    write_text(folder / RUN, write_yaml(run.plain()))


def write_process(folder: Path) -> None:
    """Which process works on the run, and when it was started: a number alone may be given to another process later."""
    process = psutil.Process()
    write_json(folder / PROCESS, {"host": platform.node(), "pid": process.pid, "started": process.create_time()})


def write_plan(folder: Path, steps: int, metrics: Iterable[str]) -> None:
    """How many steps there are to be, and the metric that chooses the best: the first one."""
    write_json(folder / PLAN, {"steps": steps, "metric": next(iter(metrics))})


def read_run(folder: Path) -> Run:
    """The run that a folder holds. Raises NothingToResume."""
    return Run.parse(read_plain(folder))


def read_plain(folder: Path) -> dict[str, Any]:
    """The run or the pretraining that a folder holds, as plain data. Raises NothingToResume."""
    path = folder / RUN
    if not path.is_file():
        raise NothingToResume(file=folder, why=in_language(f"it has no {RUN}", f"其中没有 {RUN}"))
    return read_yaml(path.read_text(encoding="utf-8"), str(path))


def write_learned(folder: Path, modality: Modality) -> None:
    """What the modality learned, whole or not at all; one that is there already stays."""
    if (folder / LEARNED).exists():
        return
    with atomic_folder(folder / LEARNED) as partial:
        for name, content in modality.files().items():
            (partial / name).write_bytes(content)


def write_splits(folder: Path, records: Iterable[Record]) -> None:
    """`splits.jsonl`: where every kept row stands, and how long its input is."""
    with atomic_file(folder / "splits.jsonl") as file:
        for record in records:
            line = {
                "id": record.id, "row": record.row, "file": record.file, "split": record.split,
            }  # fmt: skip
            if not isinstance(record.input, Medium):
                line["characters"] = len(str(record.input))
            file.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")


def fingerprint(run: Run) -> str:
    """sha256 of all settings."""
    return hashlib.sha256(write_yaml(run.plain()).encode()).hexdigest()


_CHINESE = {"the settings": "设置", "the data": "数据"}


def refuse_changes(what: str, then: dict[str, Any], now: dict[str, Any], folder: Path) -> None:
    """Raises ChangedSinceStart, naming what differs."""
    differ = sorted(key for key in {*then, *now} if then.get(key) != now.get(key))
    if differ:
        shown = in_language(what, _CHINESE.get(what, what))
        raise ChangedSinceStart(file=folder, what=shown, changes=", ".join(differ))


def flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """`{"train": {"steps": 5}}` -> `{"train.steps": 5}`."""
    pairs: dict[str, Any] = {}
    for key, value in tree.items():
        pairs.update(flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value})
    return pairs


def environment(threads: int, device: torch.device) -> dict[str, Any]:
    """What a run was made with, for `environment.json`."""
    return {
        "zhuji": metadata.version("zhuji"), "python": platform.python_version(), "platform": platform.platform(),
        "machine": platform.machine(), "cpu": _cpu(), "threads": threads, "device": str(device),
        "gpu": torch.cuda.get_device_name(device) if device.type == "cuda" else None,
        "packages": {name: _version(name) for name in _PACKAGES}, "git": _git(), "command": sys.argv[:1],
    }  # fmt: skip


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file() and (found := re.search(r"^model name\s*:\s*(.+)$", info.read_text(), re.MULTILINE)):
        return found[1]
    return platform.processor()


def _git() -> dict[str, Any] | None:
    """Commit of the working folder and whether it was changed; None outside a repository or without git."""
    try:
        commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True, timeout=5)
        changed = subprocess.run(
            ["git", "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True, timeout=5
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit.stdout.strip(), "changed": bool(changed.stdout.strip())}
