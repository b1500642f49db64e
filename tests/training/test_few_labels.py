"""A head fitted to few labels: as scikit-learn fits it, chosen as it should be, and an ordinary model in the end."""

import contextlib
import csv
import io
import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.svm import LinearSVC

from tests.training.test_transfer import QUICK, SHAPE
from zhuji.core.errors import Interrupted
from zhuji.core.files import read_json
from zhuji.model.bundle import open_bundle
from zhuji.tasks.classify import Classify
from zhuji.training import few_labels, loop
from zhuji.training import folder as places
from zhuji.training.begin import begin
from zhuji.training.features import HeadFeatures
from zhuji.training.few_labels import LISTENER, LOUDNESS, PENALTIES, USUAL, WAYS, machine, squared_hinge
from zhuji.training.fit import fit, resume
from zhuji.training.run import compose

TOPICS = {"sea": "ship sail harbour tide", "air": "wing pilot cloud plane", "rail": "train track signal wagon"}


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """Three topics; no word decides alone."""
    path, rng = tmp_path_factory.mktemp("few") / "topics.csv", random.Random(1)
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label"])
        for i in range(150):
            label = list(TOPICS)[i % 3]
            noise = [f"n{rng.randrange(40)}" for _ in range(6)]
            writer.writerow([" ".join(rng.sample(noise + rng.sample(TOPICS[label].split(), 2), 8)), label])
    return path


@pytest.fixture(scope="module")
def start(few, tmp_path_factory):
    layer = {
        "data": {"path": str(few), "near": 0}, "backbone": SHAPE, "train": {**QUICK, "steps": 8},
        "evaluate": {"bootstrap": 0, "baselines": False, "golden_rows": 2},
    }  # fmt: skip
    return fit(compose(layer), tmp_path_factory.mktemp("start") / "run", progress=False).run


@pytest.fixture(scope="module")
def run_of(few, start):
    def make(*sets, **more):
        layer = {
            "data": {"path": str(few), "near": 0}, "start": {"path": str(start), **more}, "train": QUICK,
            "evaluate": {"bootstrap": 0, "baselines": False, "golden_rows": 2},
        }  # fmt: skip
        return compose(layer, sets=sets)

    return make


@pytest.fixture(scope="module")
def whole(run_of, tmp_path_factory):
    """A training by default, to its end, and what it told."""
    folder, told = tmp_path_factory.mktemp("whole") / "run", io.StringIO()
    with contextlib.redirect_stderr(told):
        return fit(run_of(), folder, progress=False), told.getvalue()


@pytest.mark.parametrize("penalty", [0.3, 3.0])
@pytest.mark.parametrize("classes", [2, 4])
def test_what_is_tried_is_the_machine_of_scikit_learn(penalty, classes):
    rng = np.random.default_rng(0)
    rows, goal = rng.normal(size=(90, 5)).astype(np.float32), torch.from_numpy(rng.integers(0, classes, 90))
    theirs = LinearSVC(C=penalty, tol=1e-8, max_iter=100_000).fit(rows, goal)
    with_one = torch.from_numpy(np.concatenate([rows, np.ones((90, 1), np.float32)], 1))
    expected = theirs.coef_.T if classes > 2 else np.concatenate([-theirs.coef_.T, theirs.coef_.T], 1)
    tried = squared_hinge(with_one, few_labels._signs(goal), penalty)
    np.testing.assert_allclose(tried[:-1], expected, atol=3e-3)
    weight, bias = machine(rows, goal, penalty)
    np.testing.assert_allclose(weight, tried[:-1], atol=5e-3)
    np.testing.assert_allclose(bias, tried[-1], atol=5e-3)
    # The rows' products are enough.
    axes = few_labels._axes(with_one @ with_one.T)
    np.testing.assert_allclose(axes @ squared_hinge(axes, few_labels._signs(goal), penalty), with_one @ tried, atol=2e-2)


