"""Finding good sequences one unit at a time, for generation and translation alike.

Whoever searches hands in `step(last (N,) int64, state) -> (logits (N, V), state)`, where `last` is each row's newest unit, and a
state whose `select(index (M,))` keeps these rows in this order. Shapes: R rows asked for, K beams of a row, N rows or beams that are
still open, V ids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, Self

import torch
from torch import Tensor


class State(Protocol):
    """What is remembered between units, by row or hypothesis."""

    def select(self, index: Tensor) -> Self:
        """These rows in this order; one may come more than once."""
        ...


Step = Callable[[Tensor, "State"], tuple[Tensor, "State"]]
History = Sequence[int]
Allowed = Callable[[Sequence[int], Sequence[History]], Tensor]
"""`(numbers of N rows, what each has written)` -> `(N, V)` bool, where each row may go on; a row that may not go on is finished."""
Stop = Callable[[int, History], bool]
"""`(number of a row, what it has written)` -> whether it is finished; asked after every unit."""


@dataclass(frozen=True)
class Found:
    """What was written, without the start and the end. `score`: sum of log-probabilities, of a beam search divided by the length
    penalty. `ended`: it came to an end by itself, not by a limit."""

    ids: tuple[int, ...]
    score: float
    ended: bool


@dataclass(frozen=True)
class Rules:
    """What every way of searching obeys.

    `end`: the id that ends a sequence; `max_units`, `min_units`: how many are written, the end not counted in the latter (a sequence of
    `max_units` has none); `repetition_penalty` above 1
    makes ids less likely that were written before or stand in `context`, one sequence a row (Keskar et al. 2019, section 4.1; a negative
    logit is multiplied, so that it falls too); `allowed` and `stop` as described above.
    """

    max_units: int
    end: int | None = None
    min_units: int = 0
    repetition_penalty: float = 1.0
    context: Sequence[History] = ()
    allowed: Allowed | None = None
    stop: Stop | None = None

    def applied(self, logits: Tensor, rows: Sequence[int], written: Sequence[History]) -> Tensor:
        """Log-probabilities `(N, V)` float32 of what may follow; a row that cannot go on is -inf throughout."""
        logits = logits.float()
        if self.repetition_penalty != 1:
            logits = self._penalised(logits, rows, written)
        if self.end is not None and self.min_units:
            early = torch.tensor([len(ids) < self.min_units for ids in written], device=logits.device)
            logits = logits.clone()
            logits[:, self.end].masked_fill_(early, -torch.inf)
        if self.allowed is not None:
            logits = logits.masked_fill(self.allowed(rows, written).to(logits.device).logical_not(), -torch.inf)
        return logits.log_softmax(-1).masked_fill(logits.amax(-1, keepdim=True).isneginf(), -torch.inf)

    def _penalised(self, logits: Tensor, rows: Sequence[int], written: Sequence[History]) -> Tensor:
        seen = torch.zeros(logits.shape, dtype=torch.bool)
        for place, (row, ids) in enumerate(zip(rows, written, strict=True)):
            seen[place, [*(self.context[row] if self.context else ()), *ids]] = True
        quieter = torch.where(logits > 0, logits / self.repetition_penalty, logits * self.repetition_penalty)
        return torch.where(seen.to(logits.device), quieter, logits)


@dataclass(frozen=True)
class Chance:
    """How one unit is drawn: logits divided by `temperature`, then only the `top_k` likeliest, then only the fewest that together have a
    probability of `top_p` (Holtzman et al. 2020, section 3.1). `generator` must be of the logits' device."""

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float = 1.0
    generator: torch.Generator | None = None

    def probabilities(self, log_p: Tensor) -> Tensor:
        """`(N, V)` -> `(N, V)`."""
        logits = log_p / self.temperature
        if self.top_k is not None and self.top_k < logits.shape[-1]:
            least = logits.topk(self.top_k).values[:, -1:]
            logits = logits.masked_fill(logits < least, -torch.inf)
        p = logits.softmax(-1)
        if self.top_p < 1:
            ordered, index = p.sort(descending=True, stable=True)
            before = ordered.cumsum(-1) - ordered
            p = p.scatter(-1, index, ordered.masked_fill(before >= self.top_p, 0.0))
        return p

    def __call__(self, log_p: Tensor) -> Tensor:
        return torch.multinomial(self.probabilities(log_p), 1, generator=self.generator)[:, 0]


def likeliest(log_p: Tensor) -> Tensor:
    """`(N, V)` -> `(N,)`."""
    return log_p.argmax(-1)


def greedy(step: Step, state: State, *, rows: int, start: int | Tensor, rules: Rules) -> list[Found]:
    """The likeliest unit each time. `start`: the first `last`, one for all or `(R,)`."""
    return _drained(walk(step, state, rows=rows, start=start, rules=rules, choose=likeliest))


def sample(step: Step, state: State, *, rows: int, start: int | Tensor, rules: Rules, chance: Chance) -> list[Found]:
    """Each unit drawn by chance."""
    return _drained(walk(step, state, rows=rows, start=start, rules=rules, choose=chance))


def _drained(walking: Iterator[tuple[int, Found, bool]]) -> list[Found]:
    found = {row: so_far for row, so_far, done in walking if done}
    return [found[row] for row in sorted(found)]


