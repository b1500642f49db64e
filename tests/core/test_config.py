from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhuji.core.config import Settings, assignments, nearest, overlay, read_yaml, write_yaml
from zhuji.core.errors import BadSetting, UnknownKey
from zhuji.tasks.classify import Classify
from zhuji.training.run import Run, compose

WORDS = st.sampled_from(["a", "b", "c"])
TREES = st.recursive(st.integers() | st.text(max_size=3), lambda inner: st.dictionaries(WORDS, inner, max_size=3), max_leaves=8)
MAPPINGS = st.dictionaries(WORDS, TREES, max_size=3)


class Inner(Settings):
    rate: float = 0.1
    """How fast."""
    layers: int = 2
    """How deep."""


class Wide(Inner):
    rate: float = 0.2
    width: int = 3
    """How wide it is."""


class Outer(Settings):
    inner: Inner = Inner()
    maybe: Inner | None = None
    name: str = "x"


def test_what_is_written_is_read_back() -> None:
    outer = Outer(inner=Inner(rate=0.5), maybe=Inner(layers=7), name="名字")
    assert Outer.parse(read_yaml(write_yaml(outer.plain()))) == outer


def test_what_stands_under_a_setting_describes_it_also_where_it_is_inherited() -> None:
    def described(settings: type[Settings]) -> dict[str, str | None]:
        return {name: field.description for name, field in settings.model_fields.items()}

    assert described(Inner) == {"rate": "How fast.", "layers": "How deep."}
    assert described(Wide) == {"rate": None, "layers": "How deep.", "width": "How wide it is."}


def test_settings_cannot_be_changed_in_place() -> None:
    with pytest.raises(ValueError):
        Outer().name = "y"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("data", "key", "suggestion"),
    [
        ({"nmae": 1}, "nmae", "'name'"),
        ({"inner": {"layer": 1}}, "layer", "'layers'"),
        ({"maybe": {"rats": 1}}, "rats", "'rate'"),
        ({"zzz": 1}, "zzz", "inner, maybe, name"),
    ],
)
def test_an_unknown_key_gets_the_nearest_name(data: dict[str, Any], key: str, suggestion: str) -> None:
    with pytest.raises(UnknownKey) as caught:
        Outer.parse(data)
    assert f"'{key}'" in str(caught.value)
    assert suggestion.strip("'") in str(caught.value)


def test_a_nested_key_names_its_group() -> None:
    with pytest.raises(UnknownKey, match=r"\(run\.inner\)"):
        Outer.parse({"inner": {"layer": 1}}, prefix="run")


@pytest.mark.parametrize("value", ["many", None, [1]])
def test_a_bad_value_names_its_key(value: object) -> None:
    with pytest.raises(BadSetting, match=r"inner\.layers"):
        Outer.parse({"inner": {"layers": value}})


def test_a_missing_setting_is_named() -> None:
    with pytest.raises(BadSetting, match="data"):
        Run.parse({})


@pytest.mark.parametrize(("word", "found"), [("stpes", "steps"), ("epoch", "epochs"), ("qqq", "epochs, steps")])
def test_nearest(word: str, found: str) -> None:
    assert nearest(word, ["steps", "epochs"]) == found


@pytest.mark.parametrize("text", ["a: [", "- 1\n- 2", "just words", "a: !!python/object/apply:os.system ['true']"])
def test_yaml_that_is_no_mapping_of_plain_data_is_refused(text: str) -> None:
    with pytest.raises(BadSetting):
        read_yaml(text)


def test_empty_yaml_is_no_settings() -> None:
    assert read_yaml("# nothing\n") == {}


def test_overlay_goes_group_by_group() -> None:
    assert overlay({"a": {"x": 1, "y": 2}, "b": 3}, {"a": {"y": 5}}) == {"a": {"x": 1, "y": 5}, "b": 3}


def test_another_part_brings_its_own_options() -> None:
    base = {"backbone": {"name": "recurrent", "width": 32}}
    assert overlay(base, {"backbone": {"name": "bag"}}) == {"backbone": {"name": "bag"}}
    assert overlay(base, {"backbone": {"name": "recurrent", "layers": 2}})["backbone"]["width"] == 32
    assert overlay(base, {"backbone": {"layers": 2}})["backbone"]["name"] == "recurrent"


@pytest.mark.parametrize("mark", list("|;,-#:~>*&!%@\t"))
def test_a_single_mark_stands_for_itself(mark: str) -> None:
    assert assignments([f"data.label_separator={mark}"]) == {"data": {"label_separator": mark}}


def test_rules_read_as_sentences() -> None:
    with pytest.raises(BadSetting, match=r"^setting 'data' must be given\."):
        compose({})
    with pytest.raises(BadSetting, match=r"^setting 'train\.steps' must be a valid integer, but is 'two' instead\."):
        compose({"data": {"path": "x"}, "train": {"steps": "two"}})
    with pytest.raises(BadSetting, match=r"'data\.max_dropped' must be a number between 0 and 1.*, but is 'abc' instead\."):
        compose({"data": {"path": "x", "max_dropped": "abc"}})


def test_a_rule_over_a_whole_group_does_not_print_the_group() -> None:
    with pytest.raises(BadSetting, match=r"^setting 'task' label_smoothing must be 0 with objective=focal[^,]*\."):
        Classify.parse({"objective": "focal", "label_smoothing": 0.1}, "task")


@given(MAPPINGS, MAPPINGS)
def test_overlay_is_idempotent_and_changes_neither(base: dict, over: dict) -> None:
    before = (repr(base), repr(over))
    merged = overlay(base, over)
    assert overlay(merged, over) == merged
    assert overlay(merged, {}) == merged
    assert (repr(base), repr(over)) == before


@pytest.mark.parametrize(
    ("pairs", "tree"),
    [
        (["train.steps=500"], {"train": {"steps": 500}}),
        (["a.b=1", "a.c=x=y"], {"a": {"b": 1, "c": "x=y"}}),
        (["a=[1, 2]", "a=null"], {"a": None}),
        (["a=中文"], {"a": "中文"}),
        (["rate=1e-3"], {"rate": "1e-3"}),
    ],
)
def test_assignments(pairs: list[str], tree: dict[str, Any]) -> None:
    assert assignments(pairs) == tree


@pytest.mark.parametrize("pair", ["steps", "=5", "a..b=1", ".=1", "a=[", "a: b=: :"])
def test_what_is_no_assignment_is_refused(pair: str) -> None:
    with pytest.raises(BadSetting):
        assignments([pair])


def test_set_stands_on_the_very_top() -> None:
    run = compose(
        {"data": {"path": "a.csv"}, "train": {"epochs": 1}},
        {"train": {"epochs": 2}},
        sets=["train.epochs=3", "train.optim.lr=1e-4"],
    )
    assert (run.train.epochs, run.train.optim.lr, run.data.path) == (3, 1e-4, "a.csv")


def test_a_run_is_its_own_record() -> None:
    run = compose({"data": {"path": "a.csv", "max_dropped": "1%"}}, sets=["train.patience=3"])
    assert Run.parse(read_yaml(write_yaml(run.plain()))) == run
