"""What every format promises, with the quickest model; all models in all formats: tests/slow/test_every_format.py."""

import json
import shutil
import subprocess
import sys

import pytest

from tests.faults.hostile import sealed
from tests.formats.made import exported, predictor
from zhuji.backbones.bag import Bag
from zhuji.core.errors import BundleError, DamagedBundle, MissingExtra, NoWeights, UnsafeBundle
from zhuji.core.records import Record
from zhuji.formats import _format, find, names, open_model
from zhuji.modalities.text import Text
from zhuji.model.assembly import assemble
from zhuji.model.bundle import open_bundle
from zhuji.model.golden import told
from zhuji.model.parity import EXACT, QUANTISED, hop
from zhuji.model.predictor import Predictor
from zhuji.tasks.classify import Classify

NETWORKS = ("onnx", "onnx-int8", "openvino", "torch-export")


@pytest.mark.parametrize("name", [*NETWORKS, "safetensors"])
def test_it_answers_as_the_model_does(name):
    opened = open_model(exported("bag", name))
    limit = QUANTISED if find(name).coarse else EXACT
    assert hop(name, predictor("bag").golden, opened.predict, limit).passed
    # One by one, and all at once in one long row: any number of rows of any length.
    alone = [next(opened.predict([row["input"]])) for row in predictor("bag").golden[:3]]
    assert hop(name, predictor("bag").golden[:3], lambda _: alone, limit).passed
    assert next(opened.predict([" ".join(["the cat"] * 40)])).scores


def answers_of_the_client(folder, inputs, tmp_path):
    rows = tmp_path / "rows.jsonl"
    rows.write_text("\n".join(json.dumps(raw, ensure_ascii=False) for raw in inputs), encoding="utf-8")
    done = subprocess.run([sys.executable, "-P", str(folder / "client.py"), str(rows)], capture_output=True, text=True, cwd=tmp_path,
                          env={"PATH": "/usr/bin", "PYTHONUTF8": "1"}, check=False)  # fmt: skip
    assert not done.returncode, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("model", ["bag", "tagger"])
def test_the_client_answers_without_our_code(model, tmp_path):
    folder, golden = exported(model, "onnx"), predictor(model).golden
    assert "zhuji" not in "".join(line for line in (folder / "client.py").read_text().splitlines() if "import" in line)
    given = answers_of_the_client(folder, [row["input"] for row in golden], tmp_path)
    assert [one["answer"] for one in given] == [list(row["answer"]) if model == "tagger" else row["answer"] for row in golden]
    if model == "bag":
        for one, row in zip(given, golden, strict=True):
            assert one["scores"] == pytest.approx(row["scores"], abs=1e-5)


def test_the_client_says_texts_as_we_do(tmp_path):
    """Numbers are read, so nothing but the phonemes of what is given can answer so."""
    pytest.importorskip("phonemizer")
    rows = [
        Record(str(n), text, label="ab"[n % 2]) for n, text in enumerate(["room 42", "the cat sat", "no. 7, please!", "two"])
    ]
    text = Text(tokenizer="characters", phonemes="en-us").fit([row.input for row in rows])
    made = Predictor(assemble(text, Bag(width=8), Classify(pool="mean_max").fit(rows), seed=3))
    made.golden = told(made, [row.input for row in rows])
    find("onnx").write(made, tmp_path / "phonemes")
    given = answers_of_the_client(tmp_path / "phonemes", [*(row["input"] for row in made.golden), ["room", "42"]], tmp_path)
    for one, row in zip(given, made.golden, strict=False):
        assert one["scores"] == pytest.approx(row["scores"], abs=1e-5)
    assert given[-1]["scores"] == pytest.approx(next(made.predict([("room", "42")])).scores, abs=1e-5)


def test_the_folder_says_what_goes_in_and_comes_out():
    told = json.loads((exported("bag", "onnx") / "io.json").read_text())
    assert [(port["name"], port["dtype"], port["shape"]) for port in told["inputs"]] == [
        ("mask", "bool", ["batch", "length"]), ("ids", "int64", ["batch", "length"]),
    ]  # fmt: skip
    assert [(port["name"], port["shape"]) for port in told["outputs"]] == [("output", ["batch", 3])]
    assert told["facts"]["opset"] >= 18 and told["after"]["labels"] == ["a", "b", "c"]
    assert told["before"]["modality"]["name"] == "text" and told["before"]["clean"]["unicode"] == "NFC"


def test_without_weights_there_is_a_clear_word(tmp_path):
    with pytest.raises(NoWeights):
        open_bundle(exported("bag", "onnx"))


def test_a_package_that_is_not_there_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(_format.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtra, match=r"zhuji\[export\]"):
        find("onnx").write(predictor("bag"), tmp_path / "x")


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(exported("bag", "onnx"), tmp_path / "copy")
    return tmp_path / "copy"


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told.update(format="nowhere"),
        lambda told: told.update(format="../x"),
        lambda told: told.update(gap=1e9),
        lambda told: told.update(code="import os"),
        lambda told: told["inputs"][0].update(name="__class__"),
        lambda told: told["inputs"][0].update(name="segments"),
        lambda told: told.update(outputs=[]),
        lambda told: told["outputs"][0].update(name="elsewhere"),
    ],
)
def test_an_io_json_of_a_stranger(folder, change):
    told = json.loads((folder / "io.json").read_text())
    change(told)
    (folder / "io.json").write_text(json.dumps(told))
    with pytest.raises(BundleError):
        open_model(sealed(folder))


@pytest.mark.parametrize("name", ["io.json", "client.py", "model.onnx", "config.json"])
def test_missing_or_a_link(folder, name, tmp_path):
    shutil.move(folder / name, tmp_path / "elsewhere")
    with pytest.raises(BundleError):
        open_model(folder)
    (folder / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BundleError):
        open_model(folder)


def test_more_than_the_network_can_need_is_not_read(folder):
    with open(folder / "model.onnx", "ab") as file:
        file.truncate(1 << 30)
    with pytest.raises(UnsafeBundle, match="at most"):
        open_model(resized(folder, "model.onnx"))


def resized(folder, name):
    hashes = json.loads((folder / "hashes.json").read_text())
    hashes[name]["bytes"] = (folder / name).stat().st_size
    (folder / "hashes.json").write_text(json.dumps(hashes, ensure_ascii=False, indent=1, sort_keys=True) + "\n")
    return folder


def test_a_file_of_garbage(folder):
    for content in (b"", b"garbage" * 100, b"\x00" * 1000):
        (folder / "model.onnx").write_bytes(content)
        with pytest.raises(DamagedBundle):
            open_model(sealed(folder))


def test_every_format_has_a_name_and_is_found():
    assert names() == sorted([*NETWORKS, "huggingface", "safetensors"])
    assert all(find(name).name() == name for name in names())
