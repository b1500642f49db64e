"""The object that describes a run: layers laid on each other, its written form, its schema."""

import json
from typing import Any

import pytest

from zhuji.core.config import read_yaml, write_yaml
from zhuji.core.errors import BadSetting, UnknownKey
from zhuji.training.run import SHELVES, Run, compose

DATA = {"data": {"path": "rows.csv"}}


def test_a_path_is_enough() -> None:
    run = compose(DATA)
    assert {shelf: getattr(run, shelf) for shelf in SHELVES} == {
        "modality": {"name": "text"}, "backbone": {"name": "bag"}, "task": {"name": "auto"},
    }  # fmt: skip
    assert (run.seed, run.train.precision, run.data.path) == (0, "auto", "rows.csv")


def test_later_layers_lie_on_earlier_ones_and_leave_what_they_do_not_name() -> None:
    recipe = {"recipe": "r", "seed": 1, "train": {"epochs": 3, "optim": {"name": "sgd", "lr": 0.5}}}
    file = {**DATA, "seed": 2, "train": {"optim": {"lr": 0.25}}}
    run = compose(recipe, file, {"train": {"patience": 4}})
    assert (run.recipe, run.seed, run.train.epochs, run.train.patience) == ("r", 2, 3, 4)
    assert (run.train.optim.name, run.train.optim.lr) == ("sgd", 0.25)


def test_set_lies_on_top_of_every_layer_and_later_pairs_on_earlier_ones() -> None:
    run = compose(DATA, {"train": {"steps": 5, "keep": 3}}, sets=["train.steps=6", "train.steps=7", "name=七"])
    assert (run.train.steps, run.train.keep, run.name) == (7, 3, "七")


def test_a_part_of_another_name_brings_its_own_options() -> None:
    recipe = {"backbone": {"name": "recurrent", "hidden": 9, "cell": "gru"}}
    assert compose(recipe, DATA, {"backbone": {"hidden": 5}}).backbone == {"name": "recurrent", "hidden": 5, "cell": "gru"}
    assert compose(recipe, DATA, {"backbone": {"name": "cnn"}}).backbone == {"name": "cnn"}
    assert compose(recipe, DATA, sets=["backbone.name=bag"]).backbone == {"name": "bag"}
    assert compose(DATA, sets=["backbone.width=5"]).backbone == {"name": "bag", "width": 5}


def test_layers_are_not_changed() -> None:
    recipe = {"backbone": {"name": "bag", "width": 4}}
    compose(recipe, DATA, sets=["backbone.width=8"])
    assert recipe == {"backbone": {"name": "bag", "width": 4}}
    assert compose(DATA).backbone == {"name": "bag"}


@pytest.mark.parametrize(
    ("pair", "near", "group"),
    [
        ("train.stpes=5", "steps", " (train)"),
        ("train.optim.lrr=1", "lr", " (train.optim)"),
        ("evaluate.bootstraps=1", "bootstrap", " (evaluate)"),
        ("data.splits.vaild=0.1", "valid", " (data.splits)"),
        ("backbon=3", "backbone", ""),
    ],
)
def test_an_unknown_key_gets_the_nearest_name(pair: str, near: str, group: str) -> None:
    key = pair.partition("=")[0].rpartition(".")[2]
    with pytest.raises(UnknownKey) as caught:
        compose(DATA, sets=[pair])
    assert f"'{key}' is not{group}. Fix: did you mean '{near}'?" in str(caught.value)


@pytest.mark.parametrize(
    "pair",
    [
        "train.epochs=0", "train.steps=0", "train.steps=1.5", "train.batch_units=-1", "train.optim.lr=0", "train.optim.lr=fast",
        "train.optim.momentum=1", "train.optim.warmup=110%", "train.optim.betas=[0.9]", "train.optim.name=lion", "train.average=1",
        "train.keep=0", "train.precision=fp8", "evaluate.golden_rows=0", "evaluate.bootstrap=-1", "format=2", "seed=x",
    ],
)  # fmt: skip
def test_a_bad_value_is_refused_by_key(pair: str) -> None:
    with pytest.raises(BadSetting) as caught:
        compose(DATA, sets=[pair])
    assert f"'{pair.partition('=')[0]}" in str(caught.value)


@pytest.mark.parametrize(
    "sets", [[], ["train.optim.warmup=10%", "train.optim.clip=null", "task.labels=[是, 否]", "train.patience=2"]]
)
def test_yaml_and_json_round_trip(sets: list[str]) -> None:
    run = compose(DATA, {"backbone": {"name": "cnn", "windows": [2, 3]}}, sets=sets)
    assert Run.parse(read_yaml(write_yaml(run.plain()))) == run
    assert Run.parse(json.loads(json.dumps(run.plain()))) == run


def test_every_setting_stands_in_the_written_form() -> None:
    written = read_yaml(write_yaml(compose(DATA).plain()))
    assert set(written) == set(Run.model_fields)
    assert set(written["train"]["optim"]) == {
        "name", "lr", "weight_decay", "betas", "eps", "momentum", "nesterov", "schedule", "warmup", "floor", "clip",
    }  # fmt: skip


def test_the_json_schema_says_what_is_needed_what_there_is_and_what_it_means() -> None:
    whole = Run.model_json_schema()
    defs: dict[str, Any] = whole["$defs"]
    assert whole["required"] == ["data"]
    assert whole["additionalProperties"] is False
    assert defs["DataSettings"]["required"] == ["path"]
    assert defs["OptimSettings"]["properties"]["name"]["enum"] == ["sgd", "momentum", "adagrad", "adam", "adamw", "muon"]
    assert defs["OptimSettings"]["properties"]["lr"]["exclusiveMinimum"] == 0
    assert defs["TrainSettings"]["properties"]["keep"]["description"] == "Checkpoints kept, besides the best."
