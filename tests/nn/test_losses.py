import pytest
import torch

from zhuji.nn import losses


@pytest.mark.parametrize("loss", [losses.cross_entropy, losses.focal])
def test_unseen_labels_teach_nothing(loss):
    logits = torch.randn(4, 3, requires_grad=True)
    rows = loss(logits, torch.tensor([0, -1, 2, -1]))
    rows.sum().backward()
    assert rows[[1, 3]].tolist() == [0, 0]
    assert logits.grad is not None
    assert logits.grad[[1, 3]].abs().max() == 0
    assert logits.grad[[0, 2]].abs().min() > 0


@pytest.mark.parametrize("loss", [losses.focal, losses.binary_focal])
@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_focal_gradients_are_finite_where_the_answer_is_certain(loss, gamma):
    logits = torch.tensor([[200.0, -200.0], [-200.0, 200.0]], requires_grad=True)
    labels = torch.tensor([0, 0]) if loss is losses.focal else torch.tensor([[True, False], [True, False]])
    rows = loss(logits, labels, gamma=gamma)
    rows.sum().backward()
    assert torch.isfinite(rows).all()
    assert logits.grad is not None
    assert torch.isfinite(logits.grad).all()


def test_half_precision_is_computed_in_float32():
    logits = torch.randn(8, 5).bfloat16()
    rows = losses.cross_entropy(logits, torch.zeros(8, dtype=torch.long))
    assert rows.dtype == torch.float32
    torch.testing.assert_close(rows, losses.cross_entropy(logits.float(), torch.zeros(8, dtype=torch.long)))


def test_focal_gives_easy_rows_less_weight():
    logits, label = torch.tensor([[4.0, 0.0], [0.0, 0.0]]), torch.tensor([0, 0])
    easy, hard = (losses.focal(logits, label) / losses.cross_entropy(logits, label)).tolist()
    assert easy < 0.001 < 0.24 < hard < 0.26


class TestSigmoidFocal:
    def test_hard_truth_is_the_papers_formula(self):
        logits, truth = torch.randn(50, dtype=torch.float64) * 3, (torch.arange(50) % 2).double()
        p = torch.where(truth > 0, logits.sigmoid(), 1 - logits.sigmoid())
        weight = torch.where(truth > 0, 0.25, 0.75)
        found = losses.sigmoid_focal(logits, truth, gamma=2.0, alpha=0.25)
        torch.testing.assert_close(found.double(), -weight * (1 - p) ** 2 * p.log(), rtol=1e-4, atol=1e-6)

    def test_without_focus_it_is_cross_entropy(self):
        logits, truth = torch.randn(3, 5), torch.rand(3, 5)
        expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, truth, reduction="none")
        torch.testing.assert_close(losses.sigmoid_focal(logits, truth, gamma=0.0), expected)

    def test_soft_truth_costs_nothing_once_it_is_met(self):
        truth = torch.tensor([0.1, 0.5, 0.9])
        logits = truth.logit().requires_grad_()
        loss = losses.sigmoid_focal(logits, truth)
        assert loss.max() < 1e-12
        (slope,) = torch.autograd.grad(loss.sum(), logits)
        assert slope.abs().max() < 1e-6

    def test_its_ends_are_finite(self):
        logits = torch.tensor([-1e4, 1e4, -1e4, 1e4], requires_grad=True)
        loss = losses.sigmoid_focal(logits, torch.tensor([0.0, 1.0, 1.0, 0.0]), gamma=0.5)
        loss.sum().backward()
        assert loss.isfinite().all() and logits.grad is not None and logits.grad.isfinite().all()
        assert loss.tolist() == pytest.approx([0, 0, 1e4, 1e4])
