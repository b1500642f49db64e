import onnx

from tests.formats.made import exported, predictor
from zhuji.formats import find
from zhuji.model.parity import EXACT, QUANTISED, hop


def test_weights_are_whole_numbers_and_the_gate_is_told_how_coarse():
    model = onnx.load(exported("bag", "onnx-int8") / "model.onnx")
    kinds = {tensor.data_type for tensor in model.graph.initializer}
    assert kinds & {onnx.TensorProto.INT8, onnx.TensorProto.UINT8}
    opened, limit = find("onnx-int8").open(exported("bag", "onnx-int8"))
    assert limit == QUANTISED
    found = hop("onnx-int8", predictor("bag").golden, opened.predict, limit)
    assert found.passed and found.gap > EXACT
