import csv
import json
import signal
import threading
import time

import pytest

from tests.heard import spoken_folder, tone, written
from zhuji.core.errors import (
    ChangedSinceStart,
    Interrupted,
    MissingFile,
    NoRole,
    NotABundle,
    NothingToResume,
    RunExists,
    Terminated,
    UnknownKey,
)
from zhuji.core.files import read_json
from zhuji.modalities import speech
from zhuji.model.bundle import open_bundle
from zhuji.training import loop
from zhuji.training.fit import fit, resume
from zhuji.training.folder import RUN, read_run, unclaim
from zhuji.training.run import compose

LEFT = {
    "run.yaml", "start.json", "environment.json", "fingerprint.json", "ledger.json", "leaks.json", "splits.jsonl", "metrics.jsonl",
    "tensorboard", "checkpoints", "bundle", "predictions.csv", "parity.json", "results.json", "learned", "process.json", "plan.json",
}  # fmt: skip
TIMES = ("seconds", "units_per_second", "rss_mb")


def log(folder):
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{name: value for name, value in line.items() if name not in TIMES} for line in lines]


def weights(folder):
    return (folder / "bundle" / "model.safetensors").read_bytes()


def stopped_after(monkeypatch, step, act):
    """Have `act()` called in the middle of this step."""
    original = loop._gradients

    def gradients(work, state, *rest):
        if state.progress.step == step:
            act()
        return original(work, state, *rest)

    monkeypatch.setattr(loop, "_gradients", gradients)


@pytest.mark.parametrize("part", ["modality.variation", "task"])
def test_a_run_with_a_folder_of_noise_goes_on_from_anywhere(part, monkeypatch, tmp_path):
    folder = spoken_folder(tmp_path / "data")
    for number in range(6):
        written(tmp_path / "noise" / f"{number}.wav", tone(900 + 70 * number, 0.5, seed=number))
    cleaning = part == "task"
    modality = (
        {"name": "waveform", "rate": 8000}
        if cleaning
        else {"name": "speech", "rate": 8000, "bands": 6, "variation": {"noise": 0.5}}
    )
    sets = [f"{part}.noise_folder=noise", "train.rehearse=false", "evaluate.baselines=false", "evaluate.bootstrap=0"]
    plain = {
        "data": {"path": str(folder), "leaks": "allow"}, "modality": modality, "train": {"steps": 3, "precision": "fp32"},
        "backbone": {"name": "recurrent", "width": 8, "hidden": 8, "layers": 1}, "task": {"name": "enhance" if cleaning else "classify"},
    }  # fmt: skip
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        stopped_after(patch, 1, lambda: signal.raise_signal(signal.SIGINT))
        fit(compose(plain, sets=sets), tmp_path / "run", progress=False)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    speech._noises_of.cache_clear()  # another process remembers none
    assert resume(tmp_path / "run", progress=False).facts["steps"] == 3


def test_a_run_leaves_everything_and_its_folder_is_enough(settings, tmp_path):
    result = fit(
        settings("train.epochs=8", "train.optim.lr=0.02", "evaluate.baselines=true", "train.rehearse=true"), tmp_path / "run"
    )
    assert {path.name for path in (tmp_path / "run").iterdir()} == LEFT
    assert result.test["accuracy"]["value"] > 0.9
    assert result.test["accuracy"]["low"] <= result.test["accuracy"]["value"] <= result.test["accuracy"]["high"]
    assert {"majority", "tfidf_svm", "tfidf_logistic"} <= result.baselines.keys()
    ledger = read_json(tmp_path / "run" / "ledger.json")
    assert ledger["balanced"]
    assert ledger["read"] == ledger["used"] == 320
    rows = list(csv.DictReader((tmp_path / "run" / "predictions.csv").read_text().splitlines()))
    right = sum(row["label"] == row["prediction"] for row in rows) / len(rows)
    assert right == pytest.approx(result.test["accuracy"]["value"])
    predictor = open_bundle(tmp_path / "run")
    assert [p.answer for p in predictor.predict(["a good great film", "a bad awful film"])] == ["yes", "no"]
    splits = [json.loads(line) for line in (tmp_path / "run" / "splits.jsonl").read_text().splitlines()]
    assert len({line["id"] for line in splits}) == 320
    run = read_run(tmp_path / "run")
    assert (run.task["name"], run.train.precision, run.train.device) == ("classify", "fp32", "cpu")


