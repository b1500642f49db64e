"""A model's network by itself: tensors in, tensors out, for any number of rows of any length. Shapes: B rows, *grid."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from zhuji.core.contracts import Task
from zhuji.core.errors import CannotExport
from zhuji.core.log import in_language
from zhuji.core.units import Units
from zhuji.model.assembly import Model
from zhuji.model.predictor import Predictor, evaluating

WITHOUT_LOOPS = ("safetensors", "huggingface")
"""Formats that hold every model, or those of families that others know."""
_EXAMPLES = 3
_AXES = {1: ("length",), 2: ("height", "width")}


def refuse_loops(task: Task, format: str) -> None:
    """Raises CannotExport for a task that writes unit by unit, which no graph can."""
    if task.loops:
        why = in_language(f"{task.called()} writes unit by unit", f"{task.called()}逐个单元地写出")
        raise CannotExport(format=format, why=why, choices=", ".join(WITHOUT_LOOPS))


@dataclass(frozen=True)
class Network:
    """`fields`: which of what `Units` holds goes in; `names`: how what comes out is called; `example`: inputs of a few rows."""

    module: nn.Module
    fields: tuple[str, ...]
    names: tuple[str, ...]
    example: tuple[Tensor, ...]
    format: str
    grid: tuple[int, ...] | None = None
    """The one grid that it is for; None: any."""
    ALONE: ClassVar[str] = "output"
    """Name of a tensor that comes out by itself."""

    @classmethod
    def of(cls, predictor: Predictor, format: str) -> Network:
        """The network of a model. Raises CannotExport where the task loops."""
        model = predictor.model
        refuse_loops(model.task, format)
        model = copy.deepcopy(model).cpu().eval()
        units = _example(predictor)
        given = tuple(f.name for f in fields(Units) if getattr(units, f.name) is not None)
        with evaluating(model):
            found = model.answers(units)
        names = (cls.ALONE,) if isinstance(found, Tensor) else tuple(found)
        example = tuple(getattr(units, name) for name in given)
        return cls(_Module(model, given), given, names, example, format, model.modality.grid)

    def inputs(self) -> Iterator[dict[str, Any]]:
        """Name, number type and shape of each input."""
        for name, tensor in zip(self.fields, self.example, strict=True):
            yield _port(name, tensor, ("batch", *self.axes))

    def outputs(self) -> Iterator[dict[str, Any]]:
        """The same of each output; an axis whose size the data decides has a name of its own."""
        nodes = self.program.graph_module.graph.output_node().args[0]
        assert isinstance(nodes, tuple | list)
        known = {str(size): axis for axis, size in zip(("batch", *self.axes), self._given().shape, strict=False)}
        for name, node in zip(self.names, nodes, strict=True):
            found = node.meta["val"]  # pyright: ignore
            axes = [
                size if isinstance(size, int) else known.get(str(size), f"{name}_{axis}")
                for axis, size in enumerate(found.shape)
            ]
            yield _port(name, found, axes)

    def _given(self) -> Tensor:
        """The first input as the program knows it, with symbols for what may be of any size."""
        inputs = {*self.program.graph_signature.user_inputs}
        return next(node.meta["val"] for node in self.program.graph.nodes if node.name in inputs)

    @property
    def axes(self) -> tuple[int | str, ...]:
        """Names of the grid's axes, or their sizes."""
        return _AXES[self.example[0].ndim - 1] if self.grid is None else self.grid

    @cached_property
    def program(self) -> ExportedProgram:
        """The network as torch.export sees it, for 1 and more rows of 1 and more units, or of the one grid. Raises CannotExport."""
        sides = {axis: Dim(name, min=1) for axis, name in enumerate(self.axes, 1) if isinstance(name, str)}
        dims = {0: Dim("batch", min=1), **sides}
        try:
            with torch.no_grad(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return torch.export.export(self.module, self.example, dynamic_shapes=(tuple(dict(dims) for _ in self.example),))
        except Exception as error:
            raise self.refusal(error) from error

    def refusal(self, error: Exception) -> CannotExport:
        """Whatever a library says when it cannot hold the network."""
        told = " ".join(str(error).split())[:200] or type(error).__name__
        why = in_language(f"its network cannot be written: {told}", f"无法写出其网络：「{told}」")
        return CannotExport(format=self.format, why=why, choices=", ".join(WITHOUT_LOOPS))


class _Module(nn.Module):
    def __init__(self, model: Model, names: Sequence[str]) -> None:
        super().__init__()
        self.model, self.names = model, tuple(names)

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        found: Tensor | Mapping[str, Tensor] = self.model.answers(Units(**dict(zip(self.names, given, strict=True))))
        return (found,) if isinstance(found, Tensor) else tuple(found.values())


def _example(predictor: Predictor) -> Units:
    """A few golden rows, or those that the modality tells of itself; at least two, as an exporter takes a single one for all there is."""
    modality, raw = predictor.model.modality, [row["input"] for row in predictor.golden][:_EXAMPLES]
    inputs = [predictor.cleaned(one) for one in raw] or type(modality).example()[1][:_EXAMPLES]
    encoded = modality.encode((inputs * 2)[: max(2, len(inputs))])
    if modality.grid is not None:
        return modality.collate(encoded, modality.grid)
    grid = np.array([row.grid for row in encoded]).max(0) + 1
    return modality.collate(encoded, tuple(int(side) for side in np.maximum(grid, 4)))


def _port(name: str, tensor: Tensor, axes: Sequence[int | str]) -> dict[str, Any]:
    shape = (*axes, *tensor.shape[len(axes) :])
    return {"name": name, "dtype": str(tensor.dtype).removeprefix("torch."), "shape": shape}
