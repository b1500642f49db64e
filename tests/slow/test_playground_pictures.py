"""Pictures on the page, over the true server: chosen, dropped, pasted; classes, frames where the objects stand, maps; the same from curl and Python."""

from __future__ import annotations

import base64
import io
import json
import shutil
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.browser import violations
from tests.model import planted
from tests.serving import house, made
from tests.serving.browser import browsing, choose, watched
from zhuji.core.records import Picture
from zhuji.data.infer import Roles
from zhuji.data.settings import CleanSettings
from zhuji.model import golden
from zhuji.model.bundle import open_bundle, save
from zhuji.model.explain import explain
from zhuji.model.predictor import Predictor

pytestmark = [pytest.mark.slow, pytest.mark.enable_socket]


def codes() -> Predictor:
    """Of hidden patches; its answers are vectors."""
    return open_bundle(made.of_task("masked_patches"))


MODELS = {"patches": planted.trained, "objects": planted.detector, "codes": codes}


@pytest.fixture(scope="module")
def address(browser, tmp_path_factory):
    place = tmp_path_factory.mktemp("models")
    for name, model in MODELS.items():
        predictor: Predictor = model()
        raws = [raw for raw, _, _ in planted.pictures(3, 5)]
        save(
            predictor.model,
            place / name,
            clean=CleanSettings(),
            roles=Roles(text=(), image="image"),
            golden=golden.told(predictor, raws),
        )
    told = house.settings().parse(
        {"models": [{"name": name, "path": str(place / name)} for name in MODELS], "port": 0, "rate": 1000}
    )
    with house.serving(told) as (host, port, _):
        yield f"http://{host}:{port}/"


@pytest.fixture(scope="module")
def browser():
    with browsing() as found:
        yield found


@pytest.fixture
def view(browser, address):
    with watched(browser, address, viewport={"width": 1280, "height": 900}) as found:
        yield found


@pytest.fixture(scope="module")
def raw() -> tuple[Picture, str, tuple[int, int]]:
    return planted.pictures(2, 9)[1]


def give(page: Any, data: bytes, name: str = "a picture's.png") -> None:
    page.evaluate("document.querySelector('#result').replaceChildren()")
    page.set_input_files("#file input", {"name": name, "mimeType": "image/png", "buffer": data})
    page.wait_for_selector("#result .times")


def pixels(page: Any, which: str) -> np.ndarray:
    """What a canvas shows, `(H, W, 3)`."""
    page.wait_for_selector(f"{which} canvas")
    address = page.evaluate(f"document.querySelector('{which} canvas').toDataURL()")
    with Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))) as image:
        return np.asarray(image.convert("RGB")).astype(int)


def test_a_class_is_that_of_python(view, raw):
    page = view.open("lang=en&model=patches")
    assert "Choose, drop or paste" in page.locator("#result").inner_text()
    give(page, raw[0].data)
    expected = next(planted.trained().predict([raw[0]]))
    assert page.locator("#result [data-answer]").first.get_attribute("data-answer") == expected.answer
    rows = page.locator("#result .bars tr").evaluate_all(
        "rows => rows.map(row => [row.dataset.label, Number(row.dataset.score)])"
    )
    assert dict(rows) == pytest.approx(dict(expected.scores), abs=1e-5)
    shown = pixels(page, "#input")
    assert (shown[::20, ::20] == planted_pixels(raw[0])).all(), "enlarged pixel by pixel, twenty times"
    assert "a picture's.png, 16 × 16 pixels" in page.locator("#input canvas").get_attribute("aria-label")
    assert violations(page) == []


def test_a_vector_of_patches_is_that_of_python_and_one_picture_is_asked_for(view, raw, tmp_path):
    page = view.open("lang=en&model=codes")
    assert page.locator("#input .field").count() == 1, "a file is one input: there is none to compare it with"
    give(page, raw[0].data)
    expected = list(next(codes().predict([raw[0]])).answer)
    told = json.loads(page.locator("#result [data-answer]").first.get_attribute("data-answer"))
    assert told == pytest.approx(expected, abs=1e-5) and f"{len(expected)} numbers" in page.locator("#said").inner_text()
    assert page.locator("#result .strip i").count() == len(expected)
    assert not page.get_by_role("button", name="Explain").is_visible()
    (tmp_path / "a picture's.png").write_bytes(raw[0].data or b"")
    program = [sys.executable, "-c", code(page, "Python")]
    done = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60)
    assert repr(told[0]) in done.stdout
    page.click("#example")
    page.click("#send")
    page.wait_for_selector("#result .times")
    assert violations(page) == []


def planted_pixels(picture: Picture) -> np.ndarray:
    from zhuji.data.pictures import pixels as decoded

    return decoded(picture).astype(int)


