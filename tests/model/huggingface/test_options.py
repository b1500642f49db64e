"""Questions to a config.json."""

import pytest

from zhuji.core.errors import UnreadableModel
from zhuji.model.huggingface.options import Options


def options(folder, **data):
    return Options(data, folder / "config.json")


@pytest.mark.parametrize("value", [0, -3, 1 << 30, 2.0, "2", None, True, []])
def test_a_count_is_a_whole_number_above_zero(value, tmp_path):
    assert options(tmp_path, n=7).count("n") == options(tmp_path).count("n", 7) == 7
    with pytest.raises(UnreadableModel, match="'n' must be a whole number"):
        options(tmp_path, n=value).count("n")


def test_a_number(tmp_path):
    assert options(tmp_path, x=1).real("x", 2.0) == 1.0
    with pytest.raises(UnreadableModel, match="'x' must be a number"):
        options(tmp_path, x="1").real("x", 2.0)


@pytest.mark.parametrize("value", ["c", 1, None, ["a"], {"a": 1}])
def test_one_of_several(value, tmp_path):
    assert options(tmp_path, k="a").one_of("k", {"a": "A", "b": "B"}, "b") == "A"
    assert options(tmp_path).one_of("k", {"a": "A", "b": "B"}, "b") == "B"
    with pytest.raises(UnreadableModel, match="'k' must be one of: a, b"):
        options(tmp_path, k=value).one_of("k", {"a": "A", "b": "B"}, "b")


def test_only_what_is_accepted(tmp_path):
    options(tmp_path, flag=False).only("flag", False, default=True)
    options(tmp_path).only("flag", False, default=False)
    for value in (True, 0, "false", None):
        with pytest.raises(UnreadableModel, match="'flag' must be False"):
            options(tmp_path, flag=value).only("flag", False, default=False)


def test_keys_that_nobody_asked_for_are_told(tmp_path, capsys):
    asked = options(tmp_path, n=1, _name="x", use_cache=True, magic=3)
    asked.count("n")
    asked.tell_rest()
    told = capsys.readouterr().err
    assert "magic" in told and "use_cache" not in told and "_name" not in told
