import shutil

import onnx
import pytest
from onnx import helper

from tests.faults.hostile import sealed
from tests.formats.made import exported, predictor
from zhuji.core.errors import CannotExport, UnsafeBundle
from zhuji.formats import find, open_model
from zhuji.model.parity import hop


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(exported("bag", "onnx"), tmp_path / "copy")
    return tmp_path / "copy"


def changed(folder, change):
    model = onnx.load(folder / "model.onnx")
    change(model)
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    return sealed(folder)


def elsewhere(model):
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = tensor.EXTERNAL
    tensor.external_data.add(key="location", value="/etc/passwd")


def hidden_elsewhere(model):
    inner = helper.make_graph(
        [helper.make_node("Constant", [], ["x"], value=onnx.TensorProto(dims=[1], data_type=1))], "inner", [], []
    )
    elsewhere_in = inner.node[0].attribute[0].t
    elsewhere_in.external_data.add(key="location", value="../secret")
    model.graph.node.append(helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner))


@pytest.mark.parametrize(
    "change",
    [
        elsewhere, hidden_elsewhere,
        lambda model: model.graph.node.append(helper.make_node("Run", [], ["z"], domain="evil.example")),
        lambda model: model.opset_import.add(domain="evil.example", version=1),
    ],
)  # fmt: skip
def test_what_points_elsewhere_or_brings_operations_is_refused(folder, change):
    with pytest.raises(UnsafeBundle):
        open_model(changed(folder, change))


def test_a_recurrent_network_is_one_operation_for_any_length():
    model = onnx.load(exported("lstm", "onnx") / "model.onnx")
    assert [node.op_type for node in model.graph.node].count("LSTM") == 2
    assert not any(node.op_type in ("Loop", "Scan") for node in model.graph.node)
    golden = predictor("lstm").golden
    assert hop("onnx", golden, open_model(exported("lstm", "onnx")).predict).passed
    assert model.opset_import[0].version == 20


def test_a_model_that_writes_unit_by_unit_is_refused(tmp_path):
    with pytest.raises(CannotExport, match=r"task 'next_unit' writes unit by unit.*safetensors, huggingface"):
        find("onnx").write(predictor("writer"), tmp_path / "x")
    assert not (tmp_path / "x").exists()
