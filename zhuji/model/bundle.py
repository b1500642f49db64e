"""A model as a folder that is enough to use it, and that may come from a stranger.

    config.json          format, the three parts with what they learned, cleaning, columns, how it was made
    model.safetensors    weights
    tokenizer.json …     what the modality learned (`Modality.files`)
    labels.json          class names, for other programs
    golden.jsonl         rows with their answers, a JSON object a line
    README.md            model card
    hashes.json          size and SHA-256 of every other file

Opening executes nothing from the folder: parts are found on the shelves by short names, weights are numbers, the rest is JSON.
Before memory is given to a tensor, the network is built without memory and its shapes are compared with the file's.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import safetensors.torch
import torch
from pydantic import TypeAdapter
from torch.nn.modules import module as registration

from zhuji.core.config import Settings
from zhuji.core.contracts import Backbone, Modality, Task
from zhuji.core.errors import BundleError, DamagedBundle, NewerFormat, NotABundle, UnsafeBundle
from zhuji.core.files import atomic_folder
from zhuji.core.log import in_language
from zhuji.core.lookup import build
from zhuji.data.infer import Roles
from zhuji.data.settings import CleanSettings
from zhuji.model.assembly import Model, assemble
from zhuji.model.predictor import Predictor
from zhuji.model.safety import MIB, TensorInfo, list_files, parse_json, read_bytes, read_header

FORMAT = 1
CONFIG, WEIGHTS, LABELS, GOLDEN, CARD, HASHES = (
    "config.json", "model.safetensors", "labels.json", "golden.jsonl", "README.md", "hashes.json",
)  # fmt: skip
LIMITS = {CONFIG: 4 * MIB, LABELS: 4 * MIB, GOLDEN: 16 * MIB, CARD: 4 * MIB, HASHES: MIB // 16}
"""Largest size of each file; the weights are bounded by the network that they belong to."""
LEARNED = re.compile(r"[a-z][a-z0-9_]{0,40}\.(json|txt|safetensors)")
"""Names that a modality may give its files."""
LEARNED_LIMIT = 256 * MIB
LARGEST_NUMBER = 1 << 24
"""In what a modality learned: ids of units and the like. Libraries count up to them."""
BUFFER_LIMIT = 256 * MIB
"""Memory for what a network holds besides its weights, e.g. tables of positions."""
MAX_GOLDEN = 1024

T = TypeVar("T")


class _Config(Settings):
    """What config.json says."""

    format: int
    modality: dict[str, Any]
    backbone: dict[str, Any]
    task: dict[str, Any]
    clean: CleanSettings
    columns: dict[str, Any]
    run: dict[str, Any]


def save(
    model: Model,
    folder: Path,
    *,
    clean: CleanSettings,
    roles: Roles,
    golden: Sequence[Mapping[str, Any]] = (),
    card: str = "",
    run: Mapping[str, Any] | None = None,
) -> None:
    """Write a bundle; the folder must not exist yet and appears whole or not at all. The same model gives the same bytes."""
    task = model.task.described()
    config = {
        "format": FORMAT, "modality": model.modality.described(), "backbone": model.backbone.described(), "task": task,
        "clean": clean.plain(), "columns": asdict(roles), "run": dict(run or {}),
    }  # fmt: skip
    files = {
        CONFIG: _json(config),
        LABELS: _json(task.get("labels", [])),
        GOLDEN: b"".join(json.dumps(dict(row), ensure_ascii=False, sort_keys=True).encode() + b"\n" for row in golden),
        CARD: card.encode(),
        WEIGHTS: safetensors.torch.save(
            {name: t.detach().cpu().contiguous().clone() for name, t in model.state_dict().items()}
        ),
        **model.modality.files(),
    }
    files[HASHES] = _json({name: {"bytes": len(data), "sha256": _hash(data)} for name, data in files.items()})
    with atomic_folder(folder) as partial:
        for name, data in files.items():
            (partial / name).write_bytes(data)


def open_bundle(path: Path | str) -> Predictor:
    """The model in a bundle, or in the `bundle` folder of a run, ready to answer; on the CPU.

    Raises:
        NotABundle: nothing like a bundle is there.
        UnsafeBundle: it holds links, folders, unknown names, or more than it may.
        DamagedBundle: a file is not what it was when saved, or the parts do not fit together.
        NewerFormat: a later Zhuji wrote it.
    """
    folder = _bundle_folder(Path(path))
    sizes = list_files(folder)
    hashes = _hashes(folder, sizes)
    read = {name: _verified(folder / name, hashes[name], LIMITS.get(name, LEARNED_LIMIT)) for name in hashes if name != WEIGHTS}
    config = _config(read[CONFIG], folder / CONFIG)
    tensors = read_header(folder / WEIGHTS, sizes[WEIGHTS])
    learned = {name: data for name, data in read.items() if name not in LIMITS}
    for name, data in learned.items():
        if name.endswith(".json"):
            parse_json(data, folder / name, LARGEST_NUMBER)
        if name.endswith(".safetensors"):
            read_header(folder / name, sizes[name])
    parts = _guarded(folder / CONFIG, lambda: _parts(config, learned))
    _guarded(folder / CONFIG, lambda: _check_fit(parts, tensors, folder / WEIGHTS))
    model = _guarded(folder / CONFIG, lambda: assemble(*parts))
    _load(model, _verified(folder / WEIGHTS, hashes[WEIGHTS], sizes[WEIGHTS]), folder / WEIGHTS)
    if parse_json(read[LABELS], folder / LABELS) != config.task.get("labels", []):
        raise DamagedBundle(
            file=folder / LABELS, why=in_language(f"it must hold the labels of {CONFIG}", f"它必须含有 {CONFIG} 中的标签")
        )
    return Predictor(
        model.eval(), config.clean, _guarded(folder / CONFIG, lambda: _roles(config.columns)),
        _golden(read[GOLDEN], folder / GOLDEN), config.run, _text(read[CARD], folder / CARD),
    )  # fmt: skip


def _json(data: Any) -> bytes:
    return (json.dumps(data, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _bundle_folder(path: Path) -> Path:
    if not path.is_dir():
        raise NotABundle(file=path, why=in_language("it is not a folder", "它不是文件夹"))
    inside = path / "bundle"
    if not (path / CONFIG).exists() and inside.is_dir():
        if inside.is_symlink():
            raise UnsafeBundle(file=inside, why=in_language("it is a link", "它是链接"))
        return inside
    return path


def _hashes(folder: Path, sizes: Mapping[str, int]) -> dict[str, dict[str, Any]]:
    """What hashes.json says, once the folder holds exactly those files at those sizes."""
    needed = {*LIMITS, WEIGHTS}
    if CONFIG not in sizes and WEIGHTS not in sizes:
        raise NotABundle(file=folder, why=in_language(f"there is no {CONFIG}", f"没有 {CONFIG}"))
    if missing := sorted(needed - set(sizes)):
        raise DamagedBundle(file=folder, why=in_language(f"{missing[0]} is missing", f"缺少 {missing[0]}"))
    if unknown := sorted(name for name in set(sizes) - needed if not LEARNED.fullmatch(name)):
        raise UnsafeBundle(file=folder, why=in_language("a name is unknown", "含有未知的文件名"), value=unknown[0])
    path = folder / HASHES
    data = read_bytes(path, LIMITS[HASHES])
    hashes = parse_json(data, path)
    if not isinstance(hashes, dict) or _json(hashes) != data:
        raise DamagedBundle(file=path, why=in_language("it is not as it was written", "它与写入时不同"))
    if differing := sorted({*hashes} ^ (set(sizes) - {HASHES})):
        why = in_language(f"the files must be those of {HASHES}", f"文件必须正是 {HASHES} 所列的那些")
        raise UnsafeBundle(file=folder, why=why, value=differing[0])
    for name, entry in hashes.items():
        if not isinstance(entry, dict) or set(entry) != {"bytes", "sha256"}:
            raise DamagedBundle(
                file=path, why=in_language(f"{name} must have bytes and sha256", f"{name} 须有 bytes 和 sha256")
            )
        if sizes[name] != entry["bytes"]:
            why = in_language(f"it must have {entry['bytes']} bytes", f"它应有 {entry['bytes']} 字节")
            raise DamagedBundle(file=folder / name, why=why, value=sizes[name])
    return hashes


def _verified(path: Path, entry: Mapping[str, Any], limit: int) -> bytes:
    data = read_bytes(path, limit)
    if _hash(data) != entry["sha256"]:
        why = in_language("its SHA-256 is another one than when it was saved", "其 SHA-256 与保存时不同")
        raise DamagedBundle(file=path, why=why)
    return data


def _guarded(path: Path, work: Callable[[], T]) -> T:
    """Run our own code on a stranger's values: whatever it stumbles over is the bundle's fault."""
    try:
        return work()
    except BundleError:
        raise
    except Exception as error:
        why = " ".join(str(error).split())[:200] or type(error).__name__
        why = in_language(f"its parts cannot be built: {why}", f"无法构建其中的部件：「{why}」")
        raise DamagedBundle(file=path, why=why) from error


def _config(data: bytes, path: Path) -> _Config:
    plain = parse_json(data, path)
    if not isinstance(plain, dict):
        raise DamagedBundle(file=path, why=in_language("it is not a JSON object", "它不是 JSON 对象"))
    version = plain.get("format")
    if type(version) is int and version > FORMAT:
        raise NewerFormat(file=path, known=FORMAT, value=version)
    if version != FORMAT:
        raise DamagedBundle(file=path, why=in_language(f"its format must be {FORMAT}", f"其格式版本必须为 {FORMAT}"))
    return _guarded(path, lambda: _Config.parse(plain))


def _parts(config: _Config, learned: Mapping[str, bytes]) -> tuple[Modality, Backbone, Task]:
    # build() looks a short name up on its shelf; no name from the bundle is ever imported.
    modality = build(Modality, config.modality).with_files(learned)  # type: ignore[type-abstract]
    if dict(modality.files()) != dict(learned):
        raise ValueError(f"the modality's files must be those it wrote: {', '.join(sorted(learned)) or 'none'}")
    return modality, build(Backbone, config.backbone), build(Task, config.task)  # type: ignore[type-abstract]


@contextmanager
def _at_most(registrations: int) -> Iterator[None]:
    """Stop a network that grows beyond what its weights could fill: a config may ask for 10^9 layers."""
    left = registrations

    def count(*_: object) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise ValueError("the network is larger than the weights")

    hooks = [
        registration.register_module_module_registration_hook(count),
        registration.register_module_parameter_registration_hook(count),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def _check_fit(parts: tuple[Modality, Backbone, Task], tensors: Mapping[str, TensorInfo], path: Path) -> None:
    """Raises DamagedBundle unless the network of these parts has exactly these tensors; it is built on the meta device, where a
    tensor has a shape and no memory."""
    with _at_most(64 * len(tensors) + 64), torch.device("meta"):
        model = assemble(*parts)
    expected = {name: TensorInfo(tensor.dtype, tuple(tensor.shape)) for name, tensor in model.state_dict().items()}
    for name in sorted({*expected} | {*tensors}):
        ours, theirs = expected.get(name), tensors.get(name)
        if ours != theirs:
            why = in_language(f"tensor '{name}' must be {_shown(ours)}", f"张量「{name}」应为 {_shown(ours)}")
            raise DamagedBundle(file=path, why=why, value=_shown(theirs))
    if sum(TensorInfo(buffer.dtype, tuple(buffer.shape)).bytes for buffer in model.buffers()) > BUFFER_LIMIT:
        why = in_language("the network's tables would take too much memory", "网络的查找表会占用过多内存")
        raise UnsafeBundle(file=path.parent / CONFIG, why=why)


def _shown(info: TensorInfo | None) -> str:
    return in_language("absent", "不存在") if info is None else f"{str(info.dtype).removeprefix('torch.')} {list(info.shape)}"


def _load(model: Model, data: bytes, path: Path) -> None:
    state = _guarded(path, lambda: safetensors.torch.load(data))
    for name, tensor in state.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            why = in_language(f"tensor '{name}' must hold finite numbers", f"张量「{name}」必须全为有限数值")
            raise DamagedBundle(file=path, why=why)
    _guarded(path, lambda: model.load_state_dict(state, strict=True))


def _roles(columns: Mapping[str, Any]) -> Roles:
    unknown = set(columns) - set(Roles.__dataclass_fields__)
    if unknown:
        raise ValueError(f"columns has no '{min(unknown)}'")
    return TypeAdapter(Roles).validate_python(dict(columns))


def _golden(data: bytes, path: Path) -> list[dict[str, Any]]:
    lines = data.splitlines()
    if len(lines) > MAX_GOLDEN:
        why = in_language(f"it must hold at most {MAX_GOLDEN} rows", f"它最多可有 {MAX_GOLDEN} 行")
        raise UnsafeBundle(file=path, why=why, value=len(lines))
    rows = [parse_json(line, path) for line in lines]
    for number, row in enumerate(rows, 1):
        if not isinstance(row, dict) or set(row) != {"input", "answer", "score", "scores"}:
            why = in_language("a golden row has input, answer, score and scores", "黄金样例须有 input、answer、score 和 scores")
            raise DamagedBundle(file=path, row=number, why=why)
        if not _is_input(row["input"]) or not _is_scores(row["scores"]):
            why = in_language(
                "its input must be text, or a list of words, and its scores numbers by name",
                "其 input 须为文本或词的列表，scores 须为按名称列出的数值",
            )
            raise DamagedBundle(file=path, row=number, why=why)
    return rows


def _is_input(raw: Any) -> bool:
    return isinstance(raw, str) or (isinstance(raw, list) and all(isinstance(word, str) for word in raw))


def _is_scores(scores: Any) -> bool:
    return scores is None or (isinstance(scores, dict) and all(type(value) in (int, float) for value in scores.values()))


def _text(data: bytes, path: Path) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise DamagedBundle(file=path, why=in_language("it is not UTF-8 text", "它不是 UTF-8 文本")) from None
