"""What a family of encoders over pictures or sounds is, and how one that lies in a folder becomes a model of ours (over texts: `family.py`, `reading.py`).

A table of names goes from our modules to theirs. Where a family keeps numbers in another form, `loosen` brings its tensors into one in which a name is all
that differs.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch

from zhuji.core.contracts import Backbone, Modality, Task
from zhuji.core.errors import DamagedBundle
from zhuji.core.log import in_language
from zhuji.model.assembly import Model, assemble
from zhuji.model.huggingface import files
from zhuji.model.huggingface.family import Head, Tensors, translated
from zhuji.model.huggingface.options import Options
from zhuji.model.huggingface.tensors import fitting, refuse_rest
from zhuji.nn.heads import Pool

Names = dict[str, str]


class EncoderFamily(ABC):
    """One architecture; `types` as config.json names it."""

    types: ClassVar[tuple[str, ...]]
    prefix: ClassVar[str]
    """Before the encoder's names where there is a head."""
    heads: ClassVar[Mapping[str, Head]]
    """By the name of the architecture."""
    pool: ClassVar[Pool]
    """How its head makes one state of a row."""
    ignored: ClassVar[Sequence[str]] = ()
    """Patterns of tensors that no answer depends on."""

    @abstractmethod
    def read(self, options: Options) -> tuple[Backbone, dict[str, Any]]:
        """Our backbone, and what config.json says of the modality. Raises UnreadableModel for what has no counterpart."""

    @abstractmethod
    def names(self, backbone: Backbone) -> Names:
        """Our modules (and lone tensors) of stem and body -> theirs, without prefix."""

    def loosen(self, tensors: Tensors, backbone: Backbone, told: Mapping[str, Any]) -> Tensors:
        """Theirs, without prefix, in a form in which a name is all that differs. `told`: the modality's settings."""
        return tensors


@dataclass(frozen=True)
class Found:
    """A folder, what its config says, and whose it is."""

    folder: Path
    options: Options
    family: EncoderFamily
    architecture: str

    @property
    def head(self) -> Head:
        return self.family.heads[self.architecture]


def filled(found: Found, modality: Modality, backbone: Backbone, task: Task) -> Model:
    """A model of these parts with the folder's weights, in fp32 on the CPU, at rest; a tensor that has no counterpart, or another shape, is an error
    (UnreadableModel, DamagedBundle). No more blocks are built than there are tensors."""
    family = found.family
    headers = files.declared(found.folder)
    _refuse_deep(backbone, sum(map(len, headers.values())), found.options.path)
    with torch.device("meta"):
        shapes = {name: tensor.shape for name, tensor in assemble(modality, backbone, task).state_dict().items()}
    theirs = family.loosen(_theirs(found, headers), backbone, modality.plain())
    names = names_of(family, backbone, found.head)
    ours: Tensors = {}
    for name, shape in shapes.items():
        if (wanted := translated(name, names)) is not None:
            ours[name] = fitting(theirs.pop(wanted, None), shape, wanted, found.folder)
    refuse_rest(theirs, family.ignored, found.architecture, found.folder)
    model = assemble(modality, backbone, task)
    model.load_state_dict({**model.state_dict(), **ours})
    return model.eval()


def names_of(family: EncoderFamily, backbone: Backbone, head: Head) -> Names:
    """Our modules of stem, body and head -> theirs, without prefix."""
    return {**family.names(backbone), **{f"head.{ours}": theirs for ours, theirs in head.names.items()}}


def _theirs(found: Found, headers: Mapping[str, object]) -> Tensors:
    """Their tensors, without prefix; what no answer depends on is let go at once, as a decoder may be larger than its encoder."""
    theirs: Tensors = {}
    for file in headers:
        for name, tensor in files.tensors(found.folder, file):
            bare = name.removeprefix(found.family.prefix)
            if not any(re.fullmatch(pattern, bare) for pattern in found.family.ignored):
                theirs[bare] = tensor
    return theirs


def _refuse_deep(backbone: Backbone, tensors: int, path: Path) -> None:
    settings = backbone.plain()
    blocks = settings["layers"] if "layers" in settings else sum(settings["blocks"])
    if blocks > tensors:
        why = in_language(
            f"it asks for {blocks} blocks and holds {tensors} tensors", f"它要求 {blocks} 层，却只有 {tensors} 个张量"
        )
        raise DamagedBundle(file=path, why=why)
