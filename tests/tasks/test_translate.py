import math

import pytest
import torch
import torch.nn.functional as F

from zhuji.backbones.recurrent import Recurrent
from zhuji.backbones.transformer import Transformer
from zhuji.core.contracts import Prediction
from zhuji.core.errors import BadSetting, ImpossiblePair
from zhuji.core.records import Record
from zhuji.core.units import Units
from zhuji.modalities.text import Text
from zhuji.model.assembly import assemble, collate
from zhuji.tasks.translate import Translate, shifted

PAIRS = [("one two", "eins zwei"), ("two", "zwei"), ("three one", "drei eins"), ("three two one", "drei zwei eins")]
RECORDS = [Record(str(i), a, target=b) for i, (a, b) in enumerate(PAIRS)]
TEXT = Text().fit([text for pair in PAIRS for text in pair])
BACKBONE = Transformer(width=16, layers=1, heads=2, dropout=0.0)


def model(**options):
    settings = {"layers": 1, "heads": 2, "dropout": 0.0, "label_smoothing": 0.0, **options}
    return assemble(TEXT, BACKBONE, Translate(**settings).fit(RECORDS)).eval()


def batch(one, records=RECORDS):
    encoded = TEXT.encode([r.input for r in records])
    return collate(one, encoded, records, max(row.length for row in encoded))


def test_what_is_read_and_what_is_told():
    ids = torch.tensor([[7, 8], [9, 0]])
    inputs, wanted = shifted(Units(torch.tensor([[True, True], [True, False]]), ids), 2, 3)
    assert inputs.tolist() == [[2, 7, 8], [2, 9, 0]]
    assert wanted.tolist() == [[7, 8, 3], [9, 3, -1]]


@pytest.mark.parametrize("decoder", ["transformer", "lstm"])
def test_loss_is_over_real_units_and_their_ends(decoder):
    one = model(decoder=decoder).requires_grad_(False)
    data = batch(one)
    out = one.outputs(data)
    logits = out.head.vocabulary.logits(out.states, out.table)
    loss = one.task.loss(out, data)
    assert int(loss.count) == sum(len(b.split()) + 1 for _, b in PAIRS) == len(logits)
    assert float(loss.total) == pytest.approx(float(F.cross_entropy(logits, out.wanted, reduction="sum")), rel=1e-5)
    evidence = one.task.evidence(out, data)
    assert evidence["named"].tolist() == [3, 2, 3, 4]
    assert float(evidence["id_loss"].sum()) == pytest.approx(float(loss.total), rel=1e-5)
    assert one.task.metrics()["perplexity"](evidence) == pytest.approx(math.exp(float(loss.mean())), rel=1e-5)
    assert evidence["right"].sum() == int((logits.argmax(-1) == out.wanted).sum())


def test_smoothing_is_torchs():
    one, plain = (model(label_smoothing=smoothing).requires_grad_(False) for smoothing in (0.2, 0.0))
    data = batch(one)
    out = plain.outputs(data)
    logits = out.head.vocabulary.logits(out.states, out.table)
    expected = F.cross_entropy(logits, out.wanted, reduction="sum", label_smoothing=0.2)
    assert float(one.loss(data).total) == pytest.approx(float(expected), rel=1e-5)


@pytest.mark.parametrize("decoder", ["transformer", "lstm"])
def test_it_learns_a_small_dictionary_and_writes_it(decoder):
    """Four pairs by heart, also through another encoder and with one beam; greedy search finds what beam search finds."""
    torch.manual_seed(0)
    for backbone in (BACKBONE, Recurrent(width=16, hidden=8)):
        task = Translate(layers=1, heads=2, dropout=0.0, decoder=decoder).fit(RECORDS)
        one = assemble(TEXT, backbone, task)
        data, optimiser = batch(one), torch.optim.Adam(one.parameters(), 0.02)
        for _ in range(120):
            optimiser.zero_grad()
            one.loss(data).mean().backward()
            optimiser.step()
        for beams in (1, 3):
            searched = task.model_copy(update={"beams": beams})
            answers = searched.decode(searched.outputs(one.eval().encoder, one.head, data))
            assert [TEXT.decode(a.answer) for a in answers] == [b for _, b in PAIRS]
            assert all(0 < a.score <= 1 for a in answers)


def test_an_answer_has_an_end_and_no_reserved_ids():
    one = model(max_units=5, beams=2)
    for answer in one.task.decode(one.outputs(batch(one))):
        assert len(answer.answer) <= 5
        assert not set(answer.answer) & set(TEXT.spec.reserved)


def test_an_answer_does_not_depend_on_the_batch():
    one = model(max_units=12, beams=2)
    together = one.task.decode(one.outputs(batch(one)))
    alone = [one.task.decode(one.outputs(batch(one, [r])))[0] for r in RECORDS]
    assert [a.answer for a in together] == [a.answer for a in alone]


def test_judged_by_sacrebleu():
    task = Translate().fit(RECORDS)
    columns = task.judge([Prediction(r.target) for r in RECORDS], RECORDS)
    scores = {name: metric(columns) for name, metric in task.answer_metrics().items()}
    assert scores["chrf"] == pytest.approx(100) and scores["empty"] == scores["copied"] == 0
    assert "tok:13a" in task.notes()["bleu"]


@pytest.mark.parametrize(
    "target, cut", [("你好，世界", "zh"), ("Grüße", "13a"), ("こんにちは", "char"), ("สวัสดี", "char"), ("", "13a")]
)
def test_bleu_cuts_by_script(target, cut):
    assert Translate().fit([Record("0", "x", target=target)]).bleu_words == cut


def test_what_cannot_be_written_is_refused():
    with pytest.raises(ImpossiblePair):
        assemble(Text(ngrams=2).fit(["a b"]), BACKBONE, Translate())
    with pytest.raises(BadSetting, match="heads"):
        assemble(TEXT, BACKBONE, Translate(heads=3))
