"""From settings to the first step: what is settled on the way, what is written down, what is refused."""

from pathlib import Path

import pytest
import torch

from tests import trained
from zhuji.core.config import overlay
from zhuji.core.errors import BadSetting, ChangedSinceStart, OneClass
from zhuji.core.files import read_json
from zhuji.modalities.text import Text
from zhuji.training import folder as places
from zhuji.training.begin import Job, begin, say_precision
from zhuji.training.precision import Precision
from zhuji.training.run import Run, compose


def run_of(path: Path, *sets: str) -> Run:
    quick = ["train.precision=fp32", "train.threads=1", "data.near=0", "backbone.width=4", "modality.ngrams=1"]
    return compose({"data": {"path": str(path)}}, sets=[*quick, *sets])


def rows_with(path: Path, labels: list[str]) -> Path:
    lines = [f"words number {i} and {i * i},{labels[i % len(labels)]}" for i in range(60)]
    path.write_text("\n".join(["text,label", *lines]) + "\n", encoding="utf-8")
    return path


def again(folder: Path, **changes: object) -> Job:
    """Begin a folder a second time, as `resume` does."""
    return begin(Run.parse(overlay(places.read_run(folder).plain(), changes)), folder)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return trained.write_rows(tmp_path / "pets.csv", rows=60)


@pytest.mark.parametrize(
    ("labels", "name", "many"),
    [
        (["no", "yes", "maybe"], "classify", False),
        ([f"{i}.25" for i in range(60)], "regress", None),
        (["a|b", "b", "a|c"], "classify", True),
    ],
)
def test_an_automatic_task_is_the_one_that_the_labels_call_for(tmp_path, labels, name, many) -> None:
    several = ["data.label_separator='|'"] if many else []
    job = begin(run_of(rows_with(tmp_path / "rows.csv", labels), *several), tmp_path / "run")
    assert job.run.task["name"] == job.model.task.name() == name
    assert job.run.task.get("many") is many


def test_a_task_that_is_asked_for_is_taken(tmp_path) -> None:
    job = begin(run_of(rows_with(tmp_path / "rows.csv", ["1", "2", "3"]), "task.name=regress"), tmp_path / "run")
    assert job.model.task.name() == "regress"


def test_labels_are_learned_from_the_rows(data, tmp_path) -> None:
    job = begin(run_of(data), tmp_path / "run")
    assert job.model.task.plain()["labels"] == sorted(trained.WORDS)
    assert sum(job.model.task.plain()["counts"]) == len(job.prepared.split("train"))


@pytest.mark.parametrize("device", ["quantum", "cpu:x", *([] if torch.cuda.is_available() else ["cuda", "cuda:7"])])
def test_a_device_that_is_not_there_is_refused_before_anything_is_read(tmp_path, device) -> None:
    with pytest.raises(BadSetting) as caught:
        begin(run_of(tmp_path / "nowhere.csv", f"train.device='{device}'"), tmp_path / "run")
    message = str(caught.value)
    assert "'train.device' must be a device of this machine (" in message
    assert f"but is '{device}' instead" in message
    assert "\n" not in message
    assert not (tmp_path / "run").exists()


def test_what_was_automatic_and_every_default_is_written_out(data, tmp_path) -> None:
    job = begin(run_of(data, "train.precision=auto"), tmp_path / "run")
    written = places.read_run(tmp_path / "run")
    assert written == job.run
    assert written.train.precision in ("fp32", "bf16")
    assert (written.train.device, written.train.threads) == ("cuda" if torch.cuda.is_available() else "cpu", 1)
    assert set(written.modality) == {"name", *Text.model_fields}
    assert read_json(tmp_path / "run" / places.START)["run"] == written.plain()
    assert job.fresh


def test_beginning_again_comes_to_the_same(data, tmp_path, monkeypatch) -> None:
    first = begin(run_of(data), tmp_path / "run")
    monkeypatch.setattr(Text, "fit", lambda *_: pytest.fail("what the modality learned must be taken from the folder"))
    second = again(tmp_path / "run")
    assert second.fresh
    assert second.run == first.run
    assert second.material.digest() == first.material.digest()
    assert all(
        torch.equal(a, b) for a, b in zip(first.model.state_dict().values(), second.model.state_dict().values(), strict=True)
    )


