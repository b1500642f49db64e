"""How training pictures are varied: all of it drawn from one generator, so that a training that goes on sees what it would have seen.

Shapes as in `nn.pictures.places`. Pictures come normalised, so that zero is the mean colour: what moves into a picture is that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Generator, Tensor

from zhuji.core.config import Settings
from zhuji.core.errors import BadSetting
from zhuji.core.log import in_language
from zhuji.nn.pictures import colours
from zhuji.nn.pictures.chosen import rand_augment
from zhuji.nn.pictures.places import (
    Marked,
    covered,
    inside_of,
    mapped,
    mirrored,
    rectangles,
    shifted,
    windows,
    without,
)

LABEL, OTHER, SHARE = "label", "label_other", "label_share"
"""Of a mixed picture: the class of the one, the class of the other, and the share of the first."""
BOXES, CLASSES = "boxes", "classes"

Share = Annotated[float, Field(ge=0, le=1)]
Strength = Annotated[float, Field(ge=0)]


class Variation(Settings):
    """What is done to training pictures, in this order; everything is off until it is asked for."""

    flip: Share = 0.0
    """Probability that left and right change places."""
    flip_down: Share = 0.0
    """Probability that top and bottom do."""
    shift: int = Field(default=0, ge=0, le=4096)
    """Moved by at most so many pixels each way: a random crop out of the picture with such a margin."""
    margin: Literal["zeros", "mirror"] = "zeros"
    """With shift: what lies beyond the edge, the mean colour or the picture's own reflection."""
    zoom: tuple[float, float] = (1.0, 1.0)
    """Share of the area that is shown at the picture's size: a random resized crop. Above 1 the picture becomes smaller."""
    stretch: float = Field(default=1.0, ge=1, le=10)
    """At most so much wider than high is what is shown, against the picture, or higher than wide; without zoom at the picture's own area."""
    brightness: Strength = 0.0
    """Brightness, contrast and saturation times 1 - so much to 1 + so much."""
    contrast: Strength = 0.0
    saturation: Strength = 0.0
    hue: float = Field(default=0.0, ge=0, le=0.5)
    """Colours turned by at most so much of the circle."""
    changes: int = Field(default=0, ge=0, le=8)
    """RandAugment: changes of each picture."""
    strength: Share = 0.5
    """RandAugment: how strong they are."""
    erase: Share = 0.0
    """Probability that a rectangle of 2 to 33 % of the picture is erased (Zhong et al. 2020)."""
    mixup: Strength = 0.0
    """Two pictures laid over each other with a share drawn from Beta(mixup, mixup) (Zhang et al. 2018); 0: none are."""
    cutmix: Strength = 0.0
    """A rectangle of another picture laid into it, of a share drawn in the same way (Yun et al. 2019). With both, each batch draws one."""

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if not 0 < self.zoom[0] <= self.zoom[1] <= 16:
            raise ValueError(in_language("zoom must be two rising shares above 0", "zoom 须为两个递增的正数"))
        return self

    @property
    def off(self) -> bool:
        return self == type(self)(strength=self.strength, margin=self.margin)

    def applied(
        self, values: Tensor, targets: Mapping[str, Tensor], mean: Tensor, deviation: Tensor, chance: Generator
    ) -> tuple[Tensor, Mapping[str, Tensor]]:
        """Normalised `values (B, H, W, C)` and the targets of their rows, varied; `mean` and `deviation (C,)`: how they were normalised, on a scale
        from 0 to 1. Raises BadSetting where pictures are to be mixed whose targets cannot be."""
        marked = Marked(values, targets.get(BOXES), targets.get(CLASSES))
        marked = self._moved(marked, chance)
        if self.brightness or self.contrast or self.saturation or self.hue or self.changes:
            shown = Marked((marked.values * deviation + mean).clamp(0, 1), marked.boxes, marked.classes)
            marked = self._recoloured(shown, chance)
            marked = Marked((marked.values - mean) / deviation, marked.boxes, marked.classes)
        if self.erase:
            marked = self._erased(marked, chance)
        mixed: Mapping[str, Tensor] = {}
        if (self.mixup or self.cutmix) and len(values) > 1:
            marked, mixed = self._mixed(marked, targets, chance)
        marks = {} if marked.boxes is None or marked.classes is None else {BOXES: marked.boxes, CLASSES: marked.classes}
        return marked.values, {**targets, **marks, **mixed}

    def _moved(self, marked: Marked, chance: Generator) -> Marked:
        rows = len(marked.values)
        if self.flip or self.flip_down:
            drawn = torch.rand(rows, 2, generator=chance)
            marked = mirrored(marked, drawn[:, 0] < self.flip, drawn[:, 1] < self.flip_down)
        if self.shift:
            drawn = torch.randint(-self.shift, self.shift + 1, (rows, 2), generator=chance)
            marked = shifted(marked, drawn[:, 0], drawn[:, 1], self.margin == "mirror")
        if self.zoom != (1.0, 1.0) or self.stretch > 1:
            scale = _between(*self.zoom, rows, chance)
            marked = mapped(marked, windows(scale, _ratio(self.stretch, rows, chance), torch.rand(rows, 2, generator=chance)))
        return marked

    def _recoloured(self, marked: Marked, chance: Generator) -> Marked:
        rows = len(marked.values)
        if self.brightness or self.contrast or self.saturation or self.hue:
            around = (
                _between(max(0.0, 1 - each), 1 + each, rows, chance)
                for each in (self.brightness, self.contrast, self.saturation)
            )
            names = zip(("brightness", "contrast", "saturation"), around, strict=True)
            hue = _between(-self.hue, self.hue, rows, chance) if self.hue else None
            marked = Marked(colours.jittered(marked.values, **dict(names), hue=hue), marked.boxes, marked.classes)
        return rand_augment(marked, self.changes, self.strength, chance) if self.changes else marked

    def _erased(self, marked: Marked, chance: Generator) -> Marked:
        rows, height, width, _ = marked.values.shape
        share = _between(0.02, 0.33, rows, chance) * (torch.rand(rows, generator=chance) < self.erase)
        by = rectangles(share, _ratio(3.3, rows, chance), torch.rand(rows, 2, generator=chance), height, width)
        values = marked.values.masked_fill(inside_of(by, height, width)[..., None], 0.0)
        if marked.boxes is None:
            return Marked(values)
        return without(marked, values, marked.boxes, 1 - covered(marked.boxes, by))

    # ------------------------------------------------------------------------------------------------------ mixing

    def _mixed(self, marked: Marked, targets: Mapping[str, Tensor], chance: Generator) -> tuple[Marked, Mapping[str, Tensor]]:
        if targets and LABEL not in targets and BOXES not in targets:
            rule = in_language("mixes pictures that have classes, boxes or nothing", "只能混合带有类别、方框或无标注的图片")
            name = "mixup" if self.mixup else "cutmix"
            raise BadSetting(key=f"modality.variation.{name}", rule=rule, value=getattr(self, name))
        rows = len(marked.values)
        cut = bool(self.cutmix) and (not self.mixup or bool(torch.rand((), generator=chance) < 0.5))
        # Each with the next one of a drawn order, so that none is mixed with itself and marked twice.
        order = torch.randperm(rows, generator=chance)
        other = torch.empty_like(order).scatter(0, order, order.roll(1))
        kept = _beta(self.cutmix if cut else self.mixup, rows, chance)
        found, kept = self._pasted(marked, other, kept, chance) if cut else (_laid_over(marked, other, kept), kept)
        labels = {OTHER: targets[LABEL][other], SHARE: kept} if LABEL in targets else {}
        return found, labels

    def _pasted(self, marked: Marked, other: Tensor, kept: Tensor, chance: Generator) -> tuple[Marked, Tensor]:
        rows, height, width, _ = marked.values.shape
        by = rectangles(1 - kept, torch.ones(rows), torch.rand(rows, 2, generator=chance), height, width)
        # In whole pixels the share is another one.
        kept = 1 - (by[:, 2] - by[:, 0]) * (by[:, 3] - by[:, 1])
        values = torch.where(inside_of(by, height, width)[..., None], marked.values[other], marked.values)
        if marked.boxes is None or marked.classes is None:
            return Marked(values), kept
        mine = without(marked, values, marked.boxes, 1 - covered(marked.boxes, by))
        pasted = Marked(values, marked.boxes[other], marked.classes[other])
        assert pasted.boxes is not None
        inside = torch.maximum(torch.minimum(pasted.boxes, by[:, None, 2:].repeat(1, 1, 2)), by[:, None, :2].repeat(1, 1, 2))
        return _both(values, mine, without(pasted, values, inside, covered(pasted.boxes, by))), kept


