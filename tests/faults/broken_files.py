"""At least 200 broken, odd or hostile inputs, made by hand and by a seeded generator; the same ones every time."""

from __future__ import annotations

import gzip
import json
import os
import random
import socket
from collections.abc import Iterator
from pathlib import Path

WORDS = ("good film, really", "bad: very bad", "so-so", '"quoted" words', "naïve café", "很好 的 酒店", "مرحبا بالعالم", "שלום עולם",
         "👩‍👩‍👧 family", "plain", "tab\there", "semi;colon", "a|b|c", "line one")  # fmt: skip
LABELS = ("pos", "neg", "very good", "中性")
OTHER_TEXTS = {
    "cp1251": ("Это очень хороший фильм и мне понравился", "Номер был грязный и шумный и больше не приедем"),
    "koi8-r": ("Это очень хороший фильм и мне понравился", "Номер был грязный и шумный и больше не приедем"),
    "shift-jis": ("とても良い映画です。もう一度見たいと思います。", "部屋が汚くて、朝食も美味しくなかった。"),
    "euc-jp": ("とても良い映画です。もう一度見たいと思います。", "部屋が汚くて、朝食も美味しくなかった。"),
    "euc-kr": ("아주 좋은 영화입니다. 다시 보고 싶어요.", "방이 더럽고 아침 식사가 맛이 없었습니다."),
    "big5": ("這家酒店的房間很乾淨，服務也很好，下次還會再來。", "手機的電池很快就沒電了，不推薦。"),
    "cp1252": ("Une très bonne soirée à l'hôtel", "ça ne m'a pas plu du tout et le château était fermé"),
    "cp1253": ("Πολύ καλή ταινία και τη συνιστώ", "Το δωμάτιο ήταν βρώμικο και το προσωπικό αγενές"),
    "cp1256": ("فيلم جيد جدا وأنصح بمشاهدته", "الغرفة كانت قذرة والخدمة سيئة"),
    "cp874": ("หนังดีมาก แนะนำเลย", "ห้องสกปรกมาก อาหารไม่อร่อย"),
}
"""By encoding: a good and a bad text of that part of the world."""
HEAD = "text,label\n"
GOOD = "".join(f'"review {i} of many, all different",{LABELS[i % 2]}\n' for i in range(30))


