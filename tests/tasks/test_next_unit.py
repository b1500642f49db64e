import math
from itertools import pairwise

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from tests.contracts import doubles
from tests.contracts.properties import Cell
from zhuji.backbones.transformer import Transformer
from zhuji.core.contracts import Example
from zhuji.core.units import Batch, Features, Units, UnitSpec
from zhuji.modalities.text import Text
from zhuji.tasks.next_unit import NextHead, NextUnit, follower


def cell(modality=None, **settings) -> Cell:
    example = Example(NextUnit(**settings), NextUnit.example().records)
    return Cell.of((modality or Text).example(), Transformer.example(), example)


def test_followers_pass_over_padding_and_stop_at_the_document():
    mask = torch.tensor([[1, 1, 0, 1, 1], [0, 0, 0, 0, 1]], dtype=torch.bool)
    assert follower(mask).tolist() == [[1, 3, 3, 4, 5], [4, 4, 4, 4, 5]]
    segments = torch.tensor([[0, 0, 0, 0, 1], [0, 0, 0, 0, 0]])
    assert follower(mask, segments)[0].tolist() == [1, 3, 3, 5, 5]


@torch.no_grad()
@pytest.mark.parametrize("settings", [{}, {"tied": False}, {"transform": True, "bias": True}])
def test_loss_is_the_cross_entropy_of_each_next_id(settings):
    one = cell(**settings)
    model, batch = one.model(), one.batch()
    states, table = model.encoder(batch.units).states, model.encoder.table()
    total, count = 0.0, 0
    for row, ids, mask in zip(states, batch.units.ids, batch.units.mask, strict=True):
        length = int(mask.sum())
        logits = model.head.logits(row[: length - 1], table)
        total += float(F.cross_entropy(logits, ids[1:length], reduction="sum"))
        count += length - 1
    loss = model.loss(batch)
    assert int(loss.count) == count
    assert float(loss.total) == pytest.approx(total, rel=1e-5)


def test_a_table_of_its_own_is_not_the_stems():
    assert cell(tied=False).model().head.own.weight.shape == cell().model().encoder.table().shape
    assert not list(cell().model().head.parameters())


@torch.no_grad()
@pytest.mark.parametrize("modality", [doubles.Picture, doubles.Cells])
def test_values_cost_their_squared_error(modality):
    """Cell by cell, with what each cell holds."""
    one = cell(modality)
    model, batch = one.model(), one.batch()
    units, total, count = batch.units, 0.0, 0
    states = model.encoder(units).flat()[0]
    for row in range(len(batch)):
        places = units.mask[row].flatten().nonzero()[:, 0].tolist()
        for here, after in pairwise(places):
            if units.values_mask is None or units.values_mask[row].flatten()[after]:
                wanted = units.values[row].flatten(0, -2)[after]
                total += float((model.head.values(states[row, here]) - wanted).square().mean())
                count += 1
            if units.ids is not None and units.ids_mask[row, after]:
                logits = model.head.logits(states[row, here], model.encoder.table())
                total += float(F.cross_entropy(logits[None], units.ids[row, after][None]))
                count += 1
    loss = model.loss(batch)
    assert int(loss.count) == count
    assert float(loss.total) == pytest.approx(total, rel=1e-5)


@torch.no_grad()
def test_packed_rows_cost_what_their_documents_cost():
    one = cell()
    model, encoded = one.model(), one.encoded
    parts = [one.batch(slice(n, n + 1)) for n in range(4)]
    ids = torch.cat([part.units.ids[0, : row.length] for part, row in zip(parts, encoded)])[None]
    segments = torch.cat([torch.full((row.length,), n) for n, row in enumerate(encoded[:4])])[None]
    units = Units(torch.ones_like(ids, dtype=torch.bool), ids, segments=segments)
    packed, alone = model.loss(Batch(units)), [model.loss(part) for part in parts]
    assert int(packed.count) == sum(int(loss.count) for loss in alone)
    assert float(packed.total) == pytest.approx(sum(float(loss.total) for loss in alone), rel=1e-5)


def test_only_units_with_a_follower_meet_the_vocabulary(monkeypatch):
    one, met = cell(), []
    model, batch = one.model().train(), one.batch(padding=5)
    kept = model.head.ids.loss
    monkeypatch.setattr(model.head.ids, "loss", lambda states, ids, table: met.append(len(states)) or kept(states, ids, table))
    model.loss(batch)
    assert met == [int(batch.units.mask.sum() - batch.units.mask.any(1).sum())]


def test_evidence_metrics_and_answers_by_hand():
    spec, task = UnitSpec(1, num_ids=4, stem_width=3), NextUnit()
    head = NextHead(spec, 3).eval()
    table = torch.zeros(4, 3)
    mask = torch.tensor([[True, True, True], [True, False, False]])
    ids = torch.tensor([[1, 0, 2], [3, 0, 0]])
    batch = Batch(Units(mask, ids))
    outputs = head.guess(Features(torch.randn(2, 3, 3), mask), batch.units, table)._asdict()
    evidence = task.evidence(outputs, batch)
    assert evidence["named"].tolist() == [2, 0]
    assert evidence["right"].tolist() == [1, 0]  # all ids are equally likely, so the first is the best
    np.testing.assert_allclose(evidence["loss"], [2 * math.log(4), 0], rtol=1e-6)
    metrics = {name: metric({c: evidence[c] for c in metric.columns}) for name, metric in task.metrics().items()}
    assert metrics == pytest.approx(
        {"next_loss": math.log(4), "perplexity": 4.0, "bits_per_unit": 2.0, "next_accuracy": 0.5}, rel=1e-6
    )
    assert next(iter(metrics)) == "next_loss"
    first, second = task.decode(outputs)
    assert (first.answer, first.score) == (pytest.approx(4.0), pytest.approx(0.25))
    assert (second.answer, second.score) == (None, None)


def test_while_training_nothing_is_guessed():
    one = cell()
    outputs = one.model().train().outputs(one.batch())
    assert not outputs["right"].any()


def test_it_learns_a_text_by_heart():
    text = Text(tokenizer="words", vocab_size=64, max_units=12)
    texts = ["a b c d e f g h", "h g f e d c b a"]
    one = Cell.of((text.fit(texts), texts), Transformer(width=32, layers=2, heads=2, dropout=0.0), NextUnit.example())
    model, batch = one.model().train(), one.batch()
    optimiser = torch.optim.AdamW(model.parameters(), 1e-2)
    for _ in range(60):
        optimiser.zero_grad()
        model.loss(batch).mean().backward()
        optimiser.step()
    assert model.eval().loss(batch).mean() < 0.05
