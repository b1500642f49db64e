"""Losses against torch and against the papers' formulas in float64. Tolerance 1e-6: float32 against float64 on values near 1."""

import pytest
import torch
import torch.nn.functional as F

from zhuji.nn import losses

ROWS, CLASSES = 64, 7


@pytest.fixture
def logits():
    return torch.randn(ROWS, CLASSES, generator=torch.Generator().manual_seed(0)) * 3


@pytest.fixture
def labels():
    return torch.randint(CLASSES, (ROWS,), generator=torch.Generator().manual_seed(1))


@pytest.fixture
def truth():
    return torch.rand(ROWS, CLASSES, generator=torch.Generator().manual_seed(2)) < 0.3


WEIGHTS = torch.linspace(0.2, 3, CLASSES)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_cross_entropy_is_torchs_with_its_mean(logits, labels, smoothing, weights):
    rows = losses.cross_entropy(logits, labels, smoothing=smoothing, weights=weights)
    count = ROWS if weights is None else weights[labels].sum()
    torch.testing.assert_close(rows.sum() / count, F.cross_entropy(logits, labels, weights, label_smoothing=smoothing))


def test_label_smoothing_is_a_mixture_with_the_uniform_distribution(logits, labels):
    target = F.one_hot(labels, CLASSES) * 0.9 + 0.1 / CLASSES
    expected = -(target * logits.double().log_softmax(-1)).sum(-1)
    torch.testing.assert_close(losses.cross_entropy(logits, labels, smoothing=0.1).double(), expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_focal(logits, labels, gamma, weights):
    p = logits.double().softmax(-1)[torch.arange(ROWS), labels]
    expected = -((1 - p) ** gamma) * p.log() * (1 if weights is None else weights[labels])
    found = losses.focal(logits, labels, gamma=gamma, weights=weights).double()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_binary_cross_entropy_is_torchs(logits, truth, weights):
    expected = F.binary_cross_entropy_with_logits(logits, truth.float(), pos_weight=weights, reduction="none").mean(-1)
    torch.testing.assert_close(losses.binary_cross_entropy(logits, truth, weights=weights), expected)


@pytest.mark.parametrize("gamma", [0.0, 2.0])
def test_binary_focal(logits, truth, gamma):
    p = torch.where(truth, logits.double().sigmoid(), (-logits.double()).sigmoid())
    expected = (-((1 - p) ** gamma) * p.log()).mean(-1)
    found = losses.binary_focal(logits, truth, gamma=gamma).double()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_regression_losses():
    a, b = torch.randn(50), torch.randn(50) * 3
    torch.testing.assert_close(losses.squared_error(a, b).mean(), F.mse_loss(a, b))
    torch.testing.assert_close(losses.huber(a, b, delta=0.7).mean(), F.huber_loss(a, b, delta=0.7))