def broken_files(folder: Path) -> list[Path]:
    """Makes the inputs below `folder` and returns their paths: files, folders, links, a socket and a pipe."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [_write(folder / name, data) for name, data in (*_texts(), *_encodings(), *_jsons(), *_packed(), *_generated())]
    return [*paths, *_parquets(folder), *_folders(folder), *_specials(folder)]


def _write(path: Path, data: str | bytes) -> Path:
    path.write_bytes(data if isinstance(data, bytes) else data.encode("utf-8", "surrogatepass"))
    return path


def _texts() -> Iterator[tuple[str, str | bytes]]:
    yield "empty.csv", ""
    yield "blank_lines.csv", "\n\n\n   \n\t\n"
    yield "zeros.csv", b"\0" * 4096
    yield "header_only.csv", HEAD
    yield "header_without_newline.csv", "text,label"
    yield "one_row.csv", HEAD + "a text,pos"
    yield "one_class.csv", HEAD + GOOD.replace("neg", "pos")
    yield "no_label_column.csv", "text\n" + "".join(f"just a text {i}\n" for i in range(30))
    yield "only_numbers.csv", "a,b\n" + "".join(f"{i},{i * 2}\n" for i in range(30))
    yield "empty_labels.csv", HEAD + "".join(f"text {i},\n" for i in range(30))
    yield "empty_texts.csv", HEAD + "".join(f",{LABELS[i % 2]}\n" for i in range(30))
    yield "blank_texts.csv", HEAD + GOOD + "".join(f'"  \u200b\ufeff ",{LABELS[i % 2]}\n' for i in range(5))
    yield "labels_with_spaces.csv", HEAD + "".join(f"text {i}, very good \ntext {i}a,not so good\n" for i in range(15))
    yield "duplicate_header.csv", "text,label,label\n" + "a,b,c\n" * 5
    yield "duplicate_empty_header.csv", "text,,label,\n" + "a,b,c,d\n" * 5
    yield "no_header.csv", GOOD
    yield "no_header_numbers.csv", "".join(f"{i % 2},text number {i}\n" for i in range(30))
    yield "header_twice.csv", HEAD + GOOD + HEAD + GOOD
    yield "ragged_more.csv", HEAD + GOOD + "a,b,c\n,,,,\n" + GOOD
    yield "ragged_fewer.csv", HEAD + GOOD + "alone\n" + GOOD
    yield "all_ragged.csv", HEAD + "a,b,c\nd\ne,f,g,h\n"
    yield "unquoted_commas.csv", HEAD + "".join(f"well, it is{', so' * (i % 3)} {i},pos\n" for i in range(30))
    yield "open_quote_first.csv", HEAD + '"never closed,pos\n' + GOOD
    yield "open_quote_middle.csv", HEAD + GOOD + '"never closed,pos\n' + GOOD
    yield "open_quote_last.csv", HEAD + GOOD + '"never closed,pos\n'
    yield "open_quote_header.csv", '"text,label\n' + GOOD
    yield "open_quote_long.csv", HEAD + '"never closed,pos\n' + "plain text,neg\n" * 12_000
    yield "stray_quotes.csv", HEAD + 'say "hi" now,pos\n"a"b,neg\n"c" ,pos\n""",neg\n""",""",pos\n' + GOOD
    yield "every_line_opens.csv", HEAD + '"abc,pos\n' * 2_000
    yield "quotes_only.csv", '"' * 999
    yield "breaks_in_quotes.csv", HEAD + '"one\ntwo\r\nthree",pos\n' * 10 + GOOD
    yield "carriage_returns.csv", (HEAD + GOOD).replace("\n", "\r")
    yield "mixed_line_ends.csv", HEAD + GOOD.replace("\n", "\r\n", 10) + "a,pos\rb,neg\r" + GOOD
    yield "nul_in_text.csv", HEAD + GOOD + "te\0xt,pos\n" + GOOD
    yield "nul_in_label.csv", HEAD + GOOD + "text,p\0os\n" + GOOD
    yield "nul_everywhere.csv", (HEAD + GOOD).replace("e", "\0")
    yield "controls.csv", HEAD + "".join(f"a{chr(i)}b,pos\n" for i in range(1, 32) if i not in (10, 13)) + GOOD
    yield "emoji.csv", HEAD + "👍🏽 great 👨‍👩‍👧‍👦,👍\n🏳️‍🌈 no 🏴󠁧󠁢󠁥󠁮󠁧󠁿,👎\n" * 10
    yield "right_to_left.csv", HEAD + "مرحبا بالعالم,إيجابي\nשלום עולם,שלילי\nمی‌خواهم,إيجابي\n" * 10
    yield "direction_marks.csv", HEAD + "\u202eevil\u202c text\u200f,p\u200eos\n" * 3 + GOOD
    yield "combining.csv", HEAD + "Z" + "\u0301" * 5_000 + ",pos\n" + GOOD
    yield "noncharacters.csv", HEAD + "\ufffe\uffff\ufdd0 text,pos\n" + GOOD
    yield "long_line.csv", HEAD + "x " * 5_000_000 + ",pos\n" + GOOD
    yield "long_quoted.csv", HEAD + '"' + ("x," * 500 + "\n") * 5_000 + '",pos\n' + GOOD
    yield "many_lines_quoted.csv", HEAD + '"' + "x,\n" * 12_000 + '",pos\n' + GOOD
    yield "long_line_alone.csv", "a" * 10_000_000
    yield "too_long_line.csv", HEAD + "z" * 17_000_000 + ",pos\n" + GOOD
    yield "long_label.csv", HEAD + f"a text,{'l' * 100_000}\n" + GOOD
    yield "many_columns.csv", ",".join(f"c{i}" for i in range(5_000)) + "\n" + ",".join("v" * 5_000) + "\n"
    yield "many_empty_columns.csv", HEAD.strip() + "," * 3_000 + "\n" + ("a,b" + "," * 3_000 + "\n") * 50
    yield "delimiters_only.csv", ",,,,\n" * 20
    yield "semicolons.csv", (HEAD + GOOD).replace(",", ";")
    yield "tabs_named.csv", HEAD.replace(",", "\t") + "".join(f"a text {i}, with comma\tpos\n" for i in range(9))
    yield "mixed_delimiters.csv", "text;label\n" + "a,b\nc;d\ne\tf\n" * 9
    yield "unusual_delimiter.csv", "text~label\n" + "a~b\n" * 9
    yield "excel_sep.csv", "sep=;\ntext;label\n" + "a;b\nc;d\n" * 9
    yield "title_above.csv", "Report of 2024\n\n" + HEAD + GOOD
    yield "comment_lines.csv", "# made by hand\n" + HEAD + GOOD
    yield "unknown_splits.csv", "text,label,split\n" + "a,b,train\nc,d,unsup\ne,f,\ng,b,test\n" * 9
    yield "duplicate_ids.csv", "id,text,label\n" + "1,a text,pos\n1,another,neg\n,third,pos\n" * 9
    yield (
        "regression_with_words.csv",
        "text,score\n" + "".join(f"text {i},{i * 0.37}\n" for i in range(200)) + "x,nan\ny,high\nz,inf\n",
    )
    yield "huge_numbers.csv", "text,score\n" + "".join(f"text {i},{i}e{300 + i % 20}\n" for i in range(60))
    yield "html.csv", "<!doctype html><html><body><h1>404, not found</h1></body></html>"
    yield "prose.txt", "Once upon a time, there was a king.\n\nHe had a daughter.\n"
    yield "lines.txt", "\n".join(WORDS) + "\x00\n\x1b[31m\n"
    yield "no_extension", HEAD + GOOD
    yield "wrong.parquet", HEAD + GOOD
    yield "wrong.gz", HEAD + GOOD
    yield "image.png", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20
    yield "workbook.csv", b"PK\x03\x04" + bytes(range(256)) * 20
    yield "document.csv", b"%PDF-1.7\n" + bytes(range(256)) * 20


