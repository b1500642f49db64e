from zhuji.cli.options import data_options


def test_only_what_was_given_is_handed_on_under_its_setting_name() -> None:
    given = data_options(text=["a"], label=[], valid="v.csv", test=None, max_dropped="1%")
    assert given == {"text": ["a"], "valid_path": "v.csv", "max_dropped": "1%"}
