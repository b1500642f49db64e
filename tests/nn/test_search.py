"""Searches over tiny vocabularies, against all sequences written out."""

from __future__ import annotations

import math
from itertools import product

import pytest
import torch

from zhuji.nn.search import Chance, Found, Rules, beam, greedy, length_penalty, likeliest, sample, walk

END, VOCABULARY, START = 0, 4, 1


class Written:
    """A state that knows all that was written, so that every history has its own logits."""

    def __init__(self, rows):
        self.rows = rows

    def select(self, index):
        return Written([self.rows[i] for i in index.tolist()])


def logits_of(history) -> torch.Tensor:
    generator = torch.Generator().manual_seed(int("".join(map(str, history)) or "0", 9) + 11)
    return 2 * torch.randn(VOCABULARY, generator=generator)


def step(last, state):
    state = Written([[*row, unit] for row, unit in zip(state.rows, last.tolist(), strict=True)])
    return torch.stack([logits_of(row) for row in state.rows]), state


def begun(rows: int) -> tuple[Written, torch.Tensor]:
    """Rows that begin differently."""
    return Written([[row] for row in range(rows)]), torch.full((rows,), START)


def total(row: int, units, min_units: int = 0) -> float:
    """Sum of log-probabilities of the units, the end included."""
    score, history = 0.0, [row, START]
    for place, unit in enumerate(units):
        logits = logits_of(history)
        if place < min_units:
            logits[END] = -torch.inf
        score += float(logits.log_softmax(-1)[unit])
        history.append(unit)
    return score


def every(max_units: int):
    """All sequences: those that end, and those of `max_units` that do not."""
    others = [unit for unit in range(VOCABULARY) if unit != END]
    for length in range(max_units):
        yield from ((*ids, END) for ids in product(others, repeat=length))
    yield from product(others, repeat=max_units)


@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.5])
@pytest.mark.parametrize("min_units", [0, 2])
def test_a_beam_that_is_wide_enough_finds_the_best_of_all(alpha, min_units):
    state, start = begun(5)
    rules = Rules(4, END, min_units)
    found = beam(step, state, rows=5, start=start, rules=rules, beams=100, alpha=alpha)
    for row, one in enumerate(found):
        scores = {units: total(row, units, min_units) / length_penalty(len(units), alpha) for units in every(4)}
        best = max(scores, key=scores.__getitem__)
        assert one.ids == tuple(unit for unit in best if unit != END)
        assert one.ended == (best[-1] == END)
        assert one.score == pytest.approx(scores[best], rel=1e-5)


def test_length_penalty_by_hand():
    assert length_penalty(1, 0.6) == 1
    assert length_penalty(7, 1.0) == 2


@pytest.mark.parametrize("beams", [1, 2, 3])
def test_a_narrow_beam_is_the_textbook_search(beams):
    """Written out with lists, without early stopping."""
    state, start = begun(6)
    found = beam(step, state, rows=6, start=start, rules=Rules(5, END), beams=beams, alpha=0.6)
    for row, one in enumerate(found):
        hypotheses, finished = [()], []
        for _ in range(5):
            grown = [(*ids, unit) for ids in hypotheses for unit in range(VOCABULARY)]
            grown.sort(key=lambda ids: -total(row, ids))
            finished += [ids for ids in grown[:beams] if ids[-1] == END]
            hypotheses = [ids for ids in grown if ids[-1] != END][:beams]
        best = max([*finished, *hypotheses], key=lambda ids: total(row, ids) / length_penalty(len(ids), 0.6))
        assert one.ids == tuple(unit for unit in best if unit != END)


def test_a_row_alone_is_found_as_among_others():
    state, start = begun(4)
    together = beam(step, state, rows=4, start=start, rules=Rules(5, END), beams=2)
    for row in range(4):
        (alone,) = beam(step, Written([[row]]), rows=1, start=START, rules=Rules(5, END), beams=2)
        assert alone.ids == together[row].ids and alone.score == pytest.approx(together[row].score, rel=1e-6)


def test_greedy_takes_the_likeliest():
    state, start = begun(6)
    found = greedy(step, state, rows=6, start=start, rules=Rules(5, END))
    for row, one in enumerate(found):
        history, ended = [row, START], False
        while len(history) < 7 and not ended:
            unit = int(logits_of(history).argmax())
            ended = unit == END
            history += [unit] if not ended else []
        assert one.ids == tuple(history[2:]) and one.ended == ended
        assert one.score == pytest.approx(total(row, [*one.ids, *([END] if ended else [])]), rel=1e-5)


def chi_square(counts: dict, expected: dict, draws: int) -> float:
    return sum((counts.get(key, 0) - draws * p) ** 2 / (draws * p) for key, p in expected.items())


def test_samples_come_as_often_as_they_are_likely():
    draws = 4000
    chance = Chance(temperature=1.3, generator=torch.Generator().manual_seed(0))
    found = sample(step, Written([[0]] * draws), rows=draws, start=START, rules=Rules(2, END), chance=chance)
    expected = {}
    for units in every(2):
        p, history = 1.0, [0, START]
        for unit in units:
            p *= float((logits_of(history) / 1.3).softmax(-1)[unit])
            history.append(unit)
        expected[units] = p
    assert sum(expected.values()) == pytest.approx(1, rel=1e-5)
    counts: dict = {}
    for one in found:
        key = (*one.ids, *([END] if one.ended else []))
        counts[key] = counts.get(key, 0) + 1
    # 12 degrees of freedom: above 32.9 in one of a thousand.
    assert len(expected) == 13 and set(counts) <= set(expected)
    assert chi_square(counts, expected, draws) < 32.9


