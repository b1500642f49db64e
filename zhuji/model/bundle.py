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
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import safetensors.torch
import torch
from pydantic import TypeAdapter
from torch import Tensor
from torch.nn.modules import module as registration

from zhuji.core.config import Settings
from zhuji.core.contracts import Backbone, Modality, Task
from zhuji.core.errors import BundleError, DamagedBundle, NewerFormat, NotABundle, NoWeights, UnsafeBundle
from zhuji.core.files import atomic_folder, read_json
from zhuji.core.log import in_language
from zhuji.core.lookup import build
from zhuji.data.infer import Roles
from zhuji.data.settings import CleanSettings
from zhuji.model.assembly import Model, assemble
from zhuji.model.golden import as_json, from_json, small
from zhuji.model.predictor import Predictor
from zhuji.model.safety import MIB, TensorInfo, list_files, parse_json, read_bytes, read_header

FORMAT = 1
CONFIG, WEIGHTS, LABELS, GOLDEN, CARD, HASHES = (
    "config.json", "model.safetensors", "labels.json", "golden.jsonl", "README.md", "hashes.json",
)  # fmt: skip
PARITY, EXPORTED = "parity.json", "io.json"
"""May lie there as well: the hops that the model went through; of a network in another format, what goes in and comes out."""
LIMITS = {CONFIG: 4 * MIB, LABELS: 4 * MIB, GOLDEN: 16 * MIB, CARD: 4 * MIB, HASHES: MIB // 16}
"""Largest size of each file; the weights are bounded by the network that they belong to."""
LEARNED = re.compile(r"[a-z][a-z0-9_]{0,40}\.(json|txt|safetensors)")
"""Names that a modality may give its files."""
LEARNED_LIMIT = 256 * MIB
LARGEST_NUMBER = 1 << 24
"""In what a modality learned: ids of units and the like. Libraries count up to them."""
BUFFER_LIMIT = 256 * MIB
"""Memory for what a network holds besides its weights, e.g. tables of positions."""
ROOM = 64 * MIB
"""For a graph around the weights, in formats that have one."""
MOST_MODULES = 1 << 16
"""Modules and parameters of a network whose weights are not there to be counted."""
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
    weights = {name: t.detach().cpu().contiguous().clone() for name, t in model.state_dict().items()}
    around = files_around(Predictor(model, clean, roles, golden, dict(run or {}), card))
    write(folder, {**around, WEIGHTS: safetensors.torch.save(weights)})


def files_around(predictor: Predictor) -> dict[str, bytes]:
    """Everything that a bundle holds beside its network."""
    model = predictor.model
    task = model.task.described()
    config = {
        "format": FORMAT, "modality": model.modality.described(), "backbone": model.backbone.described(), "task": task,
        "clean": predictor.clean.plain(), "columns": asdict(predictor.roles), "run": dict(predictor.run),
    }  # fmt: skip
    golden = (
        json.dumps({**row, "input": as_json(row["input"])}, ensure_ascii=False, sort_keys=True).encode() + b"\n"
        for row in predictor.golden
    )
    return {
        CONFIG: json_bytes(config), LABELS: json_bytes(task.get("labels", [])), GOLDEN: b"".join(golden), CARD: predictor.card.encode(),
        **model.modality.files(),
    }  # fmt: skip


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """These files and what seals them, as a folder that appears whole or not at all."""
    hashes = {name: {"bytes": len(data), "sha256": _hash(data)} for name, data in files.items()}
    with atomic_folder(folder) as partial:
        for name, data in {**files, HASHES: json_bytes(hashes)}.items():
            (partial / name).write_bytes(data)


def add(folder: Path, name: str, data: bytes) -> None:
    """One more file in a folder of ours, which is sealed anew."""
    hashes = {**read_json(folder / HASHES), name: {"bytes": len(data), "sha256": _hash(data)}}
    (folder / name).write_bytes(data)
    (folder / HASHES).write_bytes(json_bytes(hashes))


@dataclass(frozen=True)
class Contents:
    """What lies in a folder, verified: the parts of its model, and the bytes of the files that hold the network."""

    folder: Path
    parts: tuple[Modality, Backbone, Task]
    config: _Config
    around: Mapping[str, bytes]
    network: Mapping[str, bytes]
    bare: Model | None = None
    """The model without memory, where the network is in another format than weights."""

    def predictor(self, model: Model) -> Predictor:
        """With this model; raises DamagedBundle where golden rows, columns or labels are not what they must be."""
        config, folder = self.config, self.folder
        if parse_json(self.around[LABELS], folder / LABELS) != config.task.get("labels", []):
            raise DamagedBundle(
                file=folder / LABELS, why=in_language(f"it must hold the labels of {CONFIG}", f"它必须含有 {CONFIG} 中的标签")
            )
        return Predictor(
            model.eval(), config.clean, guarded(folder / CONFIG, lambda: _roles(config.columns)),
            _golden(self.around[GOLDEN], folder / GOLDEN), config.run, _text(self.around[CARD], folder / CARD),
        )  # fmt: skip


def read(path: Path | str, limits: Mapping[str, int] | None = None) -> Contents:
    """The files of a bundle, or of the `bundle` folder of a run, each as it was when it was sealed. `limits`: the files that hold the network
    in another format than weights, and how large each may be, 0 for what the network's size allows.

    Raises what `open_bundle` raises."""
    folder = bundle_folder(Path(path))
    sizes = list_files(folder)
    if limits is None and EXPORTED in sizes and WEIGHTS not in sizes:
        raise NoWeights(file=folder, what=in_language("this", "此操作"))
    network = {**({WEIGHTS: 0} if limits is None else limits), PARITY: MIB}
    hashes = _hashes(folder, sizes, network, (PARITY,))
    around = {
        name: _verified(folder / name, hashes[name], LIMITS.get(name, LEARNED_LIMIT)) for name in hashes if name not in network
    }
    config = config_of(around[CONFIG], folder / CONFIG)
    tensors = read_header(folder / WEIGHTS, sizes[WEIGHTS]) if limits is None else None
    learned = {name: data for name, data in around.items() if name not in LIMITS}
    for name, data in learned.items():
        if name.endswith(".json"):
            parse_json(data, folder / name, LARGEST_NUMBER)
        if name.endswith(".safetensors"):
            read_header(folder / name, sizes[name])
    parts = guarded(folder / CONFIG, lambda: _parts(config, learned))
    if tensors is not None:
        guarded(folder / CONFIG, lambda: _check_fit(parts, tensors, folder / WEIGHTS))
    bare = guarded(folder / CONFIG, lambda: _bare(parts, folder)) if limits is not None else None
    most = sizes.get(WEIGHTS, 0) if bare is None else 2 * _bytes(bare.state_dict().values()) + ROOM
    held = {name: _verified(folder / name, hashes[name], network[name] or most) for name in network if name in hashes}
    return Contents(folder, parts, config, around, held, bare)


def open_bundle(path: Path | str) -> Predictor:
    """The model in a bundle, or in the `bundle` folder of a run, ready to answer; on the CPU.

    Raises:
        NotABundle: nothing like a bundle is there.
        UnsafeBundle: it holds links, folders, unknown names, or more than it may.
        DamagedBundle: a file is not what it was when saved, or the parts do not fit together.
        NewerFormat: a later Zhuji wrote it.
    """
    found = read(path)
    model = guarded(found.folder / CONFIG, lambda: assemble(*found.parts))
    _load(model, found.network[WEIGHTS], found.folder / WEIGHTS)
    return found.predictor(model)


def json_bytes(data: Any) -> bytes:
    return (json.dumps(data, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def bundle_folder(path: Path) -> Path:
    """A bundle itself, or the one inside a run. Raises NotABundle, and UnsafeBundle where that is a link."""
    if not path.is_dir():
        raise NotABundle(file=path, why=in_language("it is not a folder", "它不是文件夹"))
    inside = path / "bundle"
    if not (path / CONFIG).exists() and inside.is_dir():
        if inside.is_symlink():
            raise UnsafeBundle(file=inside, why=in_language("it is a link", "它是链接"))
        return inside
    return path


def _hashes(
    folder: Path, sizes: Mapping[str, int], network: Collection[str], optional: Collection[str]
) -> dict[str, dict[str, Any]]:
    """What hashes.json says, once the folder holds exactly those files at those sizes."""
    known = {*LIMITS, *network}
    needed = known - {*optional}
    if CONFIG not in sizes and WEIGHTS not in sizes:
        raise NotABundle(file=folder, why=in_language(f"there is no {CONFIG}", f"没有 {CONFIG}"))
    if missing := sorted(needed - set(sizes)):
        raise DamagedBundle(file=folder, why=in_language(f"{missing[0]} is missing", f"缺少 {missing[0]}"))
    if unknown := sorted(name for name in set(sizes) - known if not LEARNED.fullmatch(name)):
        raise UnsafeBundle(file=folder, why=in_language("a name is unknown", "含有未知的文件名"), value=unknown[0])
    path = folder / HASHES
    data = read_bytes(path, LIMITS[HASHES])
    hashes = parse_json(data, path)
    if not isinstance(hashes, dict) or json_bytes(hashes) != data:
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


def guarded(path: Path, work: Callable[[], T]) -> T:
    """Run our own code on a stranger's values: whatever it stumbles over is the bundle's fault."""
    try:
        return work()
    except BundleError:
        raise
    except Exception as error:
        why = " ".join(str(error).split())[:200] or type(error).__name__
        why = in_language(f"its parts cannot be built: {why}", f"无法构建其中的部件：「{why}」")
        raise DamagedBundle(file=path, why=why) from error


def config_of(data: bytes, path: Path) -> _Config:
    """What the bytes of config.json say. Raises DamagedBundle and NewerFormat."""
    plain = parse_json(data, path)
    if not isinstance(plain, dict):
        raise DamagedBundle(file=path, why=in_language("it is not a JSON object", "它不是 JSON 对象"))
    version = plain.get("format")
    if type(version) is int and version > FORMAT:
        raise NewerFormat(file=path, known=FORMAT, value=version)
    if version != FORMAT:
        raise DamagedBundle(file=path, why=in_language(f"its format must be {FORMAT}", f"其格式版本必须为 {FORMAT}"))
    return guarded(path, lambda: _Config.parse(plain))


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
    _refuse_large_tables(model, path.parent)


def _refuse_large_tables(model: Model, folder: Path) -> None:
    if _bytes(model.buffers()) > BUFFER_LIMIT:
        why = in_language("the network's tables would take too much memory", "网络的查找表会占用过多内存")
        raise UnsafeBundle(file=folder / CONFIG, why=why)


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(TensorInfo(tensor.dtype, tuple(tensor.shape)).bytes for tensor in tensors)


def _bare(parts: tuple[Modality, Backbone, Task], folder: Path) -> Model:
    with _at_most(MOST_MODULES), torch.device("meta"):
        model = assemble(*parts)
    _refuse_large_tables(model, folder)
    return model


def _shown(info: TensorInfo | None) -> str:
    return in_language("absent", "不存在") if info is None else f"{str(info.dtype).removeprefix('torch.')} {list(info.shape)}"


def _load(model: Model, data: bytes, path: Path) -> None:
    state = guarded(path, lambda: safetensors.torch.load(data))
    for name, tensor in state.items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            why = in_language(f"tensor '{name}' must hold finite numbers", f"张量「{name}」必须全为有限数值")
            raise DamagedBundle(file=path, why=why)
    guarded(path, lambda: model.load_state_dict(state, strict=True))


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
        try:
            row["input"] = small(from_json(row["input"]))
            sound = _is_scores(row["scores"])
        except ValueError:
            sound = False
        if not sound:
            why = in_language(
                "its input must be text, a list of words or a picture, and its scores numbers by name",
                "其 input 须为文本、词的列表或图片，scores 须为按名称列出的数值",
            )
            raise DamagedBundle(file=path, row=number, why=why)
    return rows


def _is_scores(scores: Any) -> bool:
    return scores is None or (isinstance(scores, dict) and all(type(value) in (int, float) for value in scores.values()))


def _text(data: bytes, path: Path) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise DamagedBundle(file=path, why=in_language("it is not UTF-8 text", "它不是 UTF-8 文本")) from None
