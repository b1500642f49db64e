import inspect

import numpy as np
import pytest

from zhuji.core.contracts import Backbone, Encoded, Modality, Prediction, Task


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
