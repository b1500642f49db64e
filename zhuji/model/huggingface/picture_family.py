"""What a family of models over pictures is beside an encoder that can be read: how ours is written as one of theirs."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from zhuji.core.contracts import Backbone
from zhuji.model.huggingface.encoders import EncoderFamily
from zhuji.model.huggingface.family import Tensors


class PictureFamily(EncoderFamily):
    """`body`: its backbone here. What config.json says of the image modality (`told`): size, patch, channels."""

    body: ClassVar[type[Backbone]]

    @abstractmethod
    def described(self, backbone: Backbone, image: Mapping[str, Any]) -> dict[str, Any]:
        """Their config.json for our settings, without what belongs to the head. Raises UnwritableModel."""

    def fasten(self, tensors: Tensors, backbone: Backbone, image: Mapping[str, Any]) -> Tensors:
        """And back."""
        return tensors


def laid(tensor: Tensor, *shape: int) -> Tensor:
    """The tensor in another shape; one of another size stays as it is, and is refused where it must fit."""
    size = 1
    for side in shape:
        size *= side
    return tensor.reshape(shape) if tensor.numel() == size else tensor