def test_same_seed_same_sample():
    def drawn(seed):
        chance = Chance(generator=torch.Generator().manual_seed(seed))
        return sample(step, begun(8)[0], rows=8, start=START, rules=Rules(6, END), chance=chance)

    assert drawn(3) == drawn(3)
    assert drawn(3) != drawn(4)


P = torch.tensor([[0.5, 0.3, 0.15, 0.05]])


@pytest.mark.parametrize(
    "settings, expected",
    [
        ({}, [0.5, 0.3, 0.15, 0.05]),
        ({"top_p": 0.5}, [1.0, 0, 0, 0]),
        ({"top_p": 0.51}, [0.5 / 0.8, 0.3 / 0.8, 0, 0]),
        ({"top_p": 0.8 + 1e-3}, [0.5 / 0.95, 0.3 / 0.95, 0.15 / 0.95, 0]),
        ({"top_k": 2}, [0.5 / 0.8, 0.3 / 0.8, 0, 0]),
        ({"top_k": 9}, [0.5, 0.3, 0.15, 0.05]),
        ({"top_k": 3, "top_p": 0.8}, [0.5 / 0.8, 0.3 / 0.8, 0, 0]),
        ({"temperature": 0.5}, [0.25 / 0.365, 0.09 / 0.365, 0.0225 / 0.365, 0.0025 / 0.365]),
    ],
)
def test_probabilities_by_hand(settings, expected):
    p = Chance(**settings).probabilities(P.log())
    torch.testing.assert_close(p / p.sum(), torch.tensor([expected]), rtol=1e-4, atol=1e-6)


def test_repetition_is_penalised_by_hand():
    """Rows 0 and 2 of three; of the first 1 stands in the context, of the last 3 was written."""
    rules = Rules(9, repetition_penalty=2.0, context=[[1], [0], []])
    logits = torch.tensor([[1.0, 4.0, -2.0, -1.0], [1.0, 4.0, -2.0, -1.0]])
    got = rules.applied(logits, [0, 2], [[2], [3]])
    expected = torch.tensor([[1.0, 2.0, -4.0, -1.0], [1.0, 4.0, -2.0, -2.0]]).log_softmax(-1)
    torch.testing.assert_close(got, expected)


def test_only_what_is_allowed_is_written_and_who_may_not_go_on_is_finished():
    def allowed(rows, written):
        """Row r may write r + 1 twos, and nothing else."""
        mask = torch.zeros(len(rows), VOCABULARY, dtype=torch.bool)
        for place, (row, ids) in enumerate(zip(rows, written, strict=True)):
            mask[place, 2] = len(ids) <= row
        return mask

    rules = Rules(9, END, allowed=allowed)
    for found in (
        greedy(step, begun(3)[0], rows=3, start=START, rules=rules),
        sample(step, begun(3)[0], rows=3, start=START, rules=rules, chance=Chance()),
        beam(step, begun(3)[0], rows=3, start=START, rules=rules, beams=2),
    ):
        assert [one.ids for one in found] == [(2,), (2, 2), (2, 2, 2)]
        assert all(one.ended for one in found)
        assert [one.score for one in found] == pytest.approx([0, 0, 0])


def test_whoever_is_stopped_is_finished():
    rules = Rules(9, None, stop=lambda row, ids: len(ids) == row + 1)
    for found in (
        greedy(step, begun(3)[0], rows=3, start=START, rules=rules),
        beam(step, begun(3)[0], rows=3, start=START, rules=rules, beams=2),
    ):
        assert [len(one.ids) for one in found] == [1, 2, 3]


def test_walking_tells_every_unit_as_it_comes():
    state, start = begun(3)
    told = list(walk(step, state, rows=3, start=start, rules=Rules(4), choose=likeliest))
    expected = greedy(step, begun(3)[0], rows=3, start=start, rules=Rules(4))
    assert len(told) == 12
    for row in range(3):
        mine = [(one.ids, done) for number, one, done in told if number == row]
        assert mine == [(expected[row].ids[: n + 1], n == 3) for n in range(4)]


def test_nothing_is_written_where_nothing_may_be():
    state, start = begun(2)
    assert greedy(step, state, rows=2, start=start, rules=Rules(0)) == [Found((), 0.0, False)] * 2


def test_a_beam_stops_when_nobody_can_overtake():
    """An end of probability 0.9 at once: no other total can win, so one step is enough."""
    steps = 0

    def sure(last, state):
        nonlocal steps
        steps += 1
        return torch.tensor([[0.97, 0.01, 0.01, 0.01]]).log().expand(len(last), -1), state

    (found,) = beam(sure, Written([[0]]), rows=1, start=START, rules=Rules(100, END), beams=2, alpha=0.0)
    assert found.ids == () and found.score == pytest.approx(math.log(0.97), rel=1e-4)
    assert steps == 1
