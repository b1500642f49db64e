import copy
import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from zhuji.core.contracts import Backbone
from zhuji.core.errors import TooManyBadSteps
from zhuji.core.lookup import build
from zhuji.core.units import Ratio
from zhuji.data.loader import BatchPlan
from zhuji.data.prepare import prepare
from zhuji.modalities.text import Text
from zhuji.model.assembly import assemble
from zhuji.tasks.classify import Classify
from zhuji.training import loop
from zhuji.training.checkpoint import Checkpoints
from zhuji.training.hooks import Watchers
from zhuji.training.loop import Work, train
from zhuji.training.material import gather
from zhuji.training.optim import optimiser
from zhuji.training.run import OptimSettings, TrainSettings
from zhuji.training.schedule import Timetable
from zhuji.training.state import Progress, State


@pytest.fixture
def rows(settings):
    prepared = prepare(settings().data, 0)
    return gather(prepared, Text(), Classify(class_weights="balanced"), 0)


class Lines:
    def __init__(self, path):
        self.path = path

    def see(self, line):
        with open(self.path, "a") as file:
            file.write(json.dumps(line) + "\n")

    def sync(self):
        pass


def work(folder, batch, **changes):
    options = {"optim": OptimSettings(lr=0.05, warmup=0, schedule="constant"), **changes}
    steps = options.pop("steps")
    chosen = TrainSettings(**options)
    return Work(
        chosen, 0, Timetable(steps, frozenset({steps})), batch, lambda n: n / 10, lambda model: {}, True,
        Checkpoints(folder / "checkpoints", 2), Watchers([Lines(folder / "metrics.jsonl")]),
    )  # fmt: skip


def state(material, settings, backbone=("bag", {"width": 8}), average=0.0):
    name, options = backbone
    model = assemble(material.modality, build(Backbone, {"name": name, **options}), material.task)
    return State(model, optimiser(settings.optim, model), average)


CUTS = [(256,), (128, 128), (64,) * 4, (16,) * 16, (1, 100, 3, 150, 2)]


