"""The page in a headless browser, against a server that says what is asked of it: every kind of answer, files, languages, themes,
troubles. With the true server: `tests/slow/test_playground.py`."""

from __future__ import annotations

import itertools
import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser import violations
from tests.serving import pretend
from tests.serving.browser import browsing, choose, scores, send, watched
from zhuji.data.tags import spans

pytestmark = pytest.mark.enable_socket
TEXT = "The actors were wonderful, but the story never got anywhere."


@pytest.fixture(scope="module")
def browser():
    with browsing() as found:
        yield found


@pytest.fixture(scope="module")
def state():
    return pretend.State()


@pytest.fixture(scope="module")
def address(browser, state):
    with pretend.serving(pretend.application(state)) as found:
        yield found


@pytest.fixture
def view(browser, address):
    with watched(browser, address) as found:
        yield found


def shown(page, what="#result [data-answer]"):
    return page.locator(what).first.get_attribute("data-answer")


def test_answers_of_every_kind_are_those_of_the_server(view):
    page, names = view.open(), ["reviews", "topics", "stars", "names", "en-zh", "bert"]
    for name, text in itertools.product(names, (TEXT, pretend.HARD, "The capital is [MASK] in London .")):
        choose(page, name)
        send(page, text)
        told = pretend.answer(pretend.find(name)["answers"], text)
        raw = shown(page)
        if isinstance(told["answer"], float):
            assert float(raw) == told["answer"]
        else:
            assert (json.loads(raw) if isinstance(told["answer"], list) else raw) == told["answer"]
        if told["scores"]:
            assert scores(page) == told["scores"]
            assert list(scores(page)) == sorted(told["scores"], key=lambda label: -told["scores"][label])
        elif told["score"] is not None:
            assert float(page.locator("#result [data-score]").first.get_attribute("data-score")) == told["score"]
        assert page.locator("#said").inner_text()
    assert page.locator("#history-body li").count() == 18


@pytest.mark.slow
def test_every_class_can_be_reached_by_keyboard(view):
    page = view.open()
    send(page, TEXT)
    assert page.locator(".bars tr:visible").count() == 8
    page.get_by_role("button", name="All 12 classes").focus()
    page.keyboard.press("Enter")
    assert page.locator(".bars tr:visible").count() == 12
    page.keyboard.press("Enter")
    assert page.locator(".bars tr:visible").count() == 8


@pytest.mark.slow
def test_spans_stand_out_where_they_stand(view):
    page = view.open("lang=en&model=names")
    text = "Ada  Lovelace met\nCharles in London ."
    send(page, text)
    marks = page.locator("mark").evaluate_all("all => all.map(mark => [mark.dataset.kind, mark.firstChild.data])")
    assert marks == [["PER", "Ada  Lovelace"], ["PER", "Charles"], ["LOC", "London"]]
    whole = page.locator(".tagged").evaluate("p => [...p.childNodes].map(n => (n.firstChild ?? n).data).join('')")
    assert whole == text
    page.get_by_text("As a table").click()
    assert page.locator(".rows tbody tr").all_text_contents() == ["PERAda  Lovelace", "PERCharles", "LOCLondon"]
    send(page, "我在北京。")
    assert page.locator("mark").evaluate_all("all => all.map(mark => [mark.dataset.kind, mark.firstChild.data])") == [
        ["LOC", "北京"]
    ]


def test_spans_are_found_as_python_finds_them(view):
    page, draw = view.open(), random.Random(0)
    for letters in ("BIO", "BIOES"):
        tags = ["O", *(f"{letter}-{kind}" for letter in letters if letter != "O" for kind in ("PER", "LOC"))]
        rows = [draw.choices(tags, k=draw.randint(1, 12)) for _ in range(200)]
        rows = [row for row in rows if any(tag != "O" for tag in row)]
        found = page.evaluate(
            "async rows => { const { spans } = await import('/page/answers/tags.js'); return rows.map(spans); }", rows
        )
        for row, mine in zip(rows, found, strict=True):
            assert [(one["kind"], one["first"], one["last"]) for one in mine] == list(spans(row)), row
    plain = page.evaluate(
        "async rows => { const { spans } = await import('/page/answers/tags.js'); return rows.map(spans); }",
        [["NN", "O", "VB"]],
    )
    assert [(one["kind"], one["first"], one["last"]) for one in plain[0]] == [("NN", 0, 0), ("VB", 2, 2)]


@pytest.mark.slow
def test_vectors_are_measured_and_compared(view):
    page = view.open("lang=en&model=sentences")
    send(page, TEXT)
    a = pretend.answer("vector", TEXT)["answer"]
    assert json.loads(shown(page)) == a
    size = float(page.locator(".facts dd").nth(1).get_attribute("data-value"))
    assert size == pytest.approx(sum(x * x for x in a) ** 0.5, abs=1e-12)
    assert page.locator(".numbers li").count() == 8
    send(page, TEXT, "Another one.")
    b = pretend.answer("vector", "Another one.")["answer"]
    cosine = sum(x * y for x, y in zip(a, b)) / (sum(x * x for x in a) * sum(y * y for y in b)) ** 0.5
    assert float(page.locator("[data-likeness]").get_attribute("data-likeness")) == pytest.approx(cosine, abs=1e-12)


