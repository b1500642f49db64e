"""What their processors say of pictures, as our image modality, and back."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from zhuji.core.errors import UnreadableModel, UnwritableModel
from zhuji.modalities.image import Image
from zhuji.model.huggingface import processor

TOLD = {"channels": 3, "patch": 1}


@pytest.mark.parametrize(
    ("given", "size", "resize", "told"),
    [
        ({}, (224, 224), "fit", ""),
        ({"size": 96}, (96, 96), "fit", ""),
        ({"size": {"height": 32, "width": 48}}, (32, 48), "fit", ""),
        ({"size": {"shortest_edge": 224}, "crop_pct": 0.875}, (224, 224), "crop", "crop_pct"),
        ({"size": {"shortest_edge": 384}}, (384, 384), "fit", ""),
        ({"size": {"shortest_edge": 256}, "crop_size": {"height": 224, "width": 224}, "do_center_crop": True}, (224, 224), "crop", "shortest_edge"),
        ({"size": {"shortest_edge": 64}, "crop_size": 64, "do_center_crop": True, "resample": 3}, (64, 64), "crop", "resample"),
    ],
)  # fmt: skip
def test_sizes(given: dict[str, Any], size: tuple[int, int], resize: str, told: str, tmp_path: Path, capsys) -> None:
    image = processor.read(given, tmp_path, TOLD)
    assert (image.size, image.resize, image.channels) == (size, resize, 3)
    said = capsys.readouterr().err
    assert told in said if told else not said


def test_what_is_not_there_is_told(tmp_path: Path, capsys) -> None:
    image = processor.read(None, tmp_path / "preprocessor_config.json", {**TOLD, "size": (32, 16)})
    assert image.size == (32, 16) and image.measured.mean == (0.5,) * 3 and image.measured.deviation == (0.5,) * 3
    assert "preprocessor_config.json" in capsys.readouterr().err


def test_pixels_as_they_are(tmp_path: Path) -> None:
    image = processor.read({"do_normalize": False, "size": 8}, tmp_path, {"channels": 1})
    assert image.channels == 1 and image.measured.mean == (0.0,) and image.measured.deviation == (1.0,)


@pytest.mark.parametrize(
    "given",
    [
        {"do_rescale": False}, {"rescale_factor": 1.0}, {"do_resize": False}, {"size": "224"}, {"size": {"longest_edge": 4}}, {"size": 0},
        {"size": {"height": 3, "width": None}}, {"size": 10_000}, {"image_mean": [0.5]}, {"image_std": [0.5, "x", 0.5]}, {"image_std": [0, 1, 1]},
        {"do_center_crop": True, "crop_size": [3]}, {"size": 64},
    ],
)  # fmt: skip
def test_what_we_have_no_counterpart_for_is_refused(given: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UnreadableModel):
        processor.read(given, tmp_path, {**TOLD, "size": (32, 32)})


@pytest.mark.parametrize("settings", [{"size": [12, 20]}, {"size": [64, 64], "resize": "crop"}])
def test_there_and_back(settings: dict[str, Any], tmp_path: Path, capsys) -> None:
    image = Image.model_validate(settings).normalising([0.1, 0.2, 0.3], [0.4, 0.5, 0.6])
    again = processor.read(json.loads(processor.written(image)), tmp_path, TOLD)
    assert again.described() == image.described() and again.measured == image.measured
    assert not capsys.readouterr().err


@pytest.mark.parametrize(
    "settings",
    [{"size": [32, 32], "resize": "pad"}, {"size": [32, 64], "resize": "crop"}, {"size": [400, 400], "resize": "crop"}],
)
def test_resizing_that_theirs_cannot_do_is_not_written(settings: dict[str, Any]) -> None:
    with pytest.raises(UnwritableModel):
        processor.written(Image.model_validate(settings).normalising([0.5] * 3, [0.5] * 3))
