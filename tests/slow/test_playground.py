"""The page in a headless browser over the true server: a model of every task there is, found by walking the shelf. What the page shows
is what Python answers; the page is clean for axe-core, in both languages and themes, from a phone to a wide screen."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from tests import trained
from tests.browser import violations
from tests.serving import house
from tests.serving.browser import answering, choose, send, watched
from tests.serving.made import NO_TEXTS
from tests.serving.pretend import HARD
from zhuji.core.contracts import Backbone, Modality, Task
from zhuji.core.lookup import find, names
from zhuji.data.infer import Roles
from zhuji.data.settings import CleanSettings
from zhuji.model.assembly import assemble
from zhuji.model.bundle import open_bundle, save
from zhuji.model.explain import explain
from zhuji.model.generate import GenerateSettings
from zhuji.model.generate import generate as written
from zhuji.model.predictor import Predictor
from zhuji.tools import nearest

pytestmark = [pytest.mark.slow, pytest.mark.enable_socket]
TEXTS = ["the cat sat on the mat", HARD, "筑基：从头开始 😀", "one two three four five six seven eight nine ten " * 30]
SEVERAL = "several"
TASKS = [name for name in names(Task) if name not in NO_TEXTS]
"""Those over texts; pictures: `test_playground_pictures.py`."""
SIZES = [(320, 640), (390, 844), (768, 1024), (1280, 800), (1920, 1080)]


def several_classes(folder: Path) -> Path:
    """A model that gives any number of classes."""
    modality, texts = find(Modality, "text").example()
    task = find(Task, "classify").example().task
    torch.manual_seed(1)
    model = assemble(modality, find(Backbone, "bag").example(), type(task).parse({**task.plain(), "many": True}))
    with torch.no_grad():
        for weight in model.parameters():
            weight.normal_()
    golden = [{"input": raw, "answer": list(one.answer), "score": one.score, "scores": dict(one.scores)}
              for raw, one in zip(texts, Predictor(model).predict(texts))]  # fmt: skip
    save(model, folder, clean=CleanSettings(), roles=Roles(text=("text",)), golden=golden)
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory) -> dict[str, Path]:
    """A bundle for each task, by the task's name."""
    place = tmp_path_factory.mktemp("models")
    made = {name: house.write(place / name, backbone="recurrent" if name in ("tag", "translate") else "transformer", task=name)
            for name in TASKS if name != "next_unit"}  # fmt: skip
    return {**made, "next_unit": house.writing_bundle(), SEVERAL: several_classes(place / SEVERAL), "pets": trained.run()}


@pytest.fixture(scope="module")
def predictors(folders) -> dict[str, Predictor]:
    return {name: open_bundle(folder / "bundle" if name == "pets" else folder) for name, folder in folders.items()}


@pytest.fixture(scope="module")
def address(browser, folders, tmp_path_factory):
    index = tmp_path_factory.mktemp("index") / "pets"
    nearest.index(trained.run(), trained.data(), index)
    with answering(folders, index=str(index)) as found:
        yield found


def same(shown: Any, answer: Any) -> bool:
    """Equal; numbers to 1e-5 of their size."""
    if isinstance(answer, list | tuple):
        return isinstance(shown, list) and len(shown) == len(answer) and all(map(same, shown, answer))
    if isinstance(answer, float):
        return math.isclose(float(shown), answer, rel_tol=1e-5, abs_tol=1e-5)
    return (shown or "") == (answer or "")


def judge(page: Any, name: str) -> None:
    """Choose a model, one that writes or speaks so that it judges a text."""
    choose(page, name)
    if page.locator("#mode").is_visible():
        page.locator("#mode [value=predict]").check()


def answer_shown(page: Any, answer: Any) -> Any:
    raw = page.locator("#result [data-answer]").first.get_attribute("data-answer")
    return json.loads(raw) if isinstance(answer, list | tuple) and raw else raw


def told(prediction: Any) -> Any:
    """The answer as JSON has it; ids that were decoded to nothing are an empty text."""
    return list(prediction.answer) if isinstance(prediction.answer, tuple) else prediction.answer


