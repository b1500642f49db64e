import sys

import numpy as np
import pytest
import sacrebleu

from zhuji.core.errors import MissingExtra
from zhuji.metrics import translation
from zhuji.metrics.intervals import bootstrap

ANSWERS = ["Ein Mann fährt Rad.", "Zwei Hunde spielen im Schnee .", "", "a man rides", "Die Frau liest ein Buch, oder?"]
TRUTH = ["Ein Mann fährt ein Rad.", "Zwei Hunde spielen im Schnee.", "Nichts.", "Ein Mann reitet.", "Die Frau liest ein Buch."]
SOURCES = ["A man rides a bike.", "Two dogs play.", "Nothing.", "a  man rides", "The woman reads."]
ZH = (
    ["一个男人在骑车。", "两只狗在雪地里玩耍。", "没有。", "一个人", "她在看书"],
    ["一个男人骑着车。", "两只狗在雪里玩。", "没有什么。", "一个男人", "她正在看书"],
)


@pytest.mark.parametrize("answers, truth, cut", [(ANSWERS, TRUTH, "13a"), (*ZH, "zh"), (*ZH, "char")])
def test_equal_to_sacrebleu_on_the_whole(answers, truth, cut):
    columns = translation.judged(answers, truth, SOURCES, cut)
    bleu, chrf = sacrebleu.metrics.BLEU(tokenize=cut), sacrebleu.metrics.CHRF()
    assert translation.bleu(columns) == pytest.approx(bleu.corpus_score(answers, [truth]).score, abs=1e-9)
    assert translation.chrf(columns) == pytest.approx(chrf.corpus_score(answers, [truth]).score, abs=1e-9)
    assert translation.signatures(cut) == {"bleu": str(bleu.get_signature()), "chrf": str(chrf.get_signature())}
    assert translation.cut_in(str(bleu.get_signature())) == cut and translation.cut_in("") == "13a"


def test_a_resample_is_the_score_of_the_rows_drawn():
    columns = translation.judged(ANSWERS, TRUTH, SOURCES, "13a")
    times = np.array([2, 3, 0, 0, 1])
    rows = np.repeat(np.arange(5), times)
    drawn = [ANSWERS[i] for i in rows], [[TRUTH[i] for i in rows]]
    for name, metric in (("bleu", sacrebleu.corpus_bleu), ("chrf", sacrebleu.corpus_chrf)):
        ours = getattr(translation, name).resampled(columns, times[None].astype(float))[0]
        assert ours == pytest.approx(metric(*drawn).score, abs=1e-9)
    interval = bootstrap(translation.bleu, columns, 100)
    assert interval.low < interval.value < interval.high


def test_empty_answers_and_copies_are_counted():
    columns = translation.judged(ANSWERS, TRUTH, SOURCES, "13a")
    assert (translation.empty(columns), translation.copied(columns)) == (0.2, 0.2)


def test_without_sacrebleu_one_clear_error(monkeypatch):
    translation._bleu.cache_clear()
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics", None)
    monkeypatch.setitem(sys.modules, "sacrebleu", None)
    with pytest.raises(MissingExtra, match="sacrebleu"):
        translation.judged(["a"], ["a"], ["b"], "13a")
