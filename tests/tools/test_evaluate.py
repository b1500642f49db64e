from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

import zhuji
from tests import supervised, trained
from tests.heard import spoken_folder
from zhuji.core.contracts import Backbone
from zhuji.core.errors import ChangedSinceStart, NotABundle, TooManyDropped
from zhuji.core.lookup import find
from zhuji.data.prepare import prepare
from zhuji.data.settings import DataSettings, SplitSettings
from zhuji.modalities.speech import Speech
from zhuji.model.assembly import assemble
from zhuji.model.bundle import open_bundle
from zhuji.model.predictor import Predictor
from zhuji.tasks.classify import Classify
from zhuji.tools.evaluate import evaluate


def test_a_run_without_data_gives_the_numbers_of_training() -> None:
    found = evaluate(trained.run())
    assert found.as_dict()["scores"] == dict(trained.result().test) and found.split == "test"


def test_labelled_rows_are_all_accounted_for(tmp_path: Path) -> None:
    rows = trained.write_rows(tmp_path / "new.csv", rows=60, seed=5)
    found = evaluate(trained.result().bundle, rows, sets=["evaluate.bootstrap=20"])
    ledger = found.ledger
    assert found.rows == 60 == ledger["read"] == ledger["used"] + ledger["cut"] and found.scores["accuracy"].value > 0.9
    assert (
        evaluate(trained.result().bundle, rows, seed=1, sets=["evaluate.bootstrap=0"]).scores["accuracy"].value
        == found.scores["accuracy"].value
    )


def test_only_the_test_split_of_data_that_has_one(tmp_path: Path) -> None:
    lines = trained.write_rows(tmp_path / "new.csv", rows=60).read_text(encoding="utf-8").splitlines()
    split = [f"{line},{'test' if i < 20 else 'train'}" for i, line in enumerate(lines[1:])]
    (tmp_path / "new.csv").write_text("\n".join([f"{lines[0]},split", *split, ""]), encoding="utf-8")
    found = evaluate(trained.run(), tmp_path / "new.csv", sets=["evaluate.bootstrap=0"])
    assert (found.rows, found.split, found.ledger["read"], found.ledger["dropped"]) == (20, "test", 60, 40)


def test_seconds_of_sounds_of_other_splits_are_dropped_ones(tmp_path: Path) -> None:
    folder = spoken_folder(tmp_path)
    lines = (folder / "metadata.csv").read_text().splitlines()
    told = [f"{line},{'test' if row % 4 == 0 else 'train'}" for row, line in enumerate(lines[1:])]
    (folder / "metadata.csv").write_text("\n".join([f"{lines[0]},split", *told]) + "\n")
    prepared = prepare(DataSettings(path=str(folder), splits=SplitSettings(valid=0.0), leaks="allow"), 0)
    train = prepared.split("train")
    speech = Speech(rate=8_000, bands=6).fit([record.input for record in train])
    model = assemble(speech, find(Backbone, "bag").example(), Classify().fit(train))
    predictor = Predictor(model.eval(), roles=prepared.roles)
    ledger = evaluate("nowhere", folder, predictor=predictor, sets=["evaluate.bootstrap=0", "data.max_dropped=1"]).ledger
    lengths = [0.2 + 0.01 * row for row in range(24)]
    assert (ledger["used"], ledger["dropped"]) == (6, 18) and ledger["seconds"] == pytest.approx(sum(lengths[::4]), abs=1e-3)
    assert ledger["seconds_dropped"] == pytest.approx(sum(lengths) - sum(lengths[::4]), abs=1e-3)


def test_columns_by_other_names_and_labels_never_met(tmp_path: Path) -> None:
    path = trained.write_rows(tmp_path / "new.csv", rows=30)
    path.write_text(
        path.read_text(encoding="utf-8").replace("text,label", "body,kind").replace(",cats", ",fish"), encoding="utf-8"
    )
    found = evaluate(trained.run(), path, columns={"text": ("body",), "label": ("kind",)}, sets=["evaluate.bootstrap=0"])
    assert found.unseen == 10 and found.scores["accuracy"].value < 0.7


