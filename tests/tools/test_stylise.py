from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from zhuji.backbones.resnet import Resnet
from zhuji.backbones.vgg import Vgg
from zhuji.backbones.vit import Vit
from zhuji.core.contracts import Backbone
from zhuji.core.errors import BadSetting, ImpossiblePair
from zhuji.core.unreadable import BadPicture
from zhuji.modalities.image import Image
from zhuji.model.assembly import assemble
from zhuji.model.predictor import Predictor
from zhuji.tasks.classify import Classify
from zhuji.tools.stylise import Stylised, StyliseSettings, stylise


def eyes(backbone: Backbone | None = None, channels: int = 3, patch: int = 1) -> Predictor:
    """A network that learned nothing: random filters see edges and colours, too."""
    modality = Image(size=(32, 32), channels=channels, patch=patch).normalising((0.5,) * channels, (0.25,) * channels)  # type: ignore[arg-type]
    task = Classify(labels=("a", "b"), counts=(1, 1), rows=2)
    return Predictor(assemble(modality, backbone or Vgg(width=4, channels=channels), task))


@pytest.fixture
def pictures(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A dark disc on white, 40 x 24, and blue and yellow stripes, 30 x 30."""
    down, across = np.mgrid[:24, :40]
    disc = np.where(((down - 12) ** 2 + (across - 20) ** 2 < 64)[..., None], (40, 40, 40), (235, 235, 235))
    stripes = np.where((np.mgrid[:30, :30].sum(0) % 6 < 3)[..., None], (30, 60, 200), (240, 210, 40))
    paths = tmp_path / "disc.png", tmp_path / "stripes.png"
    for path, array in zip(paths, (disc, stripes), strict=True):
        Pillow.fromarray(array.astype(np.uint8)).save(path)
    yield paths


def painted(pictures: tuple[Path, Path], out: Path, predictor: Predictor | None = None, **settings: object) -> Stylised:
    given = {"size": 40, "steps": 20, **settings}
    return stylise(predictor or eyes(), *pictures, out, StyliseSettings.parse(given))


def pixels(path: Path) -> np.ndarray:
    with Pillow.open(path) as image:
        return np.asarray(image).astype(float)


def test_a_picture_takes_the_style_and_keeps_its_content(pictures: tuple[Path, Path], tmp_path: Path) -> None:
    made = painted(pictures, tmp_path / "out.png", steps=60)
    assert made.size == (40, 24) and made.stages == 5
    assert made.last["style"] < 0.2 * made.first["style"]
    found, shown = pixels(made.file), pixels(pictures[0])
    # White became coloured, as the stripes are; the disc is still the darkest part.
    colour = found.max(-1) - found.min(-1)
    assert colour.mean() > 40 and (shown.max(-1) - shown.min(-1)).mean() == 0
    disc = shown[..., 0] < 100
    assert found[disc].mean() < found[~disc].mean() - 25


def test_without_style_it_is_the_content_picture(pictures: tuple[Path, Path], tmp_path: Path) -> None:
    made = painted(pictures, tmp_path / "out.png", style_weight=0.0, smooth=0.0, content_stage=1)
    assert made.last["content"] < 0.01 * made.first["content"]
    assert np.abs(pixels(made.file) - pixels(pictures[0])).mean() < 8


def test_the_same_seed_gives_the_same_picture(pictures: tuple[Path, Path], tmp_path: Path) -> None:
    files = [painted(pictures, tmp_path / f"{name}.png", seed=seed).file for name, seed in (("a", 1), ("b", 1), ("c", 2))]
    first, second, third = (file.read_bytes() for file in files)
    assert first == second != third


def test_it_is_the_best_of_its_loss_and_leaves_the_model_as_it_was(pictures: tuple[Path, Path], tmp_path: Path) -> None:
    predictor = eyes()
    before = [tensor.clone() for tensor in predictor.model.state_dict().values()]
    predictor.model.train()
    losses = [painted(pictures, tmp_path / f"{steps}.png", predictor, steps=steps).last for steps in (2, 10, 40)]
    totals = [each["content"] + 30 * each["style"] + each["roughness"] for each in losses]
    assert totals == sorted(totals, reverse=True)
    assert predictor.model.training and all(parameter.grad is None for parameter in predictor.model.parameters())
    assert all(map(torch.equal, before, predictor.model.state_dict().values()))


@pytest.mark.parametrize("ending", ["jpg", "webp"])
def test_sizes_endings_and_other_backbones(ending: str, pictures: tuple[Path, Path], tmp_path: Path) -> None:
    backbone = Resnet(blocks=(1, 1), widths=(4, 6))
    made = painted(pictures, tmp_path / f"out.{ending}", eyes(backbone), size=27, steps=3)
    assert made.size == (27, 16) and made.stages == 3
    assert pixels(made.file).shape == (16, 27, 3)


def test_in_grey(pictures: tuple[Path, Path], tmp_path: Path) -> None:
    made = painted(pictures, tmp_path / "out.png", eyes(channels=1), steps=3)
    assert pixels(made.file).shape == (24, 40)


def test_progress_is_told(pictures: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    painted(pictures, tmp_path / "out.png", steps=7)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("step 1/7 · loss") and lines[-1].startswith("step 7/7") and len(lines) == 7


def test_what_is_refused(pictures: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "out.png"
    for predictor in (eyes(Vit(width=8, layers=1, heads=2, grid=(32, 32))), eyes(patch=4, backbone=Vit.example())):
        with pytest.raises(ImpossiblePair, match="vit"):
            painted(pictures, out, predictor)
    with pytest.raises(BadSetting, match="at most 5"):
        painted(pictures, out, content_stage=6)
    with pytest.raises(BadSetting, match="another file"):
        painted(pictures, pictures[1])
    with pytest.raises(BadSetting, match=r"\.png"):
        painted(pictures, tmp_path / "out.tiff")
    with pytest.raises(BadPicture):
        painted((pictures[0], tmp_path / "none.png"), out)
    Pillow.new("RGB", (300, 1)).save(tmp_path / "line.png")
    with pytest.raises(BadSetting, match="two rows"):
        painted((tmp_path / "line.png", pictures[1]), out)
    assert not out.exists()
