"""The one training loop, for every task.

A loss is a sum and a count. Gradients of the sums of all micro-batches of a step are added up and divided by the sum of their
counts, so a step is the same however its rows are cut into micro-batches. Of a task with several players (`players.py`) each makes such a
move in every step.

Every micro-batch seeds torch's generators from (run seed, number of the batch, and the player where there are several): a resumed run
needs no generator state, and what is drawn at a step does not depend on what was drawn before it.
"""

# torch and its like are typed in part only.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false, reportUnknownArgumentType=false

from __future__ import annotations

import contextlib
import math
import signal
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from types import FrameType
from typing import Any, NamedTuple

import psutil
import torch
from torch import Tensor

from zhuji.core.errors import DiskFull, Interrupted, Terminated, TooManyBadSteps
from zhuji.core.log import in_language, say
from zhuji.core.seed import derive
from zhuji.core.units import Batch
from zhuji.model.assembly import Model
from zhuji.training.checkpoint import Checkpoints
from zhuji.training.hooks import Watchers
from zhuji.training.optim import gradient_norm
from zhuji.training.players import Lossy, losses, moving
from zhuji.training.precision import Precision, move_scale, start_scale
from zhuji.training.prefetch import prefetched
from zhuji.training.run import TrainSettings
from zhuji.training.schedule import Timetable, rate
from zhuji.training.state import Progress, State, remembered

Numbered = Iterator[tuple[int, Batch]]
Taken = Iterable[tuple[int, Batch]]


