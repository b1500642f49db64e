"""Recipes: each has a full header, composes into a run, and its parts fit together."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from zhuji import recipes
from zhuji.core.contracts import Backbone, Modality, Task
from zhuji.core.errors import BadSetting, MissingFile, UnknownName
from zhuji.core.lookup import build
from zhuji.core.records import Box, Picture, Record, Sound
from zhuji.data.sounds import as_wav
from zhuji.modalities.image import Image
from zhuji.modalities.speech import Speech
from zhuji.modalities.waveform import Waveform
from zhuji.model.assembly import assemble
from zhuji.recipes.library import FACTS
from zhuji.training import pretraining
from zhuji.training.run import compose


def _verb(name: str) -> str:
    return " ".join(recipes.read(name).facts["command"].split()[:3])


OTHERS = (
    "finetune",
    "finetune-pictures",
    "tagger",
    "detector",
    "recognise",
    "best-rq",
    "enhance",
    "enhance-further",
    "speak",
    "speak-attention",
)
LABELLED = [name for name in recipes.names() if _verb(name) == "zhuji train DATA" and name not in OTHERS]
DRAWING = [name for name in LABELLED if recipes.read(name).settings.get("task", {}).get("name") == "generate"]
PICTURES = [name for name in LABELLED if recipes.read(name).settings["modality"]["name"] == "image" and name not in DRAWING]
SOUNDS = [name for name in LABELLED if recipes.read(name).settings["modality"]["name"] == "speech"]
CLASSIFIERS = [name for name in LABELLED if name not in PICTURES + DRAWING + SOUNDS]
FOUNDATIONS = [name for name in recipes.names() if _verb(name) == "zhuji pretrain CORPUS"]


def test_the_named_families_are_there() -> None:
    assert {"bag", "bilstm", "cnn", "lstm", "gru", "rnn", "transformer"} <= set(CLASSIFIERS)
    assert {"bert-mini", "bert-small", "bert-base", "gpt-mini", "gpt-small", "minilm"} <= set(FOUNDATIONS)


@pytest.mark.parametrize("name", recipes.names())
def test_every_header_is_whole(name: str) -> None:
    facts = recipes.read(name).facts
    assert set(facts) == set(FACTS) and all(facts.values())
    assert facts["command"] in (
        f"zhuji train DATA --model {name}", f"zhuji train PAIRS --model {name}", f"zhuji pretrain CORPUS --model {name}",
        f"zhuji train DATA --model {name} --from RUN", "zhuji train DATA --from RUN",
    )  # fmt: skip


@pytest.mark.parametrize("name", FOUNDATIONS)
def test_every_foundation_is_whole(name: str) -> None:
    run = pretraining.compose(recipes.layer(name), {"corpus": {"sources": ["x.txt"]}})
    small = {**run.modality, "vocab_size": 300}
    modality = build(Modality, small).fit(["good one", "bad one", "so so"])
    with torch.device("meta"):
        assert assemble(modality, build(Backbone, run.backbone), build(Task, run.task)).parameter_count > 0
    longest = run.backbone.get("max_positions")
    assert longest is None or longest >= run.modality["max_units"]


def test_tagging_is_whole() -> None:
    run = compose(recipes.layer("tagger"), {"data": {"path": "x.conll"}})
    task = build(Task, run.task).fit([Record("0", ("a", "b"), label=("B-x", "O"))])
    model = assemble(build(Modality, run.modality), build(Backbone, run.backbone), task)
    assert task.plain()["crf"] and model.parameter_count > 4_000_000


def test_detection_is_whole() -> None:
    run = compose(recipes.layer("detector"), {"data": {"path": "x"}})
    task = build(Task, run.task).fit([Record("0", Picture("x"), label=(Box("cell", 0, 0, 1, 1),))])
    model = assemble(build(Modality, run.modality), build(Backbone, run.backbone), task)
    assert task.classes == ("cell",) and 300_000 < model.parameter_count < 1_000_000


@pytest.mark.parametrize("name", DRAWING)
@pytest.mark.parametrize("channels", [1, 3])
def test_drawing_is_whole(name: str, channels: int) -> None:
    run = compose(recipes.layer(name), {"data": {"path": "x"}}, sets=[f"modality.channels={channels}"])
    modality = build(Modality, run.modality)
    assert isinstance(modality, Image)
    task = build(Task, run.task).fit([Record(str(number), Picture("x"), label=str(number % 10)) for number in range(20)])
    with torch.device("meta"):
        model = assemble(modality, build(Backbone, run.backbone), task)
    assert task.draws and len(task.classes) == 10 and 300_000 < model.parameter_count < 2_000_000
    kind, _, side = name.partition("-")
    assert task.plain()["kind"] == kind and modality.size == (int(side), int(side))


@pytest.mark.parametrize("name", ["speak", "speak-attention"])
def test_speaking_is_whole(name: str) -> None:
    run = compose(recipes.layer(name), {"data": {"path": "x"}})
    said = Sound(data=as_wav(0.1 * np.random.default_rng(0).standard_normal(8_000), 16_000))
    modality, task = build(Modality, run.modality).fit(["a voice"]), build(Task, run.task).fit([Record("0", "a", target=said)])
    model = assemble(modality, build(Backbone, run.backbone), task)
    # Which letters there are makes little of it.
    assert task.needs == "recording" and f"{model.parameter_count / 1e6:.1f} M parameters" in recipes.read(name).facts["cost"]


def test_there_is_a_recipe_for_every_kind_and_two_sizes() -> None:
    assert {f"{kind}-{side}" for kind in ("gan", "vae", "diffusion") for side in (28, 32)} == set(DRAWING)


def test_translation_is_whole() -> None:
    run = compose(recipes.layer("transformer-mt"), {"data": {"path": "x.csv"}})
    modality = build(Modality, {**run.modality, "vocab_size": 300}).fit(["good one", "eine gute"])
    assert assemble(modality, build(Backbone, run.backbone), build(Task, run.task)).parameter_count > 1_000_000


def test_enhancement_is_whole() -> None:
    run = compose(recipes.layer("enhance"), {"data": {"path": "x"}})
    modality = build(Modality, run.modality)
    assert isinstance(modality, Waveform) and modality.spec.rate == 16_000
    size = modality.points // 2 + 1
    learned = {"mean": [0.0] * size, "deviation": [1.0] * size, "sounds": 1}
    modality = modality.with_files({"waveform.json": json.dumps(learned).encode()})
    with torch.device("meta"):
        model = assemble(modality, build(Backbone, run.backbone), build(Task, run.task))
    assert size == 257 and f"{model.parameter_count / 1e6:.1f} M parameters" in recipes.read("enhance").facts["cost"]


def test_enhancement_goes_on_with_its_own_mask() -> None:
    run = compose(recipes.layer("enhance-further"), {"data": {"path": "x"}, "start": {"path": "r"}})
    first = build(Task, compose(recipes.layer("enhance"), {"data": {"path": "x"}}).task)
    assert run.start is not None and run.start.head == "kept"
    assert build(Task, {**first.described(), **run.task}).plain()["mask"] == first.plain()["mask"]


def test_recognition_is_whole() -> None:
    run = compose(recipes.layer("recognise"), {"data": {"path": "x"}})
    task = build(Task, run.task).fit([Record("0", "", target="abcdefghijklmnopqrstuvwxyz'")])
    with torch.device("meta"):
        model = assemble(build(Modality, run.modality), build(Backbone, run.backbone), task)
    assert (
        1_000_000 < model.parameter_count < 3_000_000
        and f"{model.parameter_count / 1e6:.1f} M parameters" in recipes.read("recognise").facts["cost"]
    )


def test_what_hears_without_transcripts_is_the_encoder_of_what_recognises() -> None:
    first, second = (compose(recipes.layer(name), {"data": {"path": "x"}}) for name in ("best-rq", "recognise"))
    assert {**first.backbone, "dropout": 0} == {**second.backbone, "dropout": 0}
    free = {"variation"}
    assert {k: v for k, v in first.modality.items() if k not in free} == {
        k: v for k, v in second.modality.items() if k not in free
    }
    modality = build(Modality, first.modality).fit(Speech.example()[1])
    with torch.device("meta"):
        model = assemble(modality, build(Backbone, first.backbone), build(Task, first.task))
    counts = model.parameter_counts()
    told = f"{model.parameter_count / 1e6:.1f} M parameters, of which the encoder keeps {(counts['stem'] + counts['body']) / 1e6:.1f} M"
    assert told in recipes.read("best-rq").facts["cost"]


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_every_recipe_is_whole(name: str) -> None:
    run = compose(recipes.layer(name), {"data": {"path": "x.csv"}})
    texts = ["good one", "bad one", "so so"]
    modality = build(Modality, run.modality).fit(texts)
    records = [Record(str(i), text, text.split()[0]) for i, text in enumerate(texts)]
    task = build(Task, {**run.task, "name": "classify"}).fit(records)
    assert assemble(modality, build(Backbone, run.backbone), task).parameter_count > 0
    build(Task, {**run.task, "name": "regress"})


UNLABELLED = ("simclr", "mae")
"""Recipes that learn from pictures without labels."""


@pytest.mark.parametrize(("name", "millions"), [("resnet-20", 0.27), ("resnet-18", 11.7), ("vgg-11", 9.2), ("vit-tiny", 2.7)])
def test_every_recipe_over_pictures_is_whole(name: str, millions: float) -> None:
    """With as many parameters as the header says."""
    run = compose(recipes.layer(name), {"data": {"path": "x.parquet"}})
    modality = build(Modality, run.modality).fit(Image.example()[1])
    classes = 1000 if "224" in recipes.read(name).facts["what"] else 10
    task = build(Task, {**run.task, "name": "classify"}).fit([Record(str(n), "", str(n)) for n in range(classes)])
    with torch.device("meta"):
        model = assemble(modality, build(Backbone, run.backbone), task)
    assert f"{millions} M parameters" in recipes.read(name).facts["cost"]
    assert model.parameter_count == pytest.approx(millions * 1e6, rel=0.02)
    # A batch is as many pictures as the optimiser's rate is meant for.
    units = modality.size[0] * modality.size[1] // modality.patch**2
    assert run.train.batch_units % units == 0 and 64 <= run.train.batch_units // units <= 128


def test_spoken_words_are_whole() -> None:
    run = compose(recipes.layer("spoken"), {"data": {"path": "x"}})
    modality = build(Modality, run.modality)
    assert isinstance(modality, Speech) and modality.varies
    task = build(Task, {**run.task, "name": "classify"}).fit([Record(str(n), "", str(n)) for n in range(10)])
    model = assemble(modality.fit(Speech.example()[1]), build(Backbone, run.backbone), task)
    assert f"{model.parameter_count / 1e6:.2f} M parameters" in recipes.read("spoken").facts["cost"]


def test_pictures_are_no_corpus(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("modality: {name: image}\ntask: {name: masked_patches}\n")
    assert recipes.layer(str(path), "train")["task"] == {"name": "masked_patches"}
    path.write_text("modality: {name: text}\ntask: {name: masked_patches}\n")
    with pytest.raises(BadSetting):
        recipes.layer(str(path), "train")


def test_all_recipes_over_pictures_are_known() -> None:
    assert set(PICTURES) == {"resnet-20", "resnet-18", "vgg-11", "vit-tiny", *UNLABELLED}


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


@pytest.mark.parametrize("name", UNLABELLED)
def test_what_learns_from_pictures_without_labels_is_whole(name: str) -> None:
    run = compose(recipes.layer(name), {"data": {"path": "x"}})
    modality = build(Modality, run.modality).normalising([0.5] * 3, [0.5] * 3)
    task = build(Task, run.task)
    assert task.needs == "nothing" and modality.varies
    assert assemble(modality, build(Backbone, run.backbone), task).parameter_count > 250_000
