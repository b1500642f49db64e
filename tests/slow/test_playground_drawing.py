"""Models that draw, on the page over the true server: pictures by class, as Python draws them, and the same from curl."""

from __future__ import annotations

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from tests.serving import made
from tests.serving.browser import LOOKS, answering, assert_clean, choose, ran, watched
from zhuji.model.bundle import open_bundle
from zhuji.model.draw import DrawSettings, drawn

pytestmark = [pytest.mark.slow, pytest.mark.enable_socket]


@pytest.fixture(scope="module")
def address():
    with answering({"noise": made.painter(), "pets": made.of_task("classify"), "art": made.of_task("generate")}) as found:
        yield found


def shown(page):
    """The pictures on the page, a pixel of the model's each `(N, H, W, 3)`."""
    told = page.evaluate("[...document.querySelectorAll('.drawn canvas')].map(canvas => canvas.toDataURL())")
    arrays = [np.asarray(Image.open(io.BytesIO(base64.b64decode(one.split(",")[1]))).convert("RGB")) for one in told]
    return np.stack(arrays).astype(int)


def ask(page, name="", count=4, seed=5):
    page.evaluate("document.querySelector('#result').replaceChildren()")
    page.locator("#settings select").select_option(name)
    for box, value in zip(page.locator("#settings input").all(), (count, seed), strict=True):
        box.fill(str(value))
    page.click("#send")
    page.wait_for_selector("#result .times")


@pytest.mark.parametrize(("name", "labels"), [("", ()), ("b", ("b",))])
def test_pictures_are_those_of_python(browser, address, tmp_path, name, labels):
    with watched(browser, address) as view:
        page = view.open("lang=en&model=noise")
        assert not page.locator("#input").is_visible() and not page.locator("#example").is_visible()
        ask(page, name)
        expected = drawn(open_bundle(made.painter()).model, DrawSettings(count=4, labels=labels, seed=5))
        found = shown(page)
        scale = found.shape[1] // expected[0].shape[0]
        assert np.abs(found[:, ::scale, ::scale] - np.stack(expected).astype(int)).max() <= 1
        captions = page.locator(".drawn figcaption").all_inner_texts()
        assert captions == (["a", "b", "c", "a"] if not labels else ["b"] * 4)
        assert "Pictures drawn: 4" in page.locator("#said").inner_text()
        assert len(json.loads(ran(page, "curl", tmp_path))["data"]) == 4


def test_a_picture_can_be_read_too_and_other_models_are_as_they_were(browser, address):
    with watched(browser, address) as view:
        page = view.open("lang=en&model=art")
        page.get_by_label("Read a picture").check(force=True)
        assert page.locator("#input").is_visible() and not page.locator("#settings").is_visible()
        page.click("#example")
        page.click("#send")
        page.wait_for_selector("#result .times")
        choose(page, "pets")
        assert not page.locator("#mode").is_visible() and page.locator("#input textarea").is_visible()
        choose(page, "art")
        page.get_by_label("Draw pictures").check(force=True)
        ask(page, count=1)
        assert len(shown(page)) == 1


@pytest.mark.parametrize(("language", "theme", "width"), LOOKS)
def test_it_is_clean_in_both_languages_and_themes(browser, address, language, theme, width):
    with watched(browser, address, viewport={"width": width, "height": 800}) as view:
        page = view.open(f"lang={language}&theme={theme}&model=noise")
        ask(page)
        assert_clean(page, width)
