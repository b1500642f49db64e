import json

import numpy as np
import pytest
import torch

from tests import trained
from zhuji.core.errors import BadSetting, MissingExtra, MissingFile
from zhuji.model.bundle import open_bundle
from zhuji.model.pooled import pooling_of
from zhuji.tools.embed import embed

TEXTS = ["dogs bark and fetch", "", "cats purr softly", "kitten " * 700, "鸟 飞"]


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.jsonl"
    lines = [json.dumps({"text": text, "n": i}) for i, text in enumerate(TEXTS)]
    path.write_text("\n".join([*lines[:3], "{broken", *lines[3:]]) + "\n")
    return path


def by_hand(texts):
    """Each text alone, through the head's own pooling."""
    model = open_bundle(trained.run()).model
    found = []
    for row in model.modality.encode(texts):
        units = model.modality.collate([row], row.grid)
        with torch.no_grad():
            found.append(pooling_of(model)(model.encoder(units))[0].numpy())
    return np.array(found)


def test_every_format_holds_the_same_vectors_in_order(rows, tmp_path):
    kept = [TEXTS[0], TEXTS[2], TEXTS[3].strip(), TEXTS[4]]
    sets = ["data.max_dropped=1"]
    result = embed(trained.run(), rows, tmp_path / "out.npy", sets=sets)
    vectors = np.load(tmp_path / "out.npy", allow_pickle=False)
    np.testing.assert_allclose(vectors, by_hand(kept), atol=1e-6)
    assert (result.rows, result.width) == vectors.shape
    ledger = result.as_dict()["ledger"]
    assert ledger["balanced"] and (ledger["read"], ledger["used"], ledger["cut"], ledger["dropped"]) == (6, 3, 1, 2)
    ids = [json.loads(line) for line in (tmp_path / "out.ids.jsonl").read_text().splitlines()]
    embed(trained.run(), rows, tmp_path / "out.jsonl", sets=sets)
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == ids
    np.testing.assert_allclose([line["vector"] for line in lines], vectors, rtol=1e-6)


def test_parquet_holds_them_too(rows, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    embed(trained.run(), rows, tmp_path / "out.parquet")
    table = parquet.read_table(tmp_path / "out.parquet")
    vectors = np.array(table["vector"].to_pylist())
    np.testing.assert_allclose(vectors[0], by_hand([TEXTS[0]])[0], atol=1e-6)
    assert table["id"].to_pylist() == ["0", "2", "3", "4"]


def test_more_rows_than_are_held_at_once(tmp_path):
    path = trained.write_rows(tmp_path / "many.csv", rows=2500)
    result = embed(trained.run(), path, tmp_path / "out.npy")
    vectors = np.load(tmp_path / "out.npy")
    assert result.rows == len(vectors) == 2500
    ids = [json.loads(line) for line in (tmp_path / "out.ids.jsonl").read_text().splitlines()]
    assert ids == [f"row-{i}" for i in range(1, 2501)]


def test_what_cannot_be_is_refused_and_nothing_is_left(tmp_path, monkeypatch, rows):
    with pytest.raises(BadSetting, match="npy"):
        embed(trained.run(), rows, tmp_path / "out.csv")
    with pytest.raises(MissingFile):
        embed(trained.run(), tmp_path / "none.csv", tmp_path / "out.npy")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(MissingExtra):
        embed(trained.run(), rows, tmp_path / "out.parquet")
    assert {path.name for path in tmp_path.iterdir()} == {"rows.jsonl"}
