import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from zhuji.core.contracts import Backbone, Modality
from zhuji.core.lookup import find
from zhuji.core.records import Record
from zhuji.model.assembly import assemble
from zhuji.model.golden import LONGEST_INPUT, choose_golden, from_json, small
from zhuji.model.parity import reopened
from zhuji.model.predictor import Predictor
from zhuji.tasks.classify import Classify
from zhuji.tasks.regress import Regress
from zhuji.tasks.tag import Tag

TEXTS = [" ".join(["word"] * (1 + i % 7)) + f" {i}" for i in range(60)]


def chosen(task, labels, texts=TEXTS, count=8):
    records = [Record(f"row-{i}", text, label=label) for i, (text, label) in enumerate(zip(texts, labels))]
    modality = find(Modality, "text")().fit(texts)
    predictor = Predictor(assemble(modality, find(Backbone, "bag").example(), task.fit(records)))
    columns, _ = predictor.evidence(records)
    return choose_golden(predictor, records, columns, count), predictor, columns


def test_the_longest_the_rarest_and_the_least_sure_are_there():
    labels = ["common"] * 59 + ["rare"]
    texts = [*TEXTS[:10], "a very very very very very very very very long text indeed", *TEXTS[11:]]
    rows, predictor, columns = chosen(Classify(), labels, texts, 4)
    inputs = [row["input"] for row in rows]
    assert len(set(inputs)) == 4
    assert texts[10] in inputs
    assert texts[59] in inputs
    margin = np.abs(columns["probabilities"] @ [1, -1])
    assert texts[int(margin.argmin())] in inputs
    predictor.golden = rows
    assert reopened(predictor).gap <= 1e-6 and reopened(predictor).passed
    assert set(rows[0]) == {"input", "answer", "score", "scores"}


def test_no_more_rows_than_there_are_and_none_twice():
    rows, _, _ = chosen(Classify(), list("ab") * 3, TEXTS[:6], 16)
    assert sorted(row["input"] for row in rows) == sorted(TEXTS[:6])


def test_too_long_to_travel():
    texts = [*TEXTS[:5], "x" * (LONGEST_INPUT + 1)]
    rows, _, _ = chosen(Classify(), list("ab") * 3, texts)
    assert len(rows) == 5


def test_numbers_and_many_labels():
    rows, predictor, _ = chosen(Regress(), [float(i) for i in range(59)] + [1e6])
    assert TEXTS[59] in [row["input"] for row in rows]
    predictor.golden = rows
    assert reopened(predictor).passed
    labels = [("a",) if i % 3 else ("a", "b") for i in range(60)]
    labels[40] = ("a", "rare")
    rows, _, _ = chosen(Classify(many=True), labels)
    assert TEXTS[40] in [row["input"] for row in rows]


def test_rows_of_words_and_rows_without_classes_are_chosen_too():
    words = [tuple(text.split()) for text in TEXTS]
    records = [
        Record(f"row-{i}", row, label=("B-x" if i == 7 else "O", *["O"] * (len(row) - 1))) for i, row in enumerate(words)
    ]
    modality = find(Modality, "text")().fit(words)
    predictor = Predictor(assemble(modality, find(Backbone, "recurrent").example(), Tag().fit(records)))
    columns, _ = predictor.evidence(records)
    rows = choose_golden(predictor, records, columns, 4)
    assert words[7] in [row["input"] for row in rows]
    predictor.golden = json.loads(json.dumps(rows))
    assert reopened(predictor).passed and reopened(predictor).gap == 0
    assert len(choose_golden(predictor, records, {"loss": np.zeros(60)}, 5)) == 5


def test_pictures_travel_as_bytes_and_large_ones_smaller(tmp_path, monkeypatch):
    from zhuji.core.records import Picture
    from zhuji.model import golden

    image = Image.effect_noise((700, 300), 90)
    image.save(tmp_path / "large.png")
    image.resize((20, 10)).save(tmp_path / "small.png")
    small = golden.carried(Picture(str(tmp_path / "small.png"), mark=b"x"))
    assert small == Picture(data=(tmp_path / "small.png").read_bytes())
    large = golden.carried(Picture(str(tmp_path / "large.png")))
    assert Image.open(io.BytesIO(large.data)).size == (512, 219)
    assert len(large.data) < (tmp_path / "large.png").stat().st_size
    row = {"input": small, "answer": "a", "score": None, "scores": None}
    written = json.loads(json.dumps(golden.as_json(row["input"])))
    assert golden.from_json(written) == small
    assert golden.as_json(["a", "b"]) == ["a", "b"]
    assert golden.carried("a text") == "a text" == golden.from_json("a text")


def of_bytes(image):
    file = io.BytesIO()
    image.save(file, "PNG")
    return {"picture": base64.b64encode(file.getvalue()).decode()}


LARGE = of_bytes(Image.new("1", (600, 3)))


@pytest.mark.parametrize(
    "raw",
    [None, 3, {}, {"picture": 3}, {"picture": "not base64!"}, {"picture": "", "more": 1}, [1], {"picture": "aGVsbG8="}, LARGE],
)
def test_inputs_of_strangers_that_are_none(raw):
    with pytest.raises(ValueError):
        small(from_json(raw))
