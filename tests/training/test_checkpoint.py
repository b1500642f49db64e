import errno
import random

import pytest
import torch
from torch import nn

from zhuji.core.errors import DiskFull
from zhuji.training import checkpoint
from zhuji.training.checkpoint import NUMBERS, TENSORS, Checkpoints
from zhuji.training.optim import optimiser
from zhuji.training.run import OptimSettings
from zhuji.training.state import State


def state(average=0.9):
    torch.manual_seed(0)
    model = nn.Linear(3, 2)
    now = State(model, optimiser(OptimSettings(), model), average)
    move(now)
    return now


def move(now):
    for parameter in now.model.parameters():
        parameter.grad = torch.ones_like(parameter)
    now.optimiser.step(0.1)
    now.progress.step += 1
    now.average()


def shelf(tmp_path, keep=2):
    return Checkpoints(tmp_path / "checkpoints", keep)


def test_what_is_saved_is_read(tmp_path):
    now = state()
    now.progress.history.append({"step": 1, "accuracy": 0.1 + 0.2})
    shelf(tmp_path).save(now)
    saved = shelf(tmp_path).newest()
    assert saved.progress == now.progress
    assert saved.tensors.keys() == now.tensors().keys()
    assert all(torch.equal(saved.tensors[name], tensor) for name, tensor in now.tensors().items())


def test_the_last_and_the_best_are_kept(tmp_path):
    now, kept = state(), shelf(tmp_path)
    for _ in range(6):
        if now.progress.step == 2:
            now.progress.best_step = 2
        kept.save(now)
        move(now)
    assert kept.steps() == [2, 5, 6]


@pytest.mark.parametrize("file", [TENSORS, NUMBERS])
@pytest.mark.parametrize("damage", [lambda b: b[: len(b) // 2], lambda b: b[:-1] + bytes([b[-1] ^ 1]), lambda b: b"", None])
def test_a_damaged_one_is_told_of_and_passed_over(tmp_path, capsys, file, damage):
    now, kept = state(), shelf(tmp_path)
    kept.save(now)
    move(now)
    kept.save(now)
    path = kept.path(2) / file
    path.write_bytes(damage(path.read_bytes())) if damage else path.unlink()
    assert kept.newest().progress.step == 1
    assert "step-00000002 is damaged" in capsys.readouterr().err
    assert kept.steps() == [1]
    kept.save(now)
    assert kept.newest().progress.step == 2


def test_leftovers_of_a_kill_are_swept(tmp_path):
    kept = shelf(tmp_path)
    kept.save(state())
    (kept.folder / ".partial-abc").mkdir()
    (kept.folder / ".partial-abc" / TENSORS).write_bytes(b"half")
    assert shelf(tmp_path).steps() == [1]
    assert [path.name for path in kept.folder.iterdir()] == ["step-00000001"]


def full(*args, **kwargs):
    raise OSError(errno.ENOSPC, "No space left on device")


def half_then_full(tensors, path):
    path.write_bytes(b"half")
    raise RuntimeError("I/O error: No space left on device (os error 28)")


@pytest.mark.parametrize(("name", "fails"), [("save_file", half_then_full), ("write_json", full), ("sha256", full)])
def test_a_full_disk_leaves_the_last_good_one(tmp_path, monkeypatch, name, fails):
    now, kept = state(), shelf(tmp_path, keep=1)
    kept.save(now)
    move(now)
    monkeypatch.setattr(checkpoint, name, fails)
    with pytest.raises(DiskFull, match="zhuji resume"):
        kept.save(now)
    assert [path.name for path in kept.folder.iterdir()] == ["step-00000001"]
    monkeypatch.undo()
    assert kept.newest().progress.step == 1


def test_other_errors_are_not_taken_for_a_full_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "write_json", lambda *a: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        shelf(tmp_path).save(state())


def test_tied_weights_are_saved(tmp_path):
    model = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    model[1].weight = model[0].weight
    now = State(model, optimiser(OptimSettings(), model))
    shelf(tmp_path).save(now)
    assert {"model/0.weight", "model/1.weight"} <= shelf(tmp_path).newest().tensors.keys()


def test_half_a_step_is_never_saved(tmp_path):
    now = state()
    now.whole = False
    with pytest.raises(AssertionError):
        shelf(tmp_path).save(now)


def test_whatever_order_of_damage_the_newest_good_one_is_found(tmp_path):
    rng, now, kept = random.Random(0), state(), shelf(tmp_path, keep=5)
    for _ in range(5):
        kept.save(now)
        move(now)
    broken = set(rng.sample(range(1, 6), 3))
    for step in broken:
        (kept.path(step) / TENSORS).write_bytes(b"x")
    assert kept.newest().progress.step == max(set(range(1, 6)) - broken)
