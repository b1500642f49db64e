"""Every modality with every backbone and every task that stand on the shelves, found by walking the folders, and with test doubles
that go beyond them: each pair is refused for a stated reason, or keeps every promise."""

from __future__ import annotations

from functools import cache
from itertools import combinations, product
from typing import Any

import pytest

from tests.contracts import doubles, properties
from tests.contracts.properties import Cell
from zhuji.core import lookup
from zhuji.core.contracts import Backbone, Modality, Task
from zhuji.core.errors import ImpossiblePair
from zhuji.tasks.enhance import Enhance
from zhuji.tasks.masked_frames import MaskedFrames
from zhuji.tasks.vocode import Vocode

MODALITIES = [*(lookup.find(Modality, name) for name in lookup.names(Modality)), doubles.Picture, doubles.Cells]
BACKBONES = [*(lookup.find(Backbone, name) for name in lookup.names(Backbone)), doubles.Halving, doubles.Everywhere]
TASKS = [*(lookup.find(Task, name) for name in lookup.names(Task)), doubles.Tag, doubles.Next, doubles.Duel]


@cache
def example_of(part: type[Any]) -> Any:
    """Made once: parts are frozen, and the matrix asks for theirs thousands of times."""
    return part.example()


def impossible(modality: type[Modality], backbone: type[Backbone], kind: type[Task]) -> bool:
    shown, task, settings = example_of(modality)[0], example_of(kind).task, example_of(backbone)
    spec = shown.spec
    undrawn = task.draws and (shown.grid is None or spec.grid_ndim != 2 or not spec.num_values)
    unheard = task.tells and not backbone.takes
    blind = task.causal and not backbone.can_be_causal
    mute = task.writes and task.needs == "target" and spec.start is None
    flat = task.needs == "boxes" and spec.grid_ndim != 2
    timeless = task.needs in ("transcript", "recording") and spec.grid_ndim != 1
    soundless = kind is Enhance and not spec.rate
    unframed = kind is Vocode and spec.frames is None
    codeless = kind is MaskedFrames and (spec.grid_ndim != 1 or spec.num_ids > 0 or not settings.stride)
    return (
        spec.grid_ndim not in backbone.grids
        or blind
        or mute
        or flat
        or timeless
        or soundless
        or unframed
        or codeless
        or undrawn
        or unheard
        or (task.per_unit and settings.strides)
    )


@cache
def cell_of(kinds: tuple[type[Modality], type[Backbone], type[Task]]) -> Cell:
    modality, backbone, task = kinds
    return Cell.of(*map(example_of, (modality, backbone, task)))


ALL = list(product(MODALITIES, BACKBONES, TASKS))
IMPOSSIBLE = [kinds for kinds in ALL if impossible(*kinds)]
REFUSED = frozenset(IMPOSSIBLE)
POSSIBLE = [kinds for kinds in ALL if kinds not in REFUSED]


def pairs(kinds: tuple[type, ...]) -> set[tuple[type, ...]]:
    return set(combinations(kinds, 2))


def name(kinds: tuple[type, ...]) -> str:
    return "-".join(kind.__name__.lower() for kind in kinds)


def covering(cells: list[tuple[type, ...]]) -> set[tuple[type, ...]]:
    """Cells that hold every two parts which can stand together at least once. A promise that breaks, breaks between two parts as a rule; where it
    takes three, the whole matrix tells (`scripts/test --all`), which grows with the product of the shelves."""
    unmet = set().union(*map(pairs, cells))
    # The cell that holds most of what is not met yet; the order by names makes the choice the same in every process.
    held = {kinds: pairs(kinds) for kinds in sorted(cells, key=name)}
    chosen: set[tuple[type, ...]] = set()
    while unmet:
        best = max(held, key=lambda kinds: len(held[kinds] & unmet))
        unmet -= held[best]
        chosen.add(best)
    return chosen


def marked(cells: list[tuple[type, ...]], chosen: set[tuple[type, ...]]) -> list[Any]:
    return [pytest.param(kinds, id=name(kinds), marks=() if kinds in chosen else pytest.mark.slow) for kinds in cells]


CHOSEN = covering(POSSIBLE)
CELLS = marked(POSSIBLE, CHOSEN)


@pytest.mark.parametrize("kinds", CELLS)
@pytest.mark.parametrize("promise", properties.EVERY, ids=lambda promise: promise.__name__)
def test_every_promise_is_kept(promise, kinds):
    promise(cell_of(kinds))


@pytest.mark.parametrize("kinds", [cell for cell in CELLS if cell.values[0][2].causal])
def test_a_causal_task_sees_no_future(kinds):
    properties.sees_no_future(cell_of(kinds))


@pytest.mark.parametrize("kinds", marked(IMPOSSIBLE, covering(IMPOSSIBLE)))
def test_impossible_pairs_are_refused(kinds):
    with pytest.raises(ImpossiblePair) as caught:
        cell_of(kinds).model()
    for lang in ("en", "zh"):
        assert "{" not in caught.value.message(lang)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_backbone_meets_a_modality(backbone):
    met = {kinds[0].__name__ for kinds in POSSIBLE if kinds[1] is backbone}
    assert met, f"nothing of the matrix gives grids of {backbone.grids} axes: {backbone.__name__} would stand untested"


def test_the_matrix_holds_every_kind_of_cell():
    assert len(POSSIBLE) >= 40
    assert set().union(*map(pairs, CHOSEN)) == set().union(*map(pairs, POSSIBLE)) and len(CHOSEN) < len(POSSIBLE)
    reasons = {(example_of(k[0])[0].spec.grid_ndim in k[1].grids, k[2].causal, k[2].per_unit) for k in IMPOSSIBLE}
    assert len(reasons) >= 3
