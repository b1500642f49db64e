import copy

import pytest
import torch

from zhuji.core.errors import BadSetting
from zhuji.core.units import Batch, Ratio, Units
from zhuji.tasks.regress import Regress
from zhuji.training import precision
from zhuji.training.precision import Precision, choose, move_scale, start_scale
from zhuji.training.state import Progress

CPU = torch.device("cpu")


class Net(torch.nn.Linear):
    """Counts its passes, as a norm does."""

    task = Regress()

    def __init__(self, *sides):
        super().__init__(*sides)
        self.register_buffer("passes", torch.zeros(()))

    def loss(self, batch):
        self.passes += 1
        return Ratio(self(batch.targets["x"]).square().sum(), torch.tensor(4))


def net():
    torch.manual_seed(0)
    model = Net(4, 4)
    return model, [Batch(Units(torch.ones(4, 1, dtype=torch.bool)), {"x": torch.randn(4, 4)})]


def timed(monkeypatch, fp32, bf16):
    monkeypatch.setattr(precision, "_pass_seconds", lambda p, *rest: {"fp32": fp32, "bf16": bf16}[p.name])


@pytest.mark.parametrize(
    ("fp32", "bf16", "expected"),
    [
        (0.5, 0.1, "bf16"),
        (0.5, 0.45, "fp32"),
        (0.5, 0.9, "fp32"),
        (0.001, 0.0001, "fp32"),
        (0.12, 0.1, "fp32"),
        (0.16, 0.1, "bf16"),
        (0.1497, 0.1, "bf16"),  # what is told, 1.50, decides
    ],
)
def test_auto_takes_bf16_only_where_it_pays(monkeypatch, fp32, bf16, expected):
    timed(monkeypatch, fp32, bf16)
    chosen = choose("auto", *net(), CPU)
    assert (chosen.name, chosen.ratio) == (expected, pytest.approx(fp32 / bf16, abs=0.01))


def test_the_probe_leaves_the_model_as_it_was():
    model, batches = net()
    before = copy.deepcopy(model.state_dict())
    assert choose("auto", model, batches, CPU).name == "fp32"
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())


@pytest.mark.parametrize("asked", ["fp32", "bf16"])
def test_what_is_asked_for_is_done(asked):
    assert choose(asked, *net(), CPU) == Precision(asked)


def test_fp16_is_refused_on_a_processor():
    with pytest.raises(BadSetting, match="fp16 needs a GPU"):
        choose("fp16", *net(), CPU)


def test_products_run_in_the_asked_format():
    model, [batch] = net()
    with Precision("bf16").context(CPU):
        assert model(batch.targets["x"]).dtype == torch.bfloat16
    with Precision("fp32").context(CPU):
        assert model(batch.targets["x"]).dtype == torch.float32


def test_loss_scale_falls_at_once_and_rises_slowly():
    progress, fp16 = Progress(), Precision("fp16")
    start_scale(fp16, progress)
    first = progress.scale
    assert move_scale(fp16, progress, finite=False)
    assert progress.scale == first / 2
    for _ in range(2000):
        assert not move_scale(fp16, progress, finite=True)
    assert progress.scale == first
    progress.scale = 1.0
    assert not move_scale(fp16, progress, finite=False), "at scale 1 a bad step is the model's fault"


def test_other_formats_have_no_scale():
    progress = Progress()
    start_scale(Precision("bf16"), progress)
    assert not move_scale(Precision("bf16"), progress, finite=False)
    assert progress.scale == 1.0
