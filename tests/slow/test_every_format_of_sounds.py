"""Every kind of model over sounds in every format that holds a network, and the client of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.formats.test_of_sounds import MODELS, answers_by_itself, holds

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("format", ["onnx", "openvino", "torch-export"])
@pytest.mark.parametrize("name", MODELS)
def test_it_answers_as_the_model_does(name: str, format: str, tmp_path: Path) -> None:
    folder = tmp_path / "sounds"
    folder.mkdir()
    holds(name, format, folder, tmp_path / "there")
    if format == "onnx":
        answers_by_itself(name, folder, tmp_path / "there")
