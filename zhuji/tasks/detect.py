"""Detection: which objects stand in a picture, and where.

Shapes: B rows, N places, M objects of a row (filled up with -1), K classes, D answers of a row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Literal, Self

import numpy as np
import torch
from pydantic import Field, model_validator
from torch import Tensor, nn

from zhuji.core.answers import About, Prediction
from zhuji.core.contracts import Columns, Encoder, Example, Metric, Needs, Task
from zhuji.core.errors import ImpossiblePair, UnknownName
from zhuji.core.log import in_language
from zhuji.core.records import Box, Record
from zhuji.core.units import Batch, Ratio, Units, UnitSpec
from zhuji.metrics import detection
from zhuji.nn import boxes
from zhuji.nn.assignment import Assigned, Objects, aligned, overlapping
from zhuji.nn.detectors import CellHead, Found, ScalesHead
from zhuji.nn.losses import sigmoid_focal

_CANDIDATES = 4
"""Times as many answers as may be given are looked at before overlapping ones are sorted out."""


class Detect(Task):
    """One pass over the picture, and an answer at every place of the grid that the backbone gives.

    cell: without default boxes, in the line of FCOS and YOLO (Tian et al. 2019; assignment by Feng et al. 2021); the class scores learn how good
    the boxes are (Li et al. 2020), so that the best box of an object is the one that is kept. scales: default boxes on several grids (Liu
    et al. 2016), whose classes learn by focal loss (Lin et al. 2017) instead of a choice of hard negatives. Both learn boxes by GIoU.
    """

    needs: ClassVar[Needs] = "boxes"
    explains: ClassVar[bool] = True

    kind: Literal["cell", "scales"] = "cell"
    width: int = Field(default=64, gt=0, le=4096)
    """Channels of the head."""
    depth: int = Field(default=2, gt=0, le=16)
    """cell: convolutions before classes and boxes."""
    side: float = Field(default=0.15, gt=0, le=1)
    """cell: usual side of an object, as a share of the picture's: where guesses begin."""
    scales: int = Field(default=3, gt=0, le=8)
    """scales: grids."""
    sides: tuple[float, float] = (0.1, 0.5)
    """scales: sides of the default boxes of the finest and coarsest grid, as shares of the picture's."""
    places: int = Field(default=10, gt=0, le=1000)
    """cell: most places that learn one object."""
    alpha: float = Field(default=0.5, ge=0)
    """cell: how much the score of a place counts when these are chosen."""
    beta: float = Field(default=6.0, ge=0)
    """cell: how much its overlap counts."""
    match: float = Field(default=0.5, gt=0, lt=1)
    """scales: IoU from which a default box learns an object."""
    focal_gamma: float = Field(default=2.0, ge=0, le=10)
    box_weight: float = Field(default=2.0, gt=0)
    """Of the boxes' loss beside that of the classes."""
    overlap: float = Field(default=0.6, gt=0, le=1)
    """IoU from which the surer of two answers of one class puts out the other."""
    most: int = Field(default=100, gt=0, le=1000)
    """Answers a picture; 100 is what COCO counts."""
    least: float = Field(default=0.01, gt=0, lt=1)
    """Score from which an answer counts in average precision."""
    threshold: float = Field(default=0.4, gt=0, lt=1)
    """Score from which it is given to a person."""
    labels: tuple[str, ...] = ()
    """Learned: class names, sorted."""
    counts: tuple[int, ...] = ()
    """Learned: training objects by class."""

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if len(self.labels) != len(self.counts) or len(set(self.labels)) != len(self.labels):
            raise ValueError(in_language("labels must differ, and have a count each", "labels 不得重复，且各有一个 counts"))
        if not 0 < self.sides[0] <= self.sides[1] <= 1:
            raise ValueError(in_language("sides must be two rising shares of 1", "sides 须为两个递增的、不超过 1 的比例"))
        if self.threshold < self.least:
            raise ValueError(in_language("threshold must not be below least", "threshold 不得低于 least"))
        return self

    @property
    def classes(self) -> tuple[str, ...]:
        return self.labels

    def fit(self, records: Sequence[Record]) -> Self:
        """Raises MissingExtra without pycocotools: better now than after an epoch."""
        detection.require()
        found = Counter(box.label for record in records for box in _boxes_of(record))
        labels = tuple(sorted(found))
        return type(self).parse({**self.plain(), "labels": labels, "counts": tuple(found[name] for name in labels)})

    def targets(self, record: Record) -> Mapping[str, Tensor]:
        """`boxes (M, 4)` float32 and `classes (M,)` int64, of the classes that training met. What it never met teaches nothing and is not asked
        for: nobody can tell it from what stands around it."""
        known = [box for box in _boxes_of(record) if box.label in self._index]
        corners = [[box.left, box.top, box.right, box.bottom] for box in known]
        kinds = [self._index[box.label] for box in known]
        return {
            "boxes": torch.tensor(corners, dtype=torch.float32).reshape(-1, 4),
            "classes": torch.tensor(kinds, dtype=torch.int64),
        }

    def head(self, spec: UnitSpec, dim: int) -> nn.Module:
        """Raises ImpossiblePair where units do not lie on a plane."""
        if spec.grid_ndim != 2:
            raise ImpossiblePair(
                first=in_language("the modality", "模态"),
                second=self.called(),
                rule=in_language("the other looks for boxes on a plane", "后者在平面上寻找方框"),
                advice=in_language("choose --set modality.name=image", "请选用 --set modality.name=image"),
            )
        if self.kind == "cell":
            return CellHead(dim, len(self.labels), width=self.width, depth=self.depth, side=self.side)
        return ScalesHead(dim, len(self.labels), width=self.width, scales=self.scales, sides=self.sides)

    def outputs(self, encoder: Encoder, head: nn.Module, batch: Batch) -> Found:
        return head(encoder(batch.units))

    def answers(self, encoder: Encoder, head: nn.Module, units: Units) -> Found:
        return self.outputs(encoder, head, Batch(units))

    # -------------------------------------------------------------------------------------------------- learning

    def loss(self, outputs: Found, batch: Batch) -> Ratio:
        """Sum over all places, and the number of objects and pictures: one without objects counts, too, and a batch never adds up to none."""
        objects = Objects(batch.targets["boxes"].float(), batch.targets["classes"])
        mask, guessed = outputs["real"], outputs["boxes"]
        assigned = self._assigned(outputs, objects)
        mine = (assigned.object >= 0) & mask
        rows = torch.arange(len(mine), device=mine.device)[:, None].expand_as(mine)[mine]
        number, quality = assigned.object[mine], assigned.quality[mine]
        wanted = torch.zeros_like(outputs["logits"], dtype=torch.float32)
        wanted[mine] = wanted[mine].scatter(1, objects.classes[rows, number][:, None], quality[:, None])
        named = (sigmoid_focal(outputs["logits"], wanted, gamma=self.focal_gamma).sum(-1) * mask).sum()
        placed = (boxes.giou_loss(guessed[mine], objects.boxes[rows, number]) * quality).sum()
        return Ratio(named + self.box_weight * placed, (objects.classes >= 0).sum() + len(mask))

    def _assigned(self, outputs: Found, objects: Objects) -> Assigned:
        if self.kind == "scales":
            return overlapping(outputs["places"], outputs["real"], objects, least=self.match)
        return aligned(
            outputs["logits"].detach().float().sigmoid(), outputs["boxes"].detach(), outputs["places"], outputs["real"], objects,
            most=self.places, alpha=self.alpha, beta=self.beta,
        )  # fmt: skip

    # ------------------------------------------------------------------------------------------------- answering

    def _answered(self, outputs: Found) -> list[detection.Row]:
        """Of each row the boxes, classes and scores of at most `most` answers, from the surest down."""
        logits, where = outputs["logits"].detach().float(), outputs["boxes"].detach().float().clamp(0, 1)
        rows, kinds = len(logits), logits.shape[2]
        # What lies wholly outside of the picture is cut to nothing.
        there = outputs["real"] & (boxes.areas(where) > 0)
        scores = (logits.sigmoid() * there[..., None]).flatten(1)
        scores, chosen = scores.sort(dim=1, descending=True, stable=True)
        scores, chosen = (part[:, : _CANDIDATES * self.most] for part in (scores, chosen))
        scores = scores.where(scores >= self.least, 0.0)
        classes = chosen % max(kinds, 1)
        candidates = where.gather(1, (chosen // max(kinds, 1))[..., None].expand(-1, -1, 4))
        stays = boxes.kept(candidates, scores, classes, self.overlap)
        columns = (candidates.double().cpu().numpy(), classes.cpu().numpy(), scores.double().cpu().numpy())
        return [
            (columns[0][row][first], columns[1][row][first], columns[2][row][first])
            for row in range(rows)
            for first in [np.flatnonzero(stays[row].cpu().numpy())[: self.most]]
        ]

    def evidence(self, outputs: Found, batch: Batch) -> Columns:
        """What of each row's answers took which of its objects: see `metrics.detection`. Raises NotFinite where a score is none."""
        truth, kinds = batch.targets["boxes"].double().cpu().numpy(), batch.targets["classes"].cpu().numpy()
        objects = [(box[kind >= 0], kind[kind >= 0], np.zeros(0)) for box, kind in zip(truth, kinds, strict=True)]
        found = detection.matched(self._answered(outputs), objects, width=self.most, classes=len(self.labels))
        return {**found, "given": found["scores"] >= self.threshold}

    def metrics(self) -> Mapping[str, Metric]:
        return {
            "map50": detection.map50, "map50_95": detection.map50_95, "map75": detection.map75,
            "f1": detection.f1, "precision": detection.precision, "recall": detection.recall,
        }  # fmt: skip

    def decode(self, outputs: Found) -> list[Prediction]:
        """A tuple of {label, score, box}, from the surest down; empty where nothing was found. `scores`: of each class, how sure it is of the surest
        one, given or not."""
        return [self._told(*row) for row in self._answered(outputs)]

    def _told(self, corners: np.ndarray, kinds: np.ndarray, scores: np.ndarray) -> Prediction:
        given = tuple(
            {"label": self.labels[kind], "score": score, "box": box}
            for box, kind, score in zip(corners.tolist(), kinds.tolist(), scores.tolist(), strict=True)
            if score >= self.threshold
        )
        surest = {name: float(scores[kinds == kind].max(initial=0.0)) for kind, name in enumerate(self.labels)}
        return Prediction(given, None, surest)

    def abouts(self, answer: Prediction, asked: str | None = None, words: Sequence[str] = ()) -> list[About]:
        """The surest object, or the surest of a class, or the one with a number, counted from 1; none where nothing was found. Raises UnknownName."""
        found: Sequence[Mapping[str, Any]] = answer.answer
        numbers = [str(number) for number in range(1, len(found) + 1)]
        if asked is not None and asked not in (*self.labels, *numbers):
            kind = in_language("class, or number of an answer", "类别或回答编号")
            raise UnknownName(kind=kind, name=asked, choices=", ".join((*self.labels, *numbers)))
        fits = [place for place, one in enumerate(found) if asked is None or one["label"] == asked]
        chosen = fits[:1] if asked is None or asked in self.labels else [int(asked) - 1]
        return [About(found[place]["label"], place, place, tuple(found[place]["box"])) for place in chosen]

    def spoken_for(self, outputs: Found, about: About) -> Tensor:
        """In [0, 1]: of all places the highest product of the score of the class and the overlap (IoU) with the object's box, in fractions of the grid
        (Petsiuk et al. 2021, D-RISE, equation 3): how much the model still says that this object stands there."""
        assert about.box is not None, "what speaks for an object is asked with its box"
        kind, target = self._index[about.name], outputs["boxes"].new_tensor(about.box)
        scores = outputs["logits"][..., kind].float().sigmoid() * outputs["real"]
        return (scores * boxes.iou(outputs["boxes"].float(), target.float())).amax(1)

    def reading(self) -> Mapping[str, Any]:
        """Logits and boxes of all places; what stays of them is sorted out by score and overlap."""
        return {
            "kind": "boxes", "labels": list(self.labels), "threshold": self.threshold, "overlap": self.overlap, "most": self.most,
        }  # fmt: skip

    @cached_property
    def _index(self) -> dict[str, int]:
        return {name: i for i, name in enumerate(self.labels)}

    @classmethod
    def example(cls) -> Example:
        """Boxes that lie in a picture of one pixel, too."""
        records = [
            Record(f"row-{i}", "", label=tuple(Box("abc"[(i + n) % 3], 0.1 * n, 0.2, 0.1 * n + 0.5, 0.9) for n in range(i % 4)))
            for i in range(8)
        ]
        return Example(cls(width=6, depth=1, side=0.5, least=1e-3).fit(records), records)


def _boxes_of(record: Record) -> tuple[Box, ...]:
    label = record.label if isinstance(record.label, tuple) else ()
    return tuple(part for part in label if isinstance(part, Box))
