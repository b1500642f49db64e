import torch

from zhuji.core.units import Features
from zhuji.nn.embed import EmbeddingHead

MASK = torch.tensor([[True, True, False], [True, False, False]])


def test_embeddings_have_length_one_and_the_width_asked_for():
    torch.manual_seed(0)
    features = Features(torch.randn(2, 3, 4), MASK)
    for head, width in (
        (EmbeddingHead(4), 4),
        (EmbeddingHead(4, width=3, hidden=9), 3),
        (EmbeddingHead(4, pool="mean_max"), 8),
    ):
        made = head.embedding(features)
        assert made.shape == (2, width)
        torch.testing.assert_close(made.norm(dim=1), torch.ones(2))


def test_without_layers_it_is_the_pooled_state():
    features = Features(torch.randn(2, 3, 4), MASK)
    torch.testing.assert_close(EmbeddingHead(4).projected(features)[0], features.states[0, :2].mean(0))


def test_a_row_without_units_is_zero_and_finite():
    features = Features(torch.randn(1, 3, 4), torch.zeros(1, 3, dtype=torch.bool))
    assert EmbeddingHead(4).embedding(features).tolist() == [[0] * 4]
