from __future__ import annotations

import json
import math
import os
from pathlib import Path

import pytest

from tests import many_runs
from zhuji.studio.warnings import rising, warnings_of
from zhuji.tools.pages.runs import Reader


def warned(root: Path, curve: list[float], valid: list[float] | None = None, silent: float = 0.0, **more: object) -> list[str]:
    folder = many_runs.write(root, "run", None)
    lines = [many_runs.train_line(i + 1, loss, **more) for i, loss in enumerate(curve)]
    lines += [{"kind": "valid", "step": i + 1, "loss": loss} for i, loss in enumerate(valid or [])]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for path in folder.iterdir():
        os.utime(path, (path.stat().st_mtime - silent,) * 2)
    return warnings_of(Reader(folder).look())


def test_a_run_that_learns_is_left_in_peace(tmp_path: Path) -> None:
    assert not warned(tmp_path, [1 / (i + 1) for i in range(20)], [0.5, 0.4, 0.41, 0.39])


@pytest.mark.parametrize(
    ("losses", "valid", "more", "told"),
    [([1.0, math.nan], None, {}, "no finite number"), ([1.0] * 8 + [9.0] * 8, None, {}, "diverges"),
     ([1.0] * 3, None, {"bad_steps": 2}, "2 steps"), ([1.0] * 3, [0.3, 0.4, 0.5, 0.6], {}, "by heart")],
)  # fmt: skip
def test_what_is_worth_a_look(tmp_path: Path, losses, valid, more, told) -> None:
    [sentence] = warned(tmp_path, losses, valid, **more)
    assert told in sentence


def test_players_lose_against_each_other_without_harm(tmp_path: Path) -> None:
    game = {"losses": {"critic": 0.1, "maker": 5.0}}
    assert not warned(tmp_path / "a", [1.0] * 8 + [9.0] * 8, [0.3, 0.4, 0.5, 0.6], **game)
    assert warned(tmp_path / "b", [1.0] * 8 + [math.nan], None, **game)


def test_one_bad_batch_or_a_loss_near_zero_is_no_divergence(tmp_path: Path) -> None:
    assert not warned(tmp_path / "a", [1.0] * 12 + [50.0])
    assert not warned(tmp_path / "b", [1.0] * 8 + [1e-6] * 8 + [0.01] * 8)


def test_silence_is_mentioned(tmp_path: Path) -> None:
    [sentence] = warned(tmp_path, [1.0, 1.0], silent=300)
    assert sentence.startswith("No line for 5m")


def test_three_rises_in_a_row() -> None:
    assert rising([1, 2, 3, 4]) and not rising([2, 3, 4]) and not rising([1, 2, 3, 3]) and not rising([1, 2, 3, 4, 3])
