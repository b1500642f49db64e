"""A picture painted like another one: content by what a network's stages show, style by how their channels speak together (Gatys, Ecker &
Bethge 2016), both of a network that was trained on pictures here.

Shapes: H rows, W columns, K values of a pixel.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from zhuji.core.config import Settings
from zhuji.core.contracts import Encoded
from zhuji.core.errors import BadSetting, ImpossiblePair, NoWeights
from zhuji.core.files import atomic_file
from zhuji.core.log import in_language, say
from zhuji.core.records import Picture
from zhuji.core.seed import derive
from zhuji.core.units import Units
from zhuji.data.pictures import quietly, size_of
from zhuji.modalities.image import Image
from zhuji.model.assembly import Model
from zhuji.model.predictor import Predictor, resting
from zhuji.nn.style import Taps, content_loss, gram, roughness, style_loss
from zhuji.tools._sheet import image_of

ENDINGS = {".png": "PNG", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
_SAID = 10
"""Lines of progress."""


class StyliseSettings(Settings):
    """How a picture is painted like another."""

    size: int = Field(default=256, ge=16, le=4096)
    """Pixels of the longer side of the result; the style picture is read at the same size, for its strokes to be as wide as they look."""
    steps: int = Field(default=200, gt=0, le=100_000)
    """Of the optimiser."""
    style_weight: float = Field(default=30.0, ge=0)
    """How much the style counts beside the content."""
    smooth: float = Field(default=1.0, ge=0)
    """How much rough pixels are held against the picture."""
    content_stage: int | None = Field(default=None, gt=0)
    """The stage of the network, from 1, whose plane shows the content; two fifths of the way up by default."""
    noise: float = Field(default=0.1, ge=0, le=1)
    """Share of noise in the picture that is begun with, the rest being the content."""
    seed: int = 0


@dataclass(frozen=True)
class Stylised:
    """The picture in `file`; `first` and `last`: content, style and roughness of the picture begun with and of the one found."""

    file: Path
    size: tuple[int, int]
    stages: int
    first: Mapping[str, float]
    last: Mapping[str, float]
    settings: Mapping[str, Any]
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        return {
            "file": str(self.file), "size": list(self.size), "stages": self.stages, "first": dict(self.first),
            "last": dict(self.last), "settings": dict(self.settings), "seconds": round(self.seconds, 3),
        }  # fmt: skip


def stylise(predictor: Predictor, content: Path, style: Path, out: Path, settings: StyliseSettings) -> Stylised:
    """Write `content`, painted like `style`, to `out`. The same seed gives the same picture on the same machine.

    Raises ImpossiblePair for a network that keeps no plane, BadSetting, NoWeights, and PictureError for a picture that cannot be read."""
    begun = time.monotonic()
    modality = _refuse(predictor, (content, style), out)
    shown, painted = (_read(modality, path, settings.size) for path in (content, style))
    if min(shown.shape[1:3]) < 2 or min(painted.shape[1:3]) < 2:
        rule = in_language("must be pictures of two rows and columns at least at this size", "在此尺寸下图片至少须有两行两列")
        raise BadSetting(key="size", rule=rule, value=settings.size)
    with resting(predictor.model):
        aim = _Aim(predictor.model, shown, painted, settings)
    values, first, last = _optimised(aim, modality, shown, settings)
    (array,) = modality.pictured(values)
    _write(array, out)
    size = (array.shape[1], array.shape[0])
    return Stylised(out, size, aim.stages, first, last, settings.plain(), time.monotonic() - begun)


def _refuse(predictor: Predictor, pictures: tuple[Path, Path], out: Path) -> Image:
    if predictor.runner is not None:
        raise NoWeights(what="zhuji stylise")
    model = predictor.model
    if not isinstance(model.modality, Image) or model.modality.patch > 1 or model.backbone.takes:
        raise _keeps_no_plane(model)
    if out.suffix.lower() not in ENDINGS:
        rule = in_language(f"must end in {', '.join(ENDINGS)}", f"须以 {'、'.join(ENDINGS)} 结尾")
        raise BadSetting(key="--out", rule=rule, value=out.name)
    if out.exists() and any(path.exists() and out.samefile(path) for path in pictures):
        raise BadSetting(
            key="--out", rule=in_language("must be another file than the pictures", "不得与所给图片相同"), value=out
        )
    return model.modality


def _keeps_no_plane(model: Model) -> ImpossiblePair:
    return ImpossiblePair(
        first=in_language("painting like another picture", "风格迁移"),
        second=model.backbone.called(),
        rule=in_language("the stages of the network must keep pixels on a plane", "网络各阶段必须保持像素平面"),
        advice=in_language(
            "take a classifier of pictures with a convolutional backbone, such as zhuji train PICTURES --model vgg-11",
            "请使用卷积骨干网络的图片分类器，例如 zhuji train PICTURES --model vgg-11",
        ),
    )


# ------------------------------------------------------------------------------------------------------------ pictures


def _read(modality: Image, path: Path, longest: int) -> Tensor:
    """`(1, H, W, K)` normalised, the longer side `longest`."""
    picture = Picture(str(path))
    with quietly():
        wide, high = size_of(picture)
    share = longest / max(wide, high)
    size = max(1, round(high * share)), max(1, round(wide * share))
    fitting = modality.model_copy(update={"size": size, "resize": "fit"})
    values = fitting.collate(fitting.encode([picture]), size).values
    assert values is not None
    return values


def _bounds(modality: Image) -> tuple[Tensor, Tensor]:
    """Black and white `(K,)`, normalised."""
    ends = [Encoded(values=np.full((1, 1, modality.channels), end, np.uint8)) for end in (0, 255)]
    values = modality.collate(ends, (1, 1)).values
    assert values is not None
    return values[0, 0, 0], values[1, 0, 0]


def _write(array: np.ndarray, out: Path) -> None:
    file = io.BytesIO()
    image_of(array).save(file, ENDINGS[out.suffix.lower()], quality=95)
    with atomic_file(out) as whole:
        whole.write(file.getvalue())


# ---------------------------------------------------------------------------------------------------------------- aims


class _Aim:
    """What is sought: the content picture's plane at one stage, the style picture's Gram matrices at all."""

    def __init__(self, model: Model, content: Tensor, style: Tensor, settings: StyliseSettings) -> None:
        self.model, self.settings = model, settings
        self.device = next(model.parameters()).device
        shown, painted = (self._planes(values.to(self.device)) for values in (content, style))
        self.stages = len(shown)
        if not shown:
            raise _keeps_no_plane(model)
        stage = settings.content_stage or max(1, round(self.stages * 0.4))
        if stage > self.stages:
            rule = in_language(
                f"must be at most {self.stages}: so many stages keep a plane", f"最大为 {self.stages}：共有这么多阶段保持平面"
            )
            raise BadSetting(key="content_stage", rule=rule, value=stage)
        self.number, self.content = stage - 1, shown[stage - 1].clone()
        self.style = [gram(plane) for plane in painted]

    def parts(self, values: Tensor) -> dict[str, Tensor]:
        """Content, style and roughness of `values (1, H, W, K)`."""
        planes = self._planes(values)
        return {
            "content": content_loss(planes[self.number], self.content),
            "style": style_loss(planes, self.style),
            "roughness": roughness(values),
        }

    def weighed(self, parts: Mapping[str, Tensor]) -> Tensor:
        return parts["content"] + self.settings.style_weight * parts["style"] + self.settings.smooth * parts["roughness"]

    def pull(self, values: Tensor) -> Tensor:
        """The loss, with the pixels' gradient in place; the network's own is not computed."""
        loss = self.weighed(self.parts(values))
        (values.grad,) = torch.autograd.grad(loss, values)
        return loss.detach()

    def _planes(self, values: Tensor) -> list[Tensor]:
        mask = torch.ones(values.shape[:3], dtype=torch.bool, device=values.device)
        with Taps(self.model.backbone.stages(self.model.encoder.body)) as taps:
            self.model.encoder(Units(mask, values=values))
        return taps.planes


def _optimised(
    aim: _Aim, modality: Image, content: Tensor, settings: StyliseSettings
) -> tuple[Tensor, dict[str, float], dict[str, float]]:
    """The pixels found, by L-BFGS as in the paper, and the parts of the loss before and after."""
    low, high = _bounds(modality)
    generator = torch.Generator().manual_seed(derive(settings.seed, "stylise"))
    noise = low + (high - low) * torch.rand(content.shape, generator=generator)
    values = content.lerp(noise, settings.noise).to(aim.device).requires_grad_()
    optimiser = torch.optim.LBFGS(
        [values], history_size=20, tolerance_grad=0, tolerance_change=0, line_search_fn="strong_wolfe"
    )
    training = aim.model.training
    aim.model.eval()
    first = {name: float(part.detach()) for name, part in aim.parts(values).items()}
    for done, steps in _portions(settings.steps):
        optimiser.param_groups[0].update(max_iter=steps, max_eval=2 * steps)
        optimiser.step(lambda: aim.pull(values))
        with torch.no_grad():
            loss = float(aim.weighed(aim.parts(values)))
        say(in_language(f"step {done}/{settings.steps} · loss {loss:.4g}", f"第 {done}/{settings.steps} 步 · 损失 {loss:.4g}"))
    with torch.no_grad():
        values.clamp_(low.to(aim.device), high.to(aim.device))
        last = {name: float(part) for name, part in aim.parts(values).items()}
    aim.model.train(training)
    return values.detach(), first, last


def _portions(steps: int) -> Iterator[tuple[int, int]]:
    """The steps in portions after which there is something to say: those done after each, and how many it has."""
    ends = [steps * number // _SAID for number in range(_SAID + 1)]
    return ((end, end - begin) for begin, end in pairwise(ends) if end > begin)