def test_rows_with_many_labels_are_one_machine_each_and_what_never_differs_is_always_answered():
    rng = np.random.default_rng(0)
    rows, goal = rng.normal(size=(60, 4)).astype(np.float32), torch.from_numpy(rng.random((60, 3)) < 0.4)
    goal[:, 1] = False
    weight, bias = machine(rows, goal, 1.0)
    alone = LinearSVC(C=1.0, random_state=0).fit(rows, goal[:, 2])
    np.testing.assert_allclose(weight[:, 2], alone.coef_[0], atol=1e-3)
    assert not weight[:, 1].any() and bias[1] == -1


@pytest.mark.parametrize("penalty", [1.0, 30.0])
def test_where_there_is_nothing_to_learn_no_setting_looks_good(penalty):
    """No fold may know of another: neither its rows nor a search that began where they had led."""
    rng = np.random.default_rng(4)
    rows = torch.from_numpy(rng.normal(size=(200, 300)).astype(np.float32))
    trial = few_labels._trial("any", penalty, few_labels._axes(rows @ rows.T), torch.from_numpy(rng.integers(0, 4, 200)))
    assert 0.1 < trial.score < 0.4 and len(trial.folds) == few_labels.FOLDS


def test_another_penalty_must_be_better_by_more_than_chance():
    usual = few_labels.Trial("way", USUAL, (0.7, 0.8, 0.7, 0.8, 0.7))
    assert few_labels._surpasses(few_labels.Trial("way", 3.0, (0.72, 0.82, 0.73, 0.82, 0.72)), usual)
    assert not few_labels._surpasses(few_labels.Trial("way", 3.0, (0.9, 0.75, 0.68, 0.81, 0.68)), usual)
    assert not few_labels._surpasses(few_labels.Trial("way", 3.0, usual.folds), usual)


def test_margins_are_sharpened_as_much_as_the_rows_say():
    torch.manual_seed(0)
    logits = torch.randn(4000, 3)
    goal = torch.multinomial((5 * logits).softmax(1), 1)[:, 0]
    assert few_labels._sharpness(logits, goal) == pytest.approx(5, rel=0.1)
    yes = torch.rand(4000, 3) < (2 * logits).sigmoid()
    assert few_labels._sharpness(logits, yes) == pytest.approx(2, rel=0.1)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_the_head_answers_what_was_fitted(run_of, tmp_path, way, monkeypatch):
    monkeypatch.setattr(few_labels, "WAYS", (way,))
    monkeypatch.setattr(few_labels, "LOUDNESS", (2.0,))
    monkeypatch.setattr(few_labels, "_sharpness", lambda margins, goal: 1.0)
    job = begin(run_of(), tmp_path / "run")
    rows = job.material.rows["train"]
    task = job.material.task
    assert (task.wide, task.unit_length, task.spelled) == (way.wide, way.unit_length, 2.0 if way.wide else 0)
    features = HeadFeatures.of(job.model, rows.encoded, task)
    goal = rows.targets["label"]
    axes = few_labels._axes(features.gram(replace(way, spelled=2.0), torch.arange(len(rows))))
    penalty = read_json(tmp_path / "run" / "choice.json")["chosen"]["penalty"]
    expected = axes @ squared_hinge(axes, few_labels._signs(goal), penalty)
    job.model.eval()
    with torch.no_grad():
        answers = torch.cat([job.model.outputs(rows.batch(plan)) for plan in job.loader.epoch(0)])
    order = torch.from_numpy(np.concatenate([plan.rows for plan in job.loader.epoch(0)]))
    assert torch.allclose(answers, expected[order], atol=1e-2 * float(expected.abs().max()))


def test_a_head_that_pools_twice_the_width_is_fitted_too(run_of, tmp_path, monkeypatch):
    monkeypatch.setattr(few_labels, "WAYS", (WAYS[3],))
    result = fit(run_of("task.pool=mean_max"), tmp_path / "run", progress=False)
    model = open_bundle(result.run).model
    assert (tmp_path / "run" / places.CHOICE).exists()
    assert model.head.deep.out.weight.shape == (3, 2 * model.backbone.out_width)


