"""Checkpoints: folders `step-00001234/` that are either complete and right, or not used.

    state.safetensors   all tensors of `State`
    state.json          `Progress`
    hashes.json         sha256 of the other two

A checkpoint appears by one rename and goes by one rename, so that a kill at any moment leaves only whole ones; hashes tell a
disk's later damage. An old one is deleted only when the new one stands.
"""

# torch and its like are typed in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import errno
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from zhuji.core.errors import DiskFull
from zhuji.core.files import PARTIAL, atomic_folder, read_json, sha256, sweep, write_json
from zhuji.core.log import in_language, say
from zhuji.training.state import Progress, State

TENSORS, NUMBERS, HASHES = "state.safetensors", "state.json", "hashes.json"
_NAME = re.compile(r"step-(\d{8,})")


@dataclass(frozen=True)
class Saved:
    """A checkpoint read back."""

    tensors: dict[str, Tensor]
    progress: Progress


class Checkpoints:
    """The checkpoints in one folder: the last `keep`, and the best of each of them."""

    def __init__(self, folder: Path, keep: int) -> None:
        self.folder, self._keep = Path(folder), keep
        self.folder.mkdir(parents=True, exist_ok=True)
        sweep(self.folder)

    def steps(self) -> list[int]:
        """Steps of all checkpoints, oldest first."""
        return sorted(int(m[1]) for path in self.folder.iterdir() if (m := _NAME.fullmatch(path.name)))

    def path(self, step: int) -> Path:
        return self.folder / f"step-{step:08d}"

    def save(self, state: State) -> None:
        """Save the state of this step, if it is not saved already; then delete what is no longer needed.

        Raises DiskFull; the earlier checkpoints then stand as they were.
        """
        assert state.whole, "a state in the middle of an optimiser step must not be saved"
        step = state.progress.step
        if self.path(step).exists():
            return
        try:
            with atomic_folder(self.path(step)) as partial:
                save_file(_separate(state.tensors()), partial / TENSORS)
                write_json(partial / NUMBERS, state.progress.as_dict())
                write_json(partial / HASHES, {name: sha256(partial / name) for name in (TENSORS, NUMBERS)})
        except Exception as error:
            if not _disk_is_full(error):
                raise
            raise DiskFull(file=self.folder, why=in_language(str(error), "磁盘空间不足"), run=self.folder.parent) from error
        self._prune()

    def read(self, step: int) -> Saved | None:
        """The checkpoint of this step; None if it is not there or damaged."""
        path = self.path(step)
        try:
            hashes: dict[str, str] = read_json(path / HASHES)
            if any(sha256(path / name) != hashes.get(name) for name in (TENSORS, NUMBERS)):
                return None
            return Saved(load_file(path / TENSORS), Progress.from_dict(read_json(path / NUMBERS)))
        except (OSError, ValueError):
            return None

    def newest(self) -> Saved | None:
        """The newest checkpoint that is right. Damaged newer ones are told of and set aside as `damaged-…`."""
        for step in reversed(self.steps()):
            saved = self.read(step)
            if saved is not None:
                return saved
            say(in_language(f"Checkpoint {self.path(step)} is damaged: going back to the one before it.",
                            f"检查点 {self.path(step)} 已损坏：改用前一个检查点。"))  # fmt: skip
            aside = self.folder / f"damaged-{self.path(step).name}"
            shutil.rmtree(aside, ignore_errors=True)
            self.path(step).rename(aside)
        return None

    def _prune(self) -> None:
        steps = self.steps()
        kept = set(steps[-self._keep :])
        # The best of each kept one: if the newest were damaged later, the run would go on from another and need that one's best.
        for step in list(kept):
            kept.add(int(read_json(self.path(step) / NUMBERS)["best_step"]))
        for step in steps:
            if step not in kept:
                leaving = self.folder / f"{PARTIAL}{self.path(step).name}"
                self.path(step).rename(leaving)
                shutil.rmtree(leaving)


def _separate(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Contiguous tensors that share no memory, as safetensors asks (tied weights do share)."""
    seen: set[int] = set()
    separate: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        tensor = tensor.detach().contiguous()
        separate[name] = tensor.clone() if tensor.data_ptr() in seen and tensor.numel() else tensor
        seen.add(tensor.data_ptr())
    return separate


def _disk_is_full(error: BaseException) -> bool:
    """safetensors reports it in its own error, by its text."""
    number: Any = getattr(error, "errno", None)
    return number in (errno.ENOSPC, errno.EDQUOT) or "No space left on device" in str(error)
