"""Files of a stranger's folder, one by one: plain, of bounded size, and weights only as safetensors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from zhuji.core.errors import DamagedBundle, NotABundle, UnreadableModel, UnsafeBundle
from zhuji.core.log import in_language
from zhuji.model.safety import MIB, TensorInfo, parse_json, read_bytes, read_header

CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
TEXT_LIMIT = 256 * MIB
MAX_SHARDS = 256
PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json", "tf_model.h5", "flax_model.msgpack", "model.ckpt.index")


def there(folder: Path, name: str) -> bool:
    """Whether the folder holds it. Raises UnsafeBundle for links."""
    for part in (folder, folder / name):
        if part.is_symlink() and part != folder:
            raise UnsafeBundle(file=folder, why=in_language("it holds a link", "其中有链接"), value=name)
    return (folder / name).exists()


def read_text(folder: Path, name: str) -> str | None:
    """A text file; None where there is none."""
    if not there(folder, name):
        return None
    try:
        return read_bytes(folder / name, TEXT_LIMIT).decode("utf-8")
    except UnicodeDecodeError:
        raise DamagedBundle(file=folder / name, why=in_language("it is not UTF-8 text", "它不是 UTF-8 文本")) from None


def read_json(folder: Path, name: str) -> Any:
    """What a JSON file says; None where there is none."""
    written = read_text(folder, name)
    return None if written is None else parse_json(written.encode(), folder / name)


def read_object(folder: Path, name: str) -> dict[str, Any] | None:
    """A JSON object; None where there is no such file."""
    found = read_json(folder, name)
    if found is not None and not isinstance(found, dict):
        raise DamagedBundle(file=folder / name, why=in_language("it is not a JSON object", "它不是 JSON 对象"))
    return found


def read_config(folder: Path) -> dict[str, Any]:
    """What config.json says. Raises NotABundle where there is no folder or no such file."""
    if not folder.is_dir():
        raise NotABundle(file=folder, why=in_language("it is not a folder", "它不是文件夹"))
    config = read_object(folder, CONFIG)
    if config is None:
        raise NotABundle(file=folder, why=in_language(f"there is no {CONFIG}", f"没有 {CONFIG}"))
    return config


def declared(folder: Path) -> dict[str, dict[str, TensorInfo]]:
    """What tensors each file of weights holds, from their headers. Raises UnreadableModel where the weights are pickled."""
    names = _weight_files(folder)
    for name in names:
        if not there(folder, name):
            raise DamagedBundle(file=folder, why=in_language(f"{name} is missing", f"缺少 {name}"))
        if not (folder / name).is_file():
            raise UnsafeBundle(file=folder / name, why=in_language("it is not a plain file", "它不是普通文件"))
    return {name: read_header(folder / name, (folder / name).stat().st_size) for name in names}


def _weight_files(folder: Path) -> list[str]:
    if there(folder, WEIGHTS):
        return [WEIGHTS]
    if (index := read_object(folder, INDEX)) is not None:
        shards = index.get("weight_map")
        names = sorted(set(shards.values())) if isinstance(shards, dict) and all(map(_plain, shards.values())) else []
        if not 0 < len(names) <= MAX_SHARDS:
            why = in_language("its weight_map must name files of this folder", "其 weight_map 必须指明本文件夹内的文件")
            raise UnsafeBundle(file=folder / INDEX, why=why)
        return names
    if pickled := [name for name in PICKLES if there(folder, name)]:
        why = in_language(
            f"its weights are only in {pickled[0]}, and such files can run code when they are opened; "
            f"whoever trusts them can convert them elsewhere with transformers: "
            f"AutoModel.from_pretrained(FOLDER).save_pretrained(NEW_FOLDER)",
            f"其权重只存于 {pickled[0]}，此类文件在打开时可能执行代码；信任者可在别处用 transformers 转换："
            f"AutoModel.from_pretrained(文件夹).save_pretrained(新文件夹)",
        )
        raise UnreadableModel(file=folder, why=why)
    raise UnreadableModel(file=folder, why=in_language(f"there is no {WEIGHTS}", f"没有 {WEIGHTS}"))


def _plain(name: object) -> bool:
    return isinstance(name, str) and name.endswith(".safetensors") and "/" not in name and "\\" not in name and name[0] != "."


def tensors(folder: Path, name: str) -> Iterator[tuple[str, Tensor]]:
    """The tensors of one file of weights, finite and in fp32. Raises DamagedBundle."""
    try:
        with safe_open(folder / name, framework="pt") as opened:
            for key in opened.keys():  # noqa: SIM118 - not a mapping
                yield key, _finite(opened.get_tensor(key), folder / name, key)
    except SafetensorError as error:
        raise DamagedBundle(file=folder / name, why=str(error)[:200]) from None


def _finite(tensor: Tensor, path: Path, name: str) -> Tensor:
    if not tensor.is_floating_point():
        return tensor
    if not bool(torch.isfinite(tensor).all()):
        why = in_language(f"tensor '{name}' must hold finite numbers", f"张量「{name}」必须全为有限数值")
        raise DamagedBundle(file=path, why=why)
    return tensor.float()