def test_few_labels_leave_an_ordinary_bundle_and_tell_what_was_tried(whole, start):
    result, said = whole
    told = read_json(result.run / "choice.json")
    tried = [(trial["way"], trial["penalty"]) for trial in told["tried"]]
    heard, ways = tried[: len(LOUDNESS)], told["tried"][len(LOUDNESS) : len(LOUDNESS) + len(WAYS)]
    assert heard == [(f"{LISTENER.name}, characters x {loudness:g}", USUAL) for loudness in LOUDNESS]
    loudest = max(range(len(LOUDNESS)), key=lambda i: told["tried"][i]["score"])
    assert told["chosen"]["spelled"] == LOUDNESS[loudest]
    assert [(trial["way"], trial["penalty"]) for trial in ways] == [(way.name, USUAL) for way in WAYS]
    assert sorted(penalty for _, penalty in tried[len(LOUDNESS) + len(WAYS) :]) == sorted({*PENALTIES} - {USUAL})
    best = max(ways, key=lambda trial: trial["score"])
    assert told["chosen"]["name"] == best["way"] and told["chosen"]["score"] >= best["score"] == pytest.approx(
        np.mean(best["folds"])
    )
    assert result.facts["choice"]["chosen"] == told["chosen"]
    assert "cross-validation on the training split" in said
    model = open_bundle(result.bundle).model
    theirs = open_bundle(start).model.encoder.state_dict()
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in model.encoder.state_dict().items())
    assert result.test["accuracy"]["value"] > 0.8
    assert result.facts["steps"] == 0
    assert places.read_run(result.run).task["wide"] == model.task.wide


def test_nothing_of_valid_or_test_is_looked_at(run_of, whole, tmp_path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(few_labels, "applies", lambda *rest: False)
        job = begin(run_of(), tmp_path / "a")
    blind = {name: rows if name == "train" else None for name, rows in job.material.rows.items()}
    again = few_labels.choose(job.model, blind["train"], 0)[0]
    assert again.as_dict() == read_json(whole[0].run / "choice.json")


def test_whoever_says_how_to_learn_is_obeyed(run_of, tmp_path):
    for number, more in enumerate([{"choose": "off"}, {"mode": "frozen"}, {"layer_decay": 0.9}, {"head": "kept"}]):
        job = begin(run_of(**more), tmp_path / str(number))
        assert not job.state.progress.stopped
        assert not (tmp_path / str(number) / "choice.json").exists()
    job = begin(run_of("task.hidden=4"), tmp_path / "hidden")
    assert not job.state.progress.stopped


def test_many_labels_are_a_case_for_it_only_where_the_start_was_taught_to_compare(run_of, tmp_path, monkeypatch):
    monkeypatch.setattr(few_labels, "MOST_LABELS", 50)
    assert not begin(run_of(), tmp_path / "run").state.progress.stopped
    monkeypatch.setattr(Classify, "compares", True)
    assert begin(run_of(), tmp_path / "compared").state.progress.stopped


def test_rows_with_many_labels(few, start, tmp_path):
    path, lines = tmp_path / "many.csv", few.read_text().splitlines()
    more = [line + ("|odd" if i % 2 else "") for i, line in enumerate(lines[1:])]
    path.write_text("\n".join([lines[0], *more]) + "\n")
    layer = {"data": {"path": str(path), "near": 0, "label_separator": "|"}, "start": {"path": str(start)}, "train": QUICK,
             "evaluate": {"bootstrap": 0, "baselines": False, "golden_rows": 2}}  # fmt: skip
    result = fit(compose(layer), tmp_path / "run", progress=False)
    assert result.facts["choice"]["chosen"]["score"] > 0.7
    assert result.test["micro_f1"]["value"] > 0.6


def test_a_killed_run_goes_on_with_what_was_chosen(run_of, whole, tmp_path, monkeypatch):

    def stop(*rest):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(loop, "_steps", stop)
        with pytest.raises((KeyboardInterrupt, Interrupted)):
            fit(run_of(), tmp_path / "cut", progress=False)
    monkeypatch.setattr(few_labels, "choose", None)
    resumed = resume(tmp_path / "cut", progress=False)
    assert (resumed.bundle / "model.safetensors").read_bytes() == (whole[0].bundle / "model.safetensors").read_bytes()
    assert resumed.facts["choice"] == whole[0].facts["choice"]
