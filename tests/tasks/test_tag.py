from dataclasses import replace
from itertools import pairwise, product

import numpy as np
import pytest
import torch

from tests.contracts import properties
from tests.contracts.properties import Cell
from zhuji.backbones.recurrent import Recurrent
from zhuji.backbones.transformer import Transformer
from zhuji.core.contracts import About, Prediction
from zhuji.core.errors import BadSetting, UnknownName
from zhuji.core.records import Record
from zhuji.core.units import Units
from zhuji.modalities.spelled import Spelled
from zhuji.modalities.text import Text
from zhuji.model.assembly import assemble, collate
from zhuji.nn.crf import Links
from zhuji.tasks.tag import Tag, Tagged, best_path, first_units

ROWS = [("O", "B-a", "I-a"), ("B-b", "O"), ("O", "O", "O", "B-a")]
RECORDS = [Record(str(i), tuple("wxyz"[: len(tags)]), label=tags) for i, tags in enumerate(ROWS)]
TASK = Tag(dropout=0.0).fit(RECORDS)


def outputs(*rows):
    """Logits under which each row's best tags, taken alone, are these."""
    wide = max(map(len, rows))
    logits, real = torch.zeros(len(rows), wide, len(TASK.labels)), torch.zeros(len(rows), wide, dtype=torch.bool)
    for i, row in enumerate(rows):
        real[i, : len(row)] = True
        for j, tag in enumerate(row):
            logits[i, j, TASK.labels.index(tag)] = 3.0
    return Tagged(logits, real)


def test_fit_learns_tags_by_frequency():
    assert TASK.labels == ("O", "B-a", "B-b", "I-a")
    assert TASK.classes == ("a", "b", "(other)")
    assert Tag().fit([Record("0", ("a",), label=("NOUN",))]).classes == ()


def test_the_first_piece_of_each_word_carries_the_tag():
    words = torch.tensor([[-1, 0, 0, 1, 2, 2, -1], [0, 2, 2, 3, -1, -1, -1], [-1] * 7])
    mask = torch.tensor([[True] * 7, [True] * 4 + [False] * 3, [True] * 7])
    first, real = first_units(Units(mask, words=words), mask)
    assert real.tolist() == [[True, True, True, False], [True] * 4, [False] * 4]
    # Word 1 of the second row has no piece: it shares the one before.
    assert first[0, :3].tolist() == [1, 3, 4] and first[1].tolist() == [0, 0, 1, 3]
    alone, there = first_units(Units(mask), mask)
    assert alone[1, :4].tolist() == [0, 1, 2, 3] and there.sum(1).tolist() == [7, 4, 7]


def test_the_path_is_the_best_of_all():
    rng = np.random.default_rng(0)
    first, between, last = TASK.transitions
    for _ in range(20):
        scores = rng.normal(size=(4, len(TASK.labels)))

        def total(path):
            steps = sum(between[a, b] for a, b in pairwise(path))
            return first[path[0]] + steps + last[path[-1]] + scores[range(4), path].sum()

        assert tuple(best_path(scores, first, between, last)) == max(product(range(len(TASK.labels)), repeat=4), key=total)
    assert best_path(np.empty((0, 4)), first, between, last) == []


@pytest.mark.parametrize(
    "given, expected", [(("I-a", "I-a"), {"B-a"}), (("O", "I-a"), {"O"}), (("B-b", "I-a"), {"B-a", "B-b", "O"})]
)
def test_answers_keep_to_the_scheme(given, expected):
    answer = TASK.decode(outputs(given))[0].answer
    assert len(answer) == 2 and answer[0] in expected
    assert answer[1] != "I-a" or answer[0] in ("B-a", "I-a")


def test_a_bioes_row_never_ends_open():
    task = Tag().fit([Record("0", ("a", "b", "c"), label=("B-a", "E-a", "S-a")), Record("1", ("x",), label=("O",))])
    logits = torch.zeros(1, 3, len(task.labels))
    logits[..., task.labels.index("B-a")] = 4.0
    answer = task.decode(Tagged(logits, torch.ones(1, 3, dtype=torch.bool)))[0].answer
    assert answer[-1] not in ("B-a",) and answer in {
        ("B-a", "E-a", "S-a"),
        ("S-a", "B-a", "E-a"),
        ("B-a", "E-a", "O"),
        ("O", "B-a", "E-a"),
    }


