"""What a family of encoders over speech is beside an encoder that can be read: how it hears sounds."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from zhuji.core.contracts import Backbone
from zhuji.core.errors import UnreadableModel
from zhuji.model.huggingface.encoders import EncoderFamily
from zhuji.model.huggingface.family import Head
from zhuji.model.huggingface.options import Options

ENCODER = Head("embed")
"""All that is read of whatever stands on it."""


class SoundFamily(EncoderFamily):
    """`bare`: its architectures that are no more than is read; `extractor`: what hears for it there."""

    bare: ClassVar[tuple[str, ...]]
    extractor: ClassVar[str]

    @abstractmethod
    def heard(self, options: Options, backbone: Backbone) -> dict[str, Any]:
        """Our speech modality for the settings of a feature extractor. Raises UnreadableModel for what has no counterpart."""


def body_of(options: Options, kind: type[Backbone], settings: Mapping[str, Any]) -> Backbone:
    """The backbone of these settings. Raises UnreadableModel."""
    try:
        return kind.model_validate(settings)
    except ValueError as error:
        raise UnreadableModel(file=options.path, why=" ".join(str(error).split())[:200]) from None