@pytest.mark.slow
def test_a_text_grows_and_can_be_stopped(view, state):
    page = view.open("lang=en&model=gpt")
    page.locator("#input textarea").fill("Once")
    page.get_by_text("Settings").click()
    page.get_by_label("Units at most").fill("3")
    send(page)
    assert shown(page) == " there was a"
    page.get_by_label("Units at most").fill("128")
    state.pause = 0.3
    try:
        page.get_by_role("button", name="Write", exact=True).click()
        page.locator("#result .new", has_text="was").wait_for()
        page.get_by_role("button", name="Stop").click()
        page.wait_for_selector("#result .times")
    finally:
        state.pause = 0.0
    assert shown(page) in (" there was", " there was a")
    assert page.get_by_text("Stopped.").is_visible()
    page.get_by_label("How to choose").select_option("beam")
    assert page.get_by_label("Temperature").is_disabled()
    send(page)
    assert shown(page) == "".join(f" {word}" for word in pretend.STORY)
    page.get_by_label("Judge the text").check()
    send(page, TEXT)
    assert float(shown(page)) == pretend.answer("number", TEXT)["answer"]


@pytest.mark.slow
def test_words_speak_for_and_against_and_examples_are_near(view):
    page = view.open()
    send(page, TEXT)
    page.get_by_role("button", name="Explain on the words").click()
    page.locator(".explained").first.wait_for()
    assert page.locator(".explained").all_inner_texts() == [TEXT, TEXT]
    assert page.get_by_text("For “actors → negative”").is_visible()
    assert page.get_by_text("read them with care").is_visible()
    parts = page.locator(".explained").first.locator(".part")
    right = parts.evaluate_all("all => all.map(part => part.dataset.weight < 0 === part.classList.contains('against'))")
    assert all(right) and len(right) == 2 * len(TEXT.split()) - 1
    page.locator("#result").get_by_text("As a table").first.click()
    rows = page.locator(".more .rows").first.locator("tbody tr")
    strengths = rows.evaluate_all("all => all.map(row => Math.abs(row.dataset.weight))")
    assert strengths == sorted(strengths, reverse=True) and len(strengths) == len(TEXT.split())
    page.get_by_role("button", name="Nearest examples").click()
    page.wait_for_selector(".nearest")
    assert page.locator(".nearest tbody tr").count() == 3


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("rows.csv", 'text\n"a ""quoted"" one, with\na new line"\n中文\n'),
        ("rows.jsonl", '{"text": "one"}\n{"text": "中文"}\n'),
        ("行 it's.txt", "one\ntwo\nthree\n"),
    ],
)
def test_a_file_becomes_a_table_and_a_csv_file(view, name, body, tmp_path):
    page = view.open()
    page.set_input_files("#file input", {"name": name, "mimeType": "text/plain", "buffer": body.encode()})
    page.wait_for_selector("#result .times")
    texts = pretend.rows(name, body)
    answers = page.locator(".file tbody tr").evaluate_all(
        "rows => rows.map(row => [JSON.parse(row.dataset.answer), Number(row.dataset.score)])"
    )
    told = [pretend.answer("class", text) for text in texts]
    assert answers == [[one["answer"], one["score"]] for one in told]
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as CSV").click()
    assert download.value.suggested_filename == f"{Path(name).stem}-reviews.csv"
    lines = Path(download.value.path()).read_text(encoding="utf-8")
    assert lines.startswith("text,prediction,score") and str(told[0]["score"]) in lines
    assert run_curl(page, tmp_path, {name: body})["predictions"][0]["scores"] == told[0]["scores"]
    assert repr(told[-1]["score"]) in run_python(page, tmp_path)


def test_a_file_can_be_dropped_anywhere(view):
    page = view.open()
    drop = """() => { const data = new DataTransfer(); data.items.add(new File(["one\\ntwo\\n"], "rows.txt"));
        for (const type of ["dragover", "drop"]) document.body.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true })); }"""
    page.evaluate(drop)
    page.wait_for_selector(".file")
    assert page.locator(".file tbody tr").count() == 2
    assert page.get_by_text("rows.txt: 2 rows answered").first.is_visible()


@pytest.mark.slow
def test_a_file_of_something_else_is_refused_in_the_servers_words(view):
    page = view.open()
    page.set_input_files("#file input", {"name": "rows.bin", "mimeType": "x/y", "buffer": b"\xff\xfe\xfa"})
    page.wait_for_selector("[data-trouble=refused]")
    assert "this is not a file of rows" in page.locator(".trouble").inner_text()


def code(page, way):
    page.locator("#calls").get_by_label(way, exact=True).check()
    return page.locator("#calls code").inner_text()


def run_curl(page, folder, files=None, env=None):
    if not shutil.which("curl"):
        pytest.skip("no curl here")
    for name, body in (files or {}).items():
        (folder / name).write_text(body, encoding="utf-8")
    done = subprocess.run(["bash", "-c", code(page, "curl")], cwd=folder, capture_output=True, check=True, timeout=30, env=env)
    return json.loads(done.stdout)


