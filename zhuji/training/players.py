"""Players: who moves in a step, by which loss, and with which weights.

A task names its players, one as a rule. With several (Goodfellow et al. 2014, algorithm 1) each moves once a step, in the task's order and
on the same batch; while one moves, the weights of the others ask for no gradient, so that a pass costs no more than its player needs and
leaves nothing behind for the next.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import partial

from zhuji.core.contracts import Task
from zhuji.core.errors import BadSetting
from zhuji.core.log import in_language
from zhuji.core.units import Batch, Ratio
from zhuji.model.assembly import Model
from zhuji.training.run import TrainSettings

Lossy = Callable[[Batch], Ratio]


def losses(model: Model) -> dict[str, Lossy]:
    """The loss of each player's move, in the order in which they move."""
    players = model.task.players
    if len(players) == 1:
        return {players[0]: model.loss}
    return {player: partial(model.loss, player=player) for player in players}


@contextmanager
def moving(model: Model, player: str) -> Generator[None]:
    """Only what this player owns asks for gradients; afterwards whatever asked before asks again."""
    resting = [] if len(model.task.players) == 1 else [
        parameter for name, parameter in model.named_parameters() if parameter.requires_grad and model.task.owner(name) != player
    ]  # fmt: skip
    for parameter in resting:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in resting:
            parameter.requires_grad_(True)


def moves(model: Model) -> Iterator[tuple[str, Lossy]]:
    """Each player with its loss, while it is its move."""
    for player, loss in losses(model).items():
        with moving(model, player):
            yield player, loss


def refuse_alone(task: Task, settings: TrainSettings, *, taught: bool) -> None:
    """What only one player can do. Raises BadSetting.

    A compiled loss has no second derivative, which penalties on gradients need; and a teacher's lesson would be about no player's loss.
    """
    if len(task.players) == 1:
        return
    for key, value, asked in (("train.compile", True, settings.compile), ("teacher.path", None, taught)):
        if asked:
            names = ", ".join(task.players)
            rule = in_language(
                f"must be left out where several players learn: task '{task.name()}' has {names}",
                f"在多个参与者学习时不得使用：任务「{task.name()}」有 {names}",
            )
            raise BadSetting(key=key, rule=rule, value=value)
