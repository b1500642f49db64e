import os

from zhuji.data import text_files
from zhuji.data.text_files import TextFiles, classes_in


def folder(root, files):
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data if isinstance(data, bytes) else data.encode())
    return root


def test_one_row_a_file(tmp_path):
    root = folder(
        tmp_path,
        {"pos/2.txt": "good\nfilm", "pos/1.TXT": "fine", "very bad/1.txt": "no", "notes.txt": "x", "pos/readme.md": "x"},
    )
    table = TextFiles(root, classes_in(root), None)
    assert table.columns == ("file", "text", "label")
    assert [values for values, _ in table.rows()] == [
        {"file": "pos/1.TXT", "text": "fine", "label": "pos"},
        {"file": "pos/2.txt", "text": "good\nfilm", "label": "pos"},
        {"file": "very bad/1.txt", "text": "no", "label": "very bad"},
    ]


def test_splits_above_classes(tmp_path):
    root = folder(tmp_path, {"train/a/1.txt": "1", "test/a/1.txt": "2", "dev/b/1.txt": "3"})
    table = TextFiles(root, classes_in(root), None)
    assert {(v["split"], v["label"], v["text"]) for v, _ in table.rows() if v} == {
        ("train", "a", "1"),
        ("test", "a", "2"),
        ("valid", "b", "3"),
    }


def test_what_is_no_such_folder(tmp_path):
    assert classes_in(folder(tmp_path, {"a.csv": "x", "pictures/a.png": "x"})) == []


def test_encodings_of_the_files_are_found_together(tmp_path):
    root = folder(tmp_path, {f"好/{i}.txt": "这家酒店的房间很干净，服务也好".encode("gb18030") for i in range(3)})
    table = TextFiles(root, classes_in(root), None)
    assert table.encoding == "gb18030" and all(values for values, _ in table.rows())


def test_files_that_cannot_be_read_say_why(tmp_path, monkeypatch):
    monkeypatch.setattr(text_files, "LINE_LIMIT", 100)
    root = folder(tmp_path, {"a/1.txt": "好", "a/2.txt": b"caf\xe9", "b/1.txt": "line\n" * 50, "b/2.txt": "fine"})
    os.mkfifo(root / "b/3.txt")
    found = [row.problem for row in TextFiles(root, classes_in(root), "utf-8").file_rows()]
    assert found == ["", "undecodable bytes", "row too long", "", "not a regular file"]
