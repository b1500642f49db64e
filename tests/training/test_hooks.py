import json

import pytest

from zhuji.training.hooks import Board, MetricsFile, ProgressLine, Watchers

TRAIN = {
    "kind": "train", "step": 50, "epoch": 0.5, "seconds": 10.0, "loss": 0.25, "lr": 1e-3, "units": 10, "waste": 0.1, "bad_steps": 0,
    "units_per_second": 12345.0, "rss_mb": 512.0,
}  # fmt: skip
VALID = {"kind": "valid", "step": 50, "epoch": 0.5, "seconds": 10.0, "accuracy": 0.875, "loss": 0.3, "auroc": None}


def steps(path):
    return [json.loads(line)["step"] for line in path.read_text().splitlines()]


def test_a_reopened_log_forgets_what_comes_again(tmp_path):
    path = tmp_path / "metrics.jsonl"
    log = MetricsFile(path, 0)
    for step in (10, 20, 30):
        log.see({**TRAIN, "step": step})
    log.sync()
    log.close()
    with open(path, "a") as file:
        file.write('{"step": 4')
    again = MetricsFile(path, 20)
    assert steps(path) == [10, 20]
    again.see({**TRAIN, "step": 30})
    assert steps(path) == [10, 20, 30]
    again.close()


def test_a_line_is_on_disk_at_once(tmp_path):
    log = MetricsFile(tmp_path / "m.jsonl", 0)
    log.see(VALID)
    assert json.loads((tmp_path / "m.jsonl").read_text()) == VALID
    log.close()


def test_tensorboard_files_hold_the_numbers(tmp_path):
    board = Board(tmp_path, 0)
    watchers = Watchers([board])
    watchers.see(TRAIN)
    watchers.see(VALID)
    watchers.sync()
    watchers.close()
    [file] = tmp_path.iterdir()
    content = file.read_bytes()
    assert b"train/loss" in content
    assert b"valid/accuracy" in content
    assert b"auroc" not in content


GAME = {**TRAIN, "loss": 1.75, "losses": {"critic": 0.5, "maker": 1.25}}


def test_each_player_is_told_of(tmp_path, capsys):
    board, line = Board(tmp_path, 0), ProgressLine(200, 2, "distance", every=0)
    for watcher in (board, line):
        watcher.see(GAME)
        watcher.close()
    [file] = tmp_path.iterdir()
    assert b"train/loss/critic" in file.read_bytes() and b"train/loss/maker" in file.read_bytes()
    assert "loss 1.7500 · critic 0.5000 · maker 1.2500" in capsys.readouterr().err


def test_the_progress_line_says_all_there_is_to_know(capsys):
    line = ProgressLine(200, 2, "accuracy", every=0)
    line.see(TRAIN)
    line.see(VALID)
    line.close()
    shown = capsys.readouterr().err.splitlines()[-1]
    assert (
        shown
        == "epoch 0.5/2 · step 50/200 · loss 0.2500 · accuracy 0.8750 · lr 1.00e-03 · 12.3k units/s · 512.0 MiB · 30s left"
    )


def test_bad_steps_are_shown_and_chinese_is_spoken(capsys, monkeypatch):
    monkeypatch.setenv("ZHUJI_LANG", "zh")
    line = ProgressLine(200, 2, "accuracy", every=0)
    line.see({**TRAIN, "bad_steps": 3})
    assert "3 个坏步" in capsys.readouterr().err


@pytest.mark.parametrize("every", [1e9])
def test_training_lines_are_rare_off_a_terminal(capsys, every):
    line = ProgressLine(200, 2, "accuracy", every=every)
    for _ in range(5):
        line.see(TRAIN)
    assert capsys.readouterr().err == ""
    line.see(VALID)
    assert len(capsys.readouterr().err.splitlines()) == 1
