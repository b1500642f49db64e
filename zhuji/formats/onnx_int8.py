"""ONNX with weights of 8 bits: products of matrices are computed in whole numbers, whose scale is found anew for every input (dynamic
quantisation)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from zhuji.formats._format import NetworkFormat, Opened, Running
from zhuji.formats._network import Network
from zhuji.formats.onnx import FILE, Onnx, Session, quiet, refuse_foreign, through_a_file, written


class OnnxInt8(NetworkFormat):
    """Weights of 8 bits, one scale for each output of a product."""

    files = (FILE,)
    client = "onnx"
    coarse = True
    packages: ClassVar[Mapping[str, str]] = Onnx.packages

    def network(self, network: Network) -> tuple[dict[str, bytes], dict[str, str | int]]:
        data, opset = written(network)
        try:
            with quiet():
                return {FILE: through_a_file(data, _quantise)}, {"opset": opset, "weights": "int8"}
        except Exception as error:
            raise network.refusal(error) from error

    def runner(self, opened: Opened) -> Running:
        refuse_foreign(opened.files[FILE], opened.folder / FILE)
        return Session(opened.files[FILE], opened.ports.outputs)


def _quantise(source: Path, target: Path) -> None:
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(source, target, weight_type=QuantType.QInt8, per_channel=True)
