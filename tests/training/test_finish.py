"""What a run leaves, against what one works out by hand from its files."""

import csv
import json
import random
import shutil
from types import SimpleNamespace

import pytest
import torch
from sacrebleu.metrics import CHRF
from safetensors.torch import load_file

from tests import supervised, trained
from zhuji.core.contracts import Prediction
from zhuji.core.records import Record
from zhuji.data.infer import Roles
from zhuji.model.bundle import open_bundle
from zhuji.model.parity import reopened
from zhuji.tasks.classify import Classify
from zhuji.tasks.transcribe import Transcribe
from zhuji.training import finish
from zhuji.training import folder as places
from zhuji.training.begin import begin
from zhuji.training.finish import Result, best_model, write_predictions
from zhuji.training.fit import fit
from zhuji.training.run import compose

NAMES = ("dogs", "cats")


def sentence(rng, label):
    return " ".join([*rng.sample(trained.WORDS[label].split(), 3), *(f"{rng.getrandbits(24):x}" for _ in range(3))])


def leaking_rows():
    """`(text, label, split)`: 16 test rows of which 6 are copies of training rows; 5 of the other 10 are labelled wrongly, so that
    scores with and without the copies lie far apart."""
    rng = random.Random(0)
    train = [(sentence(rng, NAMES[i % 2]), NAMES[i % 2], "train") for i in range(80)]
    valid = [(sentence(rng, NAMES[i % 2]), NAMES[i % 2], "valid") for i in range(12)]
    fair = [(sentence(rng, NAMES[i % 2]), NAMES[(i + (i < 5)) % 2], "test") for i in range(10)]
    copies = [(text, label, "test") for text, label, _ in train[:6]]
    return train, valid, fair, copies


def trained_on_leaks(folder, action):
    train, valid, fair, copies = leaking_rows()
    with open(folder / "rows.csv", "w", newline="") as file:
        csv.writer(file).writerows([("text", "label", "split"), *train, *valid, *fair, *copies])
    settings = {
        "data": {"path": str(folder / "rows.csv"), "leaks": action, "near": 0, "split": "split"},
        "backbone": {"name": "bag", "width": 8},
        "train": {"steps": 60, "batch_rows": 16, "precision": "fp32", "rehearse": False, "optim": {"lr": 0.02}},
        "evaluate": {"bootstrap": 20, "baselines": False},
    }
    return fit(compose(settings), folder / "run", progress=False), fair, copies


def accuracy(result, rows):
    answers = open_bundle(result.bundle).predict([text for text, _, _ in rows])
    return sum(answer.answer == label for answer, (_, label, _) in zip(answers, rows, strict=True)) / len(rows)


@pytest.mark.parametrize("action", ["allow", "move"])
def test_the_effect_of_leaks_is_that_of_the_rows_that_leaked(tmp_path, action):
    """Copies stay in test (allow) or stand in training (move): either way one score counts them and one does not."""
    result, fair, copies = trained_on_leaks(tmp_path, action)
    with_leaks, without = result.facts["with_leaks"]["accuracy"], result.facts["without_leaks"]["accuracy"]
    assert with_leaks["value"] == pytest.approx(accuracy(result, [*fair, *copies]))
    assert without["value"] == pytest.approx(accuracy(result, fair))
    assert with_leaks["value"] > without["value"] + 0.1
    believed = with_leaks if action == "allow" else without
    assert result.test["accuracy"]["value"] == pytest.approx(believed["value"])
    assert with_leaks["low"] <= with_leaks["value"] <= with_leaks["high"]


def test_without_leaks_nothing_is_said_of_their_effect():
    assert not {"with_leaks", "without_leaks"} & Result.read(trained.run()).facts.keys()


