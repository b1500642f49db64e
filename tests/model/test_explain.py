"""From weights of units to words that a person reads."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from tests import supervised, trained
from zhuji.core.contracts import Shown
from zhuji.core.errors import CannotExplain, UnknownName
from zhuji.model.bundle import open_bundle
from zhuji.model.explain import by_part, explain

TEXTS = [
    "bark bone leash 1f", "飞 翅膀，羽毛！", "", "   ", "purr", "two  blanks\u200b, cafe\u0301 and 😀 purr", "a\r\nb\r\n\r\n\r\n\r\nc \ud800 d",
]  # fmt: skip


@cache
def predictor():
    return open_bundle(trained.run())


@pytest.mark.parametrize("text", TEXTS)
def test_parts_joined_are_the_text_and_their_weights_add_up(text):
    (one,) = explain(predictor(), text)
    assert "".join(part.text for part in one.parts) == text
    assert all(text[part.start : part.end] == part.text for part in one.parts)
    total = sum(part.weight for part in one.parts) + one.rest + one.gap
    assert total == pytest.approx(one.value - one.base, abs=1e-6)
    assert not any(part.weight for part in one.parts if not part.text.strip())
    assert one.about == one.prediction.answer and one.cut == 0


def test_a_planted_word_decides():
    """The classes of the run differ by their words alone; each text holds one of them among words of no class."""
    for word, label in (("kennel", "dogs"), ("meow", "cats"), ("羽毛", "鸟类")):
        (one,) = explain(predictor(), f"zz qq {word} xx yy")
        assert one.prediction.answer == label
        strongest = one.strongest(1)[0]
        assert strongest.text in word and strongest.weight > 0


def test_another_class_than_the_answer():
    (one,) = explain(predictor(), "kennel", "cats")
    assert one.about == "cats" and one.value < 0 and one.prediction.answer == "dogs"
    with pytest.raises(UnknownName) as caught:
        list(explain(predictor(), "kennel", "fish"))
    assert "dogs" in caught.value.message("en")


def test_what_is_too_long_is_told():
    long = predictor().model.modality.max_units + 30
    (one,) = explain(predictor(), "bark " * long)
    assert one.cut == 30 and one.parts[-2].weight == 0 and one.parts[0].weight != 0
    assert "".join(part.text for part in one.parts) == "bark " * long


def test_the_value_is_that_of_the_answer():
    """Log-odds of the probability that is answered. Tolerance: float32."""
    (one,) = explain(predictor(), TEXTS[0])
    odds = one.prediction.score / (1 - one.prediction.score)
    assert one.value == pytest.approx(np.log(odds), abs=1e-4)


def test_every_span_of_tags_and_the_words_that_are_asked_for():
    tagger = open_bundle(supervised.tagged().bundle)
    text = "Ada  Smith met Bo."
    found = list(explain(tagger, text))
    assert [(one.about, one.of) for one in found] == [("PER", "Ada Smith"), ("PER", "Bo")]
    for one in found:
        assert "".join(part.text for part in one.parts) == text
        assert one.strongest(1)[0].text in ("Ada", "Smith", "Bo")
    (word,) = explain(tagger, text, "met")
    assert (word.about, word.of) == ("O", "met")
    with pytest.raises(UnknownName):
        list(explain(tagger, text, "nobody"))
    (one, _) = explain(tagger, ("Ada", "met", "Bo"))
    assert "".join(part.text for part in one.parts) == "Ada met Bo"


def test_nothing_marked_is_nothing_explained():
    assert not list(explain(open_bundle(supervised.tagged().bundle), "went and then"))


def test_a_task_that_writes_is_refused_before_it_writes():
    with pytest.raises(CannotExplain) as caught:
        next(explain(open_bundle(supervised.translated().bundle), "one two"))
    assert "translate" in caught.value.message("en") and "translate" in caught.value.message("zh")


def test_a_unit_of_several_parts_is_shared_and_one_of_none_is_rest():
    shown = Shown("ab cd", [(0, 2), (3, 5)], np.array([[0, 1], [1, 2], [0, 2], [0, 0]]))
    weights, rest = by_part(np.array([1.0, 2.0, 4.0, 8.0, 16.0]), shown)
    assert weights.tolist() == [3.0, 4.0] and rest == 8.0


def test_as_json():
    (one,) = explain(predictor(), "bark bone")
    assert set(one.as_dict()) == {"prediction", "score", "about", "of", "parts", "rest", "value", "base", "gap", "complete", "cut", "method",
                                  "steps"}  # fmt: skip
    assert [part["text"] for part in one.as_dict()["parts"]] == ["bark", " ", "bone"]
