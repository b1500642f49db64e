import numpy as np
import pytest
import torch
from sklearn.feature_extraction.text import TfidfVectorizer

from zhuji.core.units import Features, Units
from zhuji.nn.heads import PooledHead
from zhuji.nn.wide import MOST_PARTS, WideHead, WideLinear, rarities, spelt

ROWS = [[3, 4, 3, 5], [4], [5, 6, 5, 6, 5, 6, 3], [7, 3, 4]]


def units(rows, length=9):
    ids = torch.zeros(len(rows), length, dtype=torch.int64)
    mask = torch.zeros(len(rows), length, dtype=torch.bool)
    for i, row in enumerate(rows):
        ids[i, : len(row)], mask[i, : len(row)] = torch.tensor(row), True
    return Units(mask=mask, ids=ids)


def dense(layer, rows, length=9):
    """`(B, buckets)`: what a row gives to each bucket."""
    buckets, values = layer.values(units(rows, length))
    return torch.zeros(len(rows), layer.buckets).scatter_add_(1, buckets, values).numpy()


def test_values_are_those_of_tfidf():
    layer = WideLinear(1 << 20, 2, 2)
    texts = [" ".join(f"w{i}" for i in row) for row in ROWS]
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True).fit(texts)
    theirs = vectorizer.transform(texts).toarray()
    [(buckets, real)] = layer.runs(units(ROWS))
    having = np.zeros(layer.buckets)
    for row, ok in zip(buckets.numpy(), real.numpy(), strict=True):
        having[np.unique(row[ok])] += 1
    layer.rarity = torch.from_numpy(rarities(having, len(ROWS))).float()
    ours = dense(layer, ROWS)
    assert (ours > 0).sum() == (theirs > 0).sum(), "no two runs of so few share a bucket"
    np.testing.assert_allclose(ours @ ours.T, theirs @ theirs.T, atol=1e-6)
    np.testing.assert_allclose(np.sort(ours[2][ours[2] > 0]), np.sort(theirs[2][theirs[2] > 0]), atol=1e-6)


def test_the_layer_is_linear_in_these_values():
    layer = WideLinear(64, 3, 3)
    torch.nn.init.normal_(layer.weight)
    torch.nn.init.uniform_(layer.rarity, 1, 2)
    np.testing.assert_allclose(
        layer(units(ROWS)).detach().numpy(), dense(layer, ROWS) @ layer.weight.detach().numpy(), atol=1e-5
    )


def test_padding_and_neighbours_change_nothing_and_order_counts():
    layer = WideLinear(512, 3, 2)
    torch.nn.init.normal_(layer.weight)
    together = layer(units(ROWS, 20))
    for i, row in enumerate(ROWS):
        assert torch.allclose(layer(units([row], len(row)))[0], together[i], atol=1e-6)
    assert not torch.allclose(layer(units([[3, 4]])), layer(units([[4, 3]])))
    alone = WideLinear(512, 3, 1)
    torch.nn.init.normal_(alone.weight)
    assert torch.allclose(alone(units([[3, 4]])), alone(units([[4, 3]])))


def test_a_row_without_units_gives_nothing_and_gradients_are_finite():
    layer = WideLinear(64, 2, 2)
    out = layer(units([[], [3]], 1))
    assert torch.equal(out[0], torch.zeros(2))
    layer(units(ROWS)).sum().backward()
    assert torch.isfinite(layer.weight.grad).all()


def test_both_halves_are_added():
    torch.manual_seed(0)
    head = WideHead(PooledHead(4, 2), WideLinear(64, 2, 1))
    rows = units(ROWS)
    features = Features(torch.randn(*rows.mask.shape, 4), rows.mask)
    assert torch.equal(head(features, rows), head.deep(features))
    torch.nn.init.normal_(head.wide.weight)
    assert torch.allclose(head(features, rows), head.deep(features) + head.wide(rows))


def test_runs_of_characters_are_those_of_scikit_learn():
    words = ["ship", "a", "shipping", "tide"]
    layer = WideLinear(1 << 20, 2, 1, spelled=len(words), loudness=0.75)
    layer.spelling.copy_(spelt([f" {word} " for word in words], layer.buckets))
    rows = [[0, 2, 0], [1, 3], [3]]
    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True, use_idf=False)
    theirs = vectorizer.fit_transform([" ".join(words[i] for i in row) for row in rows]).toarray()
    units_alone = WideLinear(1 << 20, 2, 1)
    for ours, row, expected in zip(dense(layer, rows), rows, theirs, strict=True):
        alone = dense(units_alone, [row])[0] > 0
        parts = ours[~alone]
        assert (parts > 0).sum() == (expected > 0).sum()
        np.testing.assert_allclose(np.sort(parts[parts > 0]) / 0.6, np.sort(expected[expected > 0]), atol=1e-6)
        assert np.linalg.norm(ours[alone]) == pytest.approx(0.8)


def test_spelling_is_bounded_and_short_texts_have_none():
    table = spelt(["", "ab", "abc", "abcdefghijkl", "x" * 99, "\ud800abc"], 1000)
    assert (table >= 0).sum(1).tolist() == [0, 0, 1, MOST_PARTS, MOST_PARTS, 3 + 0]
    assert table.max() < 1000 and table.dtype == torch.int32


def test_characters_that_stand_for_syllables_count_from_one():
    """As scikit-learn counts single ones, pairs and threes of characters; letters count from three."""
    analyse = TfidfVectorizer(analyzer="char", ngram_range=(1, 3)).build_analyzer()
    for text in ("很好", "不满意", "ｗｉ", "バス停留所"):
        found = spelt([text], 1 << 20)[0]
        assert (found >= 0).sum() == len(analyse(text)) == len(set(found[found >= 0].tolist()))
    assert (spelt(["abc", "ño", "добро"], 1 << 20) >= 0).sum(1).tolist() == [1, 0, 3 + 2 + 1]


def test_what_units_told_adds_up_to_what_was_said():
    torch.manual_seed(0)
    for spelled in (0, 8):
        layer = WideLinear(64, 3, 3, spelled=spelled, loudness=0.5)
        if spelled:
            layer.spelling.copy_(spelt([f" word{number} " for number in range(8)], layer.buckets))
        torch.nn.init.normal_(layer.weight)
        layer.rarity.uniform_(1, 3)
        rows, towards = units([[3, 4, 3, 4, 5], [2], []], 6), torch.randn(3)
        told = layer.told(rows, towards)
        assert told.shape == rows.mask.shape and not told[~rows.mask].any()
        assert torch.allclose(told.sum(1), layer(rows) @ towards, atol=1e-5)


def test_a_run_is_told_in_equal_shares():
    layer = WideLinear(1 << 12, 1, 2)
    rows = units([[5, 6, 7]], 3)
    (buckets, _), *_ = layer.runs(rows)
    layer.weight.data[buckets[0, 3]] = 2.0  # the pair of the first two units
    first, second, third = layer.told(rows, torch.ones(1))[0].tolist()
    assert first == second > 0 == third
