import inspect

import numpy as np
import pytest

from tests.contracts import doubles
from zhuji.core.contracts import Backbone, Encoded, Modality, Prediction, Task
from zhuji.core.lookup import find


@pytest.mark.parametrize(
    ("encoded", "grid", "length"),
    [
        (Encoded(ids=np.zeros(7, np.int32)), (7,), 7),
        (Encoded(ids=np.zeros(0, np.int32)), (0,), 0),
        (Encoded(values=np.zeros((4, 3, 2), np.float32)), (4, 3), 12),
        (Encoded(ids=np.zeros((2, 2), np.int32), values=np.zeros((2, 2, 1), np.float32)), (2, 2), 4),
    ],
)
def test_a_row_knows_its_grid(encoded: Encoded, grid: tuple[int, ...], length: int) -> None:
    assert (encoded.grid, encoded.length) == (grid, length)


@pytest.mark.parametrize("shelf", [Modality, Backbone, Task])
def test_a_shelf_is_no_part(shelf: type) -> None:
    assert inspect.isabstract(shelf)
    with pytest.raises(TypeError):
        shelf()


def test_the_shelves_differ() -> None:
    assert {Modality.shelf, Backbone.shelf, Task.shelf} == {"modality", "backbone", "task"}


def test_a_prediction_may_lack_scores() -> None:
    assert Prediction("spam") == Prediction("spam", None, None)


@pytest.mark.parametrize("name", ["contrast", "masked_units", "vocode"])
def test_a_task_without_labels_learns_nothing_from_records(name: str) -> None:
    example = find(Task, name).example()
    assert example.task.fit(example.records) is example.task
    assert set(example.task.targets(example.records[0])) == ({"sound"} if name == "vocode" else set())


def test_a_backbone_gives_states_as_wide_as_it_reads_unless_it_says_otherwise() -> None:
    assert doubles.Everywhere(width=6).out_width == doubles.Everywhere(width=6).stem_width == 6
    recurrent = find(Backbone, "recurrent").example()
    assert recurrent.out_width != recurrent.stem_width
