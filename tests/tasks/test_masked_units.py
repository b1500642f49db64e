import math

import numpy as np
import pytest
import torch

from zhuji.backbones.transformer import Transformer
from zhuji.core.contracts import Encoded
from zhuji.core.units import Batch, Units
from zhuji.modalities.text import Text
from zhuji.model.assembly import assemble
from zhuji.tasks.masked_units import MaskedUnits

TEXTS = ["the cat sat on the mat", "a dog sat on a log", "the cat and the dog", "a mat and a log"]
TEXT = Text(tokenizer="words").fit(TEXTS)


def batch_of(texts, modality=TEXT):
    rows = modality.encode(texts)
    return Batch(modality.collate(rows, (max(row.length for row in rows),)))


def model_of(task, modality=TEXT, width=16):
    return assemble(modality, Transformer(width=width, layers=1, heads=2, dropout=0.0), task)


def steps(model, batch, count, lr=1e-2):
    optimiser = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr)
    for step in range(count):
        torch.manual_seed(step)
        loss = model.train().loss(batch).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        model.follow()
    return model.eval()


def scored(model, batch):
    torch.manual_seed(0)
    with torch.no_grad():
        evidence = model.task.evidence(model.outputs(batch), batch)
    return {name: metric({n: evidence[n] for n in metric.columns}) for name, metric in model.task.metrics().items()}


def test_it_learns_and_its_scores_are_those_of_the_hidden_units():
    batch = batch_of(TEXTS * 4)
    model = model_of(MaskedUnits(rate=0.3))
    before = scored(model.eval(), batch)
    after = scored(steps(model, batch, 80), batch)
    assert before["masked_loss"] == pytest.approx(math.log(TEXT.spec.num_ids), rel=0.5)
    assert after["masked_loss"] < 0.6 * before["masked_loss"]
    assert after["masked_accuracy"] > 0.3
    assert after["perplexity"] == pytest.approx(math.exp(after["masked_loss"]))


def test_a_row_that_asks_is_answered_and_has_nothing_else_hidden():
    model = steps(model_of(MaskedUnits(rate=0.3), width=32), batch_of(TEXTS * 4), 150)
    batch = batch_of(TEXTS[:2])
    mask_id = TEXT.spec.mask
    assert mask_id is not None
    wanted = int(batch.units.ids[0, 1])
    batch.units.ids[0, 1] = mask_id
    with torch.no_grad():
        outputs = model.outputs(batch)
    assert not outputs["terms"][0].any() and outputs["terms"][1].any()
    asked, other = model.task.decode(outputs)
    assert asked.answer == (wanted,) and 0.2 < asked.score <= 1
    assert other.answer == () and 0 < other.score <= 1
    again = model.task.decode(model.outputs(batch))
    assert again[0] == asked


def test_the_id_that_asks_becomes_the_vector_that_hides():
    model, batch = model_of(MaskedUnits()).eval(), batch_of(TEXTS[:1])
    batch.units.ids[0, 1] = TEXT.spec.mask
    with torch.no_grad():
        before = model.task.decode(model.outputs(batch))[0].score
        model.head.mask += 1
        assert model.task.decode(model.outputs(batch))[0].score != before


def test_evidence_adds_up_to_the_loss():
    model, batch = model_of(MaskedUnits(rate=0.4)), batch_of(TEXTS)
    outputs = model.outputs(batch)
    evidence, loss = model.task.evidence(outputs, batch), model.task.loss(outputs, batch)
    assert evidence["loss"].sum() == pytest.approx(float(loss.total.detach()))
    assert evidence["terms"].sum() == int(loss.count) == sum(max(1, round(0.4 * n)) for n in batch.units.mask.sum(1).tolist())


def test_reserved_ids_are_never_hidden():
    task, batch = MaskedUnits(rate=0.9), batch_of(["the zebra sat", "quagga okapi tapir"])
    outputs = model_of(task).outputs(batch)
    assert outputs["terms"].sum(1).tolist() == [2, 0], "unknown words carry no content"


def test_packed_rows_are_hidden_like_others():
    units = batch_of([" ".join(TEXTS)]).units
    packed = Units(units.mask, units.ids, segments=torch.arange(units.mask.shape[1])[None] // 6)
    model = model_of(MaskedUnits(rate=0.3, span=2.0))
    loss = model.loss(Batch(packed))
    assert torch.isfinite(loss.total) and 1 <= int(loss.count) <= round(0.3 * units.mask.shape[1])


@pytest.mark.filterwarnings("ignore:The .grad attribute")
def test_it_compiles_without_asking_the_device():
    model, batch = model_of(MaskedUnits()), batch_of(TEXTS)
    explained = torch._dynamo.explain(model.loss)(batch)
    assert explained.graph_break_count == 0, explained.break_reasons


def test_values_have_no_perplexity():
    from tests.contracts.doubles import Picture

    picture, inputs = Picture.example()
    task = MaskedUnits(rate=0.5)
    model = assemble(picture, Transformer(width=8, layers=1, heads=2), task).eval()
    batch = Batch(picture.collate([Encoded(values=np.asarray(i, np.float32)[..., None]) for i in inputs], (3, 3)))
    scores = scored(model, batch)
    assert math.isnan(scores["perplexity"]) and scores["masked_loss"] > 0
    assert [answer.score for answer in task.decode(model.outputs(batch))] == [None] * 4
