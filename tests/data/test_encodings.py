import gzip

import pytest

from zhuji.core.errors import BadSetting
from zhuji.data import encodings

CHINESE = "文本,标签\n这家酒店的房间很干净，服务也好,正面\n早餐不好，不会再来了,负面\n"
RUSSIAN = "текст,класс\nЭто очень хороший фильм и мне понравился,да\nНомер был грязный и шумный,нет\n"


@pytest.mark.parametrize(
    ("text", "written", "found"),
    [
        ("text,label\na,b\n", "ascii", "utf-8"),
        (CHINESE, "utf-8", "utf-8"),
        (CHINESE, "utf-8-sig", "utf-8-sig"),
        (CHINESE, "gb18030", "gb18030"),
        (CHINESE, "gbk", "gb18030"),
        (CHINESE, "utf-16", "utf-16"),
        (CHINESE, "utf-16-le", "utf-16-le"),
        (CHINESE, "utf-16-be", "utf-16-be"),
        (CHINESE, "utf-32", "utf-32"),
        ("text,label\nplain,a\n", "utf-16-le", "utf-16-le"),
        (RUSSIAN, "cp1251", "cp1251"),
        (RUSSIAN, "koi8-r", "koi8_r"),
        ("text\ndéjà vu à la télé\nça ne m'a pas plu\n", "cp1252", "cp1252"),
        ("text\n아주 좋은 영화입니다. 다시 보고 싶어요.\n", "euc-kr", "euc_kr"),
        ("text\nとても良い映画です。もう一度見たいと思います。\n", "shift-jis", "shift_jis"),
    ],
)
def test_encodings_are_told_apart(tmp_path, text, written, found):
    path = tmp_path / "file"
    path.write_bytes(text.encode(written))
    head, telling, whole = encodings.look(path)
    encoding, why = encodings.detect(head, telling)
    assert (encoding, whole) == (found, True) and why
    assert "".join(encodings.lines(path, encoding)) == text


@pytest.mark.parametrize("rows", [1, 3, 30, 3_000])
def test_chinese_is_found_at_every_length(rows):
    data = ("标题\n" + "手机的电池很快就没电了\n" * rows).encode("gb18030")[: encodings.SAMPLE]
    assert encodings.detect(data, data)[0] == "gb18030"


def test_the_first_byte_that_is_not_ascii_tells_however_late_it_comes(tmp_path):
    path = tmp_path / "late.csv"
    path.write_bytes(b"plain text,label\n" * 50_000 + CHINESE.encode("gb18030") * 3)
    head, telling, whole = encodings.look(path)
    assert head.isascii() and not whole and encodings.detect(head, telling)[0] == "gb18030"


def test_a_few_bad_lines_do_not_change_the_encoding():
    data = CHINESE.encode() * 10 + "坏行\n".encode("gb18030")
    assert encodings.detect(data, data)[0] == "utf-8"


def test_undecodable_bytes_are_marked_never_replaced(tmp_path):
    path = tmp_path / "bad.txt"
    path.write_bytes("好\n".encode() + b"caf\xe9\n" + "好\n".encode())
    found = list(encodings.lines(path, "utf-8"))
    assert [encodings.fault(line) for line in found] == ["", "undecodable bytes", ""]
    assert found[0] == found[2] == "好\n"


def test_a_line_beyond_the_limit_is_marked_and_the_next_one_read(tmp_path, monkeypatch):
    monkeypatch.setattr(encodings, "LINE_LIMIT", 100)
    path = tmp_path / "long.txt"
    path.write_text("short\n" + "x" * 950 + "\nafter\n" + "y" * 99 + "\n")
    found = list(encodings.lines(path, "utf-8"))
    assert [encodings.fault(line) for line in found] == ["", "row too long", "", ""]
    assert found[2] == "after\n" and len(found[3]) == 100


def test_gzip_is_known_by_its_bytes(tmp_path):
    path = tmp_path / "unnamed"
    path.write_bytes(gzip.compress(CHINESE.encode()))
    assert "".join(encodings.lines(path, "utf-8")) == CHINESE


@pytest.mark.parametrize("name", ["no-such", "rot13", "hex", "idna", "punycode", "undefined", "unicode_escape", "", "a\0b"])
def test_what_is_no_encoding_of_files_is_refused(name):
    with pytest.raises(BadSetting):
        encodings.checked(name)


@pytest.mark.parametrize(
    ("name", "canonical"), [("UTF8", "utf-8"), ("GBK", "gbk"), ("latin1", "iso8859-1"), ("utf-16", "utf-16")]
)
def test_encodings_go_by_many_names(name, canonical):
    assert encodings.checked(name) == canonical