def _encodings() -> Iterator[tuple[str, str | bytes]]:
    chinese = "文本,标签\n" + "这家酒店的房间很干净，服务也好,正面\n早餐不好，不会再来了,负面\n" * 20
    french = "texte,classe\n" + "déjà vu à la télé,bon\nça ne m'a pas plu,mauvais\n" * 20
    for name in ("gb18030", "gbk", "big5", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-8-sig", "hz"):
        yield f"chinese_{name}.csv", chinese.replace("这家", "").encode(name, "replace")
    for name in ("cp1252", "latin-1", "mac-roman", "cp437", "utf-16", "utf-7"):
        yield f"french_{name}.csv", french.encode(name, "replace")
    for name, (good_text, bad_text) in OTHER_TEXTS.items():
        yield f"other_{name}.csv", (HEAD + f"{good_text},pos\n{bad_text},neg\n" * 20).encode(name)
    good = (HEAD + GOOD + "很好,pos\n" * 20).encode()
    yield "one_bad_byte.csv", good + b"caf\xe9,pos\n" + good[11:]
    yield "bad_byte_late.csv", HEAD.encode() + b"plain ascii,pos\n" * 30_000 + b"\xff\xfe\x80,neg\n" * 3
    yield "half_gb18030.csv", good + "这家酒店的房间很干净,正面\n".encode("gb18030") * 5
    yield "half_utf16.csv", good + (HEAD + GOOD).encode("utf-16-le")
    yield "overlong_utf8.csv", good + b"\xc0\xaf\xe0\x80\xaf,pos\n"
    yield "surrogates_utf8.csv", good + b"\xed\xa0\x80 lone,pos\n"
    yield "beyond_unicode.csv", good + b"\xf7\xbf\xbf\xbf,pos\n"
    yield "cut_character.csv", good + "好".encode()[:2]
    yield "utf16_odd.csv", (HEAD + GOOD).encode("utf-16") + b"\x61"
    yield "utf16_lone_surrogate.csv", (HEAD + GOOD).encode("utf-16") + b"\x00\xd8a\x00\n\x00"
    yield "utf16_bom_only.csv", b"\xff\xfe"
    yield "utf8_bom_only.csv", b"\xef\xbb\xbf"
    yield "utf8_bom_twice.csv", b"\xef\xbb\xbf\xef\xbb\xbf" + good
    yield "wrong_bom.csv", b"\xff\xfe" + good
    yield "mojibake.csv", HEAD + "".join(f"cafÃ© nÂ° {i} â€œniceâ€\x9d,{LABELS[i % 2]}\n" for i in range(20))
    yield "junk.csv", random.Random(1).randbytes(20_000)
    yield "junk.tsv", random.Random(2).randbytes(100)
    yield "junk.jsonl", random.Random(3).randbytes(20_000)
    yield "junk.txt", random.Random(4).randbytes(20_000)
    yield "high_junk.csv", bytes(random.Random(5).choices(range(128, 256), k=20_000))


def _jsons() -> Iterator[tuple[str, str | bytes]]:
    rows = [{"text": f"a text {i}", "label": LABELS[i % 2]} for i in range(30)]
    good = "".join(json.dumps(row) + "\n" for row in rows)
    for name, bad in {
        "garbage": "not json at all\n{\n}\n]\n", "scalars": '1\n"text"\nnull\ntrue\n[1, 2]\n', "cut": '{"text": "cut of',
        "two_on_a_line": '{"text": "a"} {"text": "b"}\n', "single_quotes": "{'text': 'a'}\n", "trailing_comma": '{"text": "a",}\n',
        "deep": "[" * 100_000 + "\n", "deep_object": '{"a":' * 50_000 + "1" + "}" * 50_000 + "\n",
        "huge_integer": '{"text": "a", "label": ' + "9" * 5_000 + "}\n", "nan": '{"text": NaN, "label": Infinity}\n',
        "lone_surrogate": '{"text": "\\ud800 alone", "label": "pos"}\n', "nul": '{"text": "a\\u0000b", "label": "p\\u0000os"}\n',
        "raw_nul": '{"text": "a\0b", "label": "pos"}\n', "missing_keys": '{"text": "a"}\n{"label": "pos"}\n{}\n',
        "nested": '{"text": {"a": [1, {"b": 2}]}, "label": ["x", ["y"]]}\n', "other_types": '{"text": 5, "label": true}\n',
        "nulls": '{"text": null, "label": null}\n', "duplicate_keys": '{"text": "a", "text": "b", "label": "pos"}\n',
        "surrogate_key": '{"\\udfff": 1, "text": "a", "label": "pos"}\n', "empty_key": '{"": 1, "text": "a", "label": "pos"}\n',
    }.items():  # fmt: skip
        yield f"json_{name}.jsonl", good + bad + good
        yield f"json_{name}_alone.jsonl", bad
    yield "json_lists.jsonl", "".join(json.dumps({"text": f"t{i}", "label": ["a", "b"][: i % 3]}) + "\n" for i in range(30))
    yield "json_array.json", json.dumps(rows)
    yield "json_pretty.json", json.dumps(rows[0], indent=1)
    yield "json_empty.jsonl", ""
    yield "json_utf16.jsonl", good.encode("utf-16")
    yield "json_blank_lines.jsonl", good.replace("\n", "\n\n")
    yield "json_long.jsonl", json.dumps({"text": "x" * 10_000_000, "label": "pos"}) + "\n" + good
    yield "json_too_long.jsonl", json.dumps({"text": "x" * 17_000_000, "label": "pos"}) + "\n" + good


def _packed() -> Iterator[tuple[str, bytes]]:
    whole = gzip.compress((HEAD + GOOD * 50).encode(), mtime=0)
    yield "whole.csv.gz", whole
    yield "truncated.csv.gz", whole[: len(whole) // 2]
    yield "truncated_header.csv.gz", whole[:5]
    yield "bad_checksum.csv.gz", whole[:-8] + bytes(8)
    yield "bad_middle.csv.gz", whole[:60] + b"\xff" * 20 + whole[80:]
    yield "trailing_junk.csv.gz", whole + b"junk after the end"
    yield "two_members.csv.gz", whole + gzip.compress(GOOD.encode(), mtime=0)
    yield "packed_twice.csv.gz", gzip.compress(whole, mtime=0)
    yield "packed_nothing.csv.gz", gzip.compress(b"", mtime=0)
    yield "packed_unnamed.csv", whole
    yield "bomb.csv.gz", gzip.compress(HEAD.encode() + b"0" * 40_000_000, mtime=0)


def _generated() -> Iterator[tuple[str, bytes]]:
    """A sound table with a few random wounds: bytes replaced, deleted, doubled, quotes and breaks strewn in."""
    for seed in range(80):
        chance = random.Random(seed)
        rows = [f'"{chance.choice(WORDS)} {i}",{chance.choice(LABELS)}\n'.replace('""', '"') for i in range(40)]
        data = bytearray((HEAD + "".join(rows)).encode())
        for _ in range(chance.randint(1, 12)):
            at = chance.randrange(len(data))
            wound = chance.choice((b'"', b"\n", b"\r", b"\0", b",", b"\xff", b"\t", b'"""', b"\xe4\xbd", b""))
            data[at : at + chance.choice((0, 1, 1, 30))] = wound
        yield f"wounded_{seed:02}.{chance.choice(('csv', 'tsv', 'csv', 'txt'))}", bytes(data)


def _parquets(folder: Path) -> Iterator[Path]:
    pa, pq = __import__("pyarrow"), __import__("pyarrow.parquet").parquet
    good = {"text": [f"a text {i}" for i in range(30)], "label": [LABELS[i % 2] for i in range(30)]}
    bad_text = pa.Array.from_buffers(
        pa.string(), 2, [None, pa.py_buffer(b"\0\0\0\0\1\0\0\0\2\0\0\0"), pa.py_buffer(b"\xff\xfe")]
    )
    tables = {
        "good": pa.table(good), "no_rows": pa.table({"text": pa.array([], pa.string()), "label": pa.array([], pa.string())}),
        "nulls": pa.table({"text": [None, "a", "b"], "label": ["x", None, "y"]}),
        "no_columns": pa.table({}), "binary": pa.table({"text": [b"\xff", b"ok"], "label": ["x", "y"]}),
        "bad_utf8": pa.table({"text": bad_text, "label": ["x", "y"]}),
        "same_names": pa.table([pa.array(["a"]), pa.array(["b"])], names=["text", "text"]),
        "floats": pa.table({"text": good["text"], "label": [float("nan"), 1.0, 2.0] * 10}),
        "nested": pa.table({"text": good["text"], "label": [["a", "b"], [], ["a"]] * 10, "more": [{"x": b"\xff"}] * 30}),
        "dates": pa.table({"text": good["text"], "label": good["label"], "date": pa.array([2**45] * 30, pa.timestamp("s"))}),
    }  # fmt: skip
    for name, table in tables.items():
        pq.write_table(table, folder / f"parquet_{name}.parquet")
        yield folder / f"parquet_{name}.parquet"
    whole = (folder / "parquet_good.parquet").read_bytes()
    for name, data in {"truncated": whole[:-20], "half": whole[: len(whole) // 2], "headless": b"PARX" + whole[4:], "magic": b"PAR1",
                       "garbage": b"PAR1" + random.Random(6).randbytes(500) + b"PAR1",
                       "wounded": whole[:20] + b"\xff" * 40 + whole[60:]}.items():  # fmt: skip
        yield _write(folder / f"parquet_{name}.parquet", data)


def _folders(folder: Path) -> Iterator[Path]:
    def made(name: str, files: dict[str, str | bytes]) -> Path:
        for path, data in files.items():
            (folder / name / path).parent.mkdir(parents=True, exist_ok=True)
            _write(folder / name / path, data)
        (folder / name).mkdir(exist_ok=True)
        return folder / name

    yield made("folder_empty", {})
    yield made("folder_strange", {"readme.md": "hello", "a.csv": HEAD + GOOD})
    yield made("folder_two_trains", {"train.csv": HEAD + GOOD, "train.tsv": HEAD + GOOD})
    yield made("folder_other_columns", {"train.csv": HEAD + GOOD, "test.csv": "words,label\na,pos\n"})
    yield made("folder_broken_test", {"train.csv": HEAD + GOOD, "test.csv": ""})
    yield made("folder_one_class", {"pos/1.txt": "good", "pos/2.txt": "fine"})
    yield made(
        "folder_odd_texts", {"pos/1.txt": "good", "neg/1.txt": b"\xff\xfe\xff bad", "neg/2.txt": "", "neg/3.txt": b"\0\0"}
    )
    yield made("folder_split_without_class", {"train/1.txt": "good", "test/1.txt": "fine"})
    pipe = made("folder_with_pipe", {"pos/1.txt": "good", "neg/1.txt": "bad"})
    if not (pipe / "neg/2.txt").exists():
        os.mkfifo(pipe / "neg/2.txt")
    yield pipe
    long = made("folder_named.csv", {"a b/1.txt": "labels of folders, too, may hold a space", "中 文/1.txt": "是的"})
    yield long


def _specials(folder: Path) -> Iterator[Path]:
    yield folder / "not_there.csv"
    yield Path("/dev/null")
    yield Path("/dev/zero")
    yield folder / ("x" * 300 + ".csv")
    yield folder / "empty.csv" / "below_a_file.csv"
    for name, target in {"dangling.csv": "nowhere.csv", "loop.csv": "loop.csv", "loop_a.csv": "loop_b.csv", "loop_b.csv": "loop_a.csv",
                         "link_to_folder.csv": "folder_empty"}.items():  # fmt: skip
        if not (folder / name).is_symlink():
            (folder / name).symlink_to(target)
        yield folder / name
    pipe, plug = folder / "pipe.csv", folder / "s.csv"
    if not pipe.exists():
        os.mkfifo(pipe)
    if not plug.exists():
        _bind(plug)
    locked = _write(folder / "no_permission.csv", HEAD + GOOD)
    locked.chmod(0)
    yield from (pipe, plug, locked)


def _bind(path: Path) -> None:
    """A socket, by a name relative to its folder: the full one may be too long for the system."""
    here = Path.cwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as plug:
            plug.bind(path.name)
    finally:
        os.chdir(here)
