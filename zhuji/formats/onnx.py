"""ONNX, by torch's exporter: one file that ONNX Runtime and others run without torch."""

from __future__ import annotations

import contextlib
import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from zhuji.core.errors import CannotExport, UnsafeBundle
from zhuji.core.log import in_language
from zhuji.formats._format import NetworkFormat, Opened, Port, Running
from zhuji.formats._network import WITHOUT_LOOPS, Network
from zhuji.nn.recurrent import scan

FILE = "model.onnx"
OPSET = 20
"""The newest that ONNX Runtime 1.17 and OpenVINO 2024.0 know."""
DOMAINS = ("", "ai.onnx", "com.microsoft", "pkg.onnxscript.torch_lib", "pkg.onnxscript.torch_lib.common")
"""Operations that ONNX Runtime brings itself; others would be code."""
_MOST = 2**31 - 1
"""Bytes that a protocol buffer can hold."""
_GATES = {"lstm": (0, 3, 1, 2), "gru": (1, 0, 2), "rnn": (0,)}
"""Where torch has the gates that ONNX has in the order input, output, forget, cell and update, reset, hidden."""


class Onnx(NetworkFormat):
    """In float32, as trained."""

    files = (FILE,)
    client = "onnx"
    packages: ClassVar[Mapping[str, str]] = {"onnx": "export", "onnxscript": "export", "onnxruntime": "export"}

    def network(self, network: Network) -> tuple[dict[str, bytes], dict[str, str | int]]:
        data, opset = written(network)
        return {FILE: data}, {"opset": opset}

    def runner(self, opened: Opened) -> Running:
        refuse_foreign(opened.files[FILE], opened.folder / FILE)
        return Session(opened.files[FILE], opened.ports.outputs)


def written(network: Network) -> tuple[bytes, int]:
    """The file and its opset. Raises CannotExport."""
    program = network.program
    try:
        with warnings.catch_warnings(), torch.no_grad(), quiet():
            warnings.simplefilter("ignore")
            made = torch.onnx.export(
                program, dynamo=True, verbose=False, opset_version=OPSET, input_names=network.fields, output_names=network.names,
                custom_translation_table={scan._opoverload: _scan()},
            )  # fmt: skip
            assert made is not None
            model = made.model_proto
            size = model.ByteSize()
            data = model.SerializeToString() if size <= _MOST else b""
    except Exception as error:
        raise network.refusal(error) from error
    if size > _MOST:
        why = in_language(f"it has {size} bytes, and one file holds {_MOST}", f"共 {size} 字节，而单个文件最多 {_MOST} 字节")
        raise CannotExport(format=network.format, why=why, choices=", ".join(WITHOUT_LOOPS))
    return data, next(each.version for each in model.opset_import if each.domain in ("", "ai.onnx"))


def _scan() -> Callable[..., Any]:
    """`zhuji.nn.recurrent.scan` in ONNX's own recurrent operations."""
    from onnxscript import opset18

    op: Any = opset18

    def gates(weight: Any, hidden: int, kind: str) -> Any:
        cut = [op.Slice(weight, [gate * hidden], [(gate + 1) * hidden], [0]) for gate in _GATES[kind]]
        return cut[0] if len(cut) == 1 else op.Concat(*cut, axis=0)

    def translated(inputs: Any, weights: Sequence[Any], kind: str) -> Any:
        hidden = int(weights[1].shape[1])
        ordered = [gates(weight, hidden, kind) for weight in weights]
        biases = op.Concat(*ordered[2:], axis=0)
        given = (inputs, *(op.Unsqueeze(each, [0]) for each in (*ordered[:2], biases)))
        if kind == "lstm":
            states = op.LSTM(*given, hidden_size=hidden)[0]
        elif kind == "gru":
            states = op.GRU(*given, hidden_size=hidden, linear_before_reset=1)[0]
        else:
            states = op.RNN(*given, hidden_size=hidden)[0]
        return op.Squeeze(states, [1])

    return translated


# ------------------------------------------------------------------------------------------------------------ running


class Session(Running):
    """ONNX Runtime on the processor, with as many threads as torch."""

    def __init__(self, data: bytes, outputs: Sequence[Port]) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        self.needed = {given.name for given in self.session.get_inputs()}
        self.names = [port.name for port in outputs]

    def __call__(self, inputs: Mapping[str, Tensor]) -> Sequence[Tensor]:
        found = self.session.run(self.names, {name: inputs[name].numpy() for name in self.needed})
        return [torch.from_numpy(each) for each in found]


def refuse_foreign(data: bytes, path: Path) -> None:
    """Raises UnsafeBundle where the file points to others, or asks for operations that ONNX Runtime does not bring itself."""
    import onnx

    model = onnx.load_model_from_string(data)
    if any(_outside(tensor) for tensor in _tensors([model.graph, *model.functions])):
        raise UnsafeBundle(file=path, why=in_language("it points to another file", "它指向其他文件"))
    known = {*DOMAINS}
    asked = {each.domain for each in model.opset_import} | {node.domain for node in _nodes([model.graph, *model.functions])}
    if foreign := sorted(asked - known):
        raise UnsafeBundle(file=path, why=in_language("it asks for foreign operations", "它需要外来的算子"), value=foreign[0])


def _nodes(graphs: Sequence[Any]) -> Iterator[Any]:
    for graph in graphs:
        for node in graph.node:
            yield node
            for attribute in node.attribute:
                yield from _nodes([*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs])


def _tensors(graphs: Sequence[Any]) -> Iterator[Any]:
    inner = [*graphs]
    for node in _nodes(graphs):
        for attribute in node.attribute:
            yield from ([attribute.t] if attribute.HasField("t") else [])
            yield from attribute.tensors
            inner += [*([attribute.g] if attribute.HasField("g") else []), *attribute.graphs]
    for graph in inner:
        yield from getattr(graph, "initializer", ())
        for sparse in getattr(graph, "sparse_initializer", ()):
            yield from (sparse.values, sparse.indices)


def _outside(tensor: Any) -> bool:
    return tensor.data_location == tensor.EXTERNAL or len(tensor.external_data) > 0


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Without what the libraries log about packages that are not there and about how a model could be prepared."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "torch.onnx._internal.exporter._registration", "root")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def through_a_file(data: bytes, work: Callable[[Path, Path], None]) -> bytes:
    """What `work(source, target)` makes of a file, for libraries that know files only."""
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "source.onnx", Path(folder) / "target.onnx"
        source.write_bytes(data)
        work(source, target)
        return target.read_bytes()
