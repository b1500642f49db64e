"""What a family of models over pictures is: which settings of ours it is, and what it calls its tensors (see `family.py`)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from torch import Tensor

from zhuji.core.contracts import Backbone
from zhuji.model.huggingface.family import Head, Tensors
from zhuji.model.huggingface.options import Options
from zhuji.nn.heads import Pool

Names = dict[str, str]


class PictureFamily(ABC):
    """One architecture over pictures; `types` as config.json names it, `body` its backbone here."""

    types: ClassVar[tuple[str, ...]]
    body: ClassVar[type[Backbone]]
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
        """Our backbone, and what config.json says of the image modality: size, patch, channels. Raises UnreadableModel for what has no
        counterpart."""

    @abstractmethod
    def described(self, backbone: Backbone, image: Mapping[str, Any]) -> dict[str, Any]:
        """Their config.json for our settings, without what belongs to the head. Raises UnwritableModel."""

    @abstractmethod
    def names(self, backbone: Backbone) -> Names:
        """Our modules (and lone tensors) of stem and body -> theirs, without prefix."""

    def loosen(self, tensors: Tensors, backbone: Backbone, image: Mapping[str, Any]) -> Tensors:
        """Theirs, without prefix, in a form in which a name is all that differs."""
        return tensors

    def fasten(self, tensors: Tensors, backbone: Backbone, image: Mapping[str, Any]) -> Tensors:
        """And back."""
        return tensors


def laid(tensor: Tensor, *shape: int) -> Tensor:
    """The tensor in another shape; one of another size stays as it is, and is refused where it must fit."""
    size = 1
    for side in shape:
        size *= side
    return tensor.reshape(shape) if tensor.numel() == size else tensor
