import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhuji.training.run import OptimSettings, TrainSettings
from zhuji.training.schedule import rate, timetable


class Epochs:
    def __init__(self, *sizes):
        self.sizes = sizes

    def steps_in_epoch(self, e):
        return self.sizes[e % len(self.sizes)]


@pytest.mark.parametrize(
    ("settings", "steps", "validations"),
    [
        ({"epochs": 3}, 30, {10, 20, 30}),
        ({"epochs": 2.5}, 25, {10, 20, 25}),
        ({"epochs": 1, "evaluate_every": 0.5}, 10, {5, 10}),
        ({"epochs": 3, "accumulate": 4}, 8, {3, 5, 8}),
        ({"steps": 15, "epochs": 99}, 15, {10, 15}),
        ({"epochs": 0.01}, 1, {1}),
        ({"epochs": 1, "least_steps": 25}, 25, {10, 20, 25}),
        ({"epochs": 3, "least_steps": 25}, 30, {10, 20, 30}),
        ({"steps": 5, "least_steps": 25}, 5, {5}),
        ({"epochs": 1, "evaluate_every": 1e-9}, 10, {1, 2, 3, 4, 5, 6, 7, 8, 9, 10}),
        ({"epochs": 2, "evaluate_every": 50}, 20, {20}),
    ],
)
def test_timetable(settings, steps, validations):
    table = timetable(TrainSettings(**settings), Epochs(10))
    assert (table.steps, table.validations) == (steps, validations)


def test_timetable_of_uneven_epochs():
    table = timetable(TrainSettings(epochs=3), Epochs(4, 6, 5))
    assert (table.steps, table.validations) == (15, {4, 10, 15})


@given(st.floats(0.01, 5), st.integers(1, 5), st.floats(0.05, 3), st.integers(1, 9))
def test_every_run_ends_with_a_validation(epochs, accumulate, every, size):
    table = timetable(TrainSettings(epochs=epochs, accumulate=accumulate, evaluate_every=every), Epochs(size))
    assert table.steps == max(table.validations) >= 1
    assert min(table.validations) >= 1


def settings(**changes):
    return OptimSettings(**{"lr": 2.0, "warmup": 0.1, **changes})


def test_rates_match_closed_forms():
    steps = 100
    for step in range(10):
        assert rate(settings(), step, steps) == pytest.approx(2 * (step + 1) / 11)
    for step in range(10, 100):
        t = (step - 10) / 90
        assert rate(settings(schedule="constant"), step, steps) == 2
        assert rate(settings(schedule="linear"), step, steps) == pytest.approx(2 * (1 - t))
        assert rate(settings(schedule="cosine"), step, steps) == pytest.approx(1 + math.cos(math.pi * t))
        assert rate(settings(schedule="cosine", floor=0.2), step, steps) == pytest.approx(
            0.4 + 0.8 * (1 + math.cos(math.pi * t))
        )
        assert rate(settings(schedule="inverse_sqrt"), step, steps) == pytest.approx(2 * math.sqrt(11 / (step + 1)))


@given(st.sampled_from(["constant", "linear", "cosine", "inverse_sqrt"]), st.floats(0, 1), st.floats(0, 1), st.integers(1, 300))
def test_rates_stay_within_bounds_and_never_rise_after_the_warmup(schedule, warmup, floor, steps):
    chosen = settings(schedule=schedule, warmup=warmup, floor=floor)
    rates = [rate(chosen, step, steps) for step in range(steps)]
    warm = round(warmup * steps)
    assert all(0 < r <= 2 * (1 + 1e-9) for r in rates)
    assert rates[:warm] == sorted(rates[:warm])
    after = rates[warm:]
    assert all(b <= a * (1 + 1e-9) for a, b in itertools.pairwise(after))
    assert all(r >= floor * 2 * (1 - 1e-9) for r in after)
