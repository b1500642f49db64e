import hashlib
import json

import numpy as np
import pytest

from tests import trained
from zhuji.core.errors import DamagedBundle, MissingExtra, NewerFormat, NotABundle, UnsafeBundle, WrongModel
from zhuji.core.files import read_json, write_json
from zhuji.model.bundle import open_bundle
from zhuji.model.pooled import embed, unit_length
from zhuji.tools import nearest as module
from zhuji.tools.nearest import Index, evaluate, index, nearest, open_index


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    to = tmp_path_factory.mktemp("index") / "pets"
    built = index(trained.run(), trained.data(), to)
    assert (built.rows, built.as_dict()["ledger"]["balanced"]) == (120, True)
    return to


@pytest.fixture
def copy(folder, tmp_path):
    to = tmp_path / "copy"
    to.mkdir()
    for path in folder.iterdir():
        (to / path.name).write_bytes(path.read_bytes())
    return to


def rehash(folder):
    """What a stranger would do after changing a file."""
    manifest = read_json(folder / "manifest.json")
    for name, entry in manifest["files"].items():
        data = (folder / name).read_bytes()
        entry.update(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())
    write_json(folder / "manifest.json", manifest)


def test_the_nearest_are_those_that_comparing_all_gives(folder):
    questions = ["leash puppy bark", "purr nap", "飞 羽毛"]
    predictor = open_bundle(trained.run())
    vectors = unit_length(np.stack(list(embed(predictor, questions))))
    rows = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
    others = unit_length(np.stack(list(embed(predictor, [row["input"] for row in rows]))))
    scores = vectors @ others.T
    for hits, row in zip(nearest(folder, questions, 4), scores, strict=True):
        best = np.argsort(-row, kind="stable")[:4]
        assert [hit.id for hit in hits] == [rows[place]["id"] for place in best]
        assert [hit.score for hit in hits] == pytest.approx(row[best], abs=1e-5)
    assert nearest(folder, ["leash"], 1)[0][0].label == "dogs"
    assert nearest(folder, []) == []
    assert len(nearest(folder, ["a"], 500)[0]) == 120
    assert set(nearest(folder, ["a"], 1)[0][0].as_dict()) == {"id", "input", "label", "score"}


