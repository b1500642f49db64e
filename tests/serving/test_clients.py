"""`curl`, as a person would call it, of a server in another process: the numbers are those of Python."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import pytest

from tests.serving import live, made
from zhuji.model.bundle import open_bundle

pytestmark = [
    pytest.mark.enable_socket, pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed"),
]  # fmt: skip


def curl(path: str, *words: str) -> Any:
    done = subprocess.run(
        ["curl", "-sS", "--max-time", "30", live.server() + path, *words], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_predict_with_curl():
    found = curl("/predict", "-H", "Content-Type: application/json", "-d", json.dumps({"model": "pets", "inputs": made.TEXTS}))
    answers = list(open_bundle(made.of_task("classify")).predict(made.TEXTS))
    assert [row["answer"] for row in found["predictions"]] == [one.answer for one in answers]
    for row, one in zip(found["predictions"], answers, strict=True):
        assert row["scores"] == pytest.approx(dict(one.scores), abs=1e-5)


def test_all_protocols_give_the_same_numbers():
    texts = made.TEXTS
    plain = curl("/predict", "-H", "Content-Type: application/json", "-d", json.dumps({"model": "pets", "inputs": texts}))
    tensor = {"name": "text", "shape": [len(texts)], "datatype": "BYTES", "data": texts}
    asked = json.dumps({"inputs": [tensor], "outputs": [{"name": "scores"}]})
    (scores,) = curl("/v2/models/pets/infer", "-d", asked)["outputs"]
    flat = [score for row in plain["predictions"] for score in row["scores"].values()]
    assert scores["data"] == pytest.approx(flat, abs=1e-6)