def test_predictions_are_the_test_rows_in_order_with_the_answers_of_the_bundle():
    lines = list(csv.DictReader((trained.run() / "predictions.csv").read_text(encoding="utf-8").splitlines()))
    with open(trained.data(), encoding="utf-8", newline="") as file:
        rows = {f"row-{i}": row for i, row in enumerate(csv.DictReader(file), 1)}
    splits = [line.split('"') for line in (trained.run() / "splits.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [line["id"] for line in lines] == [parts[3] for parts in splits if "test" in parts]
    assert [(line["input"], line["label"]) for line in lines] == [
        (rows[i["id"]]["text"], rows[i["id"]]["label"]) for i in lines
    ]
    answers = list(open_bundle(trained.run()).predict([line["input"] for line in lines]))
    assert [line["prediction"] for line in lines] == [answer.answer for answer in answers]
    assert [float(line["score"]) for line in lines] == pytest.approx([answer.score for answer in answers], abs=2e-6)


def test_cells_of_predictions(tmp_path):
    answers = [Prediction(("a", "b"), None, {}), Prediction(1.5, None, {}), Prediction("x", 0.12345678, {})]
    records = [
        Record("r1", "long " * 100, ("b",)),
        Record("r2", 'quoted "comma", line\nbreak', None),
        Record("r3", "中文", "x"),
    ]
    write_predictions(tmp_path / "p.csv", records, answers)
    with open(tmp_path / "p.csv", encoding="utf-8", newline="") as file:
        assert list(csv.reader(file)) == [
            ["id", "input", "label", "prediction", "score"],
            ["r1", ("long " * 100)[:200], "b", "a|b", ""],
            ["r2", 'quoted "comma", line\nbreak', "", "1.5", ""],
            ["r3", "中文", "x", "x", "0.123457"],
        ]


@pytest.fixture
def job(tmp_path):
    """The finished run, begun again from its last checkpoint, with an earlier one as the best."""
    shutil.copytree(trained.run(), tmp_path / "run")
    job = begin(places.read_run(tmp_path / "run"), tmp_path / "run")
    first, *_, last = job.checkpoints.steps()
    assert first < last == job.state.progress.step
    job.state.progress.best_step = first
    return job


def saved_weights(job, step):
    tensors = load_file(job.checkpoints.path(step) / "state.safetensors")
    return {name.removeprefix("model/"): tensor for name, tensor in tensors.items() if name.startswith("model/")}


def same(weights, others):
    return weights.keys() == others.keys() and all(torch.equal(weights[name], others[name]) for name in weights)


def test_the_weights_of_the_best_checkpoint_are_used(job):
    first, *_, last = job.checkpoints.steps()
    best = best_model(job)
    assert same(best.state_dict(), saved_weights(job, first))
    assert not same(best.state_dict(), saved_weights(job, last))
    assert not best.training


def test_what_is_wrong_with_the_data_is_told_at_the_first_validation(monkeypatch, capsys):
    scores = SimpleNamespace(metrics={"unfit": SimpleNamespace(value=1.0)}, loss=0.0)
    monkeypatch.setattr(finish, "judged", lambda *_: scores)
    progress = SimpleNamespace(history=[])
    job = SimpleNamespace(material=SimpleNamespace(rows={"valid": [0]}), state=SimpleNamespace(progress=progress))
    assert finish.validate(job, SimpleNamespace(task=Transcribe())) == {"unfit": 1.0, "loss": 0.0}
    assert "teach nothing" in capsys.readouterr().err
    progress.history.append({"step": 1})
    finish.validate(job, SimpleNamespace(task=Transcribe()))
    assert not capsys.readouterr().err


def test_a_damaged_best_checkpoint_is_told_of_and_the_last_weights_are_used(job, capsys):
    first, *_, last = job.checkpoints.steps()
    (job.checkpoints.path(first) / "state.safetensors").write_bytes(b"x")
    assert same(best_model(job).state_dict(), saved_weights(job, last))
    assert f"best step, {first}, is damaged" in capsys.readouterr().err


def test_the_bundle_holds_the_best_weights():
    result = Result.read(trained.run())
    steps = {entry["step"]: entry["accuracy"] for entry in result.facts["history"]}
    best = max(steps, key=lambda step: steps[step])
    assert steps[result.facts["best_step"]] == steps[best]
    saved = load_file(result.run / "checkpoints" / f"step-{result.facts['best_step']:08d}" / "state.safetensors")
    bundled = load_file(result.bundle / "model.safetensors")
    assert same(bundled, {name: saved[f"model/{name}"] for name in bundled})


def test_rivals_that_were_measured_along_with_the_model_stand_among_the_baselines():
    def of(value):
        return {"value": value, "low": None, "high": None}

    scores = {"snr": of(3), "snr_wiener": of(2), "snr_mixture": of(1), "loss_mixture": of(0)}
    facts = {
        "test": scores, "valid": {"snr": of(4), "snr_mixture": of(1)}, "more_tests": {"rooms": scores},
        "by_group": {"ann": {"rows": 7, **scores}}, "baselines": {"copy": {"snr": of(0)}}, "more_baselines": {}, "group_baselines": {},
        "steps": 5,
    }  # fmt: skip
    told = finish.told_apart(facts, ("mixture", "wiener"))
    theirs = {"mixture": {"snr": of(1), "loss": of(0)}, "wiener": {"snr": of(2)}}
    assert told["test"] == told["more_tests"]["rooms"] == {"snr": of(3)} and told["valid"] == {"snr": of(4)}
    assert told["by_group"] == {"ann": {"rows": 7, "snr": of(3)}} and told["steps"] == 5
    assert told["baselines"] == {**theirs, "copy": {"snr": of(0)}}
    assert told["more_baselines"] == {"rooms": theirs} and told["group_baselines"] == {"ann": theirs}
    assert "with_leaks" not in told and finish.told_apart(facts, ()) is facts


def test_a_result_is_what_the_folder_holds():
    result = Result.read(trained.run())
    assert result.bundle == trained.run() / "bundle"
    assert (result.test, result.valid, result.baselines) == tuple(result.facts[key] for key in ("test", "valid", "baselines"))
    assert (
        sum(map(sum, result.facts["confusion"]))
        == len((trained.run() / "predictions.csv").read_text(encoding="utf-8").splitlines()) - 1
    )


def test_a_run_that_tags():
    result = supervised.tagged()
    facts = Result.read(result.run).facts
    assert (facts["kind"], facts["metric"], facts["model"]["task"]) == ("tag", "span_f1", "tag")
    assert result.test["span_f1"]["value"] > 0.9 and "strict" in facts["notes"]["span_f1"]
    assert set(result.baselines) == {"usual_tag", "shape_svm"}
    assert [row["label"] for row in facts["per_class"]] == ["PER", "(other)"] and facts["per_class"][0]["f1"] > 0.9
    assert {row["label"] for row in facts["ledger"]["rows"]} == {"PER"}
    with open(result.run / "predictions.csv", encoding="utf-8", newline="") as file:
        first = next(csv.DictReader(file))
    assert len(first["input"].split()) == len(first["label"].split()) == len(first["prediction"].split())
    found = open_bundle(result.bundle)
    assert reopened(found).passed and isinstance(found.golden[0]["input"], list)
    assert next(found.predict(["Ada Smith met Bo"])).answer == ("B-PER", "I-PER", "O", "B-PER")


def approx_chrf_of_copies(split, group):
    """sacrebleu's own corpus score."""
    with open(supervised.pairs(), encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == split and group in (None, row["group"])]
    score = CHRF().corpus_score([row["en"] for row in rows], [[row["de"] for row in rows]]).score
    return pytest.approx(score, abs=1e-6)


def test_a_run_that_translates():
    result = supervised.translated()
    facts = Result.read(result.run).facts
    assert (facts["kind"], facts["metric"], facts["model"]["task"]) == ("pair", "bleu", "translate")
    assert list(result.test) == ["bleu", "chrf", "empty", "copied", "perplexity", "unit_accuracy"]
    assert result.test["chrf"]["value"] > 60 and result.test["chrf"]["low"] is not None
    assert set(result.baselines) == {"dictionary", "copy"} and result.baselines["copy"]["copied"]["value"] == 1
    assert list(facts["more_tests"]) == ["test_b"] and facts["more_tests"]["test_b"]["chrf"]["value"] > 60
    assert {name: part["rows"] for name, part in facts["by_group"].items()} == {"g0": 10, "g1": 10}
    # By hand: what copying scores on the rows of a further set, and of a group.
    assert set(facts["more_baselines"]["test_b"]) == set(facts["group_baselines"]["g1"]) == {"dictionary", "copy"}
    assert facts["more_baselines"]["test_b"]["copy"]["chrf"]["value"] == approx_chrf_of_copies("test_b", None)
    assert facts["group_baselines"]["g1"]["copy"]["chrf"]["value"] == approx_chrf_of_copies("test_a", "g1")
    assert facts["notes"]["bleu"].startswith("nrefs:1|")
    assert [name for name in facts["history"][0] if name != "step"] == ["epoch", "perplexity", "unit_accuracy", "loss"]
    with open(result.run / "predictions.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    translated = [" ".join(supervised.GERMAN[word] for word in row["input"].split()) for row in rows]
    assert [row["label"] for row in rows] == translated
    assert sum(row["prediction"] == right for row, right in zip(rows, translated, strict=True)) > 5
    assert reopened(open_bundle(result.bundle)).passed


def test_boxes_are_written_as_json(tmp_path):
    from zhuji.core.contracts import Prediction
    from zhuji.core.records import Box, Picture, Record
    from zhuji.training.finish import write_predictions

    records = [
        Record("a", Picture("a.png", b"12"), label=(Box("cat", 0, 1, 2, 3),)),
        Record("b", Picture(data=b"12"), label=()),
    ]
    answers = [Prediction(({"label": "cat", "score": 0.5, "box": [0, 1, 2, 3]},)), Prediction(())]
    write_predictions(tmp_path / "p.csv", records, answers)
    with open(tmp_path / "p.csv", encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file)
    assert json.loads(first["label"]) == [{"label": "cat", "left": 0, "top": 1, "right": 2, "bottom": 3}]
    assert json.loads(first["prediction"])[0]["box"] == [0, 1, 2, 3] and first["input"] == "a.png"
    assert (second["label"], second["prediction"], second["input"]) == ("", "", "a picture")


@pytest.mark.parametrize(("group", "names"), [("speaker", {"ada", "eve"}), ("said", set()), ("text", set())])
def test_sentences_that_are_groups_only_so_that_they_stay_together_are_not_told(group, names):
    records = [Record(str(row), "", target="yes", group=name) for row, name in enumerate(("ada", "eve", "ada"))]
    roles = Roles(text=("text",), target="said", group=group)
    prepared = SimpleNamespace(roles=roles, more_tests=())
    job = SimpleNamespace(prepared=prepared, material=SimpleNamespace(rows={"test": SimpleNamespace(records=records)}))
    assert set(finish._groups(job)) == names  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(("task", "rows", "said"), [
    (Transcribe(), 2, False), (Classify(), 0, False), (Classify(labels=("a", "b"), counts=(2, 2)), 2, True),
])  # fmt: skip
def test_baselines_are_spoken_of_where_there_are_any(task, rows, said, capsys):
    records = [Record(f"row-{i}", "some words", label="ab"[i % 2], target="words") for i in range(4)]
    material = SimpleNamespace(
        task=task, rows={"train": SimpleNamespace(records=records), "test": SimpleNamespace(records=records[:rows])}
    )
    prepared = SimpleNamespace(more_tests=(), roles=Roles(text=("text",)))
    run = SimpleNamespace(seed=0, evaluate=SimpleNamespace(baselines=True, bootstrap=0))
    found = finish._rivals(SimpleNamespace(run=run, prepared=prepared, material=material))
    assert bool(found["baselines"]) == said == ("baselines" in capsys.readouterr().err)
