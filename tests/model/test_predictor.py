import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhuji.core.contracts import Backbone, Modality
from zhuji.core.lookup import find
from zhuji.core.records import Record
from zhuji.data.settings import CleanSettings
from zhuji.model.assembly import assemble
from zhuji.model.predictor import LARGEST_WINDOW, Predictor, cut, padded, windows
from zhuji.tasks.classify import Classify
from zhuji.tasks.regress import Regress

RNG = np.random.default_rng(0)
TEXTS = [" ".join(RNG.choice(["the", "cat", "sat", "筑基", "good"], RNG.integers(0, 40))) for _ in range(150)]
RECORDS = [Record(f"id-{i}", text, label="abc"[i % 3]) for i, text in enumerate(TEXTS)]


def predictor_of(backbone="bag", task=None):
    modality = find(Modality, "text")(max_units=30).fit(TEXTS)
    return Predictor(assemble(modality, find(Backbone, backbone).example(), task or Classify().fit(RECORDS)))


@pytest.mark.parametrize("backbone", ["bag", "cnn", "recurrent", "transformer"])
def test_one_by_one_and_in_bulk_are_the_same(backbone):
    predictor = predictor_of(backbone)
    bulk = list(predictor.predict(TEXTS))
    single = [next(predictor.predict([text])) for text in TEXTS]
    narrow = list(predictor.predict(TEXTS, batch_units=64))
    for a, b, c in zip(bulk, single, narrow, strict=True):
        assert a.scores == pytest.approx(b.scores, abs=1e-5)
        assert a.scores == pytest.approx(c.scores, abs=1e-5)


def test_evidence_is_what_predict_says_in_the_records_order():
    predictor = predictor_of("recurrent")
    columns, ids = predictor.evidence(iter(RECORDS))
    assert ids == tuple(r.id for r in RECORDS)
    answers = list(predictor.predict(TEXTS))
    labels = predictor.model.task.labels
    assert [labels[i] for i in columns["prediction"]] == [a.answer for a in answers]
    assert columns["label"].tolist() == [i % 3 for i in range(150)]
    assert columns["probabilities"].max(1) == pytest.approx([a.score for a in answers], abs=1e-5)


def test_rows_that_are_encoded_already_give_the_same():
    predictor = predictor_of()
    encoded = predictor.model.modality.encode(TEXTS)
    a, b = predictor.examine(RECORDS), predictor.examine(RECORDS, encoded, batch_units=100)
    assert a.loss == pytest.approx(b.loss, rel=1e-6)
    assert a.columns["probabilities"] == pytest.approx(b.columns["probabilities"], abs=1e-6)


def test_inputs_are_cleaned_as_in_training():
    predictor = predictor_of()
    dirty, clean = predictor.predict(["the   cat\u200b sat", "the cat sat"])
    assert dirty == clean
    raw = Predictor(predictor.model, CleanSettings(encoding=False, unicode=None, control=False, whitespace=False))
    assert next(raw.predict(["the cat\u200bsat"])) != next(predictor.predict(["the cat\u200bsat"]))


def test_it_streams():
    predictor = predictor_of()
    read = 0

    def endless():
        nonlocal read
        for text in itertools.cycle(TEXTS):
            read += 1
            yield text

    answers = predictor.predict(endless())
    next(answers)
    assert read <= 64
    list(itertools.islice(answers, 500))
    assert read <= 2048


def test_training_mode_and_gradients_are_left_alone():
    import torch

    predictor = predictor_of()
    predictor.model.train()
    answers = predictor.predict(TEXTS[:3])
    next(answers)
    assert predictor.model.training
    assert torch.is_grad_enabled()
    predictor.model.eval()
    predictor.examine(RECORDS[:3])
    assert not predictor.model.training


def test_dropout_is_off():
    predictor = predictor_of(task=Classify(dropout=0.5).fit(RECORDS))
    predictor.model.train()
    assert list(predictor.predict(TEXTS[:9])) == list(predictor.predict(TEXTS[:9]))


def test_nothing_in_nothing_out():
    predictor = predictor_of()
    assert list(predictor.predict([])) == []
    examined = predictor.examine([])
    assert (examined.columns, examined.ids) == ({}, ())
    assert np.isnan(examined.loss)


def golden(predictor, texts):
    return [
        {"input": t, "answer": a.answer, "score": a.score, "scores": a.scores} for t, a in zip(texts, predictor.predict(texts))
    ]


def test_golden_rows_notice_a_changed_model():
    import torch

    predictor = predictor_of()
    predictor.golden = golden(predictor, TEXTS[:20])
    assert predictor.check_golden() == (0, pytest.approx(0, abs=1e-6))
    with torch.no_grad():
        predictor.model.head.out.weight.neg_()
        predictor.model.head.out.bias.neg_()
    flips, gap = predictor.check_golden()
    assert flips > 0
    assert gap > 1e-3


def test_golden_numbers():
    task = Regress().fit([Record("1", "", label=5.0), Record("2", "", label=9.0)])
    predictor = predictor_of(task=task)
    predictor.golden = golden(predictor, TEXTS[:4])
    assert predictor.check_golden() == (0, pytest.approx(0, abs=1e-6))
    predictor.golden[1]["answer"] *= 1.01
    predictor.golden[2]["answer"] = "no number"
    flips, _ = predictor.check_golden()
    assert flips == 2


@given(st.lists(st.integers(0, 600), max_size=80), st.integers(1, 5000))
def test_every_row_is_in_one_batch_that_it_fits(lengths, units):
    batches = list(cut(lengths, units))
    assert sorted(row for rows, _ in batches for row in rows) == list(range(len(lengths)))
    for rows, length in batches:
        assert max(lengths[row] for row in rows) <= length
        assert len(rows) * length <= max(units, length)


def test_there_are_few_shapes():
    shapes = {(len(rows), length) for seed in range(200) for rows, length in cut(
        np.random.default_rng(seed).integers(1, 512, seed).tolist(), 8192)}  # fmt: skip
    assert len({padded(n) for n in range(513)}) <= 14
    assert len(shapes) <= 14 * 10


def test_windows_grow_and_are_bounded():
    sizes = [len(w) for w in windows(range(20_000))]
    assert sizes[:3] == [32, 64, 128]
    assert max(sizes) == LARGEST_WINDOW
    assert sum(sizes) == 20_000
