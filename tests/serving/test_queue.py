"""What waits, and in which order it is taken."""

from __future__ import annotations

import math

import numpy as np
import pytest

from zhuji.core.contracts import Encoded
from zhuji.model.predictor import cut
from zhuji.serving.queue import Asking, Job, Queue, Raw


def asking(rows=1, born=0.0, until=math.inf):
    return Asking(None, until, [None] * rows, rows, born)


def units(*lengths):
    return [Encoded(np.zeros(length, np.int32)) for length in lengths]


@pytest.mark.parametrize("count", [1, 2, 3, 7, 8, 9, 31, 32, 33, 70])
def test_rows_of_one_length_are_cut_as_python_cuts_them(count):
    queue = Queue(batch_units=32 * 8)
    queue.put("vector", units(*[8] * count), asking(count))
    sizes = []
    while len(queue):
        _, rows = queue.take()
        sizes.append(len(rows))
    assert sizes == [len(places) for places, _ in cut([8] * count, 32 * 8)]


def test_new_inputs_first_then_whoever_waits_longest():
    queue = Queue(1024)
    late, early, job = asking(1, 3.0), asking(1, 1.0), Job(len, asking(1, 2.0))
    queue.put("vector", units(5), late)
    queue.put("answer", units(5), early)
    queue.post(job)
    raw = Raw("answer", ["a"], asking())
    queue.post(raw)
    assert queue.take() == [raw]
    kind, (row,) = queue.take()
    assert (kind, row.asking) == ("answer", early)
    assert queue.take() is job
    assert queue.take()[1][0].asking is late
    queue.close()
    assert queue.take() is None


def test_what_is_no_longer_wanted_is_not_taken():
    queue = Queue(1024)
    gone, raw, job, expired, wanted = asking(3), asking(), asking(), asking(until=0.001), asking()
    queue.put("answer", units(5, 5, 50), gone)
    queue.post(Raw("answer", ["a"], raw))
    queue.post(Job(len, job))
    for one in (gone, raw, job):
        queue.withdraw(one)
    assert len(queue) == 0
    queue.put("answer", units(5), gone)
    assert len(queue) == 0
    queue.put("answer", units(5), expired)
    queue.put("answer", units(50), wanted)
    assert queue.take()[1][0].asking is wanted


def test_rows_of_lengths_that_are_near_are_taken_together_where_padding_is_left_out():
    queue = Queue(batch_units=4096, mixes=True)
    for born, length in enumerate((200, 240, 120, 1000, 400, 300, 420)):
        queue.put("vector", units(length), asking(1, float(born)))
    taken = []
    while len(queue):
        taken.append([row.item.length for row in queue.take()[1]])
    assert taken == [
        [200, 240, 300],
        [120],
        [1000],
        [400, 420],
    ]  # 256 with 256 and 384; then whoever waits longest of what is left


def test_short_rows_count_as_alike_where_padding_is_left_out():
    queue = Queue(batch_units=4096, mixes=True)
    for born, length in enumerate((3, 64, 20, 80)):
        queue.put("vector", units(length), asking(1, float(born)))
    assert [row.item.length for row in queue.take()[1]] == [3, 64, 20]
    assert [row.item.length for row in queue.take()[1]] == [80]


def test_of_many_that_are_near_the_oldest_go_first():
    queue = Queue(batch_units=128, mixes=True)
    for born, length in enumerate((20, 24, 30, 20, 24, 30)):
        queue.put("vector", units(length), asking(1, float(born)))
    assert [row.asking.born for row in queue.take()[1]] == [0.0, 1.0, 2.0, 3.0]  # of 32 units each
    assert [row.asking.born for row in queue.take()[1]] == [4.0, 5.0]
