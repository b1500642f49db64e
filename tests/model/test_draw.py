"""Drawing: the picture's number and the seed decide what it is, and wrong wishes are told."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.contracts.properties import Cell
from zhuji.backbones.strided import Strided
from zhuji.core.contracts import Example
from zhuji.core.errors import BadSetting, ImpossiblePair, UnknownName
from zhuji.modalities.image import Image
from zhuji.model.assembly import Model
from zhuji.model.draw import DrawSettings, drawing, drawn, labels_of
from zhuji.tasks.classify import Classify
from zhuji.tasks.generate import Generate


def model(*, conditional: bool = True) -> Model:
    records = Generate.example().records
    task = Generate(latent=4, width=8, side=2, features=6, conditional=conditional).fit(records)
    return Cell.of(Image.example(), Strided.example(), Example(task, records)).model()


def test_a_picture_is_the_same_however_many_are_drawn_and_in_what_batches() -> None:
    network = model()
    many, few = drawn(network, DrawSettings(count=7, seed=3)), drawn(network, DrawSettings(count=5, seed=3, batch=2))
    assert len(many) == 7 and all(picture.shape == (4, 4, 3) and picture.dtype == np.uint8 for picture in many)
    for one, other in zip(many, few, strict=False):
        # Another batch lets kernels add in another order: at most a rounding.
        assert np.abs(one.astype(int) - other).max() <= 1
    assert not np.array_equal(many[0], drawn(network, DrawSettings(count=1, seed=4))[0])
    assert not np.array_equal(many[0], many[3]), "of one class, but of another number"


def test_drawing_leaves_the_model_and_chance_as_they_were() -> None:
    network = model().train()
    before = torch.random.get_rng_state()
    assert len(list(drawing(network, DrawSettings(count=3)))) == 3
    assert network.training and torch.equal(before, torch.random.get_rng_state())


def test_classes_are_taken_in_turn() -> None:
    assert labels_of(model(), DrawSettings(count=5)) == ("a", "b", "c", "a", "b")
    assert labels_of(model(), DrawSettings(count=3, labels=("c", "a"))) == ("c", "a", "c")
    assert labels_of(model(conditional=False), DrawSettings(count=3)) is None
    first, second = (drawn(model(), DrawSettings(count=1, labels=(name,)))[0] for name in "ab")
    assert not np.array_equal(first, second)


def test_wrong_wishes_are_told() -> None:
    with pytest.raises(UnknownName):
        drawn(model(), DrawSettings(labels=("z",)))
    with pytest.raises(BadSetting):
        drawn(model(conditional=False), DrawSettings(labels=("a",)))
    with pytest.raises(BadSetting):
        drawn(model(), DrawSettings(steps=3))
    other = Cell.of(Image.example(), Strided.example(), Classify.example()).model()
    with pytest.raises(ImpossiblePair) as caught:
        drawn(other)
    assert "diffusion-28" in caught.value.message("zh")
