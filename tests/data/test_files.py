"""What a folder or a manifest of sounds is taken for."""

import json
from pathlib import Path

import pytest

from tests.heard import spoken_folder, tone, written
from zhuji.core.errors import BadSetting
from zhuji.core.records import Sound
from zhuji.data.infer import infer_roles
from zhuji.data.ledger import Ledger
from zhuji.data.prepare import prepare
from zhuji.data.read import read_records
from zhuji.data.settings import DataSettings
from zhuji.data.sources import open_source


def roles(path: Path, **options):
    settings = DataSettings(path=str(path), **options)
    return infer_roles(open_source(settings), settings, pairs=False)


def sentences(folder: Path, count: int = 30) -> Path:
    lines = ["file_name,transcript,duration"]
    for number in range(count):
        written(folder / f"{number}.wav", tone(300 + 30 * number, seed=number))
        lines.append(f"{number}.wav,sentence of number {number // 2},0.3")
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_words_that_return_are_classes(tmp_path: Path) -> None:
    found = roles(spoken_folder(tmp_path))
    assert (found.sound, found.label, found.group, found.kind, found.text) == (
        "file_name",
        ("transcript",),
        "speaker",
        "classify",
        (),
    )


@pytest.mark.parametrize("name", ["说话人", "发音人", "client_id", "spk_id"])
def test_a_speaker_by_other_names_is_a_group(tmp_path: Path, name: str) -> None:
    folder = spoken_folder(tmp_path)
    rows = (folder / "metadata.csv").read_text().replace("speaker", name)
    (folder / "metadata.csv").write_text(rows, encoding="utf-8")
    assert roles(folder).group == name


def test_sentences_are_second_texts_and_none_is_in_two_splits(tmp_path: Path) -> None:
    found = roles(sentences(tmp_path))
    assert (found.sound, found.target, found.group, found.kind, found.label) == (
        "file_name",
        "transcript",
        "transcript",
        "pair",
        (),
    )
    prepared = prepare(DataSettings(path=str(tmp_path), near=0.0), 0, task="transcribe")
    places = {record.target: {r.split for r in prepared.records if r.target == record.target} for record in prepared.records}
    assert len(places) == 15 and all(len(splits) == 1 for splits in places.values())


def test_a_label_that_is_asked_for_is_one(tmp_path: Path) -> None:
    found = roles(sentences(tmp_path), label=("transcript",))
    assert (found.label, found.target) == (("transcript",), None)


def test_a_first_file_that_is_gone_hides_no_column(tmp_path: Path) -> None:
    folder = spoken_folder(tmp_path)
    (folder / "clips" / "0.wav").unlink()
    ledger = Ledger()
    assert roles(folder).sound == "file_name"
    assert all(isinstance(r.input, Sound) for r in read_records(DataSettings(path=str(folder)), ledger=ledger))
    assert ledger.causes("dropped") == {"no such sound": 1}


def test_blanks_around_names_of_files_are_none_of_them(tmp_path: Path) -> None:
    folder = spoken_folder(tmp_path)
    header, *lines = (folder / "metadata.csv").read_text().splitlines()
    (folder / "metadata.csv").write_text("\n".join([header, *(f" {line.replace('.wav', '.wav ')}" for line in lines)]) + "\n")
    assert roles(folder).sound == "file_name" and len(list(read_records(DataSettings(path=str(folder))))) == 24


def test_names_of_files_that_are_not_there_are_texts(tmp_path: Path) -> None:
    lines = [f"{number}.wav,text of number {number},{'ab'[number % 2]}" for number in range(40)]
    (tmp_path / "rows.csv").write_text("\n".join(["file,text,label", *lines]) + "\n")
    found = roles(tmp_path / "rows.csv")
    assert (found.sound, found.text) == (None, ("text",))


def test_a_row_has_one_input(tmp_path: Path) -> None:
    with pytest.raises(BadSetting):
        roles(spoken_folder(tmp_path), sound="file_name", text=("transcript",))


@pytest.mark.parametrize("split", [False, True])
def test_folders_by_class(tmp_path: Path, split: bool) -> None:
    for number in range(8):
        part = ("train", "test")[number % 4 == 3] if split else ""
        written(tmp_path / part / "ab"[number % 2] / f"{number}.wav", tone(300 + 50 * number))
    (tmp_path / "cover.jpg").write_bytes(b"\xff\xd8\xff")
    records = list(read_records(DataSettings(path=str(tmp_path))))
    assert {record.label for record in records} == {"a", "b"} and len(records) == 8
    assert isinstance(records[0].input, Sound) and records[0].input.mark
    assert {record.split for record in records} == ({"train", "test"} if split else {None})


def test_a_manifest_as_nemo_writes_it(tmp_path: Path) -> None:
    written(tmp_path / "long.wav", tone(300, 30.0))
    rows = [{"audio_filepath": "long.wav", "offset": n * 1.5, "duration": 1.0, "text": f"sentence {n}"} for n in range(21)]
    (tmp_path / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    ledger = Ledger()
    records = list(read_records(DataSettings(path=str(tmp_path / "train.jsonl")), ledger=ledger))
    assert [(r.input.start, r.input.seconds, r.target) for r in records[:2]] == [
        (0.0, 1.0, "sentence 0"),
        (1.5, 1.0, "sentence 1"),
    ]
    assert len(records) == 20 and ledger.causes("dropped") == {"span outside of its file": 1}


def test_seconds_of_rows_that_are_dropped_are_told(tmp_path: Path) -> None:
    folder = spoken_folder(tmp_path)
    lines = (folder / "metadata.csv").read_text().splitlines()
    lines[1] = "clips/0.wav,,a"
    (folder / "metadata.csv").write_text("\n".join([*lines, "clips/none.wav,low,a"]) + "\n")
    ledger = Ledger()
    records = list(read_records(DataSettings(path=str(folder)), ledger=ledger))
    assert len(records) == 23 and ledger.read == 25 and ledger.causes("dropped") == {"no label": 1, "no such sound": 1}
    assert ledger.seconds_dropped == pytest.approx(0.2) and Ledger.from_dict(ledger.as_dict()) == ledger


def test_sounds_of_a_table_with_their_bytes(tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    clips = [{"bytes": written(tmp_path / f"{n}.wav", tone(300 + n)).read_bytes(), "path": f"{n}.wav"} for n in range(6)]
    pq.write_table(pa.table({"audio": clips, "label": ["a", "b"] * 3}), tmp_path / "rows.parquet")
    records = list(read_records(DataSettings(path=str(tmp_path / "rows.parquet"))))
    assert len(records) == 6 and all(isinstance(record.input, Sound) and record.input.data for record in records)


def test_a_table_whose_files_are_gone_says_so(tmp_path: Path, capsys) -> None:
    folder = sentences(tmp_path / "whole")
    roles(folder)
    assert "none of them is there" not in "".join(capsys.readouterr())
    (tmp_path / "moved").mkdir()
    table = (folder / "metadata.csv").rename(tmp_path / "moved" / "metadata.csv")
    assert roles(table).sound is None
    told = " ".join("".join(capsys.readouterr()).split())
    assert f"Column 'file_name' names sounds, but none of them is there: 0.wav was looked for in {table.parent}" in told