def test_the_newest_checkpoint_is_taken_up(data, tmp_path) -> None:
    first = begin(run_of(data), tmp_path / "run")
    with torch.no_grad():
        for weight in first.model.parameters():
            weight.add_(1)
    first.state.progress.step = 5
    first.checkpoints.save(first.state)
    second = again(tmp_path / "run")
    assert not second.fresh
    assert second.state.progress.step == 5
    assert all(torch.equal(a, b) for a, b in zip(first.model.parameters(), second.model.parameters(), strict=True))


def test_changed_settings_are_refused_by_name(data, tmp_path) -> None:
    begin(run_of(data), tmp_path / "run")
    with pytest.raises(ChangedSinceStart, match=r"the settings .* changed: seed, train\.optim\.lr\."):
        again(tmp_path / "run", seed=3, train={"optim": {"lr": 0.5}})


def test_changed_data_are_refused_by_file(data, tmp_path) -> None:
    begin(run_of(data), tmp_path / "run")
    data.write_text(data.read_text(encoding="utf-8") + "one row more,dogs\n", encoding="utf-8")
    with pytest.raises(ChangedSinceStart, match=r"the data .* changed: pets\.csv\."):
        again(tmp_path / "run")


def test_rows_that_come_out_otherwise_are_refused(data, tmp_path) -> None:
    """The file is the same, but what was learned from it is not: other units would reach the model."""
    begin(run_of(data), tmp_path / "run")
    start = tmp_path / "run" / places.START
    start.write_text(start.read_text(encoding="utf-8").replace(read_json(start)["material"], "0" * 64), encoding="utf-8")
    with pytest.raises(ChangedSinceStart, match=r"the data .* changed: rows\."):
        again(tmp_path / "run")


def test_another_torch_is_told_of_and_goes_on(data, tmp_path, capsys) -> None:
    begin(run_of(data), tmp_path / "run")
    start = tmp_path / "run" / places.START
    start.write_text(start.read_text(encoding="utf-8").replace(f'"{torch.__version__}"', '"1.0.0"'), encoding="utf-8")
    capsys.readouterr()
    again(tmp_path / "run")
    assert "Begun with torch 1.0.0" in capsys.readouterr().err


def test_a_run_that_cannot_begin_does_not_count_as_begun(tmp_path) -> None:
    with pytest.raises(OneClass):
        begin(run_of(rows_with(tmp_path / "rows.csv", ["same"]), "data.label=[label]", "task.name=classify"), tmp_path / "run")
    assert not (tmp_path / "run" / places.START).exists()


def test_a_model_reads_what_the_rows_hold(tmp_path: Path, data: Path) -> None:
    from tests import pictured
    from zhuji.core.errors import ImpossiblePair

    with pytest.raises(ImpossiblePair, match="resnet-20"):
        begin(run_of(pictured.data(), "data.max_dropped=0.1"), tmp_path / "a")
    with pytest.raises(ImpossiblePair, match="the rows are texts"):
        begin(run_of(data, "modality={name: image}"), tmp_path / "b")


def test_a_run_on_pictures_is_begun_again_with_the_same_rows(tmp_path: Path) -> None:
    from tests import pictured

    run = compose({"data": {"path": str(pictured.data())}}, sets=[*pictured.FAST, "data.max_dropped=0.1"])
    first = begin(run, tmp_path)
    second = again(tmp_path)
    assert second.material.modality.files() != {} and second.material.digest() == first.material.digest()
    pictured.write_pictures(tmp_path / "other", rows=60, seed=1)
    with pytest.raises(ChangedSinceStart):
        again(tmp_path, data={"path": str(tmp_path / "other")})


@pytest.mark.parametrize(("chosen", "said"), [
    (Precision("bf16", 1.71), "bf16 (bf16 ran 1.71 times as fast as fp32 here)."),
    (Precision("fp32", 1.47), "fp32 (bf16 ran 1.47 times as fast as fp32 here; it is worth its coarser numbers from 1.5 times on)."),
    (Precision("fp32", 1.9), "fp32 (a pass is too short here to tell whether bf16 is faster)."),
])  # fmt: skip
def test_why_a_precision_was_chosen_is_told(chosen, said, capsys) -> None:
    say_precision(chosen)
    assert capsys.readouterr().err.strip() == f"Precision: {said}"
    say_precision(Precision("fp32"))
    assert not capsys.readouterr().err, "there was nothing to choose"
