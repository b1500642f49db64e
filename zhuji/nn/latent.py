"""What is learned by vectors that nobody sees: the bound of a variational autoencoder, and the losses of two players.

Shapes: B rows, Z numbers of a vector, *V the values of a row.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """`(B, Z)` twice -> `(B,)` nats: KL(N(mean, variance) || N(0, 1)) of each row (Kingma & Welling 2014, appendix B)."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(-1)


def surprise(values: Tensor, guess: Tensor, log_deviation: Tensor) -> Tensor:
    """`(B, *V)` twice and a number -> `(B,)` nats: -log N(values; guess, deviation), the values of a row added up (Rybkin et al. 2021, section
    3: one deviation for all, learned)."""
    scaled = (values - guess) * (-log_deviation).exp()
    return (0.5 * scaled.square() + log_deviation + 0.5 * math.log(2 * math.pi)).flatten(1).sum(1)


def judged_apart(real: Tensor, made: Tensor) -> Tensor:
    """`(B,)` twice -> `(B,)`: what the critic minimises, -log D(real) - log(1 - D(made)) of scores before the sigmoid (Goodfellow et al. 2014,
    equation 1)."""
    return F.softplus(-real) + F.softplus(made)


def taken_for_real(made: Tensor) -> Tensor:
    """`(B,)` -> `(B,)`: what the maker minimises, -log D(made), which does not saturate (section 3 there)."""
    return F.softplus(-made)


def steepness(score: Callable[[Tensor], Tensor], values: Tensor) -> tuple[Tensor, Tensor]:
    """Scores `(B,)` of `values (B, *V)`, and of each the squared length of its gradient by the row's own values, `(B,)`, which can be learned
    from (R1: Mescheder et al. 2018, equation 9). Rows must not see each other."""
    leaf = values.detach().requires_grad_()
    scores = score(leaf)
    (gradient,) = torch.autograd.grad(scores.sum(), leaf, create_graph=True)
    return scores, gradient.float().square().flatten(1).sum(1)
