"""Optimisers by name, behind one object whose state is a flat mapping of tensors.

Names and defaults as in `torch.optim`. Sources: Adam: Kingma & Ba 2015, algorithm 1, with epsilon outside the root:
w <- w - lr * m / (sqrt(v) + eps); AdamW: Loshchilov & Hutter 2019, algorithm 2; AdaGrad: Duchi et al. 2011; Muon: Jordan et al. 2024.
"""

# torch and its like are typed in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adagrad, Adam, AdamW, Muon, Optimizer

from zhuji.core.contracts import ONLY
from zhuji.training.run import OptimSettings

Named = list[tuple[str, nn.Parameter]]
Shares = Mapping[str, float]

_NORMS = (nn.LayerNorm, nn.RMSNorm, nn.GroupNorm, nn.BatchNorm1d, nn.BatchNorm2d)
_EMBEDDINGS = (nn.Embedding, nn.EmbeddingBag)


class Optimiser:
    """One or two torch optimisers for each player, which move together at one rate."""

    def __init__(self, parts: Mapping[str, Sequence[Optimizer]], names: Mapping[Tensor, str]) -> None:
        self._of = {player: list(own) for player, own in parts.items()}
        self._names: dict[Tensor, str] = dict(names)

    @property
    def parts(self) -> list[Optimizer]:
        return [part for own in self._of.values() for part in own]

    def step(self, lr: float, player: str = ONLY) -> None:
        """One move of one player at this rate, or a group's own share of it. A player of which nothing learns stands still."""
        for part in self._of.get(player, ()):
            for group in part.param_groups:
                group["lr"] = lr * group["share"]
            part.step()

    def tensors(self) -> dict[str, Tensor]:
        """The whole state: `<parameter name>|<slot>` -> tensor."""
        return {
            f"{self._names[parameter]}|{slot}": value
            for part in self.parts
            for parameter, slots in part.state.items()
            for slot, value in slots.items()
            if value is not None
        }

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take up the state that `tensors` gave; the inverse of it."""
        slots: dict[str, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            name, _, slot = key.rpartition("|")
            # A copy into memory that torch allocated: kernels may round differently on memory aligned otherwise.
            slots.setdefault(name, {})[slot] = value.clone()
        for part in self.parts:
            for group in part.param_groups:
                for parameter in group["params"]:
                    part.state[parameter] = slots.get(self._names[parameter], {})


def split_by_decay(model: nn.Module) -> tuple[Named, Named]:
    """Trainable parameters with weight decay, and those without: vectors (biases, gains of norms) and embeddings. Shrinking
    these towards zero does not make a model simpler, and rare words would fade between their visits."""
    decay: Named = []
    free: Named = []
    seen: set[nn.Parameter] = set()
    for prefix, module in model.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            if parameter in seen or not parameter.requires_grad:
                continue
            seen.add(parameter)
            spared = parameter.ndim < 2 or isinstance(module, (*_NORMS, *_EMBEDDINGS))
            (free if spared else decay).append((f"{prefix}.{name}".lstrip("."), parameter))
    return decay, free


def optimiser(
    settings: OptimSettings, model: nn.Module, shares: Shares | None = None, owner: Callable[[str], str] = lambda name: ONLY
) -> Optimiser:
    """The optimiser that `settings` names, over the model's trainable parameters. `shares`: of the rate, by parameter name (default 1);
    `owner`: the player that moves a parameter, by its name."""
    decay, free = split_by_decay(model)
    names: dict[Tensor, str] = {parameter: name for name, parameter in (*decay, *free)}
    players = dict.fromkeys(owner(name) for name in names.values())
    parts = {
        player: _parts(settings, _owned(decay, owner, player), _owned(free, owner, player), shares or {}) for player in players
    }
    return Optimiser(parts, names)


def _owned(named: Named, owner: Callable[[str], str], player: str) -> Named:
    return [(name, parameter) for name, parameter in named if owner(name) == player]


def _parts(settings: OptimSettings, decay: Named, free: Named, shares: Shares) -> list[Optimizer]:
    if settings.name != "muon":
        return [_plain(settings, decay, free, shares)]
    hidden = [(name, p) for name, p in decay if p.ndim == 2 and _hidden(name)]
    others = [(name, p) for name, p in decay if not (p.ndim == 2 and _hidden(name))]
    parts: list[Optimizer] = []
    if others or free:
        parts.append(_plain(settings.model_copy(update={"name": "adamw"}), others, free, shares))
    if hidden:
        parts.append(_muon(settings, hidden, shares))
    return parts


def _hidden(name: str) -> bool:
    """Muon is meant for matrices between hidden states: neither for the stem nor for what a head ends with; a decoder's blocks are
    hidden though they belong to the head."""
    path = name.split(".")
    return "stem" not in path and (path[0] != "head" or "blocks" in path)


def _groups(named: Named, weight_decay: float, shares: Shares) -> list[dict[str, Any]]:
    """One group for each share of the rate, in the order in which shares come."""
    by_share: dict[float, list[nn.Parameter]] = {}
    for name, parameter in named:
        by_share.setdefault(shares.get(name, 1.0), []).append(parameter)
    return [{"params": params, "weight_decay": weight_decay, "share": share} for share, params in by_share.items()]


def _muon(settings: OptimSettings, hidden: Named, shares: Shares) -> Optimizer:
    # Steps as long as AdamW's (Liu et al. 2025, section 2.2): one rate serves both halves.
    return Muon(
        _groups(hidden, settings.weight_decay, shares), lr=settings.lr, weight_decay=settings.weight_decay, momentum=settings.momentum,
        adjust_lr_fn="match_rms_adamw",
    )  # fmt: skip


def _plain(settings: OptimSettings, decay: Named, free: Named, shares: Shares) -> Optimizer:
    groups = [*_groups(decay, settings.weight_decay, shares), *_groups(free, 0.0, shares)]
    fused = all(p.device.type in ("cpu", "cuda") and p.is_floating_point() for _, p in (*decay, *free))
    adam: dict[str, Any] = {"betas": settings.betas, "eps": settings.eps}
    make: dict[str, Callable[[], Optimizer]] = {
        "sgd": lambda: SGD(groups, lr=settings.lr, fused=fused),
        "momentum": lambda: SGD(
            groups,
            lr=settings.lr,
            momentum=settings.momentum,
            nesterov=settings.nesterov and settings.momentum > 0,
            fused=fused,
        ),
        "adagrad": lambda: Adagrad(groups, lr=settings.lr, eps=settings.eps, fused=fused and _on_cpu(groups)),
        "adam": lambda: Adam(groups, lr=settings.lr, fused=fused, **adam),
        "adamw": lambda: AdamW(groups, lr=settings.lr, fused=fused, **adam),
    }
    return make[settings.name]()


def _on_cpu(groups: list[dict[str, Any]]) -> bool:
    return all(p.device.type == "cpu" for group in groups for p in group["params"])


def gradient_norm(parameters: Iterable[nn.Parameter]) -> Tensor:
    """Global 2-norm of all gradients, a scalar."""
    return torch.nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