def test_same_seed_same_bits_and_another_seed_others(settings, tmp_path):
    for name, sets in {"a": (), "b": (), "c": ("seed=1",)}.items():
        fit(settings(*sets), tmp_path / name, progress=False)
    assert weights(tmp_path / "a") == weights(tmp_path / "b") != weights(tmp_path / "c")
    assert log(tmp_path / "a") == log(tmp_path / "b")


def test_rehearsal_changes_nothing(settings, tmp_path):
    fit(settings(), tmp_path / "a", progress=False)
    fit(settings("train.rehearse=true"), tmp_path / "b", progress=False)
    assert weights(tmp_path / "a") == weights(tmp_path / "b")
    assert log(tmp_path / "a") == log(tmp_path / "b")


def test_a_run_is_never_overwritten(settings, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "mine.txt").write_text("x")
    with pytest.raises(RunExists):
        fit(settings(), tmp_path / "run")
    assert (tmp_path / "run" / "mine.txt").read_text() == "x"


OPTIONS = [
    ("train.optim.name=muon", "train.accumulate=2"),
    ("train.average=0.9", "train.optim.name=momentum", "task.dropout=0.3", "train.evaluate_every=0.4", "train.patience=4"),
    ("data.balance.sample=under", "train.optim.name=adagrad"),
]


@pytest.mark.parametrize("sets", OPTIONS)
def test_a_stopped_run_goes_on_bit_for_bit(settings, tmp_path, monkeypatch, sets):
    fit(settings(*sets), tmp_path / "straight", progress=False)
    with monkeypatch.context() as patch, pytest.raises(Interrupted) as stopped:
        stopped_after(patch, 5, lambda: signal.raise_signal(signal.SIGINT))
        fit(settings(*sets), tmp_path / "stopped", progress=False)
    assert (stopped.value.facts["step"], stopped.value.exit_code) == (6, 130)
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        stopped_after(patch, 9, lambda: 1 / 0)
        resume(tmp_path / "stopped", progress=False)
    result = resume(tmp_path / "stopped", progress=False)
    straight = read_json(tmp_path / "straight" / "results.json")
    assert weights(tmp_path / "straight") == weights(tmp_path / "stopped")
    assert log(tmp_path / "straight") == log(tmp_path / "stopped")
    assert (result.test, result.facts["history"]) == (straight["test"], straight["history"])


def test_sigterm_leaves_with_its_own_code_and_handlers_are_put_back(settings, tmp_path, monkeypatch):
    before = signal.getsignal(signal.SIGTERM)
    stopped_after(monkeypatch, 2, lambda: signal.raise_signal(signal.SIGTERM))
    with pytest.raises(Terminated) as stopped:
        fit(settings(), tmp_path / "run", progress=False)
    assert stopped.value.exit_code == 143
    assert signal.getsignal(signal.SIGTERM) == before
    assert (tmp_path / "run" / "checkpoints" / "step-00000003").is_dir()


def interrupted_twice():
    """One interrupt, and another once Python has handled the first: two that wait at once are one to it."""
    noting = signal.getsignal(signal.SIGINT)
    signal.raise_signal(signal.SIGINT)
    until(lambda: signal.getsignal(signal.SIGINT) is not noting)
    signal.raise_signal(signal.SIGINT)
    until(lambda: False)


def until(done, seconds=30):
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "the signal was not handled"
        time.sleep(0.001)


@pytest.mark.parametrize("before", [signal.default_int_handler, signal.SIG_IGN], ids=["in front", "in a shell's background"])
def test_a_second_interrupt_acts_at_once(settings, tmp_path, monkeypatch, before):
    stopped_after(monkeypatch, 2, interrupted_twice)
    outside = signal.signal(signal.SIGINT, before)
    try:
        with pytest.raises(KeyboardInterrupt):
            fit(settings(), tmp_path / "run", progress=False)
        assert signal.getsignal(signal.SIGINT) is before
    finally:
        signal.signal(signal.SIGINT, outside)
    assert (tmp_path / "run" / "checkpoints" / "step-00000002").is_dir()


