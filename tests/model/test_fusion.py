from itertools import product

import numpy as np
import pytest
import torch

from zhuji.backbones.transformer import Transformer
from zhuji.core.errors import BadSetting, ImpossiblePair
from zhuji.core.records import Record
from zhuji.modalities.text import Text
from zhuji.model.assembly import assemble, collate
from zhuji.model.fusion import language_of
from zhuji.model.generate import GenerateSettings, generate
from zhuji.nn.ctc import Search
from zhuji.tasks.classify import Classify
from zhuji.tasks.next_unit import NextUnit

LETTERS = (" ", "a", "b", "z")
TEXTS = ["ab ab", "ab", "b ab", "ab ab ab"]


def writer(task=None, **text):
    modality = Text(**{"tokenizer": "characters", "wrap": "both", **text}).fit(TEXTS)
    backbone = Transformer(width=16, layers=1, heads=2, dropout=0.0)
    return assemble(modality, backbone, task or NextUnit()).eval()


@pytest.fixture(scope="module")
def learned():
    """One that knows that b follows a."""
    torch.manual_seed(0)
    model = writer().train()
    encoded = model.modality.encode(TEXTS)
    batch = collate(model, encoded, [Record("x", text) for text in TEXTS], 12)
    optimiser = torch.optim.Adam(model.parameters(), 0.02)
    for _ in range(40):
        optimiser.zero_grad()
        model.loss(batch).mean().backward()
        optimiser.step()
    return model.eval()


def spelled(ids):
    return "".join(LETTERS[id - 1] for id in ids)


def test_it_says_what_the_model_would_write_next(learned):
    language = language_of(learned, LETTERS)
    texts = [(), (2,), (2, 3), (2, 3, 1, 2), (3, 3)]
    told = language(texts)
    assert told.shape == (5, 5)
    for ids, row in zip(texts, told, strict=True):
        prompt = (
            learned.modality.spec.start,
            *(i for letter in spelled(ids) for i in learned.modality.encode([letter])[0].ids[1:-1]),
        )
        [written] = generate(learned, [tuple(map(int, prompt))], GenerateSettings(how="greedy", max_units=1))
        best = int(row.argmax())
        assert ("" if best == 0 else LETTERS[best - 1]) == written.text
        assert row[best] == pytest.approx(written.score, abs=1e-5)
        assert np.exp(row[[0, 1, 2, 3]]).sum() == pytest.approx(1.0, abs=1e-3)


def test_texts_beside_each_other_change_nothing(learned):
    language = language_of(learned, LETTERS)
    texts = [ids for size in range(4) for ids in product((1, 2, 3), repeat=size)]
    np.testing.assert_allclose(language(texts), np.concatenate([language([ids]) for ids in texts]), atol=1e-5)


def test_a_letter_that_was_never_met_is_unlikely_but_not_impossible(learned):
    assert language_of(learned, LETTERS)([(2,), (4,)])[:, 4].tolist() == [-12.0, -12.0]


def test_a_search_hears_what_was_learned(learned):
    log_p = np.log(np.array([[0.02, 0.01, 0.95, 0.01, 0.01], [0.02, 0.02, 0.01, 0.48, 0.47]]))
    assert Search(8)(log_p)[0].ids == (2, 3)
    doubtful = log_p[:, [0, 1, 2, 4, 3]]
    assert Search(8)(doubtful)[0].ids == (2, 4)
    assert Search(8, language=language_of(learned, LETTERS), weight=0.5)(doubtful)[0].ids == (2, 3)


def test_others_are_refused():
    with pytest.raises(ImpossiblePair, match="next"):
        language_of(writer(Classify.example().task), LETTERS)
    with pytest.raises(BadSetting, match="one by one"):
        language_of(writer(tokenizer="words"), LETTERS)
    with pytest.raises(BadSetting, match="start"):
        language_of(writer(wrap="none"), LETTERS)
