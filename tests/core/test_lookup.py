import pytest

from zhuji.core.config import Part
from zhuji.core.contracts import Backbone, Modality, Task
from zhuji.core.errors import BadSetting, UnknownKey, UnknownName
from zhuji.core.lookup import build, find, names

SHELVES = [Modality, Backbone, Task]
PARTS = [pytest.param(shelf, name, id=f"{shelf.shelf}-{name}") for shelf in SHELVES for name in names(shelf)]


@pytest.mark.parametrize("shelf", SHELVES)
def test_a_shelf_is_walked(shelf: type[Part]) -> None:
    assert names(shelf) == sorted(names(shelf))
    assert names(shelf)


@pytest.mark.parametrize(("shelf", "name"), PARTS)
def test_a_part_is_found_by_its_modules_name(shelf: type[Part], name: str) -> None:
    part = find(shelf, name)
    assert part.name() == name
    assert issubclass(part, shelf)


@pytest.mark.parametrize("name", ["recurent", "", "os", "../core", "_private", "zhuji.core"])
def test_an_unknown_name_is_refused_with_the_choices(name: str) -> None:
    with pytest.raises(UnknownName, match="recurrent"):
        find(Backbone, name)


def test_a_part_is_what_describes_it() -> None:
    part = find(Backbone, "recurrent").example()
    described = part.described()
    assert described["name"] == "recurrent"
    assert build(Backbone, described) == part


def test_a_wrong_option_names_its_shelf() -> None:
    with pytest.raises(UnknownKey, match="backbone"):
        build(Backbone, {"name": "recurrent", "colour": 3})
    with pytest.raises(BadSetting, match=r"backbone\.width"):
        build(Backbone, {"name": "recurrent", "width": "wide"})


def test_a_description_is_left_as_it_was() -> None:
    described = {"name": "bag"}
    build(Backbone, described)
    assert described == {"name": "bag"}


def test_a_part_is_called_by_its_shelf_and_name_in_either_language(monkeypatch: pytest.MonkeyPatch) -> None:
    for language, words in {
        "en": "modality '{}'|backbone '{}'|task '{}'",
        "zh": "模态「{}」|骨干网络「{}」|任务「{}」",
    }.items():
        monkeypatch.setenv("ZHUJI_LANG", language)
        for shelf, word in zip(SHELVES, words.split("|"), strict=True):
            name = names(shelf)[0]
            part = find(shelf, name).example()
            part = part[0] if isinstance(part, tuple) else getattr(part, "task", part)
            assert part.called() == word.format(name) and word.startswith(part.sort())
