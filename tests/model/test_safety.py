import json

import pytest
import torch
from safetensors.torch import save

from zhuji.core.errors import BundleError, DamagedBundle, UnsafeBundle
from zhuji.model.safety import MAX_DEPTH, TensorInfo, list_files, parse_json, read_bytes, read_header


def test_plain_files_are_listed_with_their_sizes(tmp_path):
    (tmp_path / "a.json").write_bytes(b"12345")
    assert list_files(tmp_path) == {"a.json": 5}
    (tmp_path / "link").symlink_to(tmp_path / "a.json")
    with pytest.raises(UnsafeBundle, match="link"):
        list_files(tmp_path)


def test_reading_is_bounded_and_follows_no_link(tmp_path):
    file = tmp_path / "a"
    file.write_bytes(b"12345")
    assert read_bytes(file, 5) == b"12345"
    with pytest.raises(UnsafeBundle):
        read_bytes(file, 4)
    (tmp_path / "link").symlink_to(file)
    with pytest.raises(BundleError):
        read_bytes(tmp_path / "link", 5)


@pytest.mark.parametrize(
    "text", ['{"a": 1, "a": 2}', "NaN", "[Infinity]", "{", "", '"\\ud800', "[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1)]
)
def test_json_that_is_refused(tmp_path, text):
    with pytest.raises(DamagedBundle):
        parse_json(text.encode(), tmp_path)


def test_json_that_is_read(tmp_path):
    assert parse_json('{"键": [1, 2.5, null]}'.encode(), tmp_path, largest=2) == {"键": [1, 2.5, None]}
    assert parse_json(("[" * MAX_DEPTH + "]" * MAX_DEPTH).encode(), tmp_path)
    with pytest.raises(DamagedBundle, match="larger than 2"):
        parse_json(b"[3]", tmp_path, largest=2)


def test_a_header_is_what_safetensors_wrote(tmp_path):
    tensors = {"w": torch.zeros(3, 4), "b": torch.zeros(5, dtype=torch.bfloat16), "n": torch.tensor(1), "e": torch.zeros(0, 2)}
    (tmp_path / "w").write_bytes(data := save(tensors, {"note": "x"}))
    header = read_header(tmp_path / "w", len(data))
    assert header == {name: TensorInfo(t.dtype, tuple(t.shape)) for name, t in tensors.items()}
    with pytest.raises(DamagedBundle):
        read_header(tmp_path / "w", len(data) + 1)


def test_a_header_with_a_hole(tmp_path):
    header = json.dumps({"w": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}).encode()
    (tmp_path / "w").write_bytes(data := len(header).to_bytes(8, "little") + header + bytes(8))
    with pytest.raises(DamagedBundle, match="does not lie"):
        read_header(tmp_path / "w", len(data))