def test_objects_are_framed_where_they_stand(view, raw):
    page = view.open("lang=en&model=objects")
    give(page, raw[0].data)
    expected = next(planted.detector().predict([raw[0]])).answer
    told = json.loads(page.locator("#result [data-answer]").get_attribute("data-answer"))
    # How many objects so small a detector finds depends on the machine that trained it.
    assert [one["label"] for one in told] == [one["label"] for one in expected] and expected[0]["label"] == "red"
    for one, wanted in zip(told, expected, strict=True):
        assert one["box"] == pytest.approx(wanted["box"], abs=1e-3)
    assert page.locator(".objects tbody tr").count() == len(expected)
    assert f"Objects found: {len(expected)}" in page.locator("#said").inner_text()
    orange = abs(pixels(page, "#result") - (230, 159, 0)).max(-1) < 30
    rows, columns = np.nonzero(orange)
    scale = float(page.locator("#result canvas").get_attribute("data-scale"))
    boxes = scale * np.array([one["box"] for one in expected if one["label"] == "red"])
    left, right, bottom = boxes[:, 0].min(), boxes[:, 2].max(), boxes[:, 3].max()
    assert (columns.min(), rows.max()) == pytest.approx((left, bottom), abs=4) and columns.max() >= right - 4
    assert violations(page) == []
    Image.fromarray(np.zeros((900, 2000, 3), np.uint8)).save(file := io.BytesIO(), "PNG")
    give(page, file.getvalue(), "large.png")
    page.wait_for_selector("#result canvas, #result .big")
    assert float(page.locator("#result canvas").get_attribute("data-scale") or 0) == pytest.approx(1280 / 2000)


def test_a_map_is_the_one_of_python_and_lies_on_the_patch(view, raw):
    page = view.open("lang=en&model=patches")
    give(page, raw[0].data)
    page.get_by_role("button", name="Explain on the picture").click()
    page.wait_for_selector(".more canvas")
    (expected,) = explain(planted.trained(), raw[0])
    shown = json.loads(page.locator(".more [data-map]").get_attribute("data-map"))
    assert np.array(shown) == pytest.approx(expected.map, rel=1e-4, abs=1e-5)
    found = pixels(page, ".more")
    warm, (top, left) = found[..., 0] - found[..., 2], raw[2]
    inside = warm[top * 20 : (top + 4) * 20, left * 20 : (left + 4) * 20].mean()
    assert inside > warm.mean() + 10
    page.locator(".more").get_by_text("As a table").click()
    cells = page.locator(".ninths td").evaluate_all("all => all.map(one => Number(one.title))")
    assert cells == pytest.approx(expected.coarse(3).ravel().tolist(), rel=1e-4, abs=1e-4)
    assert violations(page) == []
    choose(page, "objects")
    give(page, raw[0].data)
    page.get_by_role("button", name="Explain on the picture").click()
    page.wait_for_selector(".more canvas")
    assert page.locator(".more [data-about='1: red']").count() == 1


def test_a_picture_can_be_dropped_and_pasted_and_comes_back(view, raw):
    page, text = view.open("lang=en&model=patches"), base64.b64encode(raw[0].data).decode()
    given = """([text, kind, name]) => { const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
        const data = new DataTransfer(); data.items.add(new File([bytes], name, { type: "image/png" }));
        document.querySelector("#result").replaceChildren();
        if (kind === "paste") document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
        else for (const type of ["dragover", "drop"]) document.body.dispatchEvent(new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true })); }"""
    for kind in ("drop", "paste"):
        page.evaluate(given, [text, kind, f"{kind}.png"])
        page.wait_for_selector("#result .times")
        assert page.locator("#result [data-answer]").first.get_attribute("data-answer") == "red"
    page.get_by_role("button", name="Clear").click()
    assert "No picture yet" in page.locator("#input").inner_text()
    page.locator("#send").click()
    assert "Choose a picture first" in page.locator("#said").inner_text()
    page.locator("#history-body button", has_text="drop.png").click()
    page.wait_for_selector("#input canvas")
    page.get_by_role("button", name="Example").click()
    page.wait_for_selector("#input figcaption:has-text('example.png')")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector("#result .times")


def test_what_is_no_picture_is_said(view):
    page = view.open("lang=en&model=patches")
    page.set_input_files("#file input", {"name": "a.png", "mimeType": "image/png", "buffer": b"no picture"})
    page.wait_for_selector("[data-trouble=refused]")
    assert "cannot show a.png" in page.locator("#input").inner_text()
    assert "picture" in page.locator(".trouble").inner_text()


def code(page: Any, way: str) -> str:
    page.locator("#calls").get_by_label(way, exact=True).check()
    return page.locator("#calls code").inner_text()


def test_curl_and_python_give_the_same(view, raw, tmp_path):
    page, name = view.open("lang=en&model=objects"), 'it\'s "a" $picture.png'
    give(page, raw[0].data, name)
    told = json.loads(page.locator("#result [data-answer]").get_attribute("data-answer"))
    (tmp_path / name).write_bytes(raw[0].data or b"")
    done = subprocess.run(
        [sys.executable, "-c", code(page, "Python")], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    assert repr(told[0]["box"]) in done.stdout
    if not shutil.which("curl"):
        pytest.skip("no curl here")
    done = subprocess.run(["bash", "-c", code(page, "curl")], cwd=tmp_path, capture_output=True, check=True, timeout=60)
    assert json.loads(done.stdout)["predictions"][0]["answer"] == told


@pytest.mark.parametrize(("language", "theme", "width"), [("en", "light", 1280), ("zh", "dark", 390), ("zh", "light", 320)])
def test_it_is_clean_in_both_languages_and_themes(browser, address, raw, language, theme, width):
    with watched(browser, address, viewport={"width": width, "height": 800}) as view:
        page = view.open(f"lang={language}&theme={theme}")
        for name in MODELS:
            choose(page, name)
            give(page, raw[0].data)
            if name != "codes":
                page.locator(
                    "#result button", has_text={"en": "Explain on the picture", "zh": "在图片上解释"}[language]
                ).click()
                page.wait_for_selector(".more canvas")
            assert violations(page) == [], name
            assert "undefined" not in page.locator("body").inner_text()
            assert page.evaluate("document.documentElement.scrollWidth") <= width
