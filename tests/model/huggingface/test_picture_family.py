"""Laying a tensor out anew."""

from __future__ import annotations

import torch

from zhuji.model.huggingface.picture_family import laid


def test_a_tensor_of_another_size_stays_as_it_is() -> None:
    tensor = torch.arange(6)
    assert laid(tensor, 2, 3).shape == (2, 3)
    assert laid(tensor, 2, 2) is tensor
