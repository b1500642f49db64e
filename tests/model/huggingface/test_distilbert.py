"""DistilBERT's settings."""

import pytest

from tests.model.huggingface.made import model
from zhuji.core.errors import UnwritableModel
from zhuji.model.huggingface.distilbert import DistilBert
from zhuji.model.huggingface.options import Options


def test_defaults_are_those_of_the_original(tmp_path):
    body = DistilBert().read(Options({}, tmp_path))
    assert (body.width, body.layers, body.heads, body.hidden, body.segment_types) == (768, 6, 12, 3072, 0)


@pytest.mark.parametrize(("changes", "told"), [({"norm_eps": 1e-5}, "norm_eps"), ({"segment_types": 2}, "segment_types")])
def test_what_it_cannot_be_is_refused_by_name(changes, told):
    made = model("distilbert", **changes)
    with pytest.raises(UnwritableModel, match=told):
        DistilBert().described(made.backbone, made.modality)