def test_refusals(tmp_path: Path) -> None:
    with pytest.raises(NotABundle):
        evaluate(trained.result().bundle)
    broken = tmp_path / "broken.csv"
    broken.write_text("text,label\nbark,dogs\nmeow,\n", encoding="utf-8")
    with pytest.raises(TooManyDropped):
        evaluate(trained.run(), broken, columns={"label": ("label",), "text": ("text",)})


def test_changed_data_is_noticed() -> None:
    rows = trained.data()
    whole = rows.read_bytes()
    try:
        rows.write_bytes(whole + b"bark more than before,dogs\n")
        with pytest.raises(ChangedSinceStart):
            evaluate(trained.run())
    finally:
        rows.write_bytes(whole)


def test_the_test_rows_as_a_file_give_the_numbers_of_training_to_the_last_bit(tmp_path: Path) -> None:
    result = zhuji.train(
        trained.write_rows(tmp_path / "all.csv", rows=300, seed=3),
        model="bag",
        epochs=1,
        run_dir=tmp_path / "run",
        sets=trained.FAST,
    )
    with open(tmp_path / "run" / "splits.jsonl", encoding="utf-8") as file:
        chosen = {line["row"] for line in map(json.loads, file) if line["split"] == "test"}
    with open(tmp_path / "all.csv", encoding="utf-8", newline="") as file:
        header, *rows = csv.reader(file)
    with open(tmp_path / "test.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *(row for number, row in enumerate(rows, 1) if number in chosen)])
    wanted = {name: score["value"] for name, score in result.test.items()}
    for found in (evaluate(result.run, tmp_path / "test.csv"), result.load().evaluate(tmp_path / "test.csv", label="label")):
        assert {name: score.value for name, score in found.scores.items()} == wanted


@pytest.mark.parametrize(
    ("train", "units"),
    [({"batch_units": 65536}, 65536), ({"batch_units": 10**15}, 1 << 20), ({"batch_units": "x"}, 8192), (7, 8192)],
)
def test_rows_of_a_file_are_scored_in_batches_of_the_trainings_size(train, units, monkeypatch: pytest.MonkeyPatch) -> None:
    predictor, seen = open_bundle(trained.result().bundle), []
    predictor.run = {"train": train}
    monkeypatch.setattr("zhuji.tools.evaluate.score", lambda *_, batch_units, **__: seen.append(batch_units) or 1 / 0)
    with pytest.raises(ZeroDivisionError):
        evaluate(trained.result().bundle, trained.data(), predictor=predictor)
    assert seen == [units]


def test_tags_and_translations_are_judged_as_in_training(tmp_path: Path) -> None:
    for result in (supervised.tagged(), supervised.translated()):
        assert evaluate(result.run).as_dict()["scores"] == dict(result.test)
    found = evaluate(supervised.tagged().bundle, supervised.sentences() / "test.conll", sets=["evaluate.bootstrap=0"])
    assert found.scores["span_f1"].value == supervised.tagged().test["span_f1"]["value"]
    words = [{"tokens": ["Ada", "met", "Bo"], "tags": ["B-PER", "O", "B-PER"]}] * 30
    words.append({"tokens": ["x"], "tags": ["O", "O"]})
    (tmp_path / "new.jsonl").write_text("\n".join(map(json.dumps, words)), encoding="utf-8")
    other = evaluate(supervised.tagged().bundle, tmp_path / "new.jsonl", sets=["evaluate.bootstrap=0", "data.max_dropped=1"])
    assert (other.rows, other.ledger["causes"]["dropped"]) == (30, {"not as many tags as words": 1})


def test_of_several_test_sets_the_one_of_training() -> None:
    result = supervised.translated()
    found = evaluate(result.bundle, supervised.pairs(), sets=["evaluate.bootstrap=0", "data.max_dropped=1"])
    assert (found.split, found.rows) == ("test_a", 20)
    assert found.scores["bleu"].value == result.test["bleu"]["value"]
