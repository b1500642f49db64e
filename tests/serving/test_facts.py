from __future__ import annotations

from dataclasses import replace

import pytest

from tests import voiced
from tests.serving import house, made
from zhuji.core.contracts import Task
from zhuji.core.lookup import names
from zhuji.model.bundle import open_bundle
from zhuji.model.pooled import embed
from zhuji.serving.facts import facts_of
from zhuji.training.transfer import digest

KINDS = {
    "classify": "class", "regress": "number", "tag": "tags", "translate": "text", "contrast": "vector", "triplet": "vector",
    "imitate": "vector", "distill_self": "vector", "masked_units": "units", "next_unit": "number", "replaced_unit": "number",
    "detect": "boxes", "generate": "vector", "masked_patches": "vector", "masked_frames": "vector", "transcribe": "text", "enhance": "sound",
    "speak": "number", "vocode": "number",
}  # fmt: skip


@pytest.mark.parametrize("task", names(Task))
def test_every_task_says_how_it_answers(task):
    facts = facts_of(open_bundle(made.of_task(task)))
    assert facts.answers == KINDS[task] and facts.task == task


def test_facts_are_those_of_the_model():
    predictor = house.predictor()
    facts = facts_of(predictor, digest(predictor.model))
    assert facts.width == next(embed(predictor, ["a"])).shape[0]
    assert facts.nearest and not facts_of(predictor, "other").nearest and not facts_of(predictor).nearest
    assert facts.labels == predictor.model.task.classes and facts.explains and not facts.generates
    assert facts.parameters == sum(weight.numel() for weight in predictor.model.parameters())


def test_who_can_be_talked_with():
    assert [facts_of(open_bundle(path)).chats for path in (made.talker(), made.writer(), house.bundle())] == [
        True,
        False,
        False,
    ]


def test_who_speaks_and_by_which_voices():
    facts = facts_of(open_bundle(voiced.voice()))
    assert (facts.speaks, facts.voices) == (True, ("high", "low"))
    silent = facts_of(house.predictor())
    assert (silent.speaks, silent.voices) == (False, ())
    graph = replace(open_bundle(voiced.voice()), runner=lambda units: {})
    assert (facts_of(graph).speaks, facts_of(graph).voices) == (False, ()), "an exported network makes no sound"


@pytest.mark.parametrize("task", names(Task))
def test_without_golden_rows_facts_are_known_all_the_same(task):
    predictor = open_bundle(made.of_task(task))
    known = facts_of(predictor)
    predictor.golden = ()
    assert facts_of(predictor) == replace(known, example=None)
