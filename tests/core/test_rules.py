from contextlib import nullcontext

import pytest

from zhuji.backbones.conformer import Conformer
from zhuji.backbones.convnext import Convnext
from zhuji.backbones.resnet import Resnet
from zhuji.backbones.transformer import Transformer
from zhuji.backbones.vit import Vit
from zhuji.core.config import Part
from zhuji.core.errors import BadSetting
from zhuji.core.rules import divides, one_a_stage
from zhuji.tasks.masked_patches import MaskedPatches


@pytest.mark.parametrize(("size", "whole", "even"), [(3, 12, True), (1, 7, True), (5, 12, False), (8, 4, False)])
def test_what_divides(size: int, whole: int, even: bool) -> None:
    refused = pytest.raises(ValueError, match=rf"heads \({size}\) that divide its width \({whole}\)")
    with nullcontext() if even else refused:
        divides("heads", size, "width", whole)


def test_one_number_a_stage() -> None:
    one_a_stage([1, 2], [8, 16])
    with pytest.raises(ValueError, match="as many blocks as widths"):
        one_a_stage([1, 2], [8])


UNEVEN = [
    (Vit, {"width": 8, "heads": 3}, "heads"), (Transformer, {"width": 8, "heads": 3}, "heads"),
    (Transformer, {"width": 8, "heads": 4, "kv_heads": 3}, "kv_heads"), (Conformer, {"width": 9, "heads": 3}, "even width"),
    (Transformer, {"width": 9, "heads": 3}, "even width"), (MaskedPatches, {"decoder_width": 8, "decoder_heads": 3}, "decoder_heads"),
    (Resnet, {"blocks": [1], "widths": [4, 8]}, "blocks"), (Convnext, {"blocks": [1], "widths": [4, 8]}, "blocks"),
]  # fmt: skip


@pytest.mark.parametrize(("part", "settings", "named"), UNEVEN)
def test_parts_keep_to_them(part: type[Part], settings: dict[str, object], named: str) -> None:
    with pytest.raises(BadSetting, match=named):
        part.parse(settings)
