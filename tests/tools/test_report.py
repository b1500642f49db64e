"""The report: one sealed file in which hostile texts stay texts."""

from __future__ import annotations

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from xml.dom import minidom

import pytest

from tests import supervised, trained
from zhuji.core.errors import NotABundle
from zhuji.core.files import read_json, write_json
from zhuji.tools.report import verdict, write_report


class Page(HTMLParser):
    """Collects tags and whether every one is closed."""

    VOID = frozenset({"meta", "br", "link", "img", "path", "use", "rect"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A copy of the trained run, to be spoiled."""
    return Path(shutil.copytree(trained.run(), tmp_path / "run", ignore=shutil.ignore_patterns("checkpoints", "tensorboard")))


def test_one_sealed_whole_page_with_pictures(run: Path) -> None:
    found = write_report(run)
    text = found.page.read_text(encoding="utf-8")
    page = Page(text)
    assert not page.open, "every tag is closed"
    assert not re.search(r"https?:|//cdn|@import|url\((?!#)", text)
    tags = [tag for tag, _ in page.seen]
    assert "script" not in tags and "img" not in tags and "link" not in tags and tags.count("h1") == 1
    pictures = [attrs for tag, attrs in page.seen if tag == "svg"]
    assert len(pictures) >= 6 and all(attrs["role"] == "img" and attrs["aria-label"] for attrs in pictures)
    assert {"scores", "curves", "confusion", "confusion-normalised", "reliability", "per-class-f1"} <= {
        p.stem for p in found.pictures
    }
    for path in found.pictures:
        minidom.parse(str(path))
    assert "鸟类" in text and "prefers-color-scheme: dark" in text


def test_hostile_texts_stay_texts(run: Path) -> None:
    evil = '"><script>alert(1)</script><img src=x onerror=alert(1)>'
    results = read_json(run / "results.json")
    results["labels"] = [evil if name == "cats" else name for name in results["labels"]]
    results["per_class"] = [{**c, "label": evil if c["label"] == "cats" else c["label"]} for c in results["per_class"]]
    results["baselines"] = {evil: next(iter(results["baselines"].values()))}
    write_json(run / "results.json", results)
    quoted = evil.replace('"', '""')
    (run / "predictions.csv").write_text(
        f'id,input,label,prediction,score\n1,"{quoted}","{quoted}",dogs,0.99\n', encoding="utf-8"
    )
    found = write_report(run)
    page = Page(found.page.read_text(encoding="utf-8"))
    assert not page.open and not {"script", "img"} & {tag for tag, _ in page.seen}
    assert not [attrs for _, attrs in page.seen if any(name.startswith("on") for name in attrs)]
    for path in found.pictures:
        minidom.parse(str(path))


def test_chinese_page(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZHUJI_LANG", "zh")
    text = write_report(run).page.read_text(encoding="utf-8")
    assert '<html lang="zh-CN">' in text and "测试集得分" in text and "混淆矩阵" in text


def test_the_same_run_gives_the_same_page(run: Path) -> None:
    first = write_report(run).page.read_bytes()
    assert write_report(run).page.read_bytes() == first


def test_verdicts() -> None:
    def of(own: tuple[float, float, float], best: tuple[float, float, float], metric: str = "accuracy") -> str:
        score = [dict(zip(("value", "low", "high"), x, strict=True)) for x in (own, best)]
        return verdict({"test": {metric: score[0]}, "baselines": {"plain": {metric: score[1]}}})

    assert "earns its keep" in of((0.9, 0.88, 0.92), (0.8, 0.78, 0.82))
    assert "use the baseline" in of((0.7, 0.68, 0.72), (0.8, 0.78, 0.82))
    assert "overlap" in of((0.81, 0.79, 0.83), (0.8, 0.78, 0.82))
    assert "earns its keep" in of((0.5, 0.45, 0.55), (0.9, 0.8, 1.0), "rmse")
    assert "no baseline" in verdict({"test": {"accuracy": {"value": 1.0, "low": 1.0, "high": 1.0}}})


def test_an_unfinished_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotABundle):
        write_report(tmp_path)


@pytest.mark.parametrize("result", [supervised.tagged, supervised.translated])
def test_runs_that_tag_or_translate_have_a_report(result, tmp_path):
    folder = Path(shutil.copytree(result().run, tmp_path / "run"))
    write_report(folder)
    assert read_json(folder / "results.json")["metric"] in (folder / "report.html").read_text(encoding="utf-8")


def test_baselines_stand_below_the_model_on_every_set_and_group(tmp_path):
    folder = Path(shutil.copytree(supervised.translated().run, tmp_path / "run"))
    write_report(folder)
    page, facts = (folder / "report.html").read_text(encoding="utf-8"), read_json(folder / "results.json")
    for named, sets in (("more_baselines", facts["more_tests"]), ("group_baselines", facts["by_group"])):
        for name in sets:
            copied = facts[named][name]["copy"]["chrf"]["value"]
            row = page[page.index(f"{name}: copy") :].split("</tr>")[0]
            assert f"{copied:.3f}" in row
            assert "chosen" not in page[: page.index(f"{name}: copy")].rsplit("<tr", 1)[1]
        assert page.count('class="chosen"') == 1 + len(facts["more_tests"]) + len(facts["by_group"])
