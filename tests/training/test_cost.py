"""What training costs: operations against a count by hand, the ceiling, and the meter."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from tests.contracts.properties import Cell
from zhuji.backbones.transformer import Transformer
from zhuji.core.units import Batch
from zhuji.modalities.text import Text
from zhuji.tasks.classify import Classify
from zhuji.training import cost
from zhuji.training.precision import Precision


def test_operations_as_counted_by_hand() -> None:
    width, hidden, layers, classes = 8, 12, 2, 3
    backbone = Transformer(width=width, layers=layers, heads=2, hidden=hidden, feedforward="gelu", dropout=0.0)
    cell = Cell.of(Text.example(), backbone, replace(Classify.example(), task=Classify().fit(Classify.example().records)))
    batch = cell.batch()
    rows, units = batch.units.mask.shape
    positions = rows * units
    products = positions * (4 * width * width + 2 * width * hidden) * layers  # query, key, value, out; rise, fall
    scores = 2 * rows * units * units * width * layers
    pooled, head = positions * width, rows * width * classes
    forward = 2 * (products + scores + pooled + head)
    counted = cost.flops_per_unit(cell.model(), batch) * int(batch.units.mask.sum())
    # Backwards each product is done twice; the pooling's weights need no gradient.
    assert counted == pytest.approx(3 * forward, rel=0.05)


def test_counting_leaves_no_trace() -> None:
    cell = Cell.of(Text.example(), Transformer.example(), Classify.example())
    model, state = cell.model(), torch.get_rng_state()
    cost.flops_per_unit(model, Batch(cell.batch().units, cell.batch().targets))
    assert torch.equal(state, torch.get_rng_state())
    assert all(parameter.grad is None for parameter in model.parameters())


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
