"""The `data` section: shares as people write them, and what is refused."""

from typing import Any

import pytest

from zhuji.core.config import read_yaml, write_yaml
from zhuji.core.errors import BadSetting, UnknownKey
from zhuji.data.settings import DataSettings


def parse(**settings: Any) -> DataSettings:
    return DataSettings.parse({"path": "rows.csv", **settings}, prefix="data")


@pytest.mark.parametrize(
    ("written", "share"),
    [("1%", 0.01), ("12.5 %", 0.125), (" 100% ", 1), ("0%", 0), (0.3, 0.3), ("0.3", 0.3), (1, 1), (0, 0), ("1e-2", 0.01)],
)
@pytest.mark.parametrize("key", ["max_dropped", "near"])
def test_shares_as_people_write_them(key: str, written: object, share: float) -> None:
    assert getattr(parse(**{key: written}), key) == pytest.approx(share, abs=1e-12)


@pytest.mark.parametrize("written", ["101%", "-1%", 1.01, -0.1, 5, "nan", "much", "%", ""])
def test_what_is_no_share_is_refused_by_key(written: object) -> None:
    with pytest.raises(
        BadSetting, match=r"'data\.max_dropped' must be a number between 0 and 1, or between 0% and 100%"
    ) as caught:
        parse(max_dropped=written)
    assert caught.value.value == written


@pytest.mark.parametrize("written", ["1%", 0.01])
def test_shares_of_the_splits(written: object) -> None:
    assert parse(splits={"test": written, "valid": "15%"}).splits.test == 0.01


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"splits": {"by": "chance"}}, "data.splits.by"),
        ({"splits": {"test": "120%"}}, "data.splits.test"),
        ({"splits": {"seed": "x"}}, "data.splits.seed"),
        ({"balance": {"sample": "both"}}, "data.balance.sample"),
        ({"balance": {"augment": "letters"}}, "data.balance.augment"),
        ({"clean": {"unicode": "NFD"}}, "data.clean.unicode"),
        ({"clean": {"control": "perhaps"}}, "data.clean.control"),
        ({"leaks": "ignore"}, "data.leaks"),
        ({"limit": 0}, "data.limit"),
        ({"limit": -3}, "data.limit"),
        ({"text": 5}, "data.text"),
        ({"path": None}, "data.path"),
    ],
)
def test_a_bad_value_is_refused_by_key(settings: dict[str, Any], key: str) -> None:
    with pytest.raises(BadSetting) as caught:
        parse(**settings)
    assert f"'{key}'" in str(caught.value)


def test_a_path_is_needed() -> None:
    with pytest.raises(BadSetting, match=r"'data\.path'"):
        DataSettings.parse({}, prefix="data")


@pytest.mark.parametrize(
    ("settings", "group", "near"),
    [
        ({"lable": ["x"]}, "(data)", "label"),
        ({"clean": {"whitespaces": True}}, "(data.clean)", "whitespace"),
        ({"splits": {"tset": 0.1}}, "(data.splits)", "test"),
        ({"balance": {"samples": "over"}}, "(data.balance)", "sample"),
    ],
)
def test_an_unknown_key_gets_its_group_and_the_nearest_name(settings: dict[str, Any], group: str, near: str) -> None:
    with pytest.raises(UnknownKey) as caught:
        parse(**settings)
    assert group in str(caught.value)
    assert f"did you mean '{near}'?" in str(caught.value)


def test_yaml_round_trip() -> None:
    settings = parse(
        text=["title", "正文"], label=["stars"], max_dropped="2%", limit=7, leaks="allow",
        clean={"unicode": None, "control": False}, splits={"by": "time", "valid": 0, "seed": 3}, balance={"sample": "over"},
    )  # fmt: skip
    assert DataSettings.parse(read_yaml(write_yaml(settings.plain()))) == settings
    assert settings.clean.unicode is None
    assert settings.text == ("title", "正文")
