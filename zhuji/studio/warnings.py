"""What in the log of a run under way is worth a look before it has ended."""

from __future__ import annotations

import itertools
import math
import time

from zhuji.core.log import in_language as say_in
from zhuji.core.quantity import seconds_text
from zhuji.tools.pages.runs import RunFacts

RISING = 3
"""Validations in a row without which a rise of the loss is chance."""
BLOWN_UP = 1.5
"""Times its first values at which a training loss counts as diverged: near zero it may jump by any ratio."""
_QUIET = 120.0
"""Seconds without a line that are mentioned."""


def warnings_of(run: RunFacts) -> list[str]:
    """Sentences, the gravest first; none is the usual case."""
    found: list[str] = []
    train = run.trail.points("train", "loss")
    game = bool(run.trail.players)  # of several players one's loss rises where another's falls: neither says how good they are
    if train and not math.isfinite(train[-1][1]):
        found.append(say_in("The training loss is no finite number any more.", "训练损失已不是有限数值。"))
    elif not game and _blown_up([y for _, y in train if math.isfinite(y)]):
        found.append(say_in("The training loss is far above where it began: the run diverges. A lower train.optim.lr helps.",
                            "训练损失远高于起始值：训练正在发散，可降低 train.optim.lr。"))  # fmt: skip
    if run.bad_steps:
        found.append(say_in(f"{run.bad_steps:,.0f} steps had a loss or gradient that was not finite and were skipped.",
                            f"{run.bad_steps:,.0f} 步的损失或梯度非有限值，已跳过。"))  # fmt: skip
    if not game and rising([y for _, y in run.trail.points("valid", "loss")]):
        found.append(say_in(f"The validation loss has risen {RISING} times in a row: the model may be learning the training rows by heart.",
                            f"验证损失已连续 {RISING} 次上升：模型可能在死记训练数据。"))  # fmt: skip
    if run.trail.damaged:
        found.append(
            say_in(f"{run.trail.damaged:,} lines of the log cannot be read.", f"日志中有 {run.trail.damaged:,} 行无法读取。")
        )
    if (quiet := time.time() - run.since) > _QUIET:
        found.append(
            say_in(
                f"No line for {seconds_text(quiet)}; its process is alive.",
                f"已有 {seconds_text(quiet)} 没有新记录；其进程仍在。",
            )
        )
    return found


def rising(losses: list[float]) -> bool:
    """Did each of the last `RISING` values exceed the one before it?"""
    last = losses[-RISING - 1 :]
    return len(last) > RISING and all(a < b for a, b in itertools.pairwise(last))


def _blown_up(losses: list[float]) -> bool:
    """By the medians of the first and the last five: one bad batch is no divergence."""
    return len(losses) >= 10 and sorted(losses[-5:])[2] > BLOWN_UP * sorted(losses[:5])[2]