def test_a_large_index_has_a_graph_that_finds_nearly_all(tmp_path, monkeypatch):
    pytest.importorskip("usearch")
    monkeypatch.setattr(module, "EXACT", 50)
    index(trained.run(), trained.data(), tmp_path / "graph")
    assert (tmp_path / "graph" / "graph.usearch").is_file()
    with_graph, without = open_index(tmp_path / "graph"), open_index(tmp_path / "graph", exact=True)
    questions = with_graph.vectors[::7]
    found, exact = with_graph.search(questions, 5), without.search(questions, 5)
    overlap = np.mean([len(set(a) & set(b)) / 5 for a, b in zip(found[0], exact[0], strict=True)])
    assert overlap > 0.9
    assert (np.diff(found[1], axis=1) <= 1e-6).all()
    monkeypatch.setitem(__import__("sys").modules, "usearch", None)
    with pytest.raises(MissingExtra, match="search"):
        open_index(tmp_path / "graph")
    with pytest.raises(MissingExtra):
        index(trained.run(), trained.data(), tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_equal_rows_stand_in_the_order_of_the_file():
    found, _ = Index(np.ones((5, 1), np.float32), [], {}, None).search(np.ones((1, 1)), 3)
    assert found.tolist() == [[0, 1, 2]]


def test_questions_are_judged_by_label_and_by_id(folder, tmp_path):
    by_label = evaluate(folder, trained.write_rows(tmp_path / "new.csv", rows=30, seed=5), 5, resamples=50)
    assert by_label.scores["mrr"].value > 0.8
    assert by_label.scores["mrr"].low <= by_label.scores["mrr"].value <= by_label.scores["mrr"].high
    assert by_label.asked == by_label.queries == 30
    itself = evaluate(folder, trained.data(), 119, resamples=0).as_dict()["scores"]
    assert itself["precision@119"]["value"] == pytest.approx(39 / 119), "of the 40 of its label a row must not find itself"
    rows = [json.loads(line) for line in (folder / "rows.jsonl").read_text().splitlines()]
    path = tmp_path / "asked.jsonl"
    lines = [{"text": row["input"] + " now", "label": row["id"]} for row in rows[:20]]
    path.write_text(
        "\n".join(json.dumps(line, ensure_ascii=False) for line in [*lines, {"text": "what", "label": "no such row"}])
    )
    by_id = evaluate(folder, path, 5, by="id", columns={"label": ("label",)}, resamples=0)
    assert (by_id.queries, by_id.asked) == (21, 20)
    assert by_id.scores["hit@1"].value > 0.7, "of 120 rows"


def test_relevant_rows_are_counted_once(folder):
    from zhuji.core.records import Record

    records = [Record("q", "x", label=("a", "b")), Record("r", "y", label=None)]
    evidence = module._evidence(records, np.array([[0, 2, 1], [0, 1, 2]]), [["a", "b"], ["a"], "c"], [-1, 2], 2)
    assert evidence["relevant"].tolist() == [2, 0]
    assert evidence["relevance"].tolist() == [[1, 0], [0, 0]]
    assert evidence["ideal"].tolist() == [[1, 1], [0, 0]]


def test_another_model_is_refused(folder, tmp_path):
    with pytest.raises(WrongModel):
        nearest(folder, ["a"], predictor=open_bundle(trained.run(1)))
    opened = open_index(folder)
    asked = Index(opened.vectors, opened.rows, {**opened.model, "path": "hf:somebody/something"}, None)
    with pytest.raises(WrongModel):
        nearest(folder, ["a"], opened=asked)
    with pytest.raises(NotABundle):
        open_index(tmp_path)


@pytest.mark.parametrize(
    ("harm", "error"),
    [
        (lambda f: (f / "rows.jsonl").write_bytes(b"{}\n"), DamagedBundle),
        (lambda f: ((f / "rows.jsonl").write_bytes(b'{"id": 1}\n'), rehash(f)), DamagedBundle),
        (lambda f: ((f / "rows.jsonl").write_bytes(b"[" * 100_000), rehash(f)), DamagedBundle),
        (lambda f: ((f / "vectors.safetensors").write_bytes(b"\xff" * 64), rehash(f)), DamagedBundle),
        (
            lambda f: ((f / "vectors.safetensors").write_bytes((1 << 40).to_bytes(8, "little") + bytes(64)), rehash(f)),
            DamagedBundle,
        ),
        (lambda f: (f / "extra.py").write_text("print()"), UnsafeBundle),
        (lambda f: (f / "rows.jsonl").unlink(), UnsafeBundle),
        (lambda f: ((f / "rows.jsonl").unlink(), (f / "rows.jsonl").symlink_to("/etc/hostname")), UnsafeBundle),
        (lambda f: (f / "manifest.json").write_text("[1]"), DamagedBundle),
        (
            lambda f: (f / "manifest.json").write_text('{"format": 1, "files": {"vectors.safetensors": 3}, "model": {}}'),
            DamagedBundle,
        ),
        (lambda f: (f / "manifest.json").write_text('{"format": 99}'), NewerFormat),
    ],
)
def test_a_strange_or_damaged_folder_is_refused(copy, harm, error):
    harm(copy)
    with pytest.raises(error):
        open_index(copy)


def test_a_graph_of_other_vectors_is_refused(copy):
    library = pytest.importorskip("usearch.index")
    graph = library.Index(ndim=3, metric="ip", dtype="f32")
    graph.add(np.arange(2), np.ones((2, 3), np.float32))
    graph.save(str(copy / "graph.usearch"))
    manifest = read_json(copy / "manifest.json")
    manifest["files"]["graph.usearch"] = {}
    write_json(copy / "manifest.json", manifest)
    rehash(copy)
    with pytest.raises(DamagedBundle, match="vectors"):
        open_index(copy)
