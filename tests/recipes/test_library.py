"""Recipes: each has a full header, composes into a run, and its parts fit together."""

from __future__ import annotations

from pathlib import Path

import pytest

from zhuji import recipes
from zhuji.core.contracts import Backbone, Modality, Task
from zhuji.core.errors import MissingFile, UnknownName
from zhuji.core.lookup import build
from zhuji.core.records import Record
from zhuji.model.assembly import assemble
from zhuji.recipes.library import FACTS
from zhuji.training.run import compose


def test_the_named_families_are_there() -> None:
    assert {"bag", "bilstm", "cnn", "lstm", "gru", "rnn", "transformer"} <= set(recipes.names())


@pytest.mark.parametrize("name", recipes.names())
def test_every_recipe_is_whole(name: str) -> None:
    recipe = recipes.read(name)
    assert set(recipe.facts) == set(FACTS) and all(recipe.facts.values())
    assert recipe.facts["command"] == f"zhuji train DATA --model {name}"
    run = compose(recipes.layer(name), {"data": {"path": "x.csv"}})
    texts = ["good one", "bad one", "so so"]
    modality = build(Modality, run.modality).fit(texts)
    records = [Record(str(i), text, text.split()[0]) for i, text in enumerate(texts)]
    task = build(Task, {**run.task, "name": "classify"}).fit(records)
    assert assemble(modality, build(Backbone, run.backbone), task).parameter_count > 0
    build(Task, {**run.task, "name": "regress"})


def test_bilstm_is_the_article_s_network() -> None:
    settings = recipes.read("bilstm").settings
    assert settings["backbone"] == {
        "name": "recurrent",
        "cell": "lstm",
        "width": 16,
        "hidden": 32,
        "layers": 1,
        "directions": 2,
    }
    assert settings["task"]["hidden"] == 32
    optim = settings["train"]["optim"]
    assert (optim["name"], settings["train"]["epochs"]) == ("adam", 10)
    assert settings["task"]["pool"] == "ends"  # what a recurrent layer of Keras hands on


def test_a_file_of_one_s_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("# what: mine,\n#   over two lines\nseed: 4\n")
    assert recipes.layer(str(path)) == {"seed": 4, "recipe": "mine"}
    with pytest.raises(MissingFile):
        recipes.layer(str(tmp_path / "none.yaml"))
    with pytest.raises(UnknownName, match="bilstm"):
        recipes.layer("no-such")