def test_evidence_is_what_the_answers_are_judged_by():
    task, given = TASK, outputs(("O", "B-a", "I-a"), ("O", "O"), ("O", "O"))
    batch = collate(_Parts(task), TEXT.encode([r.input for r in RECORDS]), RECORDS, 16)
    evidence = task.evidence(given, batch)
    answers = task.decode(given)
    judged = task.judge(answers, RECORDS)
    assert evidence.keys() == judged.keys()
    assert all(np.array_equal(evidence[name], judged[name]) for name in evidence)
    assert evidence["words"].tolist() == [3, 2, 4] and evidence["lost"].tolist() == [0, 0, 2]
    assert evidence["right"].tolist() == [3, 1, 3]
    assert evidence["correct"].tolist() == [[1, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert evidence["actual"].tolist() == [[1, 0, 0], [0, 1, 0], [1, 0, 0]]
    assert next(iter(task.metrics().values()))(evidence) == pytest.approx(2 / 4)


def test_tags_that_training_never_met_teach_nothing_and_count():
    stranger = Record("9", ("w", "x"), label=("B-new", "O"))
    batch = collate(_Parts(TASK), TEXT.encode([stranger.input]), [stranger], 8)
    given = outputs(("O", "O"))
    loss = TASK.loss(given, batch)
    alone = torch.nn.functional.cross_entropy(given.logits[0, 1:], torch.tensor([0]))
    assert int(loss.count) == 1 and float(loss.total) == pytest.approx(float(alone))
    assert TASK.evidence(given, batch)["actual"].tolist() == [[0, 0, 1]]


def test_plain_tags_are_scored_by_word():
    records = [Record("0", ("a", "b"), label=("DET", "NOUN"))]
    task = Tag().fit(records)
    assert next(iter(task.metrics())) == "accuracy" and not task.notes()
    logits = torch.tensor([[[0.0, 1.0], [0.0, 1.0]]])
    batch = collate(_Parts(task), TEXT.encode(["a b"]), records, 8)
    columns = task.evidence(Tagged(logits, torch.ones(1, 2, dtype=torch.bool)), batch)
    assert columns["right"].tolist() == [1] and task.metrics()["accuracy"](columns) == 0.5


TEXT = Text(tokenizer="bpe", vocab_size=300).fit(["wordpiece cut into many pieces w x y z"])


class _Parts:
    modality = TEXT

    def __init__(self, task):
        self.task = task


def test_pieces_of_words_are_tagged_by_word_and_what_is_cut_off_is_lost():
    text = Text(tokenizer="bpe", vocab_size=300, max_units=6).fit(["ab"])
    task = Tag(dropout=0.0).fit([Record("0", ("abc", "d"), label=("B-a", "O"))])
    model = assemble(text, Transformer(width=8, layers=1, heads=2), task).eval()
    record = Record("0", ("abc", "de", "fgh"), label=("B-a", "O", "O"))
    encoded = text.encode([record.input])
    batch = collate(model, encoded, [record], 6)
    out = model.outputs(batch)
    # Bytes and the blanks before words: the third word loses its end, a fourth would be gone.
    kept = len({*encoded[0].words.tolist()} - {-1})
    assert out.logits.shape[:2] == (1, kept) and kept < 4 and encoded[0].cut
    assert task.evidence(out, batch)["lost"].tolist() == [3 - kept]


class TestCrf:
    CHAINED = TASK.model_copy(update={"crf": True})

    @pytest.mark.parametrize("promise", properties.EVERY, ids=lambda promise: promise.__name__)
    def test_every_promise_is_kept(self, promise):
        example = Tag.example()
        learned = replace(example, task=Tag.parse({**example.task.plain(), "crf": True}))
        promise(Cell.of(Spelled.example(), Recurrent.example(), learned))

    def test_links_decide_where_words_do_not(self):
        given = outputs(("O", "O"))
        links = Links(torch.zeros(4), torch.zeros(4, 4), torch.zeros(4))
        begin, inside = TASK.labels.index("B-a"), TASK.labels.index("I-a")
        links.between[begin, inside] = 20.0
        told = self.CHAINED.decode(given._replace(logits=given.logits * 0, links=links))[0]
        assert told.answer == ("B-a", "I-a") and told.score == pytest.approx(1.0, abs=1e-4)

    def test_answers_keep_to_the_scheme_whatever_the_links_say(self):
        given = outputs(("O", "I-a"))
        links = Links(torch.zeros(4), torch.zeros(4, 4), torch.zeros(4))
        links.between[TASK.labels.index("O"), TASK.labels.index("I-a")] = 50.0
        answer = self.CHAINED.decode(given._replace(links=links))[0].answer
        assert answer[1] != "I-a" or answer[0] in ("B-a", "I-a")

    def test_without_links_the_loss_is_that_of_single_words(self):
        given = outputs(("O", "B-a", "I-a"), ("O", "O"), ("O", "O", "B-b", "O"))
        batch = collate(_Parts(TASK), TEXT.encode([r.input for r in RECORDS]), RECORDS, 16)
        links = Links(torch.zeros(4), torch.zeros(4, 4), torch.zeros(4))
        alone, chained = TASK.loss(given, batch), self.CHAINED.loss(given._replace(links=links), batch)
        torch.testing.assert_close(chained.total, alone.total)
        assert int(chained.count) == int(alone.count) == 9

    def test_smoothing_is_refused(self):
        with pytest.raises(BadSetting, match="label_smoothing"):
            Tag.parse({"crf": True, "label_smoothing": 0.1})


def test_spans_or_words_can_be_explained_by_the_log_odds_of_their_kind():
    logits = torch.randn(1, 3, len(TASK.labels), generator=torch.Generator().manual_seed(0))
    tagged = Tagged(logits, torch.ones(1, 3, dtype=torch.bool))
    answer = Prediction(("B-a", "I-a", "O"))
    assert TASK.abouts(answer) == [About("a", 0, 1)]
    assert TASK.abouts(answer, "y", "xyy") == [About("a", 1, 1), About("O", 2, 2)]
    with pytest.raises(UnknownName):
        TASK.abouts(answer, "q", "xyy")
    chances = logits.softmax(-1)[0, :2]
    inside = chances[:, [TASK.labels.index("B-a"), TASK.labels.index("I-a")]].sum(1)
    expected = (inside / (1 - inside)).log().mean()
    assert TASK.spoken_for(tagged, About("a", 0, 1)).item() == pytest.approx(expected.item(), abs=1e-5)
    assert TASK.spoken_for(tagged, About("a", 7, 8)).tolist() == [0.0], "words that were cut off"


def test_tags_that_mark_nothing_are_explained_word_by_word():
    task = Tag().fit([Record("1", ("x", "y"), label=("noun", "verb"))])
    assert task.abouts(Prediction(("verb", "noun"))) == [About("verb", 0, 0), About("noun", 1, 1)]
