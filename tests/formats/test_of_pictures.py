"""Models over pictures in formats that hold a network: for any number of rows, of the one size that their pictures have. All of them in all formats:
tests/slow/test_every_format_of_pictures.py."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from zhuji.backbones.convnext import Convnext
from zhuji.backbones.resnet import Resnet
from zhuji.backbones.strided import Strided
from zhuji.backbones.unet import Unet
from zhuji.backbones.vgg import Vgg
from zhuji.backbones.vit import Vit
from zhuji.core.contracts import Backbone
from zhuji.core.records import Picture, Record
from zhuji.formats import find, open_model
from zhuji.modalities.image import Image
from zhuji.model.assembly import assemble
from zhuji.model.golden import told
from zhuji.model.parity import EXACT, QUANTISED, hop
from zhuji.model.predictor import Predictor
from zhuji.tasks.classify import Classify
from zhuji.tasks.generate import Generate

MODELS: dict[str, tuple[Image, Backbone]] = {
    "resnet": (Image(size=(9, 12), resize="crop"), Resnet(blocks=(1, 1), widths=(4, 6), shortcut="pad")),
    "resnet_large": (Image(size=(40, 33)), Resnet(blocks=(1, 1), widths=(4, 6), stem="large", block="bottleneck")),
    "vgg": (Image(size=(33, 33), resize="pad"), Vgg(width=2, dense=6, window=2)),
    "convnext": (Image(size=(13, 10)), Convnext(blocks=(1, 1), widths=(4, 6), patch=2, window=3, scale=0.5)),
    "vit": (Image(size=(8, 12), patch=4), Vit(width=8, layers=2, heads=2, grid=(2, 3))),
    "vit_grey": (
        Image(size=(8, 12), patch=2, channels=1, resize="crop"),
        Vit(width=8, layers=1, heads=2, summary=False, positions="sinusoids"),
    ),
    "gan": (Image(size=(8, 12)), Strided(widths=(4,))),
    "vae": (Image(size=(8, 12), patch=2), Strided(channels=12, widths=(4,))),
    "diffusion": (Image(size=(8, 12)), Unet(width=4, factors=(1, 2), heads=2)),
}
CLASSIFIERS = [name for name in MODELS if name not in ("gan", "vae", "diffusion")]


def drawn(folder: Path) -> list[Picture]:
    from PIL import Image as Pillow

    random = np.random.default_rng(0)
    found: list[Picture] = []
    for number, (high, wide) in enumerate(((12, 8), (9, 12), (30, 50), (3, 40), (1, 1))):
        path = folder / f"{number}.png"
        Pillow.fromarray(random.integers(0, 256, (high, wide, 3), dtype=np.uint8)).save(path)
        found.append(Picture(str(path)))
    return found


@cache
def predictor(name: str, folder: Path) -> Predictor:
    """A model that prefers some classes, with golden rows."""
    image, backbone = MODELS[name]
    pictures = drawn(folder)
    pool = "summary" if backbone.summarises else "mean"
    task = Classify(pool=pool) if name in CLASSIFIERS else Generate(kind=name, latent=4, width=4, side=2, features=6)  # type: ignore[arg-type]
    task = task.fit([Record(str(n), one, label="abc"[n % 3]) for n, one in enumerate(pictures)])
    made = Predictor(assemble(image.fit(pictures), backbone, task, seed=3))
    chance = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for tensor in filter(torch.is_floating_point, (*made.model.head.parameters(), *made.model.buffers())):
            tensor.add_(torch.rand(tensor.shape, generator=chance))
    made.golden = told(made, pictures)
    return made


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pictures")


def holds(name: str, format: str, shared: Path, folder: Path) -> None:
    """It answers as the model does, all rows at once and one by one."""
    made = predictor(name, shared)
    find(format).write(made, folder)
    opened = open_model(folder)
    limit = QUANTISED if find(format).coarse else EXACT
    assert hop(format, made.golden, opened.predict, limit).passed
    alone = [next(opened.predict([row["input"]])) for row in made.golden]
    assert hop(format, made.golden, lambda _: alone, limit).passed


@pytest.mark.parametrize(
    ("name", "format"), [("resnet", "torch-export"), ("vit", "onnx"), ("vit", "huggingface"), ("gan", "onnx")]
)
def test_it_answers_as_the_model_does(name: str, format: str, shared: Path, tmp_path: Path) -> None:
    holds(name, format, shared, tmp_path / "there")


def test_the_client_answers_without_our_code(shared: Path, tmp_path: Path) -> None:
    answers_by_itself("resnet", shared, tmp_path / "there")


def answers_by_itself(name: str, shared: Path, folder: Path) -> None:
    made = predictor(name, shared)
    find("onnx").write(made, folder)
    image = made.model.modality
    ports = json.loads((folder / "io.json").read_text())["inputs"]
    assert {port["name"]: port["shape"] for port in ports} == {
        "mask": ["batch", *(image.grid or ())], "values": ["batch", *(image.grid or ()), image.spec.num_values],
    }  # fmt: skip
    paths = [row["input"].path for row in made.golden]
    done = subprocess.run([sys.executable, "-P", str(folder / "client.py"), *paths], capture_output=True, text=True,
                          cwd=shared, env={"PATH": "/usr/bin", "PYTHONUTF8": "1"}, check=False)  # fmt: skip
    assert not done.returncode, done.stderr
    for line, row in zip(done.stdout.splitlines(), made.golden, strict=True):
        assert json.loads(line)["scores"] == pytest.approx(row["scores"], abs=1e-5)
