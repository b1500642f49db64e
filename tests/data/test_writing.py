from __future__ import annotations

import io

from zhuji.data.writing import csv_rows, json_rows


def test_csv_joins_labels_and_leaves_scores_out() -> None:
    file = io.StringIO()
    write = csv_rows(file)
    write({"text": 'a,"b"', "prediction": ("x", "y"), "scores": {"x": 1.0}})
    write({"text": "c", "prediction": "z", "late": 1})
    assert file.getvalue() == 'text,prediction\n"a,""b""",x|y\nc,z\n'


def test_json_lines() -> None:
    file = io.StringIO()
    json_rows(file)({"a": "字"})
    assert file.getvalue() == '{"a": "字"}\n'


def test_boxes_stand_in_a_cell_as_json():
    from zhuji.data.writing import cell

    assert cell([{"label": "猫", "box": [0, 1.5, 2, 3]}]) == '[{"label": "猫", "box": [0, 1.5, 2, 3]}]'
    assert cell(("a", "b")) == "a|b" and cell(()) == ""