@dataclass(frozen=True)
class Work:
    """What a loop works with, besides the state that it changes."""

    settings: TrainSettings
    seed: int
    table: Timetable
    batch: Callable[[int], Batch]
    """The batch of this number, counted over all epochs; on the CPU, and the same at every call."""
    epoch: Callable[[int], float]
    """How many epochs so many batches are."""
    validate: Callable[[Model], Mapping[str, float]]
    """Scores of a model on the validation split; the first chooses the best. Empty: there is nothing to validate on."""
    higher_is_better: bool
    checkpoints: Checkpoints
    watchers: Watchers
    precision: Precision = field(default_factory=lambda: Precision("fp32"))
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    least_seconds: Callable[[Batch], float] | None = None
    """Seconds that a batch's operations take at the device's ceiling (see `cost.py`), where that was measured."""
    ready: Callable[[Model, int], None] = lambda model, step: None
    """Called before each step with the model and the step's number: settles what of it learns."""

    @property
    def log_every(self) -> int:
        """Steps between lines of the log: fixed by the plan, so that a resumed run writes the same lines."""
        return max(1, min(50, self.table.steps // 200))


def train(work: Work, state: State) -> None:
    """Train from where `state` stands to the end of the plan, or to where early stopping ends it.

    Raises Interrupted or Terminated after a signal, TooManyBadSteps, DiskFull, and whatever goes wrong in a step; in each case the state of
    the last whole step is saved first, if it can be.
    """
    start_scale(work.precision, state.progress)
    with _signals() as asked:
        try:
            _steps(work, state, asked)
        except BaseException as error:
            if state.whole and not isinstance(error, DiskFull):
                _save(work, state)
                say(in_language(f"Saved at step {state.progress.step}. Go on with: zhuji resume {_folder(work)}",
                                f"已保存第 {state.progress.step} 步。继续运行：zhuji resume {_folder(work)}"))  # fmt: skip
            raise


def _steps(work: Work, state: State, asked: list[int]) -> None:
    progress, table, accumulate = state.progress, work.table, work.settings.accumulate
    players = _losses(work, state)
    pace = _Pace(progress.units, work.least_seconds)
    saved = time.monotonic()
    state.model.train()
    with prefetched(work.batch, progress.step * accumulate, table.steps * accumulate) as batches:
        passing = pace.passing(batches)
        while True:
            validated = _report(work, state, pace)
            if validated or (progress.step and time.monotonic() - saved >= work.settings.checkpoint_seconds):
                _save(work, state)
                saved = time.monotonic()
            if asked:
                stop = Interrupted if asked[0] == signal.SIGINT else Terminated
                raise stop(step=progress.step, run=_folder(work))
            if progress.step >= table.steps or progress.stopped:
                return
            _step(work, state, players, passing)


def _report(work: Work, state: State, pace: _Pace) -> bool:
    """Log and validate what is due at this step and was not done before a stop; True if there was a validation."""
    progress = state.progress
    validation = progress.step in work.table.validations
    if (progress.step % work.log_every == 0 or validation) and progress.logged < progress.step:
        _log(work, state, pace)
    if not validation or progress.validated >= progress.step:
        return False
    _validate(work, state)
    state.model.train()
    return True


def _losses(work: Work, state: State) -> Mapping[str, Lossy]:
    """Each player's loss, compiled for each of the few bucket shapes if asked."""
    found = losses(state.model)
    if not work.settings.compile:
        return found
    torch._dynamo.config.recompile_limit = 256  # pyright: ignore[reportPrivateUsage]
    return {player: torch.compile(loss, dynamic=False) for player, loss in found.items()}


class Sums(NamedTuple):
    """Over the micro-batches of a step: loss, what it is a sum over (`weight`), and the 2-norm of the gradient of the sum."""

    total: float
    weight: float
    norm: float

    @property
    def finite(self) -> bool:
        return math.isfinite(self.total) and math.isfinite(self.norm)

    def coefficient(self, scale: float, clip: float | None) -> float:
        """What the gradient of the sum is multiplied with: 1 / weight, and less where its norm would exceed the clip."""
        divisor = max(self.weight, 1e-12) * scale
        norm = self.norm / divisor
        return (clip / (norm + 1e-6) if clip is not None and norm > clip else 1.0) / divisor


def _step(work: Work, state: State, players: Mapping[str, Lossy], batches: Numbered) -> None:
    """One move of each player. One whose loss or gradient is not finite changes nothing of the model, but the step is then counted as bad."""
    progress, started = state.progress, time.perf_counter()
    work.ready(state.model, progress.step)
    sizes: list[tuple[int, int]] = []
    taken: Taken = _sized(islice(batches, work.settings.accumulate), sizes)
    if len(players) > 1:
        taken = list(taken)  # shared by all, so they come before the first move
    finite = [_move(work, state, (player, loss), taken) for player, loss in players.items()]
    if any(finite):
        state.model.follow()
        state.average()
    excused = move_scale(work.precision, progress, all(finite))
    progress.bad_steps += not all(finite) and not excused
    progress.step += 1
    progress.units += sum(units for units, _ in sizes)
    progress.padding += sum(positions - units for units, positions in sizes)
    progress.seconds += time.perf_counter() - started
    state.whole = True
    if progress.bad_steps > work.settings.max_bad_steps:
        raise TooManyBadSteps(limit=work.settings.max_bad_steps, count=progress.bad_steps, step=progress.step)


def _sized(batches: Numbered, sizes: list[tuple[int, int]]) -> Numbered:
    """The same batches; the units in each and the positions computed are noted."""
    for number, batch in batches:
        sizes.append((int(batch.units.mask.sum()), batch.units.mask.numel()))
        yield number, batch


def _move(work: Work, state: State, move: tuple[str, Lossy], batches: Taken) -> bool:
    """One player's move; False, and nothing of the model has changed, where its loss or gradient is not finite."""
    player, progress, set_back = move[0], state.progress, remembered(state.model)
    state.model.zero_grad(set_to_none=True)
    with moving(state.model, player):
        sums = _gradients(work, state, move, batches)
        state.whole = False
        if not sums.finite:
            set_back()
            return False
        coefficient = sums.coefficient(progress.scale, work.settings.optim.clip)
        for parameter in state.model.parameters():
            if parameter.grad is not None:
                parameter.grad.mul_(coefficient)
        state.optimiser.step(_rate(work, progress.step), player)
    total, count = progress.losses.get(player, (0.0, 0.0))
    progress.losses[player] = (total + sums.total, count + sums.weight)
    return True


def _gradients(work: Work, state: State, move: tuple[str, Lossy], batches: Taken) -> Sums:
    """Add up the gradients of a move's micro-batches. Waits for the device once."""
    (player, loss), several = move, len(state.model.task.players) > 1
    totals: list[Tensor] = []
    counts: list[Tensor] = []
    for number, batch in batches:
        torch.manual_seed(derive(work.seed, "step", number, *([player] if several else [])))
        with work.precision.context(work.device):
            ratio = loss(batch.to(work.device))
        (ratio.total * state.progress.scale).backward()
        totals.append(ratio.total.detach().float())
        counts.append(ratio.count.float())
    numbers = torch.stack([*totals, *counts, gradient_norm(state.model.parameters()).float()]).tolist()
    n = len(totals)
    return Sums(sum(numbers[:n]), sum(numbers[n : 2 * n]), numbers[-1])


def _rate(work: Work, step: int) -> float:
    return rate(work.settings.optim, step, work.table.steps)


class _Pace:
    """Units per second since the last question, and the share of the device's ceiling that was used (MFU)."""

    def __init__(self, units: int, least_seconds: Callable[[Batch], float] | None) -> None:
        self._units, self._time = units, time.perf_counter()
        self._needs, self._needed = least_seconds, 0.0

    def passing(self, batches: Numbered) -> Numbered:
        """The same batches; what they need at the ceiling is added up."""
        for number, batch in batches:
            if self._needs is not None:
                begun = time.perf_counter()
                self._needed += self._needs(batch)
                self._time += time.perf_counter() - begun  # counting is no work of the model's
            yield number, batch

    def since(self, units: int) -> tuple[float, dict[str, float]]:
        now = time.perf_counter()
        seconds = max(1e-9, now - self._time)
        speed, share = (units - self._units) / seconds, self._needed / seconds
        self._units, self._time, self._needed = units, now, 0.0
        return speed, {} if self._needs is None else {"mfu": float(f"{share:.4g}")}


def _log(work: Work, state: State, pace: _Pace) -> None:
    progress, players = state.progress, state.model.task.players
    speed, mfu = pace.since(progress.units)
    sums = {player: progress.losses.get(player, (0.0, 0.0)) for player in players}
    means = {player: total / max(count, 1e-12) for player, (total, count) in sums.items()}
    work.watchers.see({
        "kind": "train", **_when(work, state), "loss": sum(means.values()), **({"losses": means} if len(players) > 1 else {}),
        "lr": _rate(work, progress.step - 1), "units": progress.units, "waste": round(progress.waste, 4), "bad_steps": progress.bad_steps,
        "units_per_second": round(speed, 1), "rss_mb": round(psutil.Process().memory_info().rss / 2**20, 1), **mfu,
    })  # fmt: skip
    progress.losses = {}
    progress.logged = progress.step


def _when(work: Work, state: State) -> dict[str, Any]:
    step = state.progress.step
    epoch = round(work.epoch(step * work.settings.accumulate), 4)
    return {"step": step, "epoch": epoch, "seconds": round(state.progress.seconds, 3)}


def _validate(work: Work, state: State) -> None:
    """Judge the weights; note whether they are the best so far, and whether it is time to stop."""
    progress, started = state.progress, time.perf_counter()
    scores = dict(work.validate(state.judged))
    progress.seconds += time.perf_counter() - started
    progress.validated = progress.step
    if not scores:
        progress.best_step = progress.step
        return
    score = next(iter(scores.values()))
    finite = {name: value if math.isfinite(value) else None for name, value in scores.items()}
    line = {"kind": "valid", **_when(work, state), **finite}
    if _better(score, progress.best_score, work.higher_is_better):
        progress.best_score, progress.best_step, progress.waiting = score, progress.step, 0
    else:
        progress.waiting += 1
        if score == progress.best_score and _surer(scores, progress):
            progress.best_step = progress.step
    progress.stopped = work.settings.patience is not None and progress.waiting >= work.settings.patience
    progress.history.append({name: value for name, value in line.items() if name not in ("kind", "seconds")})
    work.watchers.see(line)


def _surer(scores: Mapping[str, float], progress: Progress) -> bool:
    """Whether the loss is lower than where the best score, which is this one, was reached first. Of few validation rows many weights get as many right, and the
    first of them are seldom the best. Patience does not begin anew: the score did not rise."""
    before = next((line.get("loss") for line in reversed(progress.history) if line["step"] == progress.best_step), None)
    return before is not None and scores.get("loss", math.inf) < before


def _better(score: float, best: float | None, higher: bool) -> bool:
    """A score that is not a number is never better than one that is."""
    if best is None or math.isnan(best):
        return True
    return score > best if higher else score < best


def _save(work: Work, state: State) -> None:
    work.watchers.sync()
    work.checkpoints.save(state)


def _folder(work: Work) -> str:
    return str(work.checkpoints.folder.parent)


@contextlib.contextmanager
def _signals() -> Generator[list[int]]:
    """The signals that asked for a stop. The first is noted and obeyed after the step; a second one acts at once, also where a shell
    that started us in its background had them ignored."""
    asked: list[int] = []
    before: dict[int, Any] = {}
    acting = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}

    def note(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        handler = before[number]
        signal.signal(number, acting[signal.Signals(number)] if handler == signal.SIG_IGN else handler)

    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(ValueError):  # not in the main thread: whoever runs us there handles signals
            before[number] = signal.signal(number, note)
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
