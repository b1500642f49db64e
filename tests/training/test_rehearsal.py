import copy
import shutil
from collections import namedtuple

import numpy as np
import pytest
import torch

from zhuji.core.contracts import Backbone
from zhuji.core.errors import WontFit
from zhuji.core.lookup import build
from zhuji.data.loader import BatchPlan
from zhuji.data.prepare import prepare
from zhuji.modalities.text import Text
from zhuji.model.assembly import assemble
from zhuji.tasks.classify import Classify
from zhuji.training.material import gather
from zhuji.training.precision import Precision
from zhuji.training.rehearsal import Rehearsal, peak_memory

CPU = torch.device("cpu")


@pytest.fixture
def parts(settings, tmp_path):
    material = gather(prepare(settings().data, 0), Text(), Classify(), 0)
    model = assemble(material.modality, build(Backbone, {"name": "bag", "width": 8}), material.task)
    part = material.rows["train"]
    plans = [BatchPlan(np.arange(8), 64), BatchPlan(np.arange(16), 48), BatchPlan(np.arange(4), 64)]
    return model, Rehearsal(settings().train, plans, part.batch, 30, Precision("fp32"), CPU, tmp_path)


def test_it_forecasts_and_leaves_no_trace(parts, tmp_path, capsys):
    model, rehearsal = parts
    before, seen = copy.deepcopy(model.state_dict()), []
    forecast = rehearsal(model, lambda m, folder: seen.append((m is model, folder.is_dir())))
    assert seen == [(True, True)]
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert not list(tmp_path.glob(".partial-*"))
    assert 0 < forecast.seconds < 60
    assert 10 * 2**20 < forecast.memory <= peak_memory(CPU)
    assert forecast.disk > sum(p.numel() * 4 for p in model.parameters())
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_time_is_that_of_all_batches(parts, monkeypatch):
    model, rehearsal = parts
    monkeypatch.setattr(Rehearsal, "_step_seconds", lambda self, twin, mover, plan: len(plan.rows) * plan.length / 1000)
    units = 8 * 64 + 16 * 48 + 4 * 64
    assert rehearsal(model, lambda m, folder: None).seconds == pytest.approx(units * 10 / 1000)


def test_a_disk_too_small_is_told_before_the_start(parts, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(100, 0, 100))
    with pytest.raises(WontFit, match="disk space"):
        parts[1](parts[0], lambda m, folder: None)


def test_memory_that_runs_out_is_told_with_advice(parts, monkeypatch):
    def fails(*args):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes")

    monkeypatch.setattr(Rehearsal, "_step_seconds", fails)
    with pytest.raises(WontFit, match="batch_units"):
        parts[1](parts[0], lambda m, folder: None)


def test_a_late_stage_that_fails_fails_now(parts, tmp_path):
    with pytest.raises(ZeroDivisionError):
        parts[1](parts[0], lambda m, folder: 1 / 0)
    assert not list(tmp_path.glob(".partial-*"))
