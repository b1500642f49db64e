"""Pictures on the page, over the true server: chosen, dropped, pasted; classes, frames where the objects stand, maps; the same from curl and Python."""

from __future__ import annotations

import base64
import io
import json
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.browser import violations
from tests.model import planted
from tests.serving import browser as served
from tests.serving import made
from tests.serving.browser import LOOKS, answering, assert_clean, choose, clear_and_bring_back, hand, ran, scores, watched
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
    with answering({name: place / name for name in MODELS}) as found:
        yield found


@pytest.fixture(scope="module")
def raw() -> tuple[Picture, str, tuple[int, int]]:
    return planted.pictures(2, 9)[1]


def give(page: Any, data: bytes, name: str = "a picture's.png") -> None:
    served.give(page, data, name, "image/png")


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
    assert scores(page) == pytest.approx(dict(expected.scores), abs=1e-5)
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
    assert repr(told[0]) in ran(page, "Python", tmp_path)
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
    page = view.open("lang=en&model=patches")
    for way in ("drop", "paste"):
        hand(page, way, raw[0].data, f"{way}.png", "image/png")
        assert page.locator("#result [data-answer]").first.get_attribute("data-answer") == "red"
    clear_and_bring_back(page, "drop.png", "example.png", empty="No picture yet", asked="Choose a picture first")


def test_what_is_no_picture_is_said(view):
    page = view.open("lang=en&model=patches")
    page.set_input_files("#file input", {"name": "a.png", "mimeType": "image/png", "buffer": b"no picture"})
    page.wait_for_selector("[data-trouble=refused]")
    assert "cannot show a.png" in page.locator("#input").inner_text()
    assert "picture" in page.locator(".trouble").inner_text()


def test_curl_and_python_give_the_same(view, raw, tmp_path):
    page, name = view.open("lang=en&model=objects"), 'it\'s "a" $picture.png'
    give(page, raw[0].data, name)
    told = json.loads(page.locator("#result [data-answer]").get_attribute("data-answer"))
    (tmp_path / name).write_bytes(raw[0].data or b"")
    assert repr(told[0]["box"]) in ran(page, "Python", tmp_path)
    assert json.loads(ran(page, "curl", tmp_path))["predictions"][0]["answer"] == told


@pytest.mark.parametrize(("language", "theme", "width"), LOOKS)
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
            assert_clean(page, width, name)