def test_resuming_a_finished_run_says_so_and_does_nothing(settings, tmp_path, capsys):
    first = fit(settings("train.steps=2"), tmp_path / "run", progress=False)
    again = resume(tmp_path / "run")
    assert again.facts == first.facts
    assert "finished" in capsys.readouterr().err or "已完成" in capsys.readouterr().err


def test_resume_needs_a_run(tmp_path):
    with pytest.raises(NothingToResume):
        resume(tmp_path)
    with pytest.raises(NothingToResume):
        resume(tmp_path / "nowhere")


def test_a_run_killed_before_it_began_begins_anew(settings, tmp_path, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr("zhuji.training.begin.gather", lambda *a, **k: 1 / 0)
        fit(settings(), tmp_path / "late", progress=False)
    fit(settings(), tmp_path / "straight", progress=False)
    resume(tmp_path / "late", progress=False)
    assert weights(tmp_path / "late") == weights(tmp_path / "straight")


def begun(settings, folder, monkeypatch):
    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        stopped_after(patch, 2, lambda: signal.raise_signal(signal.SIGINT))
        fit(settings, folder, progress=False)


def test_changed_settings_are_refused_by_name(settings, tmp_path, monkeypatch):
    begun(settings(), tmp_path / "run", monkeypatch)
    path = tmp_path / "run" / "run.yaml"
    path.write_text(path.read_text().replace("lr: 0.001", "lr: 0.002"))
    with pytest.raises(ChangedSinceStart, match=r"train\.optim\.lr"):
        resume(tmp_path / "run")


def test_changed_data_are_refused(settings, reviews, tmp_path, monkeypatch):
    copy = tmp_path / "copy.csv"
    copy.write_bytes(reviews.read_bytes())
    begun(settings(f"data.path={copy}"), tmp_path / "run", monkeypatch)
    copy.write_bytes(reviews.read_bytes().replace(b"river", b"rivers", 1))
    with pytest.raises(ChangedSinceStart):
        resume(tmp_path / "run")


def test_runs_outside_the_main_thread(settings, tmp_path):
    thread = threading.Thread(target=lambda: fit(settings("train.steps=2"), tmp_path / "run", progress=False))
    thread.start()
    thread.join()
    assert (tmp_path / "run" / "results.json").exists()


def test_early_stopping_keeps_the_best(settings, tmp_path):
    result = fit(settings("train.epochs=30", "train.patience=2", "train.optim.lr=0.05"), tmp_path / "run", progress=False)
    scores = [entry["accuracy"] for entry in result.facts["history"]]
    assert result.facts["stopped_early"]
    assert len(scores) == scores.index(max(scores)) + 3
    assert result.valid["accuracy"]["value"] == max(scores)
    best = min((entry["loss"], entry["step"]) for entry in result.facts["history"] if entry["accuracy"] == max(scores))
    assert result.facts["best_step"] == best[1], "of equal scores the one with the lowest loss"


def test_a_run_that_cannot_begin_leaves_no_folder(settings, reviews, tmp_path):
    unlabelled = tmp_path / "unlabelled.csv"
    unlabelled.write_text("text\n" + "".join(f"just a text {i}\n" for i in range(30)))
    for error, sets in {
        NoRole: f"data.path={unlabelled}",
        UnknownKey: "backbone.widht=3",
        MissingFile: "data.path=none.csv",
        NotABundle: "start.path=none",
    }.items():
        with pytest.raises(error):
            fit(settings(sets), tmp_path / "run", progress=False)
        assert not (tmp_path / "run").exists()
    assert fit(settings("train.steps=2"), tmp_path / "run", progress=False).test


def test_a_folder_keeps_what_others_put_there_when_a_run_cannot_begin(tmp_path):
    (tmp_path / "mine.txt").write_text("x")
    (tmp_path / RUN).write_text("x")
    unclaim(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
