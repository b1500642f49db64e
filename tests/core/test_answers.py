import json
from dataclasses import FrozenInstanceError, asdict

import numpy as np
import pytest

from zhuji.core.answers import About, Prediction, Shown, Timed
from zhuji.modalities.text import Text


def test_an_answer_is_fixed_and_can_be_written_as_json():
    answer = Prediction(("a", "b"), 0.5, {"a": 0.5, "b": 0.25}, (Timed("a", 0.0, 0.5),))
    assert json.loads(json.dumps(asdict(answer))) == {
        "answer": ["a", "b"], "score": 0.5, "scores": {"a": 0.5, "b": 0.25}, "times": [{"word": "a", "begin": 0.0, "end": 0.5}],
        "waves": None, "cut": 0.0,
    }  # fmt: skip
    for told, name in ((answer, "score"), (About("a"), "name"), (Shown("", (), np.zeros((0, 2))), "text")):
        with pytest.raises(FrozenInstanceError):
            setattr(told, name, None)


def test_what_is_asked_about_is_the_first_word_until_another_is_named():
    assert (About("a").first, About("a").last) == (0, 0)


def test_parts_of_a_shown_text_lie_in_order_and_apart():
    modality, texts = Text.example()
    shown = modality.shown(texts[0])
    ends = [end for part in shown.parts for end in part]
    assert ends == sorted(ends) and shown.units.shape == (modality.encode([texts[0]])[0].length, 2)
