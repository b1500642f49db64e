"""OpenVINO's own files, made from ONNX, with all numbers in float32."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from zhuji.formats._format import NetworkFormat, Opened, Port, Running
from zhuji.formats._network import Network
from zhuji.formats.onnx import Onnx, written

GRAPH, WEIGHTS = "model.xml", "model.bin"


class OpenVino(NetworkFormat):
    """In float32, for processors and accelerators of Intel."""

    files = (GRAPH, WEIGHTS)
    client = "openvino"
    packages: ClassVar[Mapping[str, str]] = {**Onnx.packages, "openvino": "openvino"}

    def network(self, network: Network) -> tuple[dict[str, bytes], dict[str, str | int]]:
        import openvino

        data, opset = written(network)
        try:
            with tempfile.TemporaryDirectory() as folder:
                (Path(folder) / "source.onnx").write_bytes(data)
                model = openvino.convert_model(Path(folder) / "source.onnx")
                openvino.save_model(model, Path(folder) / GRAPH, compress_to_fp16=False)
                files = {name: (Path(folder) / name).read_bytes() for name in self.files}
        except Exception as error:
            raise network.refusal(error) from error
        return files, {"openvino": openvino.__version__, "opset": opset}

    def runner(self, opened: Opened) -> Running:
        return _Compiled(opened.files[GRAPH], opened.files[WEIGHTS], opened.ports.outputs)


class _Compiled(Running):
    def __init__(self, graph: bytes, weights: bytes, outputs: Sequence[Port]) -> None:
        import openvino

        core = openvino.Core()
        model = core.read_model(model=graph, weights=weights)
        # A processor's own choice may be bfloat16.
        settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": torch.get_num_threads()}
        self.model = core.compile_model(model, "CPU", settings)
        self.needed = {name for given in self.model.inputs for name in given.names}
        self.names = [port.name for port in outputs]

    def __call__(self, inputs: Mapping[str, Tensor]) -> Sequence[Tensor]:
        found = self.model({name: inputs[name].numpy() for name in self.needed if name in inputs})
        return [torch.from_numpy(found[name].copy()) for name in self.names]
