"""Tensors that must fit, and those that are left over."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from zhuji.core.errors import DamagedBundle, UnreadableModel
from zhuji.model.huggingface.tensors import fitting, refuse_rest


def test_fitting() -> None:
    tensor = torch.randn(3, 2).T
    found = fitting(tensor, torch.Size((2, 3)), "a.b", Path("x"))
    assert torch.equal(found, tensor) and found.is_contiguous()
    for wrong in (None, torch.zeros(2, 2)):
        with pytest.raises(DamagedBundle, match=r"a\.b"):
            fitting(wrong, torch.Size((2, 3)), "a.b", Path("x"))


def test_rest() -> None:
    refuse_rest({}, (), "A", Path("x"))
    refuse_rest({"pooler.weight": torch.zeros(1)}, (r"pooler\..*",), "A", Path("x"))
    with pytest.raises(UnreadableModel, match="odd"):
        refuse_rest({"odd": torch.zeros(1)}, (r"pooler\..*",), "A", Path("x"))
