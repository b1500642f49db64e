"""torch.export: the network as a graph of torch's own operations, which torch runs without our code.

Reading such a file, torch would unpickle weights and examples that say so, evaluate the texts of sizes and guards as Python, and call whatever
attribute of torch a node names. So nothing is handed to it before every entry of the archive was looked at: weights are raw numbers, there
are no examples, no objects and no guards, sizes are spelled in a few words, and nodes name operations on tensors alone.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from zhuji.core.errors import UnsafeBundle
from zhuji.core.log import in_language
from zhuji.formats._format import NetworkFormat, Opened, Running
from zhuji.formats._network import Network
from zhuji.model.safety import parse_json
from zhuji.nn.recurrent import scan

FILE = "model.pt2"
_DEEPEST = 64
_ENTRY = re.compile(
    r"[\w.-]{1,64}/(data/(weights|constants)/((weight|tensor)_\d+|model_(weights|constants)_config\.json)|models/model\.json"
    r"|data/sample_inputs/model\.pt|archive_format|archive_version|byteorder|\.data/(version|serialization_id))"
)
_SIZE = re.compile(
    r"(?:(?:Add|Mul|Max|Min|Mod|PythonMod|FloorDiv|CleanDiv|Pow|Integer|Rational|GreaterThan|LessThan|StrictGreaterThan|StrictLessThan"
    r"|Equality|Unequality|Eq|Ne|true|false)\b|Symbol\('[su]\d{1,9}'(?:, (?:integer|positive|nonnegative)=True)*\)|-?\d{1,19}|[(), ])+"
)
_PYTHON = re.compile(r"_operator\.(add|sub|mul|floordiv|mod|neg|pow|truediv|lt|le|gt|ge|eq|ne|and_|or_)|math\.(ceil|floor)")
_TENSORS = re.compile(r"torch\.ops\.(aten\.[a-z_][a-z0-9_]*\.[A-Za-z0-9_]+|zhuji\.scan\.default)")
_STORAGE = re.compile(r"set_$|resize|storage|from_file|data_ptr|as_strided|record_stream")
_WORDS = ("amin", "amax", "sum", "mean", "prod", "none", "tanh", "floor", "trunc", "lstm", "gru", "rnn")
"""Texts that an operation may be given: none of them names a file."""
_FAILED = re.compile(r"Runtime assertion failed for expression [\w ()+*/<>=.,'-]{1,400}")


class TorchExport(NetworkFormat):
    """In float32, as trained; a file of raw numbers and a graph as JSON."""

    files = (FILE,)
    client = "torch"

    def network(self, network: Network) -> tuple[dict[str, bytes], dict[str, str | int]]:
        program = network.program
        # What only readers of the original would want, and what would be evaluated or unpickled.
        program._example_inputs = None  # pyright: ignore
        program._guards_code = []  # pyright: ignore
        for node in program.graph.nodes:
            for key in ("stack_trace", "nn_module_stack", "torch_fn", "source_fn_stack", "from_node"):
                node.meta.pop(key, None)
        target = io.BytesIO()
        try:
            torch.export.save(program, target)
        except Exception as error:
            raise network.refusal(error) from error
        return {FILE: target.getvalue()}, {}

    def runner(self, opened: Opened) -> Running:
        data = opened.files[FILE]
        refuse_code(data, opened.folder / FILE)
        return _Program(torch.export.load(io.BytesIO(data)))


class _Program(Running):
    def __init__(self, program: torch.export.ExportedProgram) -> None:
        self.module = program.module()

    def __call__(self, inputs: Mapping[str, Tensor]) -> Sequence[Tensor]:
        with torch.no_grad():
            return tuple(self.module(*inputs.values()))


def refuse_code(data: bytes, path: Path) -> None:
    """Raises UnsafeBundle for an archive with anything in it that torch would unpickle, evaluate or look up by name beyond tensors."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
        if sum(entry.file_size for entry in entries) > 2 * len(data):
            raise UnsafeBundle(file=path, why=in_language("it would grow when unpacked", "解包后会膨胀"))
        for entry in entries:
            if not _ENTRY.fullmatch(entry.filename):
                raise _unsafe(path, "an entry is unknown", "含有未知条目", entry.filename)
            if entry.filename.endswith("sample_inputs/model.pt") and entry.file_size:
                raise _unsafe(path, "it holds pickled examples", "含有 pickle 序列化的示例", entry.filename)
            if entry.filename.endswith(".json"):
                _refuse_words(parse_json(archive.read(entry), path, deepest=_DEEPEST), path)


def _refuse_words(told: Any, path: Path) -> None:
    for key, value in _entries(told):
        if key == "use_pickle" and value is not False:
            raise _unsafe(path, "it holds pickled tensors", "含有 pickle 序列化的张量", value)
        if key in ("guards_code", "custom_obj_values", "constants") and value:
            raise _unsafe(path, f"'{key}' must be empty", f"「{key}」必须为空", value)
        if key == "expr_str" and not (isinstance(value, str) and _SIZE.fullmatch(value)):
            raise _unsafe(path, "a size is spelled in other words than it may", "尺寸表达式含有不允许的内容", value)
        if key == "as_string" and not (value in _WORDS or (isinstance(value, str) and _FAILED.fullmatch(value))):
            raise _unsafe(path, "an operation is given a text that it may not have", "算子收到了不允许的文本", value)
        if key == "target" and not (isinstance(value, str) and _is_plain(value)):
            raise _unsafe(path, "it names more than operations on tensors", "含有张量运算以外的名称", value)


def _is_plain(target: str) -> bool:
    """An operation of Python on numbers, or one of torch on tensors that does not touch what they lie in."""
    if _PYTHON.fullmatch(target):
        return True
    if not _TENSORS.fullmatch(target):
        return False
    space, name, overload = target.removeprefix("torch.ops.").split(".")
    if space == "zhuji":
        return scan._opoverload is not None
    operation = getattr(getattr(getattr(torch.ops, space), name), overload)
    return isinstance(operation, torch._ops.OpOverload) and not _STORAGE.search(name)


def _entries(told: Any) -> Iterator[tuple[str, Any]]:
    waiting = [told]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            yield from item.items()
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item


def _unsafe(path: Path, en: str, zh: str, value: object) -> UnsafeBundle:
    return UnsafeBundle(file=path, why=in_language(en, zh), value=value)
