from __future__ import annotations

import json
import math
import os
from pathlib import Path

import pytest

from tests.many_runs import train_line
from zhuji.tools.pages import trail
from zhuji.tools.pages.trail import Trail, loss_of, number, thinned


def line(step: int, loss: float = 1.0, **more: object) -> str:
    return json.dumps(train_line(step, loss, **more)) + "\n"


def test_only_what_is_new_is_read_and_a_half_line_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "metrics.jsonl"
    found = Trail(path)
    assert not found.look() and not found.lines
    path.write_text(line(1) + line(2)[:20])
    assert found.look() and [x["step"] for x in found.lines] == [1]
    taken: list[bytes] = []
    monkeypatch.setattr(Trail, "_take", lambda self, text: taken.append(text))
    with open(path, "a") as file:
        file.write(line(2)[20:])
    assert found.look() and [json.loads(text)["step"] for text in taken] == [2]
    assert not found.look()


def test_a_resumed_run_begins_its_trail_again(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(line(1) + line(2) + line(3))
    found = Trail(path)
    found.look()
    new = tmp_path / "new"
    new.write_text(line(1) + line(2) + line(9))  # as long as the old one, but another file
    os.replace(new, path)
    assert found.look() and [x["step"] for x in found.lines] == [1, 2, 9]
    path.write_text(line(1))
    found.look()
    assert [x["step"] for x in found.lines] == [1]
    path.unlink()
    assert found.look() and not found.lines


def test_what_is_no_event_is_counted_and_passed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "metrics.jsonl"
    bad = [
        "{",
        "[1]",
        '{"kind": "train"}',
        '{"kind": "train", "step": "1"}',
        '{"kind": "else", "step": 1}',
        "[" * 100_000,
        "\x00\xff",
    ]
    path.write_bytes(("\n".join(bad) + "\n\n" + line(4)).encode("latin-1"))
    found = Trail(path)
    found.look()
    assert found.damaged == len(bad) and [x["step"] for x in found.lines] == [4]
    monkeypatch.setattr(trail, "_LONGEST", 100)
    with open(path, "a") as file:
        file.write("x" * 101)
    found.look()
    assert found.damaged == len(bad) + 1


def test_a_long_log_is_read_in_pieces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail, "_MOST", 300)
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(line(i) for i in range(20)))
    found = Trail(path)
    looks = 0
    while found.look() or len(found.lines) < 20:
        looks += 1
        assert looks < 100
    assert [x["step"] for x in found.lines] == list(range(20)) and not found.damaged


def test_points_keep_gaps_and_take_any_axis(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(line(1, 0.5) + line(2, math.nan) + line(3, math.inf) + line(5, 0.25))
    found = Trail(path)
    found.look()
    points = found.points("train", "loss")
    assert [x for x, _ in points] == [1, 2, 3, 5] and [y for _, y in points if math.isfinite(y)] == [0.5, 0.25]
    assert [x for x, _ in found.points("train", "loss", "seconds")] == [0.5, 1.0, 1.5, 2.5]
    assert found.points("valid", "loss") == [] and found.last("valid") == {} and found.last("train")["step"] == 5


def test_players_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(line(1, 0.5) + line(2, 3.0, losses={"critic": 1.0, "maker": math.nan}))
    found = Trail(path)
    found.look()
    assert found.players == ("critic", "maker") and found.points("train", loss_of("critic")) == [(2, 1.0)]
    assert math.isnan(found.points("train", loss_of("maker"))[0][1])
    with open(path, "a") as file:
        file.write(line(3, 1.0, losses=7) + line(4, 1.0, losses=["maker"]))
    found.look()
    assert found.players == () and found.damaged == 0


def test_numbers_are_finite_numbers() -> None:
    assert [number(x) for x in (1, 2.5, True, "3", None, math.nan, math.inf, 10**400, [])] == [1.0, 2.5, *[None] * 7]


def test_thinning_keeps_the_shape() -> None:
    points = [(float(i), math.sin(i / 50)) for i in range(5000)]
    points[1234] = (1234.0, 99.0)
    points[4000] = (4000.0, math.nan)
    kept = thinned(points)
    assert len(kept) <= 170 and [x for x, _ in kept] == sorted({x for x, _ in kept})
    assert points[4000] in kept and all(points[int(x)] is point for point in kept for x in point[:1])
    assert points[1234] in kept and points[0] in kept and points[-1] in kept
    assert thinned(points[:50]) == points[:50]


def test_what_is_drawn_follows_the_log(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(line(1, 0.5) + '{"kind": "valid", "step": 1, "epoch": 0.2, "seconds": 0.75}\n')
    found = Trail(path)
    found.look()
    assert found.drawn("train", "loss") == [(1, 0.5)] and found.drawn("train", "loss") is found.drawn("train", "loss")
    assert (
        found.validated(1, "seconds") == 0.75 and found.validated(2, "step") is None and found.validated(None, "step") is None
    )
    with open(path, "a") as file:
        file.write(line(2, 0.25) + '{"kind": "valid", "step": 2, "epoch": 0.4, "seconds": 1.5}\n')
    found.look()
    assert found.drawn("train", "loss") == [(1, 0.5), (2, 0.25)] and found.validated(2, "step") == 2
