import pytest

from zhuji.data import conll
from zhuji.data.conll import looks_like_conll, words_of
from zhuji.data.settings import DataSettings
from zhuji.data.tables import open_table

BODY = "-DOCSTART- -X- O O\n\n# id 7\nEU NNP B-ORG\nrejects VBZ O\n\n\nPeter NNP B-PER\n# NN O\n"


def table(tmp_path, text, name="a.conll"):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return open_table(path, DataSettings(path=str(path)))


def rows(tmp_path, text, name="a.conll"):
    return list(table(tmp_path, text, name).rows())


def test_sentences(tmp_path):
    assert rows(tmp_path, BODY) == [
        ({"words": ["EU", "rejects"], "tags": ["B-ORG", "O"]}, ""),
        ({"words": ["Peter", "#"], "tags": ["B-PER", "O"]}, ""),
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("apart", ["\t", " ", "  "])
def test_ends_and_blanks(tmp_path, apart, end):
    assert rows(tmp_path, end.join([f"a{apart}O", f"b{apart}B-x", "", f"c{apart}O"])) == [
        ({"words": ["a", "b"], "tags": ["O", "B-x"]}, ""),
        ({"words": ["c"], "tags": ["O"]}, ""),
    ]


def test_a_word_may_hold_a_blank_where_tabs_part_columns(tmp_path):
    assert rows(tmp_path, "1 1/2\tO\n")[0][0] == {"words": ["1 1/2"], "tags": ["O"]}


def test_places_behind_characters_are_left_away(tmp_path):
    assert rows(tmp_path, "小0\tB-x\n米1\tI-x\n20\tO\n\ufffd\ufffd0\tO\n")[0][0]["words"] == ["小", "米", "2", "\ufffd\ufffd"]
    assert rows(tmp_path, "x1\tO\ny\tB-x\n")[0][0]["words"] == ["x1", "y"]


@pytest.mark.parametrize("broken", ["alone", "\tO", "word\t"])
def test_a_ragged_line_loses_its_sentence_only(tmp_path, broken):
    assert rows(tmp_path, f"a\tO\n{broken}\n\nb\tB-x\n") == [(None, "ragged row"), ({"words": ["b"], "tags": ["B-x"]}, "")]


def test_undecodable_bytes_are_told(tmp_path):
    path = tmp_path / "a.conll"
    path.write_bytes("é\tO\n\n".encode() * 50 + b"\xff\xfe\tO\n\nb\tO\n")
    found = list(open_table(path, DataSettings(path=str(path), encoding="utf-8")).rows())
    assert found[50] == (None, "undecodable bytes") and found[51][0]["words"] == ["b"]


def test_a_sentence_without_end_takes_no_more_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(conll, "LONGEST", 3)
    assert rows(tmp_path, "a\tO\n" * 9 + "\nb\tO\n") == [(None, "no end of sentence"), ({"words": ["b"], "tags": ["O"]}, "")]


@pytest.mark.parametrize("name", ["a.txt", "a", "a.bio", "a.iob"])
def test_known_by_its_lines_or_its_name(tmp_path, name):
    assert table(tmp_path, BODY, name).format == "conll"


@pytest.mark.parametrize(
    "text", ["a text of words\nanother one\n\nmore O\n", "text\tlabel\nfine\tO\n\nbad\tx\n", "a\tO\n\nb\tO\n", "x"]
)
def test_other_texts_stay_what_they_are(text):
    assert not looks_like_conll(text)


def test_packed(tmp_path):
    import gzip

    path = tmp_path / "a.conll.gz"
    path.write_bytes(gzip.compress(BODY.encode()))
    assert len(list(open_table(path, DataSettings(path=str(path))).rows())) == 2


@pytest.mark.parametrize(
    "text, words",
    [
        ("@colgo hey, it's 3.5 family-run!", ["@colgo", "hey", ",", "it's", "3.5", "family-run", "!"]),
        ("小米 phone", ["小", "米", "phone"]),
        ("", []),
    ],
)
def test_a_text_is_cut_into_words(text, words):
    assert list(words_of(text)) == words
