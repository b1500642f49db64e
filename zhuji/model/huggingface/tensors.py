"""Tensors of theirs in our places: each must fit, and none may be left over."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from zhuji.core.errors import DamagedBundle, UnreadableModel
from zhuji.core.log import in_language


def fitting(tensor: Tensor | None, shape: torch.Size, name: str, folder: Path) -> Tensor:
    """The tensor that they call `name`. Raises DamagedBundle where there is none, or one of another shape."""
    if tensor is None or tensor.shape != shape:
        found = in_language("absent", "不存在") if tensor is None else list(tensor.shape)
        why = in_language(f"tensor '{name}' must be {list(shape)}", f"张量「{name}」应为 {list(shape)}")
        raise DamagedBundle(file=folder, why=why, value=found)
    return tensor.contiguous()


def refuse_rest(rest: Mapping[str, Tensor], ignored: Sequence[str], architecture: str, folder: Path) -> None:
    """Raise UnreadableModel for a tensor that has no place here, unless no answer depends on it (`ignored` patterns)."""
    for name, tensor in rest.items():
        if not any(re.fullmatch(pattern, name) for pattern in ignored):
            why = in_language(f"it holds '{name}', which the architecture {architecture} has no place for",
                              f"它含有「{name}」，而架构 {architecture} 中没有它的位置")  # fmt: skip
            raise UnreadableModel(file=folder, why=why, value=list(tensor.shape))
