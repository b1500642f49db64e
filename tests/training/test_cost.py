"""What training costs: operations against a count by hand, the ceiling, and the meter."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.contracts import doubles
from tests.contracts.properties import Cell
from zhuji.backbones.bag import Bag
from zhuji.backbones.resnet import Resnet
from zhuji.backbones.transformer import Transformer
from zhuji.core.contracts import Task
from zhuji.core.units import Batch, Units
from zhuji.modalities.text import Text
from zhuji.model.assembly import assemble
from zhuji.tasks.classify import Classify
from zhuji.tasks.contrast import Contrast
from zhuji.tasks.masked_units import MaskedUnits
from zhuji.tasks.triplet import Triplet
from zhuji.training import cost
from zhuji.training.precision import Precision

WIDTH, HIDDEN, LAYERS = 8, 12, 2


def body(dropout: float = 0.0) -> Transformer:
    return Transformer(width=WIDTH, layers=LAYERS, heads=2, hidden=HIDDEN, feedforward="gelu", dropout=dropout)


def passed(rows: int, units: int) -> int:
    """Operations of one pass forwards through the body and the mean over the units: two for each product."""
    products = rows * units * (4 * WIDTH * WIDTH + 2 * WIDTH * HIDDEN) * LAYERS  # query, key, value, out; rise, fall
    scores = 2 * rows * units * units * WIDTH * LAYERS
    return 2 * (products + scores + rows * units * WIDTH)


def test_operations_as_counted_by_hand() -> None:
    cell = Cell.of(Text.example(), body(), replace(Classify.example(), task=Classify().fit(Classify.example().records)))
    batch = cell.batch()
    rows, units = batch.units.mask.shape
    forward = passed(rows, units) + 2 * rows * WIDTH * 3
    # Backwards each product is done twice; the pooling's weights need no gradient.
    assert cost.flops(cell.model(), batch) == pytest.approx(3 * forward, rel=0.05)


VIEWS = {
    "dropout": (20, {}),  # all of the row, twice
    "crop": (10 + 2, {"crop": (0.25, 0.5)}),  # at most half, and the two marks that every view keeps
    "halves": (round(0.8 * (15 + 2)) + 2, {"crop": (0.25, 0.75)}),  # at most three quarters, of which a fifth is deleted
}
"""Positions of each view of a row of 20 units."""


def drawn(rows: int, units: int) -> Batch:
    """Rows of random words, full length."""
    ids = torch.randint(4, 9, (rows, units), generator=torch.Generator().manual_seed(rows * units))
    return Batch(Units(torch.ones(rows, units, dtype=torch.bool), ids))


@pytest.mark.parametrize("views", VIEWS)
def test_a_contrast_passes_views_that_are_shorter_than_their_rows_and_compares_all_rows(views: str) -> None:
    positions, settings = VIEWS[views]
    rows = 60
    model = assemble(Text.example()[0], body(0.1), Contrast.parse({"views": views, **settings})).train()
    compared = 2 * rows * rows * WIDTH
    assert cost.flops(model, drawn(rows, 20)) == pytest.approx(3 * (2 * passed(rows, positions) + compared), rel=0.03)


def test_what_is_done_again_to_save_memory_is_counted_once() -> None:
    batch = drawn(12, 20)
    models = [assemble(Text.example()[0], body(), Contrast(views="crop", chunk=chunk)).train() for chunk in (None, 4)]
    whole, cut = (cost.flops(model, batch) for model in models)
    assert whole == cut > 0


@pytest.mark.parametrize("task", [Contrast(views="crop"), MaskedUnits(rate=0.3), Triplet()], ids=lambda task: task.name())
def test_a_grid_is_counted_once_for_any_number_of_rows(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    counted: list[int] = []
    exact = cost.flops
    monkeypatch.setattr(cost, "flops", lambda model, batch: counted.append(len(batch)) or exact(model, batch))
    model = assemble(Text.example()[0], body(), task).train()
    operations = cost.Operations(model, torch.device("cpu"))
    for rows, units in ((1, 6), (40, 6), (1, 6), (9, 6), (300, 6), (5, 24), (80, 24)):
        batch = drawn(rows, units)
        assert operations(batch) == pytest.approx(exact(model, batch), rel=1e-6)
    assert counted == [1, 40, 20, 5, 2]


def test_one_batch_does_not_stand_for_all() -> None:
    """Many short rows cost a contrast more for each of their units than few long ones: of one batch a whole run would be judged wrongly,
    and more than the ceiling could seem in use."""
    model = assemble(Text.example()[0], Bag(width=16), Contrast(views="crop")).train()
    operations = cost.Operations(model, torch.device("cpu"))
    short, long = (operations(drawn(rows, units)) / (rows * units) for rows, units in ((400, 2), (10, 80)))
    assert short > 20 * long


@pytest.mark.parametrize(
    "cell",
    [
        Cell.of(Text.example(), Transformer.example(), Classify.example()),
        Cell.of(doubles.Picture.example(), Resnet.example(), Classify.example()),
    ],
    ids=["text", "pictures"],
)
def test_counting_leaves_no_trace(cell: Cell) -> None:
    model, state = cell.model().train(), torch.get_rng_state()
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    cost.Operations(model, torch.device("cpu"))(Batch(cell.batch().units, cell.batch().targets))
    assert torch.equal(state, torch.get_rng_state())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(tensor, weights[name]) for name, tensor in model.state_dict().items())


def test_ceiling_is_a_speed_that_products_do_not_exceed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cost._SIDE, "cpu", 256)
    assert 1e8 < cost.ceiling(Precision("fp32"), torch.device("cpu")) < 1e14


def test_meter_counts_processor_time_and_says_where_joules_come_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "_counter", lambda: None)
    meter = cost.Meter.start()
    while cost.time.process_time() - meter.processor < 0.2:
        pass
    read = meter.read()
    assert read["cpu_hours"] >= 0.2 / 3600 * 0.9 and read["joules"] == pytest.approx(0.2 * cost.WATTS_PER_CORE, rel=0.5)
    assert "estimate" in read["joules_from"]


def test_meter_reads_the_processors_own_counter(monkeypatch: pytest.MonkeyPatch) -> None:
    readings = iter([100.0, 130.5])
    monkeypatch.setattr(cost, "_counter", lambda: next(readings))
    read = cost.Meter.start().read()
    assert read["joules"] == 30.5 and "RAPL" in read["joules_from"]
