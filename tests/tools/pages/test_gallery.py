"""Pictures in the report: inside the page, bounded, with texts that stay texts; seen in a browser without a network."""

from __future__ import annotations

import base64
import io
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests import browser, pictured, voiced
from tests.serving import made
from tests.training.test_gallery import CLASSES, TASK, cleaned, found, picture, record, tone
from zhuji.core.contracts import Prediction
from zhuji.core.files import read_json, write_json
from zhuji.core.records import Box, Record
from zhuji.model.bundle import open_bundle
from zhuji.tasks.transcribe import Transcribe
from zhuji.tools.pages.found import read
from zhuji.tools.pages.gallery import gallery
from zhuji.tools.report import write_report
from zhuji.training.gallery import write, write_drawn, write_said

EVIL = '"><script>alert(1)</script>'


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A copy of the trained run without a gallery."""
    left_out = shutil.ignore_patterns("checkpoints", "tensorboard", "gallery")
    return Path(shutil.copytree(pictured.result().run, tmp_path / "run", ignore=left_out))


def with_mistakes(run: Path) -> Path:
    write(run / "gallery", [record(0, EVIL), record(1, "red", picture(shade=7))],
          [Prediction("green", 0.875), Prediction("蓝", 0.75)], TASK)  # fmt: skip
    return run


def with_objects(run: Path) -> Path:
    results = {**read_json(run / "results.json"), "kind": "detect", "labels": list(CLASSES), "confusion": []}
    write_json(run / "results.json", results)
    boxes = (Box("cat", 10, 10, 500, 300), Box("dog", 600, 60, 900, 400), Box("dog", 0, 0, 50, 50))
    write(run / "gallery", [record(0, boxes, picture((960, 480)))], [Prediction((found("dog", (600, 60, 900, 400)),))], TASK)
    return run


def test_a_mistake_stands_with_its_picture_class_answer_and_probability(run: Path) -> None:
    told = gallery(read(with_mistakes(run)))
    assert told is not None and not told.pairs
    first, second = told.pictures
    assert first.text == f"{EVIL} → green 0.875" and second.text == "red → 蓝 0.750" and first.small
    data = base64.b64decode(second.data.removeprefix("data:image/png;base64,"))
    with Image.open(io.BytesIO(data)) as image:
        assert np.asarray(image)[0, 0].tolist() == [7, 20, 200]


def test_objects_are_shown_as_marked_and_as_found(run: Path) -> None:
    told = gallery(read(with_objects(run)))
    assert told is not None and told.pairs
    marked, answered = told.pictures
    assert "1 cat, 2 dog" in marked.alt and "1 dog" in answered.alt
    assert answered.text == "1 found, 2 missed, 0 too many"
    with Image.open(io.BytesIO(base64.b64decode(answered.data.split(",")[1]))) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    orange, ground = (230, 159, 0), (100, 20, 200)
    # The dog's frame, in the thumbnail's pixels, is dashed in orange; the cat, which was not found, has none.
    assert 0.4 < (abs(pixels[40:190, 300] - orange).max(-1) < 60).mean() < 0.9
    assert (abs(pixels[10:140, 5] - ground).max(-1) < 30).all()


def test_the_page_shows_them_and_texts_stay_texts(run: Path) -> None:
    page = write_report(with_mistakes(run)).page
    text = page.read_text(encoding="utf-8")
    assert EVIL not in text and text.count("<img ") == 2 and "img-src data:" in text
    assert not re.search(r"https?:|//cdn", text)
    with browser.opened(viewport={"width": 360, "height": 700}, bypass_csp=True) as (view, asked, wrong):
        view.context.set_offline(True)
        view.goto(page.as_uri())
        widths = view.locator(".gallery img").evaluate_all("all => all.map(one => one.naturalWidth)")
        assert widths == [8, 8] and not wrong
        assert [address for address in asked if not address.startswith("data:image/png;base64,")] == [page.as_uri()]
        assert view.evaluate("document.documentElement.scrollWidth") <= 360
        assert not browser.violations(view)


def test_the_report_of_a_detector_counts_objects_and_shows_no_json(run: Path) -> None:
    text = write_report(with_objects(run)).page.read_text(encoding="utf-8")
    assert "test objects" in text and "test rows" not in text.split('id="data"')[0]
    assert text.count("<img ") == 2 and "Worst mistakes" not in text and "&#34;label&#34;" not in text
    shutil.rmtree(run / "gallery")
    text = write_report(run).page.read_text(encoding="utf-8")
    assert "<img" not in text and "img-src" not in text and "Worst mistakes" not in text


@pytest.mark.parametrize("name", ["../outside.png", "results.json", "gone.png", None])
def test_only_thumbnails_of_the_run_are_read(run: Path, name: Any) -> None:
    with_mistakes(run)
    rows = read_json(run / "gallery/rows.json")
    write_json(run / "gallery/rows.json", [{**row, "file": name} for row in rows])
    shutil.copy(run / "results.json", run / "gallery/results.json")
    shutil.copy(run / "gallery/00.png", run / "outside.png")
    told = gallery(read(run))
    assert told is not None and [one.data for one in told.pictures] == ["", ""]
    assert "the file was gone" in write_report(run).page.read_text(encoding="utf-8")


def test_what_was_drawn_is_shown_by_class_without_a_mistake(run: Path) -> None:
    write_drawn(run / "gallery", open_bundle(made.of_task("generate")).model)
    told = gallery(read(run))
    assert told is not None and told.drawn and f"zhuji draw {run}" in told.note
    assert [one.text for one in told.pictures] == [name for name in "abc" for _ in range(4)]
    assert told.pictures[1].alt == "4: drawn as a" and all(one.small for one in told.pictures)
    assert write_report(run).page.read_text(encoding="utf-8").count("data:image/png;base64,") >= 12


def test_sounds_can_be_played(run: Path) -> None:
    pytest.importorskip("soundfile")
    records = [Record("row-0", tone(0.5, 300), label="cat"), Record("row-1", tone(0.5, 900), label="dog")]
    write(run / "gallery", records, [Prediction("dog", 0.875), Prediction("cat", 0.75)], TASK)
    told = gallery(read(run))
    assert told is not None and told.heard and "sounds are answered wrongly" in told.note
    assert [one.text for one in told.pictures] == ["cat → dog 0.875", "dog → cat 0.750"]
    assert all(
        one.sound.startswith("data:audio/wav;base64,") and one.data.startswith("data:image/jpeg") for one in told.pictures
    )
    page = write_report(run).page.read_text(encoding="utf-8")
    assert page.count("<audio controls") == 2 and "media-src data:" in page


def test_transcripts_stand_beside_what_was_said(run: Path) -> None:
    pytest.importorskip("jiwer")
    records = [Record("row-0", tone(0.1, 300), target=EVIL), Record("row-1", tone(0.1, 300), target="one two")]
    write(run / "gallery", records, [Prediction("", None), Prediction("one tw", 0.9)], Transcribe().fit(records))
    told = gallery(read(run))
    assert told is not None and told.heard
    assert told.pictures[0].text == f"{EVIL} → (nothing)" and told.pictures[1].title == "row-1, 1 characters wrong"
    assert EVIL not in write_report(run).page.read_text(encoding="utf-8")


def test_before_and_after_stand_beside_each_other(run: Path) -> None:
    pytest.importorskip("soundfile")
    write(run / "gallery", [Record("row-0", tone(0.5, 300))], [cleaned(0.9, 0)], TASK)
    told = gallery(read(run))
    assert told is not None and told.threes and told.heard
    assert [one.text.partition(",")[0] for one in told.pictures] == ["as given", "cleaned", "as it should be"]
    assert write_report(run).page.read_text(encoding="utf-8").count("<audio controls") == 3


def with_a_voice(run: Path) -> Path:
    write_said(run / "gallery", voiced.untaught(), voiced.records(2), [Prediction(1.0), Prediction(1.0)])
    return run


def test_recordings_stand_beside_what_was_said(run: Path) -> None:
    pytest.importorskip("soundfile")
    told = gallery(read(with_a_voice(run)))
    assert told is not None and told.pairs and told.heard and f"zhuji speak {run}" in told.note
    assert [one.text.partition(",")[0] for one in told.pictures] == ["recorded", "said"] * 2
    assert {one.title for one in told.pictures} == {f"{one.id}: {one.input}" for one in voiced.records(2)}
    rows = read_json(run / "gallery/rows.json")
    write_json(run / "gallery/rows.json", [{**row, "label": EVIL} for row in rows])
    page = write_report(run).page.read_text(encoding="utf-8")
    assert EVIL not in page and page.count("<audio controls") == page.count("<img ") == 4 and "spectrogram" in page


@pytest.mark.slow
@pytest.mark.parametrize(("theme", "width", "beside"), [("light", 1000, True), ("dark", 360, False)])
def test_they_are_heard_and_seen_on_a_desk_and_on_a_phone(run: Path, theme: Any, width: int, beside: bool) -> None:
    pytest.importorskip("soundfile")
    page = write_report(with_a_voice(run)).page
    with browser.opened(viewport={"width": width, "height": 700}, color_scheme=theme, bypass_csp=True) as (view, asked, wrong):
        view.context.set_offline(True)
        view.goto(page.as_uri())
        players = view.locator(".gallery audio")
        for _ in range(100):
            if all(players.evaluate_all("all => all.map(one => one.readyState >= 1)")):
                break
            view.wait_for_timeout(50)
        assert all(players.evaluate_all("all => all.map(one => one.duration > 0.1)")) and not wrong
        places = players.evaluate_all("all => all.map(one => one.getBoundingClientRect().toJSON())")
        assert (places[0]["top"] == places[1]["top"]) == beside
        # A player that is narrower than this has no button to play.
        assert min(place["width"] for place in places) > 200
        assert view.evaluate("document.documentElement.scrollWidth") <= width
        assert all(address.startswith(("data:", page.as_uri())) for address in asked)
        assert not browser.violations(view)