@pytest.mark.parametrize(
    "backbone", [("recurrent", {"width": 8, "hidden": 6}), ("transformer", {"width": 16, "heads": 2, "dropout": 0})]
)
def test_a_step_is_the_same_however_its_rows_are_cut(rows, tmp_path, backbone):
    """Weighted loss, so that counts differ from row to row; lengths differ, so that padding does too."""
    part = rows.rows["train"]
    chosen = np.random.default_rng(0).choice(len(part), 224, replace=False)
    ends = []
    for i, cut in enumerate(CUTS):
        pieces = np.split(chosen, np.cumsum(np.array(cut) * 224 // 256)[:-1]) if len(cut) > 1 else [chosen]
        pieces = [piece for piece in pieces if len(piece)]
        plans = [BatchPlan(piece, int(part.lengths[piece].max())) for piece in pieces]
        todo = work(tmp_path / str(i), lambda n, plans=plans: part.batch(plans[n % len(plans)]), steps=2, accumulate=len(plans))
        now = state(rows, todo.settings, backbone)
        train(todo, now)
        line = json.loads((tmp_path / str(i) / "metrics.jsonl").read_text().splitlines()[-1])
        gradient = torch.cat([p.grad.flatten() for p in now.model.parameters()])
        ends.append((line["loss"], gradient))
    for loss, gradient in ends[1:]:
        assert loss == pytest.approx(ends[0][0], abs=1e-6)
        torch.testing.assert_close(gradient, ends[0][1], atol=1e-6, rtol=0)


class Poisoned:
    """A loss that is not finite at some batches."""

    def __init__(self, model, numbers, value=math.nan):
        self.original, self.numbers, self.value, self.calls = model.loss, numbers, value, 0

    def __call__(self, batch):
        ratio = self.original(batch)
        self.calls += 1
        return Ratio(ratio.total * self.value, ratio.count) if self.calls - 1 in self.numbers else ratio


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_bad_steps_change_nothing_and_are_counted(rows, tmp_path, value):
    part = rows.rows["train"]
    batch = lambda n: part.batch(BatchPlan(np.arange(8), 64))  # noqa: E731
    todo = work(tmp_path, batch, steps=4)
    now = state(rows, todo.settings, average=0.9)
    now.model.loss = Poisoned(now.model, {0, 1, 2, 3}, value)
    before = copy.deepcopy(now.tensors())
    train(todo, now)
    assert now.progress.bad_steps == now.progress.step == 4
    after = now.tensors()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not any("exp_avg" in name and after[name].any() for name in after)


def test_a_bad_step_is_skipped_and_the_next_one_is_not(rows, tmp_path):
    part = rows.rows["train"]
    batch = lambda n: part.batch(BatchPlan(np.arange(8), 64))  # noqa: E731
    todo = work(tmp_path, batch, steps=3)
    now = state(rows, todo.settings)
    now.model.loss = Poisoned(now.model, {1})
    train(todo, now)
    line = json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[1])
    assert (now.progress.bad_steps, line["bad_steps"]) == (1, 1)
    assert all(torch.isfinite(t).all() for t in now.tensors().values())


def test_too_many_bad_steps_stop_the_run(rows, tmp_path):
    part = rows.rows["train"]
    todo = work(tmp_path, lambda n: part.batch(BatchPlan(np.arange(8), 64)), steps=9, max_bad_steps=2)
    now = state(rows, todo.settings)
    now.model.loss = Poisoned(now.model, set(range(9)))
    with pytest.raises(TooManyBadSteps, match="at most 2"):
        train(todo, now)
    assert now.progress.step == 3


def test_clipping_bounds_the_gradient_of_the_mean(rows, tmp_path):
    part = rows.rows["train"]
    batch = lambda n: part.batch(BatchPlan(np.arange(32), 64))  # noqa: E731
    norms = {}
    for clip in (None, 0.01):
        todo = work(tmp_path / str(clip), batch, steps=1, optim=OptimSettings(clip=clip))
        now = state(rows, todo.settings)
        train(todo, now)
        norms[clip] = math.sqrt(sum(p.grad.square().sum().item() for p in now.model.parameters()))
    assert norms[0.01] == pytest.approx(0.01, rel=1e-3)
    assert norms[None] > 0.02


def test_random_numbers_of_a_step_depend_on_its_number_alone(rows, tmp_path):
    part, seen = rows.rows["train"], []

    def draw(model):
        original = model.loss
        model.loss = lambda batch: (seen.append(torch.rand(()).item()), original(batch))[1]

    for repeat in range(2):
        torch.manual_seed(repeat)
        todo = work(tmp_path / str(repeat), lambda n: part.batch(BatchPlan(np.arange(8), 64)), steps=3)
        now = state(rows, todo.settings)
        draw(now.model)
        train(todo, now)
    assert seen[:3] == seen[3:]
    assert len(set(seen)) == 3


def test_the_average_follows_the_weights(rows, tmp_path):
    part = rows.rows["train"]
    todo = work(tmp_path, lambda n: part.batch(BatchPlan(np.arange(32), 64)), steps=3)
    now = state(rows, todo.settings, average=0.5)
    start = [p.detach().clone() for p in now.model.parameters()]
    train(todo, now)
    for mean, new, old in zip(now.averaged.parameters(), now.model.parameters(), start, strict=True):
        assert not torch.equal(mean, new)
        assert not torch.equal(mean, old)


def judged(*scores):
    """The best step and how long it waits, after validations that gave these scores and losses."""
    progress = Progress()
    state = SimpleNamespace(progress=progress, judged=None)
    work = SimpleNamespace(
        higher_is_better=True,
        settings=SimpleNamespace(patience=None, accumulate=1),
        epoch=lambda step: step,
        watchers=Watchers([]),
    )
    for step, (score, loss) in enumerate(scores, 1):
        progress.step, work.validate = step, lambda _, s=score, n=loss: {"accuracy": s, "loss": n}
        loop._validate(work, state)  # pyright: ignore[reportArgumentType]
    return progress.best_step, progress.waiting


def test_of_equal_scores_the_one_with_the_lowest_loss_is_the_best():
    assert judged((0.5, 1.0), (0.9, 0.7), (0.9, 0.5), (0.9, 0.6), (0.8, 0.1)) == (3, 3)
    assert judged((0.9, 0.5), (0.9, 0.5)) == (1, 1)
    assert judged((0.9, 0.5), (0.9, float("nan"))) == (1, 1)
    assert judged((0.9, float("nan")), (0.9, 0.5)) == (1, 1)
