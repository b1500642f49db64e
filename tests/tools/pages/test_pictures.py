import numpy as np
import pytest
from matplotlib.figure import Figure

from zhuji.tools.pages import pictures


def test_alternative_texts_carry_the_numbers() -> None:
    dots = [pictures.Dot("mine", 0.9, 0.88, 0.92, True), pictures.Dot("plain", 0.8, None, None)]
    assert "mine 0.900 [0.880, 0.920]; plain 0.800" in pictures.scores("accuracy", dots).alt
    confused = pictures.confusion(np.array([[3, 1], [0, 4]]), ["a", "b"], normalised=True)
    assert "87.5%" in confused.alt and ">.75<" in confused.svg
    assert "dogs 3" in pictures.class_bars("c", "Rows", {"dogs": 3.0}, "rows").alt


def test_reliability_counts_the_ends() -> None:
    found = pictures.reliability(np.array([1.0, 1.0, 0.0, 0.5]), np.array([True, False, False, True]), 0.1)
    assert "0.00→0.00; 0.50→1.00; 1.00→0.50" in found.alt


@pytest.mark.parametrize("values", [[5], [1, 2, 3], [1, 5, 100_000], [0, 0]])
def test_lengths_of_any_shape(values: list[int]) -> None:
    assert f"longest {max(values):,}" in pictures.lengths({"train": values, "test": []}, "words").alt


def test_curves_and_fit_of_little() -> None:
    log = pictures.Curves({"training": [(1, 2.0)]}, [], "accuracy", [], [], None)
    assert pictures.curves(log).name == "curves"
    assert pictures.fit_line(np.array([1.0, 2.0]), np.array([1.1, 1.9])).alt.endswith("2")


def test_each_player_has_a_curve_of_its_own() -> None:
    log = pictures.Curves({"critic": [(1, 0.5), (2, 0.25)], "maker": [(1, 3.0)]}, [], "distance", [], [], None)
    drawn = pictures.curves(log)
    assert "over 2 logged points; critic 0.250; maker 3.000" in drawn.alt
    assert ">critic<" in drawn.svg and ">maker<" in drawn.svg


def test_long_names_are_cut() -> None:
    assert pictures.short("a\nb " + "x" * 50, 10) == "a b xxxxx…"


def test_lines_of_worsening_say_their_ends() -> None:
    found = pictures.worsening(
        "accuracy", {name: [(0, 0.9), (1, 0.8), (2, end)] for name, end in (("noise", 0.5), ("模糊", 0.25))}
    )
    assert "noise 0.900 → 0.500" in found.alt and "模糊" in found.svg and found.name == "robustness"


@pytest.mark.parametrize(("lowest", "bottom"), [(0.1, 0.0), (0.0, 0.0), (-8.0, -9.0)])
def test_an_axis_begins_at_zero_unless_a_line_lies_below(lowest: float, bottom: float) -> None:
    """Where one does, a margin of a tenth of the span is below it at most."""
    ax = Figure().subplots()
    ax.axvline(1.0)
    ax.plot([0, 1, 2], [lowest, 2.0, 0.3])
    pictures._from_zero(ax)
    assert bottom <= ax.get_ylim()[0] <= min(0.0, lowest) and ax.get_ylim()[1] > 2
