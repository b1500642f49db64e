"""Integrated gradients, against what a linear model says of each unit by itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from zhuji.backbones.bag import Bag
from zhuji.backbones.cnn import Cnn
from zhuji.backbones.recurrent import Recurrent
from zhuji.backbones.transformer import Transformer
from zhuji.core.contracts import About
from zhuji.core.records import Record
from zhuji.modalities.text import Text
from zhuji.model.assembly import assemble
from zhuji.model.attribution import TOLERANCE, attributed
from zhuji.tasks.classify import Classify
from zhuji.tasks.regress import Regress

TEXTS = ["the cat sat on the mat", "good", "no, not good at all 😀", "a b c d e f g h"]
RECORDS = [Record(str(i), text, label="ab"[i % 2]) for i, text in enumerate(TEXTS)]
BACKBONES = {
    "bag": Bag(width=6, layers=1, hidden=8), "recurrent": Recurrent(width=6, hidden=5), "cnn": Cnn(width=6, channels=5),
    "transformer": Transformer(width=8, layers=2, heads=2, dropout=0.0),
}  # fmt: skip


def model_of(backbone, task=None, **modality):
    text = Text(vocab_size=64, **modality).fit(TEXTS)
    model = assemble(text, backbone, task or Classify().fit(RECORDS))
    for parameter in model.head.parameters():
        torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(0))
    return model.eval()


def units_of(model, text, padding=0):
    (row,) = model.modality.encode([text])
    return model.modality.collate([row], (row.length + padding,))


@pytest.mark.parametrize("backbone", BACKBONES.values(), ids=BACKBONES)
@pytest.mark.parametrize("task", [Classify().fit(RECORDS), Regress(mean=3.0, scale=7.0)], ids=["class", "number"])
def test_the_sum_is_complete(backbone, task):
    model = model_of(backbone, task)
    about = task.abouts(task.decode(torch.zeros(1, 2))[0])[0]
    for text in TEXTS:
        found = attributed(model, units_of(model, text), about)
        assert found.complete
        assert abs(found.weights.sum() - (found.value - found.base)) <= TOLERANCE * max(abs(found.value - found.base), 1.0)


def test_a_linear_model_is_explained_by_weight_times_input():
    """A mean of vectors and a linear layer: unit by unit, in a loop, without any gradient, as far as a unit differs from the mean of all
    vectors. Tolerance: float32, sums of a dozen terms."""
    task = Regress(mean=3.0, scale=7.0)
    model = model_of(Bag(width=6), task)
    units = units_of(model, TEXTS[0])
    vectors, weight = model.encoder.stem(units).states[0].detach(), model.head.out.weight[0].detach()
    nothing = model.encoder.table().detach().mean(0)
    expected = [float(weight @ (vector - nothing)) * task.scale / len(vectors) for vector in vectors]
    found = attributed(model, units, About("number"))
    np.testing.assert_allclose(found.weights, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("ngrams", [1, 2])
def test_what_runs_say_is_weight_times_value_spread_over_their_units(ngrams):
    """With two classes log-odds are linear in the logits. Each run is taken away by hand: its value set to 0."""
    task = Classify(wide=2, wide_size=512).fit(RECORDS)
    model = model_of(Bag(width=6), task, ngrams=ngrams)
    units = units_of(model, "the the cat sat the cat")
    wide = model.head.wide
    with torch.no_grad():
        own = wide.weight[:, 0] - wide.weight[:, 1]
        buckets, values = wide.values(units)
        places = wide.runs(units)[0][0][0].tolist()
        size = units.mask.shape[1]
        starts = [(at, 1) for at in range(size)] + [(at, 2) for at in range(size - 1)]
        by_run = {int(b): float(v) for b, v in zip(buckets[0], values[0], strict=True)}
        expected = np.zeros(size)
        for bucket, (at, length) in zip(places, starts, strict=True):
            expected[at : at + length] += float(own[bucket]) * by_run[bucket] / length
        states, deep = model.encoder.stem(units).states[0] - model.encoder.table().mean(0), model.head.deep.out.weight
        expected += ((states @ (deep[0] - deep[1])) / size).numpy()
    found = attributed(model, units, About("a"))
    np.testing.assert_allclose(found.weights, expected, rtol=1e-4, atol=1e-5)
    assert found.complete and found.points == 16


@pytest.mark.parametrize("backbone", BACKBONES.values(), ids=BACKBONES)
def test_padding_changes_nothing(backbone):
    """Tolerance: float32 through several layers."""
    model = model_of(backbone)
    alone, padded = (attributed(model, units_of(model, TEXTS[2], padding), About("a")) for padding in (0, 5))
    size = len(alone.weights)
    np.testing.assert_allclose(padded.weights[:size], alone.weights, rtol=1e-3, atol=1e-5)
    assert not padded.weights[size:].any() and padded.value == pytest.approx(alone.value, abs=1e-5)


def test_the_same_twice_and_the_model_is_left_as_it_was():
    model = model_of(BACKBONES["transformer"]).train()
    units = units_of(model, TEXTS[2])
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    first, second = attributed(model, units, About("a")), attributed(model, units, About("a"))
    assert np.array_equal(first.weights, second.weights) and model.training
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())


def test_long_rows_are_looked_at_point_by_point(monkeypatch):
    model = model_of(BACKBONES["recurrent"])
    units = units_of(model, TEXTS[0])
    whole = attributed(model, units, About("a"))
    monkeypatch.setattr("zhuji.model.attribution.BATCH_UNITS", 1)
    np.testing.assert_allclose(attributed(model, units, About("a")).weights, whole.weights, rtol=1e-4, atol=1e-6)


def test_classes_share_what_they_say():
    """Of two classes what speaks for one speaks against the other."""
    model = model_of(BACKBONES["cnn"])
    units = units_of(model, TEXTS[0])
    one, other = (attributed(model, units, About(name)) for name in "ab")
    np.testing.assert_allclose(one.weights, -other.weights, rtol=1e-4, atol=1e-6)
    assert replace(one, weights=one.weights * 2).gap != one.gap