def run_python(page, folder):
    done = subprocess.run(
        [sys.executable, "-c", code(page, "Python")], cwd=folder, capture_output=True, text=True, check=True, timeout=30
    )
    return done.stdout


def test_curl_and_python_give_what_the_page_shows(view, tmp_path):
    page = view.open()
    send(page, pretend.HARD)
    told = pretend.answer("class", pretend.HARD)
    assert run_curl(page, tmp_path)["predictions"][0]["scores"] == told["scores"]
    said = run_python(page, tmp_path)
    assert f"'answer': {told['answer']!r}" in said and repr(told["score"]) in said
    assert TEXT not in page.locator("#calls").inner_text()


@pytest.mark.slow
def test_the_page_keeps_nothing_and_brings_back_what_was_asked(view):
    page = view.open()
    send(page, TEXT)
    send(page, pretend.HARD)
    choose(page, "stars")
    page.locator("#history-body .past button").nth(1).click()
    page.wait_for_selector("[data-model=reviews]")
    assert (page.locator("#model").input_value(), page.locator("#input textarea").input_value()) == ("reviews", TEXT)
    kept = "JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])"
    assert json.loads(page.evaluate(kept)) == [{}, {}, ""]
    page.get_by_role("button", name="Forget all").click()
    assert not page.locator("#history").is_visible()


def test_language_and_theme_switch_without_the_server(view):
    page = view.open("lang=en&theme=light")
    send(page, TEXT)
    view.context.set_offline(True)
    page.get_by_label("中文").check()
    assert page.locator("html").get_attribute("lang") == "zh-CN"
    assert (page.locator("#answer-title").inner_text(), page.locator("#send").inner_text()) == ("答案", "回答")
    assert "服务器用时" in page.locator(".times").inner_text()
    before = page.evaluate("getComputedStyle(document.documentElement).backgroundColor")
    page.get_by_label("深色").check()
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") != before
    assert "lang=zh" in page.url and "theme=dark" in page.url
    page.locator("#send").click()
    page.wait_for_selector("[data-trouble=away]")
    assert "服务器没有回应" in page.locator(".trouble").inner_text()
    view.context.set_offline(False)
    page.get_by_role("button", name="重试").click()
    page.wait_for_selector("#result .times")
    view.faults.clear()  # the browser itself says that it was offline


@pytest.mark.slow
def test_the_first_look_follows_the_browser(browser, address):
    with watched(browser, address, locale="zh-CN", color_scheme="dark") as view:
        page = view.open("")
        assert page.locator("html").get_attribute("lang") == "zh-CN"
        assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(18, 21, 24)"


@pytest.mark.slow
def test_a_busy_server_is_asked_again_later(view, state):
    page = view.open()
    state.busy = 1
    page.locator("#input textarea").fill(TEXT)
    page.locator("#send").click()
    page.wait_for_selector("[data-trouble=busy]")
    assert "the queue is full" in page.locator(".trouble").inner_text()
    page.get_by_text("Now is a good time.").wait_for()
    page.get_by_role("button", name="Try again").click()
    page.wait_for_selector("#result .times")
    state.broken = True
    try:
        page.locator("#send").click()
        page.wait_for_selector("[data-trouble=broken]")
    finally:
        state.broken = False


def test_a_key_is_asked_for_and_stays_in_memory(view, state, tmp_path):
    state.key = "s3cret"
    try:
        page = view.open()
        page.wait_for_selector("[data-trouble=key]")
        for given in ("wrong", "s3cret"):
            page.locator("#result input[type=password]").fill(given)
            page.keyboard.press("Enter")
            page.wait_for_timeout(50)
        send(page, TEXT)
        assert shown(page) == pretend.answer("class", TEXT)["answer"]
        assert "s3cret" not in page.content() and "s3cret" not in page.url
        assert run_curl(page, tmp_path, env={"ZHUJI_KEY": "s3cret", "PATH": "/usr/bin:/bin"})["predictions"]
        page.reload()
        page.wait_for_selector("[data-trouble=key]")
    finally:
        state.key = ""


@pytest.mark.slow
def test_a_kind_that_the_page_does_not_know_is_said(view):
    page = view.open("lang=en&model=pictures")
    assert "cannot show “picture” yet" in page.locator("#result").inner_text()
    assert len(view.faults) == 1 and "inputs/picture.js" in view.faults.pop()


def test_axe_finds_nothing(view):
    page = view.open()
    assert violations(page) == []
    send(page, TEXT)
    page.get_by_role("button", name="Explain on the words").click()
    page.locator(".explained").first.wait_for()
    page.locator("#result summary").first.click()
    assert violations(page) == []


def test_a_page_that_breaks_the_policy_is_noticed(browser, address):
    with pytest.raises(AssertionError, match="Content Security Policy"), watched(browser, address) as view:
        page = view.open()
        page.evaluate("document.body.setAttribute('style', 'color: red')")
        page.wait_for_timeout(100)
