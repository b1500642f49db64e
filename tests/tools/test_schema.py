import pytest

from zhuji.core.contracts import Backbone, Modality, Task
from zhuji.core.errors import UnknownKey
from zhuji.core.lookup import find, names
from zhuji.tools.schema import schema


def test_every_part_and_each_of_its_options_is_there() -> None:
    whole = schema()
    for kind in (Modality, Backbone, Task):
        for name in names(kind):
            part = whole["$defs"][f"{kind.shelf}.{name}"]
            assert part["properties"]["name"] == {"const": name} and "name" in part["required"]
            assert set(find(kind, name).model_fields) <= set(part["properties"])


def test_references_lead_somewhere() -> None:
    whole = schema()

    def walk(node: object) -> None:
        if isinstance(node, dict):
            if isinstance(node.get("$ref"), str):
                assert node["$ref"].removeprefix("#/$defs/") in whole["$defs"], node["$ref"]
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(whole)


def test_the_two_kinds_of_run_file_exclude_each_other() -> None:
    whole = schema()
    training, pretraining = whole["oneOf"]
    assert training["required"] == ["data"] and training["properties"]["corpus"] is False
    assert pretraining["required"] == ["corpus"] and pretraining["properties"]["data"] is False
    assert "CorpusSettings" in whole["$defs"] and {"pack", "teacher"} <= set(whole["properties"])


def test_defaults() -> None:
    assert schema({"seed": 7})["properties"]["seed"]["default"] == 7
    with pytest.raises(UnknownKey):
        schema({"seeds": 7})


def test_what_settings_mean_is_in_their_descriptions() -> None:
    whole = schema()
    described = {
        ("DataSettings", "max_dropped"): "Largest share of rows that may be dropped before the run stops.",
        ("TrainSettings", "steps"): "Number of optimiser steps; overrides `epochs`.",
        ("backbone.cnn", "channels"): "Filters of each kind.",
        ("task.classify", "labels"): "Learned: class names, sorted.",
    }
    assert {at: whole["$defs"][at[0]]["properties"][at[1]].get("description") for at in described} == described
    assert whole["properties"]["recipe"]["description"] == "The recipe it began with, for the record."
