"""A check passes sound data and says what is wrong with the rest."""

from __future__ import annotations

from pathlib import Path

from tests import trained
from zhuji.tools.check import check


def test_sound_data_passes(tmp_path: Path) -> None:
    found = check(str(trained.data()), page=tmp_path / "p.html")
    assert found.passed and found.facts["rows"] == 120 and found.facts["leaks"]["rows"] == 0
    assert sum(found.facts["splits"].values()) == 120 and set(found.facts["classes"]) == set(trained.WORDS)


def test_wrong_labels_are_found(tmp_path: Path) -> None:
    lines = trained.data().read_text(encoding="utf-8").splitlines()
    wrong = {1 + 3 * i for i in range(5)}
    lines = [line.replace(",dogs", ",cats") if i in wrong else line for i, line in enumerate(lines)]
    (tmp_path / "d.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    found = check(str(tmp_path / "d.csv"), page=tmp_path / "p.html").facts["doubtful"]
    assert {row["row"] for row in found["rows"]} == wrong
    assert all(row["suggested"] == "dogs" for row in found["rows"])


def test_a_column_that_gives_the_label_away_fails(tmp_path: Path) -> None:
    lines = trained.data().read_text(encoding="utf-8").splitlines()
    codes = {"dogs": 7, "cats": 8, "鸟类": 9}
    rows = [f"{line},{codes[line.rpartition(',')[2]]}" for line in lines[1:]]
    (tmp_path / "d.csv").write_text("\n".join([f"{lines[0]},code", *rows, ""]), encoding="utf-8")
    found = check(str(tmp_path / "d.csv"), page=tmp_path / "p.html", columns={"label": ("label",)})
    assert not found.passed and any("'code'" in text for text in found.failures)


def test_groups_that_training_leaves_where_they_are_are_told_so(tmp_path: Path) -> None:
    """As in an official split in which every speaker stands on both sides."""
    lines = trained.data().read_text(encoding="utf-8").splitlines()
    rows = [f"{line},{'ab'[i % 2]},{'test' if i % 10 > 7 else 'train'}" for i, line in enumerate(lines[1:])]
    (tmp_path / "d.csv").write_text("\n".join([f"{lines[0]},speaker,split", *rows, ""]), encoding="utf-8")
    [text] = check(str(tmp_path / "d.csv"), page=tmp_path / "p.html").failures
    assert "leaves groups of column 'speaker'" in text and "hold_out" in text and "moves them" not in text


def test_dropped_rows_fail_and_stay_accounted_for(tmp_path: Path) -> None:
    text = trained.data().read_text(encoding="utf-8") + ',dogs\n" ",cats\n' * 10
    (tmp_path / "d.csv").write_text(text, encoding="utf-8")
    found = check(str(tmp_path / "d.csv"), page=tmp_path / "p.html")
    ledger = found.facts["ledger"]
    assert not found.passed and ledger["dropped"] == 20 and ledger["read"] == found.facts["rows"] + 20


def test_the_page_is_sealed_and_escaped(tmp_path: Path) -> None:
    rows = trained.data().read_text(encoding="utf-8").replace("bark", "<script>alert(1)</script>")
    (tmp_path / "d.csv").write_text(rows.replace(",dogs", ",<b>dogs"), encoding="utf-8")
    check(str(tmp_path / "d.csv"), page=tmp_path / "p.html")
    page = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert "<script" not in page and "<b>dogs" not in page and "http://" not in page and "https://" not in page


def test_pictures_are_checked_without_asking_for_their_language(tmp_path: Path) -> None:
    from tests import pictured

    root = pictured.write_pictures(tmp_path / "colours", rows=60)
    green = sorted((root / "train/green").iterdir())
    (root / "test/red/same.png").write_bytes(green[0].read_bytes())
    found = check(str(root), page=tmp_path / "p.html")
    assert found.facts["languages"] == {} and found.facts["duplicates"]["exact"] == 1
    assert found.facts["leaks"]["found"]["exact"] == 1 and not found.passed
    lines = dict(found.lines)
    assert lines["image"] == "image — files of pictures" and "length" not in lines
    assert found.facts["doubtful"]["looked_at"] == 61
    assert [row["id"] for row in found.facts["doubtful"]["rows"]] == ["test/red/same.png"]