@pytest.mark.parametrize("name", [*TASKS, SEVERAL])
def test_the_page_shows_what_python_answers(view, predictors, name):
    page = view.open("lang=en&theme=light")
    judge(page, name)
    for text in TEXTS:
        (expected,) = predictors[name].predict([text])
        send(page, text)
        assert same(answer_shown(page, told(expected)), told(expected)), text
        if expected.scores:
            rows = page.locator("#result .bars tr").evaluate_all(
                "rows => rows.map(row => [row.dataset.label, row.dataset.score])"
            )
            assert {label: float(score) for label, score in rows} == pytest.approx(dict(expected.scores), abs=1e-5)
        elif expected.score is not None:
            score = page.locator("#result [data-score]").first.get_attribute("data-score")
            assert float(score) == pytest.approx(expected.score, abs=1e-5)
    rows = [text for text in TEXTS if "\n" not in text]
    page.set_input_files("#file input", {"name": "rows.txt", "mimeType": "text/plain", "buffer": "\n".join(rows).encode()})
    page.wait_for_selector("#result .file")
    shown = page.locator(".file tbody tr").evaluate_all("rows => rows.map(row => JSON.parse(row.dataset.answer))")
    assert all(map(same, shown, [told(one) for one in predictors[name].predict(rows)]))
    assert violations(page) == []


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_kind_is_clean_in_both_languages_and_themes(view, predictors, language, theme):
    page = view.open("lang=en&theme=light")
    page.locator(f"#language [value={language}]").check()
    page.locator(f"#theme [value={theme}]").check()
    for name in [*TASKS, SEVERAL]:
        choose(page, name)
        send(page, "the cat sat on the mat")
        assert violations(page) == [], name
        assert "undefined" not in page.locator("body").inner_text()
    assert page.locator("html").get_attribute("lang") == {"en": "en", "zh": "zh-CN"}[language]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}")
def test_nothing_sticks_out_on_any_screen(browser, address, size):
    with watched(browser, address, viewport={"width": size[0], "height": size[1]}) as view:
        page = view.open("lang=en")
        for name in [*TASKS, SEVERAL]:
            judge(page, name)
            send(page, "https://" + "a" * 200 + " the cat " * 5)
            assert page.evaluate("document.documentElement.scrollWidth") <= size[0], name


def test_a_text_is_written_as_python_writes_it(view, predictors):
    page = view.open("lang=en&model=next_unit")
    asked = GenerateSettings(max_units=20, temperature=0.7, seed=3)
    (expected,) = written(predictors["next_unit"].model, ["the cat"], asked)
    page.get_by_text("Settings").click()
    for label, value in {"Units at most": 20, "Temperature": 0.7, "Seed": 3}.items():
        page.get_by_label(label).fill(str(value))
    send(page, "the cat")
    assert page.locator("#result [data-answer]").get_attribute("data-answer") == expected.text
    page.get_by_label("How to choose").select_option("beam")
    send(page, "the cat")
    (expected,) = written(predictors["next_unit"].model, ["the cat"], GenerateSettings(max_units=20, how="beam"))
    assert page.locator("#result [data-answer]").get_attribute("data-answer") == expected.text
    page.get_by_label("Units at most").fill("1000000")
    page.locator("#send").click()
    page.wait_for_selector("[data-trouble=refused]")


def test_the_nearest_rows_are_those_of_python(view, tmp_path):
    page = view.open("lang=en&model=pets")
    text = "飞 翅膀 羽毛 1a2b"
    send(page, text)
    page.get_by_role("button", name="Nearest examples").click()
    page.wait_for_selector(".nearest")
    assert page.locator(".nearest tbody tr").count() == 5
    likeness = page.locator(".nearest tbody tr").evaluate_all("rows => rows.map(row => Number(row.dataset.likeness))")
    assert likeness == sorted(likeness, reverse=True)


@pytest.mark.parametrize("name", ["classify", SEVERAL, "regress", "tag", "pets"])
def test_what_the_words_speak_for_is_what_python_says(view, predictors, name):
    page = view.open("lang=en")
    choose(page, name)
    text = "the cat sat\n on the mat 筑基"
    expected = list(explain(predictors[name], text))
    send(page, text)
    page.get_by_role("button", name="Explain on the words").click()
    page.locator(".more:not(:empty)").first.wait_for()
    for place, one in enumerate(expected):
        parts = page.locator(".explained").nth(place).locator(".part")
        shown = parts.evaluate_all("all => all.map(part => [part.textContent, Number(part.dataset.weight)])")
        assert [said for said, _ in shown] == [part.text for part in one.parts]
        assert [weight for _, weight in shown] == pytest.approx([part.weight for part in one.parts], rel=1e-5, abs=1e-5)
    assert page.locator(".explained").count() == len([one for one in expected if one.parts])
    assert violations(page) == []
