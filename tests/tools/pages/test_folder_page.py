"""The page over many runs: one sealed file in which hostile texts stay texts."""

from __future__ import annotations

import base64
import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests import many_runs
from zhuji.core.errors import NotABundle
from zhuji.core.files import read_json
from zhuji.tools.pages.folder_page import folder_facts, folder_page
from zhuji.tools.report import write_report

EVIL = "x\"'><script>alert(1)</script><img src=y onerror=alert(1)>"


class Tags(HTMLParser):
    """Every tag with its attributes, and that each is closed."""

    VOID = frozenset({"meta", "input", "path", "circle", "br"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        self.open += [] if tag in self.VOID else [tag]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert tag in self.VOID or self.open.pop() == tag


def page(root: Path) -> str:
    return write_report(root).page.read_text(encoding="utf-8")


def test_one_sealed_file(tmp_path: Path) -> None:
    for i in range(3):
        many_runs.write(tmp_path, f"{i:03d}-run", (0.7 + i / 20, 0.65, 0.9), sha="ab"[i // 2])
    found = write_report(tmp_path)
    assert found.page == tmp_path / "report.html" and found.pictures == () and "3 runs: 3 finished" in found.verdict
    text = found.page.read_text(encoding="utf-8")
    tags = Tags(text)
    assert not tags.open and not re.search(r"https?:|//cdn|@import|url\(", text)
    assert not {"img", "link", "iframe", "object"} & {tag for tag, _ in tags.seen}
    assert not [attrs for _, attrs in tags.seen if "style" in attrs or any(name.startswith("on") for name in attrs)]
    assert {f"{i:03d}-run/report.html" for i in range(3)} <= {attrs.get("href") for _, attrs in tags.seen}


def test_the_policy_names_the_one_style_and_the_one_program(tmp_path: Path) -> None:
    many_runs.write(tmp_path, "1")
    text = page(tmp_path)
    [policy] = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    for kind in ("style", "script"):
        [content] = re.findall(rf"<{kind}>(.*?)</{kind}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in policy.replace("&#39;", "'").replace("&#43;", "+")
    assert "unsafe" not in policy and "default-src 'none'" in policy


def test_hostile_texts_stay_texts(tmp_path: Path) -> None:
    name = EVIL.replace("/", "⁄")
    folder = many_runs.write(tmp_path, name, data=name)
    results = read_json(folder / "results.json")
    score = results["test"]["accuracy"]
    more = {"metric": EVIL, "test": {EVIL: score}, "baselines": {EVIL: {EVIL: score}}, "model": {"task": EVIL, "parameters": 1}}
    many_runs.dump(folder / "results.json", {**results, **more})
    many_runs.dump(folder / "run.yaml", {"recipe": EVIL, "backbone": {"name": EVIL}, "data": {"path": name, "label": EVIL}})
    many_runs.dump(
        folder / "benchmark.json", {"formats": [{"format": EVIL, "p50_ms": 1, "score": score}], "machine": {EVIL: EVIL}}
    )
    broken = many_runs.write(tmp_path, "broken" + name)
    (broken / "run.yaml").write_text(f"{EVIL}: [")
    tags = Tags(page(tmp_path))
    assert not tags.open and [tag for tag, _ in tags.seen].count("script") == 1 and "img" not in {tag for tag, _ in tags.seen}
    assert not [attrs for _, attrs in tags.seen if any(key.startswith("on") for key in attrs)]


def test_half_characters_do_not_keep_a_page_from_being_written(tmp_path: Path) -> None:
    half = "\ud800"
    folder = many_runs.write(tmp_path, "1", data=half, metric=half)
    many_runs.dump(folder / "run.yaml", {"recipe": half, "data": {"path": half}})
    many_runs.dump(folder / "benchmark.json", {"formats": [{"format": half, "p50_ms": 1.0}], "machine": half})
    (many_runs.write(tmp_path, "2") / "run.yaml").write_text('"\\ud800": [')
    assert "1 unreadable" in page(tmp_path)


def test_a_broken_run_does_not_break_the_page(tmp_path: Path) -> None:
    many_runs.write(tmp_path, "001-good")
    (many_runs.write(tmp_path, "002-bad") / "results.json").write_text('{"half')
    text = page(tmp_path)
    assert "001-good" in text and "002-bad" in text and "1 unreadable" in text and "Not compared" in text


def test_it_reads_without_any_program(tmp_path: Path) -> None:
    many_runs.write(tmp_path, "001-only")
    text = re.sub(r"<script>.*?</script>", "", page(tmp_path), flags=re.DOTALL)
    assert "0.800" in text and "[0.780, 0.820]" in text and '<svg class="chart"' in text


def test_chinese(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many_runs.write(tmp_path, "001-only")
    monkeypatch.setenv("ZHUJI_LANG", "zh")
    text = page(tmp_path)
    assert '<html lang="zh-CN">' in text and "全部运行" in text and "1 个运行：1 个已完成。" in text


def test_a_run_alone_has_its_own_report_and_an_empty_folder_none(tmp_path: Path) -> None:
    with pytest.raises(NotABundle):
        write_report(tmp_path)
    unfinished = many_runs.write(tmp_path, "1", None)
    with pytest.raises(NotABundle):
        write_report(unfinished)


def test_pages_of_many_runs_stay_small_and_quick(tmp_path: Path) -> None:
    for i in range(12):
        many_runs.write(tmp_path, f"{i:03d}", (0.5 + i / 50, 0.4, 0.9), steps=3000)
    facts = folder_facts(tmp_path)
    assert len(folder_page(tmp_path, facts)) < 12 * 60_000 and facts["count"] == 12
