"""The page's files: what is sent with which headers, and that they hold nothing that needs more than their policy allows."""

from __future__ import annotations

import io
import json
import re
from html.parser import HTMLParser
from typing import get_args

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from PIL import Image

from zhuji.core.contracts import Modality
from zhuji.core.lookup import names
from zhuji.serving.facts import Answers
from zhuji.serving.routes import page
from zhuji.serving.uploads import ending_of

SCRIPTS = sorted(page.FOLDER.rglob("*.js"))
WORDS = json.loads((page.FOLDER / "words.json").read_text(encoding="utf-8"))
HTML = (page.FOLDER / "index.html").read_text(encoding="utf-8")
ASKING = re.compile(r'"-?([a-z][a-z_]*)"')


@pytest.fixture(scope="module")
def client():
    app = FastAPI()
    app.include_router(page.router(None))
    with TestClient(app) as client:
        yield client


def test_the_page_and_all_of_its_files_are_sent_sealed(client):
    for path in ["/", *(f"/page/{name}" for name in page.files())]:
        answer = client.get(path)
        assert answer.status_code == 200
        policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
        assert (policy["default-src"], policy["script-src"], policy["style-src"]) == ("'none'", "'self'", "'self'")
        assert (policy["connect-src"], policy["frame-ancestors"], policy["base-uri"]) == ("'self'", "'none'", "'none'")
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert (answer.headers["x-content-type-options"], answer.headers["referrer-policy"]) == ("nosniff", "no-referrer")
    assert client.get("/").text == HTML
    assert client.get("/page/page.js").headers["content-type"].startswith("text/javascript")
    assert client.get("/page/answers/class.js").text == (page.FOLDER / "answers" / "class.js").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    "name",
    ["none.js", "../routes/page.py", "..%2f..%2fversion.py", "%2e%2e/routes/page.py", "/etc/passwd", "", "answers", "%00"],
)
def test_nothing_else_is_sent(client, name):
    answer = client.get(f"/page/{name}")
    assert answer.status_code == 404
    assert answer.content in (b"", b'{"detail":"Not Found"}')


def test_what_the_browser_has_is_not_sent_again(client):
    tag = client.get("/page/page.css").headers["etag"]
    again = client.get("/page/page.css", headers={"If-None-Match": tag})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert client.get("/page/page.css", headers={"If-None-Match": '"other"'}).status_code == 200


def test_a_file_beside_the_page_that_is_no_part_of_it_is_not_sent(tmp_path):
    (tmp_path / "a.js").write_text("1")
    (tmp_path / "notes.txt").write_text("2")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.css").write_text("3")
    assert sorted(page.files(tmp_path)) == ["a.js", "deep/b.css"]


