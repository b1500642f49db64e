import itertools
from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from zhuji.core.contracts import Backbone, Modality, Needs
from zhuji.core.lookup import find
from zhuji.core.records import Record
from zhuji.data.settings import CleanSettings
from zhuji.modalities.speech import Speech
from zhuji.model import predictor as room
from zhuji.model.assembly import assemble
from zhuji.model.predictor import ALIKE, LARGEST_WINDOW, SPREAD, Predictor, cut, cut_freely, padded, windows
from zhuji.tasks.classify import Classify
from zhuji.tasks.regress import Regress
from zhuji.tasks.tag import Tag
from zhuji.tasks.translate import Translate

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


@given(st.lists(st.integers(0, 600), max_size=80), st.integers(1, 5000))
def test_every_row_is_in_one_batch_that_it_fits(lengths, units):
    batches = list(cut(lengths, units))
    assert sorted(row for rows, _ in batches for row in rows) == list(range(len(lengths)))
    for rows, length in batches:
        assert max(lengths[row] for row in rows) <= length
        assert len(rows) * length <= max(units, length)


@given(st.lists(st.integers(0, 600), max_size=80), st.integers(1, 5000))
def test_rows_that_share_a_batch_freely_fit_it_and_are_near_each_other(lengths, units):
    batches = list(cut_freely(lengths, units))
    assert sorted(row for rows, _ in batches for row in rows) == list(range(len(lengths)))
    for rows, length in batches:
        longest, shortest = max(lengths[row] for row in rows), min(lengths[row] for row in rows)
        assert longest <= length < longest + 4 or length == 4
        assert length <= max(ALIKE, SPREAD * padded(shortest))
        assert len(rows) * length <= max(units, length)


def test_coarser_numbers_are_near_and_only_where_a_batch_is_large(monkeypatch):
    predictor, coarse = predictor_of("transformer"), predictor_of("transformer")
    coarse.precision = "bf16"
    exact = [one.scores for one in predictor.predict(TEXTS)]
    assert [one.scores for one in coarse.predict(TEXTS[:2])] == [one.scores for one in predictor.predict(TEXTS[:2])]
    monkeypatch.setattr(room, "COARSE_UNITS", 1)
    near = [one.scores for one in coarse.predict(TEXTS)]
    assert near != exact
    for a, b in zip(near, exact, strict=True):
        assert a == pytest.approx(b, abs=0.05)
    evidence = [predictor_.evidence(iter(RECORDS))[0] for predictor_ in (predictor, coarse)]
    assert all(np.array_equal(evidence[0][name], evidence[1][name]) for name in evidence[0])


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


@pytest.mark.parametrize(("longest", "held"), [(5.0, 256), (30.0, 256), (60.0, 128), (3_600.0, 2)])
def test_fewer_sounds_are_held_at_once_where_they_may_be_long(longest, held):
    speech = Speech(features="raw", rate=1_000, longest=longest)
    body = find(Backbone, "wav2vec2").example()
    predictor = Predictor(assemble(speech, body, Classify().fit(RECORDS)))
    assert predictor.window == held
    assert max(map(len, windows(range(1_000), held))) == held


TAGGED = [
    Record(
        str(i),
        tuple(text.split()) or ("x",),
        label=tuple("OB"[j % 2] + "-x" * (j % 2) for j in range(max(len(text.split()), 1))),
    )
    for i, text in enumerate(TEXTS)
]


def tagger():
    return predictor_of("recurrent", Tag(dropout=0.0).fit(TAGGED))


def test_every_word_has_a_tag_whatever_is_cut_off():
    predictor = tagger()
    answers = list(predictor.predict(record.input for record in TAGGED))
    assert [len(answer.answer) for answer in answers] == [len(record.input) for record in TAGGED]
    long = next(i for i, record in enumerate(TAGGED) if len(record.input) > 30)
    assert set(answers[long].answer[30:]) == {"O"}


def test_a_text_or_a_list_is_tagged_as_the_words_in_it():
    predictor = tagger()
    texts = [" ".join(record.input) for record in TAGGED if "筑基" not in record.input]
    words = [text.split() for text in texts]
    assert [a.answer for a in predictor.predict(texts)] == [a.answer for a in predictor.predict(words)]


PAIRS = [Record(str(i), text, target=text[::-1]) for i, text in enumerate(TEXTS[:40])]


def translator():
    task = Translate(layers=1, heads=2, positions="learned", dropout=0.5, beams=2, max_units=4).fit(PAIRS)
    return predictor_of("transformer", task)


def test_what_is_written_comes_as_text_and_is_judged():
    predictor = translator()
    predictor.model.train()
    examined = predictor.examine(PAIRS, answers=True)
    assert all(isinstance(answer.answer, str) for answer in examined.answers)
    for seen, said in zip(examined.answers, predictor.predict(record.input for record in PAIRS), strict=True):
        assert seen.answer == said.answer and seen.score == pytest.approx(said.score, rel=1e-5)  # their batches may differ
    judged = predictor.model.task.judge(examined.answers, PAIRS)
    assert all(np.array_equal(examined.columns[name], column) for name, column in judged.items())
    assert predictor.model.training
    assert not predictor.examine(PAIRS).answers and "bleu" not in predictor.examine(PAIRS).columns


class Drawing(Regress):
    """Draws while it answers: the mean of its loss is chance."""

    needs: ClassVar[Needs] = "nothing"

    def outputs(self, encoder, head, batch):
        return super().outputs(encoder, head, batch) + torch.rand(len(batch), 1)


def test_chance_is_the_same_whoever_asks_and_whatever_the_batches():
    records = [Record(str(i), text, label=float(i)) for i, text in enumerate(TEXTS)]
    predictor = predictor_of("bag", Drawing().fit(records))
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    first = predictor.examine(records, batch_units=64)
    assert torch.equal(before, torch.random.get_rng_state())
    torch.manual_seed(4)
    assert predictor.examine(iter(records), predictor.model.modality.encode(TEXTS), batch_units=4096).loss == first.loss
    halves = [predictor.examine(part) for part in (records[:75], records[75:])]
    assert halves[0].loss != halves[1].loss


def test_boxes_are_answered_in_pixels_of_the_picture_as_it_came():
    import numpy as np

    from tests.contracts import doubles
    from zhuji.core.contracts import Prediction
    from zhuji.core.records import Record
    from zhuji.modalities.image import Image, _written

    class Whole(doubles.Tag):
        """Says of every picture that it is full."""

        def decode(self, outputs):
            return [Prediction(({"label": "x", "score": 1.0, "box": [0.0, 0.0, 1.0, 1.0]},)) for _ in outputs]

        def judge(self, answers, records):
            return {"wide": np.array([answer.answer[0]["box"][2] for answer in answers])}

    sizes = [(10, 20), (7, 5), (30, 30)]
    pictures = [_written(np.zeros((*size, 3), np.uint8)) for size in sizes]
    modality = Image(size=(5, 5)).fit(pictures)
    predictor = Predictor(assemble(modality, doubles.Everywhere(), Whole()))
    found = [answer.answer[0]["box"] for answer in predictor.predict(pictures)]
    assert found == [pytest.approx([0, 0, width, height], abs=1e-4) for height, width in sizes]
    records = [Record(str(n), one, label="0") for n, one in enumerate(pictures)]
    judged = predictor.examine(records, answers=True).columns["wide"]
    assert judged.tolist() == pytest.approx([width for _, width in sizes], abs=1e-4)
