"""Losses, one number per row: reducing them is the business of `core.units.Ratio`.

B rows, C classes. Logits may be half precision: the losses are computed in float32. `labels (B,)` below zero mark rows that teach
nothing; their loss is 0.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

UNSEEN = -1
"""Label of a row whose class the model does not know."""


def cross_entropy(logits: Tensor, labels: Tensor, *, smoothing: float = 0.0, weights: Tensor | None = None) -> Tensor:
    """`(B,)` from `logits (B, C)` and `labels (B,)`. Label smoothing after Szegedy et al. 2016, section 7; `weights (C,)` scale each
    class as in `torch.nn.functional.cross_entropy`."""
    return F.cross_entropy(
        logits.float(), labels, weight=weights, label_smoothing=smoothing, ignore_index=UNSEEN, reduction="none"
    )


def focal(logits: Tensor, labels: Tensor, *, gamma: float = 2.0, weights: Tensor | None = None) -> Tensor:
    """`(B,)`: -w (1 - p)^gamma log p of the true class, from `logits (B, C)` and `labels (B,)` (Lin et al. 2017, equation 5)."""
    known = labels != UNSEEN
    index = labels.clamp_min(0)
    log_p = logits.float().log_softmax(-1).gather(-1, index[:, None])[:, 0]
    loss = -(_missing(log_p) ** gamma) * log_p
    return torch.where(known, loss if weights is None else loss * weights[index], 0.0)


def binary_cross_entropy(logits: Tensor, labels: Tensor, *, smoothing: float = 0.0, weights: Tensor | None = None) -> Tensor:
    """`(B,)`: mean over the classes, from `logits (B, C)` and `labels (B, C)` of 0 and 1. `weights (C,)` scale the positives."""
    truth = labels.float()
    smooth = truth * (1 - smoothing) + smoothing / 2
    loss = F.binary_cross_entropy_with_logits(logits.float(), smooth, reduction="none")
    return (loss * positive_weight(truth, weights)).mean(-1)


def binary_focal(logits: Tensor, labels: Tensor, *, gamma: float = 2.0, weights: Tensor | None = None) -> Tensor:
    """`(B,)`: the focal loss of C yes-or-no questions, averaged over them (Lin et al. 2017, equation 4)."""
    truth = labels.float()
    log_p = F.logsigmoid(logits.float() * (2 * truth - 1))
    loss = -(_missing(log_p) ** gamma) * log_p
    return (loss * positive_weight(truth, weights)).mean(-1)


def sigmoid_focal(logits: Tensor, truth: Tensor, *, gamma: float = 2.0, alpha: float | None = None) -> Tensor:
    """`(…)`, of each question by itself: |y - p|^gamma times the cross entropy of p with y, from `logits` and `truth` y in [0, 1] of one shape.
    Where y is 0 or 1 it is the focal loss (Lin et al. 2017, equation 4, with `alpha` equation 5); between them the quality focal loss
    (Li et al. 2020, Generalized Focal Loss, equation 5), which asks for a probability as high as a box is good."""
    logits, truth = logits.float(), truth.float()
    missing = (truth - logits.sigmoid()).abs().clamp_min(torch.finfo(torch.float32).tiny)
    loss = missing**gamma * F.binary_cross_entropy_with_logits(logits, truth, reduction="none")
    return loss if alpha is None else loss * (alpha * truth + (1 - alpha) * (1 - truth))


def positive_weight(truth: Tensor, weights: Tensor | None) -> Tensor:
    """`(B, C)`: the class's weight where it is true, else 1."""
    return torch.ones_like(truth) if weights is None else torch.where(truth > 0, weights, 1.0)


def _missing(log_p: Tensor) -> Tensor:
    """1 - p. Kept off zero, where a power below one has no finite slope."""
    return (-torch.expm1(log_p)).clamp_min(torch.finfo(torch.float32).tiny)


def soft_cross_entropy(mine: Tensor, theirs: Tensor, temperature: float) -> Tensor:
    """`(…)` from logits `mine (…, C)` and a teacher's, `theirs (…, C)`: cross entropy with the teacher's probabilities, both softened, times
    the square of the temperature (Hinton et al. 2015, section 2), so that its gradient is as large at any; from it the teacher's own
    entropy is taken away, so that agreement costs nothing: the Kullback-Leibler divergence."""
    guess, wanted = ((logits.float() / temperature).log_softmax(-1) for logits in (mine, theirs))
    return F.kl_div(guess, wanted, reduction="none", log_target=True).sum(-1) * temperature**2


def squared_error(predictions: Tensor, targets: Tensor) -> Tensor:
    """`(B,)`: the squared difference, whose mean is what one reports."""
    return (predictions.float() - targets.float()) ** 2


def huber(predictions: Tensor, targets: Tensor, *, delta: float = 1.0) -> Tensor:
    """`(B,)`: half the square up to `delta`, linear beyond (Huber 1964)."""
    return F.huber_loss(predictions.float(), targets.float(), delta=delta, reduction="none")
