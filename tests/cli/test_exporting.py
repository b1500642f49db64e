import json
import shutil

import pytest

from tests import trained
from zhuji.cli.app import main


@pytest.fixture
def run(tmp_path):
    shutil.copytree(trained.run(), tmp_path / "run")
    return tmp_path / "run"


def test_hops_and_next_commands_are_shown(run, capsys):
    assert main(["export", str(run), "--to", "safetensors, torch-export"]) == 0
    shown = capsys.readouterr().out
    assert "reload" in shown and "torch-export" in shown and "1e-04" not in shown.splitlines()[0]
    assert f"zhuji predict {run}/export/safetensors" in shown
    assert f"python {run}/export/torch-export/client.py" in shown
    assert f"python {run}/export/safetensors/client.py" not in shown


def test_as_json_there_is_one_object(run, capsys):
    assert main(["export", str(run), "--to", "safetensors", "--out", str(run / "there"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["formats"][0]["folder"] == str(run / "there" / "safetensors") and told["formats"][0]["hop"]["passed"]


def test_a_format_that_is_not_there(run, capsys):
    assert main(["export", str(run), "--to", "pickle"]) == 2
    assert "choose one of: huggingface, onnx" in capsys.readouterr().err