def walk(
    step: Step, state: State, *, rows: int, start: int | Tensor, rules: Rules, choose: Callable[[Tensor], Tensor]
) -> Iterator[tuple[int, Found, bool]]:
    """One unit after another: `(row, what it has written, whether it is finished)`, each row once for every unit that it writes and
    once when it ends without another. Finished rows cost nothing."""
    last = torch.as_tensor(start).expand(rows)
    numbers, found = list(range(rows)), [Found((), 0.0, False)] * rows
    if not rules.max_units:
        yield from ((row, so_far, True) for row, so_far in enumerate(found))
        return
    while numbers:
        logits, state = step(last, state)
        log_p = rules.applied(logits, numbers, [so_far.ids for so_far in found])
        stuck = log_p.amax(-1).isneginf()
        chosen = choose(log_p.masked_fill(stuck[:, None], 0.0))
        gained = log_p.gather(-1, chosen[:, None])[:, 0]
        kept = list[int]()
        for place, (unit, more, is_stuck) in enumerate(zip(chosen.tolist(), gained.tolist(), stuck.tolist(), strict=True)):
            now, done = _after(found[place], unit, more, is_stuck, rules)
            done = done or (rules.stop is not None and rules.stop(numbers[place], now.ids))
            found[place] = now
            if not done:
                kept.append(place)
            yield numbers[place], now, done
        if len(kept) < len(numbers) and kept:
            index = torch.tensor(kept, device=chosen.device)
            state, chosen = state.select(index), chosen[index]
        numbers, found, last = [numbers[place] for place in kept], [found[place] for place in kept], chosen


def _after(so_far: Found, unit: int, more: float, stuck: bool, rules: Rules) -> tuple[Found, bool]:
    if stuck:
        return replace(so_far, ended=True), True
    score = so_far.score + more
    if unit == rules.end:
        return Found(so_far.ids, score, True), True
    ids = (*so_far.ids, unit)
    return Found(ids, score, False), len(ids) >= rules.max_units


def length_penalty(units: int, alpha: float) -> float:
    """((5 + |Y|) / 6)^alpha, by which a sum of log-probabilities is divided (Wu et al. 2016, equation 14, without coverage). `units`
    counts the end."""
    return ((5 + units) / 6) ** alpha


@dataclass(frozen=True)
class _Beam:
    """One row's open hypotheses, best first, and the best that is finished; `total` sums log-probabilities."""

    row: int
    ids: tuple[tuple[int, ...], ...]
    totals: tuple[float, ...]
    best: Found | None = None


def beam(
    step: Step,
    state: State,
    *,
    rows: int,
    start: int | Tensor,
    rules: Rules,
    beams: int = 4,
    alpha: float = 0.6,
) -> list[Found]:
    """The best-scored sequence that a search with `beams` hypotheses a row finds (Graves 2012; Wu et al. 2016, section 7). A row is
    finished as soon as none of its open hypotheses can overtake its best finished one."""
    first = torch.as_tensor(start).expand(rows)
    open_rows = [_Beam(row, ((),), (0.0,)) for row in range(rows)]
    done, last = dict[int, Found](), first
    while open_rows:
        numbers = [one.row for one in open_rows for _ in one.ids]
        logits, state = step(last, state)
        log_p = rules.applied(logits, numbers, [ids for one in open_rows for ids in one.ids])
        grown, parents, units, offset = list[_Beam](), list[int](), list[int](), 0
        for one in open_rows:
            size = len(one.ids)
            after, came_from = _grown(one, log_p[offset : offset + size], rules, beams, alpha)
            if _is_decided(after, rules, alpha):
                assert after.best is not None
                done[one.row] = after.best
            else:
                grown.append(after)
                parents += [offset + parent for parent in came_from]
                units += [ids[-1] for ids in after.ids]
            offset += size
        open_rows = grown
        if grown:
            last = torch.tensor(units, device=log_p.device)
            state = state.select(torch.tensor(parents, device=log_p.device))
    return [done[row] for row in range(rows)]


def _grown(one: _Beam, log_p: Tensor, rules: Rules, beams: int, alpha: float) -> tuple[_Beam, list[int]]:
    """One unit more: the beam afterwards, and from which hypothesis each of its own came. `log_p (K, V)`."""
    totals = (torch.tensor(one.totals, device=log_p.device)[:, None] + log_p).flatten()
    best, index = totals.topk(min(2 * beams, totals.numel()))
    best_so_far, ids, sums, parents = one.best, list[tuple[int, ...]](), list[float](), list[int]()
    for rank, (total, at) in enumerate(zip(best.tolist(), index.tolist(), strict=True)):
        parent, unit = divmod(at, log_p.shape[1])
        written = one.ids[parent]
        if total == -torch.inf or len(ids) == beams:
            break
        if unit == rules.end:
            if rank < beams:
                best_so_far = _better(best_so_far, Found(written, total / length_penalty(len(written) + 1, alpha), True))
            continue
        written = (*written, unit)
        if len(written) >= rules.max_units or (rules.stop is not None and rules.stop(one.row, written)):
            best_so_far = _better(best_so_far, Found(written, total / length_penalty(len(written), alpha), False))
            continue
        ids.append(written)
        sums.append(total)
        parents.append(parent)
    for written, total, stuck in zip(one.ids, one.totals, log_p.amax(-1).isneginf().tolist(), strict=True):
        if stuck:
            best_so_far = _better(best_so_far, Found(written, total / length_penalty(len(written), alpha), True))
    return _Beam(one.row, tuple(ids), tuple(sums), best_so_far), parents


def _better(one: Found | None, other: Found) -> Found:
    return other if one is None or other.score > one.score else one


def _is_decided(one: _Beam, rules: Rules, alpha: float) -> bool:
    """A total only falls, and no length penalty is gentler than the one at the limit."""
    if not one.ids:
        return True
    return one.best is not None and one.best.score >= one.totals[0] / length_penalty(rules.max_units, alpha)
