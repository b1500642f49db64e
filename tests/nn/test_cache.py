import pytest
import torch

from zhuji.backbones.transformer import Transformer
from zhuji.core.units import Features
from zhuji.nn.cache import Cache, LayerCache

VARIANTS = [
    {},
    {"kv_heads": 1},
    {"positions": "learned", "norm": "layer", "feedforward": "gelu_tanh", "key_bias": True},
    {"positions": "none", "norm_place": "post", "segment_types": 2},
]


def body(settings):
    torch.manual_seed(0)
    made = Transformer.parse({"width": 16, "layers": 2, "heads": 2, "dropout": 0.0, "max_positions": 12, **settings}).body(True)
    for parameter in made.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return made.eval()


@pytest.mark.parametrize("settings", VARIANTS)
@pytest.mark.parametrize("cuts", [[1] * 9, [4, 1, 1, 3], [9]])
def test_unit_by_unit_is_as_all_at_once(settings, cuts):
    """Rows of unequal length, padded behind, that then go on together."""
    made = body(settings)
    mask = torch.ones(3, 9, dtype=torch.bool)
    mask[1, 2:4] = mask[2, 1:4] = False
    states = torch.randn(3, 9, 16) * mask[..., None]
    cache, pieces, start = made.cache(), [], 0
    with torch.no_grad():
        whole = made(Features(states, mask)).states
        for count in cuts:
            part = slice(start, start + count)
            pieces.append(made(Features(states[:, part], mask[:, part]), cache).states)
            start += count
            assert len(cache) == start
    # The same sums in another order.
    torch.testing.assert_close(torch.cat(pieces, 1), whole, rtol=1e-5, atol=1e-5)


def test_padding_behind_a_prompt_moves_nobody():
    made = body({})
    states = torch.randn(1, 4, 16)
    with torch.no_grad():
        alone = made(Features(states, torch.ones(1, 4, dtype=torch.bool))).states[:, -1]
        cache = made.cache()
        padded = torch.nn.functional.pad(states[:, :3], (0, 0, 0, 2))
        made(Features(padded, torch.tensor([[1, 1, 1, 0, 0]], dtype=torch.bool)), cache)
        later = made(Features(states[:, 3:], torch.ones(1, 1, dtype=torch.bool)), cache).states[:, 0]
    torch.testing.assert_close(later, alone, rtol=1e-5, atol=1e-5)


def test_chosen_rows_go_on_as_themselves_and_the_others_stay():
    made = body({"kv_heads": 1})
    states, mask = torch.randn(3, 5, 16), torch.ones(3, 5, dtype=torch.bool)
    index = torch.tensor([2, 0, 0, 1])
    with torch.no_grad():
        cache = made.cache()
        made(Features(states[:, :4], mask[:, :4]), cache)
        chosen = cache.select(index)
        got = made(Features(states[index, 4:], mask[index, 4:]), chosen).states
        assert (len(cache), len(chosen)) == (4, 5)
        expected = made(Features(states, mask)).states[index, 4:]
    torch.testing.assert_close(got, expected, rtol=1e-5, atol=1e-5)


def test_only_key_heads_are_kept():
    made = body({"kv_heads": 1})
    cache = made.cache()
    made(Features(torch.randn(2, 3, 16), torch.ones(2, 3, dtype=torch.bool)), cache)
    assert cache.layers[0].key.shape == cache.layers[1].value.shape == (2, 1, 3, 8)


def test_an_empty_cache_has_nothing_to_choose_from():
    cache = Cache(2).select(torch.tensor([0, 0]))
    assert len(cache) == 0 and len(cache.layers) == 2
    assert LayerCache().select(torch.tensor([0])).key is None


def test_who_looks_ahead_cannot_go_on():
    with pytest.raises(AssertionError, match="looks ahead"):
        Transformer.example().body(False).cache()
