"""Every kind of model in every format, through the gate, and through the client that knows nothing of our code."""

import json
import subprocess
import sys

import pytest

from tests.formats.made import MODELS, exported, predictor
from zhuji.core.errors import AnswersDiffer
from zhuji.formats import find, open_model
from zhuji.modalities.text import Text
from zhuji.model.parity import hop

pytestmark = pytest.mark.slow
TORCH, ONNX, INT8, VINO = "torch-export", "onnx", "onnx-int8", "openvino"
KINDS = [name for name in MODELS if name != "writer"]
OTHERWISE = {("wide", VINO): AnswersDiffer}
"""Runs of units are hashed in whole numbers of 64 bits that wrap around, which OpenVINO computes otherwise: the gate tells."""


@pytest.mark.parametrize("format", [TORCH, ONNX, INT8, VINO])
@pytest.mark.parametrize("name", KINDS)
def test_the_gate(name, format):
    if (name, format) == ("speller", INT8):
        pytest.skip("a text changes with any of its letters, between which a model that was never taught hardly decides")
    if wrong := OTHERWISE.get((name, format)):
        with pytest.raises(wrong):
            open_model(exported(name, format))
        return
    opened = open_model(exported(name, format))
    golden = predictor(name).golden
    assert hop(format, golden, opened.predict, find(format).limit).passed
    alone = [next(opened.predict([row["input"]])) for row in golden]
    assert hop(format, golden, lambda _: alone, find(format).limit).passed


@pytest.mark.parametrize("format", [TORCH, ONNX, INT8, VINO])
def test_units_that_ask_are_answered(format):
    """However many there are, and none."""
    model, opened = predictor("masked").model, open_model(exported("masked", format))
    assert isinstance(model.modality, Text) and opened.runner is not None
    for texts in (["the [MASK] sat on the [MASK]", "a dog"], ["good"], ["[MASK]"]):
        rows = [model.modality.encode_masked(text) for text in texts]
        units = model.modality.collate(rows, (max(row.length for row in rows) + 1,))
        ours, theirs = model.task.decode(predictor("masked").run_network(units)), model.task.decode(opened.runner(units))
        assert [len(answer.answer) for answer in theirs] == [text.count("[MASK]") for text in texts]
        if format != INT8:
            assert [answer.answer for answer in theirs] == [answer.answer for answer in ours]
            assert [answer.score for answer in theirs] == pytest.approx([answer.score for answer in ours], abs=1e-5)


@pytest.mark.parametrize("format", [TORCH, ONNX, VINO])
@pytest.mark.parametrize("name", [name for name in KINDS if name != "masked" and MODELS[name][0].reads == "texts"])
def test_the_client(name, format, tmp_path):
    if (name, format) in OTHERWISE:
        return
    golden, rows = predictor(name).golden, tmp_path / "rows.jsonl"
    rows.write_text("\n".join(json.dumps(row["input"], ensure_ascii=False) for row in golden), encoding="utf-8")
    done = subprocess.run([sys.executable, "-P", str(exported(name, format) / "client.py"), str(rows)], capture_output=True, text=True,
                          cwd=tmp_path, env={"PATH": "/usr/bin", "PYTHONUTF8": "1"}, check=False)  # fmt: skip
    assert not done.returncode, done.stderr
    for line, row in zip(done.stdout.splitlines(), golden, strict=True):
        given, expected = json.loads(line), json.loads(json.dumps(row["answer"]))
        if isinstance(expected, float) or (isinstance(expected, list) and isinstance(expected[0], float)):
            expected = pytest.approx(expected, abs=1e-4)
        assert given["answer"] == expected