class Seen(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.said: dict[str, str] = {}
        self._key: str | None = None

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._key = dict(attrs).get("data-words")

    def handle_data(self, data):
        if self._key:
            self.said[self._key] = data
        self._key = None


def seen() -> Seen:
    found = Seen()
    found.feed(HTML)
    return found


def test_nothing_stands_inline_and_nothing_comes_from_elsewhere():
    for tag, attributes in seen().tags:
        assert not [name for name in attributes if name == "style" or name.startswith("on")]
        assert tag != "style" and (tag != "script" or attributes["src"])
    sources = [*SCRIPTS, page.FOLDER / "index.html", page.FOLDER / "page.css"]
    for file in sources:
        text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|@import|//cdn", text), file
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|srcdoc", text), file
        assert not re.search(r"localStorage|sessionStorage|indexedDB|cookie|serviceWorker|sendBeacon|WebSocket", text), file


def test_scripts_are_as_small_as_the_rest_of_the_house():
    for file in SCRIPTS:
        lines = file.read_text(encoding="utf-8").splitlines()
        assert len(lines) < 400 and max(map(len, lines)) <= 140, file
        assert lines[0].startswith("// "), f"{file} does not say what it is"


def test_every_module_that_is_named_is_there():
    for file in SCRIPTS:
        for name in re.findall(r'from "([^"]+)"', file.read_text(encoding="utf-8")):
            assert name.startswith(".") and (file.parent / name).resolve().is_file(), (file, name)


def test_every_kind_of_input_and_of_answer_has_its_module():
    for folder, known in (("inputs", names(Modality)), ("answers", get_args(Answers))):
        assert sorted(file.stem for file in (page.FOLDER / folder).glob("*.js")) == sorted(known), folder


@pytest.mark.parametrize("name", ["image", "speech"])
def test_an_example_has_a_name_that_the_server_takes(name):
    """Of every beginning of a file that is read, such as that of TIFF."""
    source = (page.FOLDER / "inputs" / f"{name}.js").read_text(encoding="utf-8")
    (rest,) = re.findall(r'fileOf\([^()]*, BEGINNINGS, "(\w+)"\)', source)
    (told,) = re.findall(r"^const BEGINNINGS = (\[.*?\]);", source, re.M | re.S)
    known = re.findall(r'\["((?:[^"\\]|\\.)+)", "(\w+)"\]', told)
    assert len(known) > 3
    for ending in (rest, *(ending for _, ending in known)):
        assert ending_of(f"example.{ending}") == f".{ending}"
    if name == "image":
        beginnings = [beginning.encode("latin-1").decode("unicode_escape").encode("latin-1") for beginning, _ in known]
        for form in ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF"):
            file = io.BytesIO()
            Image.new("RGB", (2, 2)).save(file, form)
            assert any(file.getvalue().startswith(beginning) for beginning in beginnings), form


def test_both_languages_say_the_same_keys_with_the_same_values():
    assert set(WORDS) == {"en", "zh"}
    assert set(WORDS["en"]) == set(WORDS["zh"])
    for key, english in WORDS["en"].items():
        holes = [sorted(re.findall(r"\{[\w:]+\}", text)) for text in (english, WORDS["zh"][key])]
        assert holes[0] == holes[1], key
        assert english.strip() and WORDS["zh"][key].strip()


def test_words_are_used_and_those_that_are_used_are_there():
    said = seen().said
    assert {key: WORDS["en"][key] for key in said if said[key].strip()} == {
        key: text for key, text in said.items() if text.strip()
    }
    source = "\n".join(file.read_text(encoding="utf-8") for file in SCRIPTS)
    quoted = set(ASKING.findall(source)) | set(said)
    patterns = [
        f"trouble_{kind}{end}" for kind in ("away", "busy", "broken", "refused", "key", "wrong_key") for end in ("", "_help")
    ]
    patterns += [f"how_{name}" for name in ("sample", "greedy", "beam")]
    assert set(WORDS["en"]) <= quoted | set(patterns), "words that nobody says"
    asked = re.findall(r'(?:say|spoken|copier|label|rename)\((?:[^"()]|\([^()]*\))*?"(?:[a-z]\w*)"(?:, "([a-z]\w*)")?', source)
    assert {key for key in asked if key} <= set(WORDS["en"]), "words that are not there"
    assert set(patterns) <= set(WORDS["en"])


def test_every_answer_and_input_says_what_it_must():
    for file in (page.FOLDER / "answers").glob("*.js"):
        source = file.read_text(encoding="utf-8")
        assert all(re.search(rf"export (const|function) {name}\b", source) for name in ("show", "told", "cell")), file
    for file in (page.FOLDER / "inputs").glob("*.js"):
        source = file.read_text(encoding="utf-8")
        others = re.findall(r'export \* from "\./(\w+\.js)"', source)
        source += "".join((file.parent / other).read_text(encoding="utf-8") for other in others)
        assert all(re.search(rf"export (const|function) {name}\b", source) for name in ("input", "name")), file
    kinds = {path.stem for path in (page.FOLDER / "answers").glob("*.js")}
    assert kinds == {"boxes", "class", "classes", "number", "tags", "text", "vector", "units", "sound"}
