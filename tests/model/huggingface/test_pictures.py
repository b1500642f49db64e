"""Folders of models over pictures: which they are, and what they become."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.model.huggingface.made_pictures import folder, model
from zhuji.backbones.convnext import Convnext
from zhuji.core.errors import DamagedBundle, UnreadableModel, UnwritableModel
from zhuji.model.assembly import assemble
from zhuji.model.huggingface import files, looks_like, pictures, read, write
from zhuji.tasks.classify import Classify


@pytest.mark.parametrize("family", ["vit", "resnet"])
def test_a_folder_is_a_model_over_pictures(family: str, tmp_path: Path) -> None:
    path = folder(tmp_path / "there", family)
    assert looks_like(path)
    found = read(path)
    assert (
        found.roles.image == "image" and not found.roles.text and found.run["architecture"].endswith("ForImageClassification")
    )
    assert not found.model.training


def test_other_folders_are_left_to_others(tmp_path: Path) -> None:
    assert pictures.read(tmp_path) is None
    (tmp_path / files.CONFIG).write_text(json.dumps({"model_type": "bert"}))
    assert pictures.read(tmp_path) is None


def test_an_architecture_that_is_not_known(tmp_path: Path) -> None:
    path = folder(tmp_path / "there", "vit")
    config = json.loads((path / files.CONFIG).read_text())
    for named in (["ViTForMaskedImageModeling"], [3], {"a": 1}):
        (path / files.CONFIG).write_text(json.dumps({**config, "architectures": named}))
        with pytest.raises(UnreadableModel, match="ViTForImageClassification"):
            read(path)


def test_more_blocks_than_tensors_are_not_built(tmp_path: Path) -> None:
    path = folder(tmp_path / "there", "vit")
    config = json.loads((path / files.CONFIG).read_text())
    (path / files.CONFIG).write_text(json.dumps({**config, "num_hidden_layers": 1 << 23}))
    with pytest.raises(DamagedBundle, match="blocks"):
        read(path)


def test_weights_that_are_pickled_are_refused(tmp_path: Path) -> None:
    path = folder(tmp_path / "there", "resnet")
    (path / files.WEIGHTS).rename(path / "pytorch_model.bin")
    with pytest.raises(UnreadableModel, match="run code"):
        read(path)


def test_what_has_no_counterpart(tmp_path: Path) -> None:
    other = assemble(model("resnet").modality, Convnext.example(), Classify.example().task)
    with pytest.raises(UnwritableModel, match="convnext"):
        write(other, tmp_path / "there")
    with pytest.raises(UnwritableModel, match="no head for this task"):
        write(model("vit", {"name": "masked_units", "pool": ...}), tmp_path / "there")
    assert not (tmp_path / "there").exists()