def _laid_over(marked: Marked, other: Tensor, kept: Tensor) -> Marked:
    """Boxes of both: what shines through faintly is dropped, by the same measure as what is covered."""
    share = kept[:, None, None, None]
    values = share * marked.values + (1 - share) * marked.values[other]
    if marked.boxes is None or marked.classes is None:
        return Marked(values)
    seen = kept[:, None].expand_as(marked.classes)
    mine = without(marked, values, marked.boxes, seen)
    theirs = Marked(values, marked.boxes[other], marked.classes[other])
    assert theirs.boxes is not None
    return _both(values, mine, without(theirs, values, theirs.boxes, (1 - seen)))


def _both(values: Tensor, one: Marked, other: Marked) -> Marked:
    assert one.boxes is not None and other.boxes is not None and one.classes is not None and other.classes is not None
    return Marked(values, torch.cat((one.boxes, other.boxes), 1), torch.cat((one.classes, other.classes), 1))


def _between(low: float, high: float, rows: int, chance: Generator) -> Tensor:
    return low + (high - low) * torch.rand(rows, generator=chance)


def _ratio(most: float, rows: int, chance: Generator) -> Tensor:
    """Between 1 / most and most, wider as often as higher."""
    return most ** (2 * torch.rand(rows, generator=chance) - 1)


def _beta(alpha: float, rows: int, chance: Generator) -> Tensor:
    # Torch draws it from its own stream alone.
    seed = int(torch.randint(1 << 62, (), generator=chance))
    return torch.from_numpy(np.random.default_rng(seed).beta(alpha, alpha, rows).astype(np.float32))
