import gzip
import json

import pytest

from zhuji.core.errors import MissingColumn, MissingFile, NoRole, UnknownFormat
from zhuji.core.unreadable import PicturesAreRows
from zhuji.data.chat import named
from zhuji.data.corpus import texts as module
from zhuji.data.corpus.settings import TextsSettings
from zhuji.data.corpus.texts import Texts

PROSE = "The first paragraph\ngoes over two lines.\n\n\nThe second\nis here,\nof three.\n\n   \nThe third\nends.\n"


def texts_of(path, **settings):
    return [raw.text for raw in Texts(TextsSettings(path=str(path), **settings))]


def test_lines_paragraphs_and_files(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(PROSE)
    paragraphs = ["The first paragraph\ngoes over two lines.\n", "The second\nis here,\nof three.\n", "The third\nends.\n"]
    assert texts_of(path) == texts_of(path, unit="paragraph") == paragraphs
    assert texts_of(path, unit="file") == [PROSE]
    assert len(texts_of(path, unit="line")) == 7
    path.write_text("one line a text\n" * 50 + "\n" + "another\n")
    assert texts_of(path) == ["one line a text"] * 50 + ["another"]


def test_tables_packed_files_and_folders_at_any_depth(tmp_path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "a.csv").write_text('text,label\n"good, long film",1\nragged\nbad short film,0\n')
    with gzip.open(tmp_path / "deep" / "b.jsonl.gz", "wt") as file:
        file.write("\n".join(json.dumps({"text": f"text of number {n}", "n": n}) for n in range(3)) + "\nno json\n")
    (tmp_path / "deep" / "er" / "c.txt").write_text("a line of text\n")
    (tmp_path / "deep" / "er" / "empty.txt").write_text("")
    (tmp_path / "deep" / "picture.png").write_bytes(b"\x89PNG")
    found = [(raw.file, raw.row, raw.text, raw.cause) for raw in Texts(TextsSettings(path=str(tmp_path), columns=("text",)))]
    assert found == [
        ("a.csv", 1, "good, long film", ""), ("a.csv", 2, None, "ragged row"), ("a.csv", 3, "bad short film", ""),
        *(("deep/b.jsonl.gz", n + 1, f"text of number {n}", "") for n in range(3)), ("deep/b.jsonl.gz", 4, None, "bad JSON"),
        ("deep/er/c.txt", 1, "a line of text", ""), ("deep/er/empty.txt", 1, None, "empty text"),
    ]  # fmt: skip


def test_several_columns_are_joined_and_one_is_found(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("title,body\nA title,a much longer body of text\nB,\n")
    assert texts_of(path, columns=("title", "body")) == ["A title\na much longer body of text", "B"]
    assert texts_of(path) == ["a much longer body of text", ""]
    with pytest.raises(MissingColumn, match="boddy"):
        texts_of(path, columns=("boddy",))


def test_only_the_rows_of_one_split(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text,split\n" + "".join(f"some text number {n},{('train', 'dev', 'test')[n % 3]}\n" for n in range(30)))
    assert texts_of(path, split="test")[:3] == [None, None, "some text number 2"]
    assert sum(text is not None for text in texts_of(path, split="valid")) == 10
    (tmp_path / "b.txt").write_text("a line\n")
    with pytest.raises(NoRole, match="split"):
        texts_of(tmp_path / "b.txt", split="test")


def test_what_is_not_there_or_no_text(tmp_path):
    with pytest.raises(MissingFile):
        Texts(TextsSettings(path=str(tmp_path / "none")))
    with pytest.raises(UnknownFormat, match="no file of texts"):
        Texts(TextsSettings(path=str(tmp_path)))
    (tmp_path / "cats").mkdir()
    (tmp_path / "cats" / "1.PNG").write_bytes(b"a picture")
    with pytest.raises(PicturesAreRows, match="--model simclr"):
        Texts(TextsSettings(path=str(tmp_path)))
    (tmp_path / "a.txt").write_bytes(bytes(range(256)) * 40)
    with pytest.raises(UnknownFormat):
        list(Texts(TextsSettings(path=str(tmp_path / "a.txt"))))


def test_lines_that_cannot_be_decoded_are_dropped_with_their_paragraph(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("ein schöner Tag\n".encode() * 20 + b"\xff\xfe broken\n" + "noch ein schöner Tag\n".encode())
    raws = list(Texts(TextsSettings(path=str(path))))
    assert [raw.cause for raw in raws if raw.text is None] == ["undecodable bytes"]
    assert [raw.cause for raw in Texts(TextsSettings(path=str(path), unit="paragraph"))] == ["undecodable bytes"]


def test_a_run_of_lines_without_end_does_not_take_all_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "LINE_LIMIT", 100)
    path = tmp_path / "a.txt"
    path.write_text("a line of this length\n" * 20)
    assert max(map(len, texts_of(path, unit="file"))) < 130
    assert "".join(texts_of(path, unit="file")) == path.read_text()


def test_the_fingerprint_changes_with_the_content_also_of_huge_files(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text("a line of text\n" * 100)
    before = Texts(TextsSettings(path=str(path))).fingerprint()
    monkeypatch.setattr(module, "HASHED", 10)
    monkeypatch.setattr(module, "PIECE", 16)
    sampled = Texts(TextsSettings(path=str(path))).fingerprint()
    assert before["a.txt"]["sha256"] != sampled["a.txt"]["sha256"]
    path.write_text("b line of text\n" + "a line of text\n" * 99)
    assert Texts(TextsSettings(path=str(path))).fingerprint() != sampled


def test_conversations_are_written_in_a_format(tmp_path):
    path = tmp_path / "a.jsonl"
    said = [
        [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}],
        "c",
        [{"role": "assistant", "content": "d"}],
    ]
    path.write_text("\n".join(json.dumps({"messages": one, "text": "other"}) for one in said))
    settings, chat = TextsSettings(path=str(path)), named()["plain"]
    found = [(raw.text, raw.cause) for raw in Texts(settings, chat)]
    assert found == [("User: a\nAssistant: b\n", ""), (None, "no conversation"), (None, "not as the chat format wants it")]
    columns = TextsSettings(path=str(path), columns=("text",))
    assert [raw.text for raw in Texts(columns, chat)] == ["other"] * 3


def test_conversations_of_a_parquet_file(tmp_path):
    pytest.importorskip("pyarrow")
    import pyarrow as pa
    import pyarrow.parquet as pq

    said = [[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]]
    pq.write_table(pa.table({"messages": said}), tmp_path / "a.parquet")
    assert [raw.text for raw in Texts(TextsSettings(path=str(tmp_path / "a.parquet")), named()["plain"])] == [
        "User: a\nAssistant: b\n"
    ]


def test_tables_without_conversations_are_read_as_ever(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("title,body\nA title,a much longer body of text\n")
    assert [raw.text for raw in Texts(TextsSettings(path=str(path)), named()["plain"])] == ["a much longer body of text"]
