"""One file after the other; whole folders are tried in test_reading."""

import pytest
import torch
from safetensors.torch import save_file

from zhuji.core.errors import DamagedBundle, UnreadableModel, UnsafeBundle
from zhuji.model.huggingface.files import declared, read_object, read_text, tensors, there


def test_what_is_not_there_is_none(tmp_path):
    assert read_text(tmp_path, "vocab.txt") is None
    assert read_object(tmp_path, "config.json") is None
    with pytest.raises(UnreadableModel, match="no model"):
        declared(tmp_path)


def test_a_link_is_refused_even_if_it_leads_nowhere(tmp_path):
    (tmp_path / "vocab.txt").symlink_to(tmp_path / "gone")
    with pytest.raises(UnsafeBundle, match="link"):
        there(tmp_path, "vocab.txt")


def test_a_folder_in_place_of_a_file(tmp_path):
    (tmp_path / "model.safetensors").mkdir()
    with pytest.raises(UnsafeBundle, match="plain"):
        declared(tmp_path)


def test_text_that_is_none(tmp_path):
    (tmp_path / "vocab.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(DamagedBundle, match="UTF-8"):
        read_text(tmp_path, "vocab.txt")


def test_tensors_come_in_full_precision(tmp_path):
    save_file({"a": torch.ones(2, dtype=torch.bfloat16), "n": torch.arange(3)}, tmp_path / "model.safetensors")
    found = dict(tensors(tmp_path, "model.safetensors"))
    assert found["a"].dtype == torch.float32 and found["n"].dtype == torch.int64
    assert set(declared(tmp_path)["model.safetensors"]) == {"a", "n"}
