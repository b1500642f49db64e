import json
import math

import pytest
import torch
import torch.nn.functional as F

from tests.model.writers import writer
from zhuji.backbones.transformer import Transformer
from zhuji.core.errors import BadSetting, EmptyData, ImpossiblePair
from zhuji.data.corpus.settings import TextsSettings
from zhuji.data.ledger import Ledger
from zhuji.modalities.text import Text
from zhuji.model.assembly import assemble
from zhuji.model.predictor import Predictor
from zhuji.tasks.classify import Classify
from zhuji.tools.perplexity import Foreseen, cuts, limit_of, perplexity, perplexity_of

LONG = "the cat sat on the mat 筑基 " * 12


@pytest.mark.parametrize("wrap, first", [("none", 1), ("both", 0)])
def test_who_knows_nothing_is_surprised_by_every_id_alike(wrap, first):
    model = writer(tokenizer="bytes", wrap=wrap)
    with torch.no_grad():
        model.encoder.stem.table.weight.zero_()
    found = perplexity(Predictor(model), ["abcd", "筑", "b" * 100])
    ids = model.modality.spec.num_ids
    assert found.perplexity == pytest.approx(ids, rel=1e-5)
    assert found.texts == 3
    assert found.bytes == 4 + 3 + 100 - 3 * first
    assert found.units == found.bytes + (3 if wrap == "both" else 0)  # the end is foreseen as well
    assert found.bits_per_byte == pytest.approx(math.log2(ids) * found.units / found.bytes, rel=1e-5)


def test_numbers_by_hand():
    found = Foreseen(texts=1, units=4, bytes=10, nats=8 * math.log(2))
    assert found.perplexity == pytest.approx(4)
    assert found.bits_per_byte == pytest.approx(0.8)
    assert json.loads(json.dumps(found.as_dict()))["bits_per_byte"] == pytest.approx(0.8)


@pytest.mark.parametrize("length", [1, 2, 5, 7, 8, 9, 30])
@pytest.mark.parametrize("window, stride", [(8, 4), (8, 7), (8, 1), (2, 1), (5, 2)])
def test_every_unit_but_the_first_is_new_once(length, window, stride):
    seen = []
    for start, stop, known in cuts(length, window, stride):
        assert 1 <= stop - start <= window and known >= 1
        assert start == 0 or known >= window - stride
        seen += range(start + known, stop)
    assert seen == list(range(1, length))


def test_a_long_text_is_what_its_windows_are():
    model = writer(loud=2.0, tokenizer="bytes")
    ids = torch.tensor(list(model.modality.model_copy(update={"max_units": 9999}).encode([LONG.strip()])[0].ids)).long()
    window, stride, nats = 40, 15, 0.0
    with torch.no_grad():
        for start, stop, known in cuts(len(ids), window, stride):
            units = model.modality.collate(
                [model.modality.encode(["x"])[0].__class__(ids[start:stop].int().numpy())], (stop - start,)
            )
            logits = model.head.logits(model.encoder(units).states[0], model.encoder.table())
            nats += float(F.cross_entropy(logits[known - 1 : -1], ids[start + known : stop], reduction="sum"))
    found = perplexity(Predictor(model), [LONG], stride=stride)
    assert found.units == len(ids) - 1
    assert found.nats == pytest.approx(nats, rel=1e-5)


def test_more_context_leaves_as_many_units():
    predictor = Predictor(writer(loud=2.0, tokenizer="bytes"))
    a, b = perplexity(predictor, [LONG], stride=39), perplexity(predictor, [LONG], window=10, stride=9)
    assert a.units == b.units and a.bytes == b.bytes and a.nats != b.nats


def test_batches_change_nothing():
    predictor = Predictor(writer(loud=2.0))
    texts = ["the cat sat", "a", LONG, "b c"]
    alone = [perplexity(predictor, [text]) for text in texts if text != "a"]
    for units in (40, 8192):
        found = perplexity(predictor, texts, batch_units=units)
        assert found.nats == pytest.approx(sum(one.nats for one in alone), rel=1e-5)


def test_files_are_read_text_by_text(tmp_path):
    path = tmp_path / "texts.jsonl"
    path.write_text("\n".join(json.dumps({"text": text}) for text in ("the cat sat", "筑基：从头开始", "a b c d")))
    predictor, ledger = Predictor(writer()), Ledger()
    found = perplexity_of(predictor, TextsSettings(path=str(path)), ledger)
    assert found == perplexity(predictor, ["the cat sat", "筑基：从头开始", "a b c d"])
    assert (ledger.read, ledger.total("used")) == (3, 3)


def test_the_limit_is_the_smaller_one():
    learned = Transformer(width=16, layers=1, heads=2, positions="learned", max_positions=9)
    assert (limit_of(writer()), limit_of(writer(learned))) == (40, 9)


def test_what_cannot_be_is_refused():
    predictor = Predictor(writer())
    for options, told in (
        ({"window": 41}, "window"),
        ({"window": 1}, "window"),
        ({"stride": 40}, "stride"),
        ({"stride": 0}, "stride"),
    ):
        with pytest.raises(BadSetting, match=told):
            perplexity(predictor, ["a"], **options)
    with pytest.raises(EmptyData):
        perplexity(predictor, ["", " "])
    modality, _ = Text.example()
    with pytest.raises(ImpossiblePair, match="next unit"):
        perplexity(Predictor(assemble(modality, Transformer.example(), Classify.example().task)), ["a"])
