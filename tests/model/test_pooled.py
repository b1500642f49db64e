import numpy as np
import torch

from tests import trained
from zhuji.model.bundle import open_bundle
from zhuji.model.pooled import embed, embed_rows, pooling_of, unit_length


def test_texts_are_embedded_lazily_and_cleaned():
    predictor = open_bundle(trained.run())
    clean, dirty = embed(predictor, iter(["dogs bark", " dogs \u200b bark  "]))
    np.testing.assert_array_equal(clean, dirty)
    assert embed_rows(predictor.model, []).shape == (0, pooling_of(predictor.model).width)


def test_without_a_pooling_head_the_mean_is_taken():
    model = open_bundle(trained.run()).model
    model.head = torch.nn.Identity()
    assert pooling_of(model).kind == "mean"


def test_unit_length():
    vectors = unit_length(np.array([[3.0, 4.0], [0.0, 0.0]]))
    np.testing.assert_allclose(vectors, [[0.6, 0.8], [0, 0]])
