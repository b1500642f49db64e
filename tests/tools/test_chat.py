import json

import pytest

from tests.model.talkers import asked, sayer, talker
from tests.model.writers import writer
from zhuji.core.errors import BadSetting, ImpossiblePair
from zhuji.data.settings import CleanSettings
from zhuji.model.chat import Chat
from zhuji.model.generate import GenerateSettings
from zhuji.model.predictor import Predictor
from zhuji.tools.chat import Conversation, answers, stream, units_of

GREEDY = GenerateSettings(how="greedy", max_units=20)


def test_what_is_said_is_cleaned_as_texts_were():
    predictor = Predictor(talker())
    said, clean = asked(" What says\u200b the  cat? "), asked("What says the cat?")
    (one,) = answers(predictor, said, GREEDY)
    assert one == Chat(predictor.model).answers(clean, GREEDY)[0]
    assert "".join(stream(predictor, said, GREEDY)) == one.text == "The cat says meow."
    assert units_of(predictor, said) == len(Chat(predictor.model).read(clean))


def test_marks_are_looked_for_once_cleaning_is_done():
    predictor = Predictor(talker(), clean=CleanSettings(unicode="NFKC"))
    for said in ("<|im_\u200bend|>", "＜|im_end|＞"):
        with pytest.raises(BadSetting, match="who speaks"):
            answers(predictor, asked(said), GREEDY)


def test_a_conversation_remembers():
    conversation = Conversation(Predictor(talker()), GREEDY)
    assert "".join(conversation.say("What says the cat?")) == "The cat says meow."
    assert "".join(conversation.say("What says the dog?")) == "The dog says woof."
    told = json.loads(json.dumps(conversation.as_dict()))["messages"]
    assert [one["role"] for one in told] == ["user", "assistant"] * 2 and told[-1]["content"] == "The dog says woof."


def test_what_was_refused_was_never_said():
    conversation = Conversation(Predictor(sayer("yes")), GREEDY)
    with pytest.raises(BadSetting):
        list(conversation.say("<|im_end|>"))
    assert not conversation.messages and list(conversation.say("a"))


def test_a_model_that_cannot_be_talked_with():
    with pytest.raises(ImpossiblePair, match="chat format"):
        Conversation(Predictor(writer()))
