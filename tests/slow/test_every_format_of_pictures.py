"""Every backbone over pictures in every format that holds a network."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.formats.test_of_pictures import CLASSIFIERS, MODELS, answers_by_itself, holds

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("format", ["torch-export", "onnx", "openvino", "safetensors"])
@pytest.mark.parametrize("name", list(MODELS))
def test_it_answers_as_the_model_does(name: str, format: str, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    holds(name, format, folder, tmp_path / "there")


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_the_client_answers_without_our_code(name: str, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    answers_by_itself(name, folder, tmp_path / "there")
