import json

from tests.model.writers import parrot, writer
from zhuji.data.settings import CleanSettings
from zhuji.model.generate import GenerateSettings
from zhuji.model.predictor import Predictor
from zhuji.tools.generate import generate, stream

GREEDY = GenerateSettings(how="greedy", max_units=20)


def test_prompts_are_cleaned_as_texts_were():
    predictor = Predictor(writer(), clean=CleanSettings(whitespace=True))
    written = generate(predictor, ["the  cat ", "the cat"], GREEDY)
    assert [one.prompt for one in written.texts] == ["the cat", "the cat"]
    assert written.texts[0].text == written.texts[1].text
    assert "".join(stream(predictor, " the cat", GREEDY)) == written.texts[1].text


def test_what_was_written_can_be_kept_as_json():
    plain = json.loads(json.dumps(generate(Predictor(parrot("yes")), ["is it?"], GREEDY).as_dict()))
    (one,) = plain["texts"]
    assert (one["prompt"], one["text"], one["units"], one["ended"]) == ("is it?", "yes", 3, True)
    assert abs(one["score"]) < 1e-6
