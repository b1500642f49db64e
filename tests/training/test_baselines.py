from dataclasses import replace

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.svm import LinearSVC

from zhuji.core.records import Record
from zhuji.tasks.classify import Classify
from zhuji.tasks.regress import Regress
from zhuji.training.baselines import baselines, is_spaced

WORDS = {"good": ["fine", "nice", "lovely"], "bad": ["awful", "poor", "ugly"], "odd": ["strange", "weird", "queer"]}


def rows(seed, count, labels=tuple(WORDS), noise=0.2):
    rng = np.random.default_rng(seed)
    found = []
    for i in range(count):
        label = labels[int(rng.choice(len(labels), p=np.linspace(2, 1, len(labels)) / np.linspace(2, 1, len(labels)).sum()))]
        source = label if rng.random() > noise else labels[int(rng.integers(len(labels)))]
        text = " ".join([*rng.choice(WORDS[source], 2), *rng.choice(["the", "a", "film", "was", "plot"], 4)])
        found.append(Record(f"row-{seed}-{i}", text, label=label))
    return found


def test_classes():
    train, test = rows(0, 300), rows(1, 100)
    found = baselines(Classify().fit(train), train, test, resamples=50)
    assert list(found) == ["majority", "tfidf_svm", "tfidf_logistic"]
    share = np.mean([r.label == "good" for r in test])
    assert found["majority"].scores.value("accuracy") == pytest.approx(share)
    for name in ("tfidf_svm", "tfidf_logistic"):
        interval = found[name].scores.metrics["accuracy"]
        assert interval.low > share
        assert interval.low <= interval.value <= interval.high
    assert "log_loss" in found["tfidf_logistic"].as_dict()
    assert "log_loss" not in found["tfidf_svm"].as_dict()


def test_the_svm_is_scikit_learns():
    train, test = rows(0, 300), rows(1, 100)
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, min_df=2, dtype=np.float32)
    model = LinearSVC().fit(vectorizer.fit_transform([r.input for r in train]), [r.label for r in train])
    expected = (model.predict(vectorizer.transform([r.input for r in test])) == [r.label for r in test]).mean()
    found = baselines(Classify().fit(train), train, test, resamples=0)
    assert found["tfidf_svm"].scores.value("accuracy") == pytest.approx(expected)


def test_labels_that_training_never_met_count_as_wrong():
    train, test = rows(0, 200), rows(1, 60)
    new = [Record("x", "fine nice", label="new")] * 20
    plain = baselines(Classify().fit(train), train, test, resamples=0)["tfidf_svm"].scores
    mixed = baselines(Classify().fit(train), train, [*test, *new], resamples=0)["tfidf_svm"].scores
    assert mixed.unseen == 20
    assert mixed.value("accuracy") == pytest.approx(plain.value("accuracy") * 60 / 80)


def test_many_labels():
    def many(records):
        return [Record(r.id, r.input, label=(r.label, "film") if "film" in r.input else (r.label,)) for r in records]

    train, test = many(rows(0, 300)), many(rows(1, 80))
    found = baselines(Classify(many=True).fit(train), train, test, resamples=20)
    assert found["tfidf_svm"].scores.value("micro_f1") > found["majority"].scores.value("micro_f1")
    assert found["tfidf_logistic"].scores.value("log_loss") < found["majority"].scores.value("log_loss")


def test_numbers():
    values = {"good": 9.0, "odd": 5.0, "bad": 1.0}
    train, test = ([Record(r.id, r.input, label=values[r.label]) for r in rows(s, 300)] for s in (0, 1))
    found = baselines(Regress().fit(train), train, test, resamples=20)
    assert list(found) == ["mean", "tfidf_ridge"]
    mean = np.mean([r.label for r in train])
    assert found["mean"].scores.value("rmse") == pytest.approx(np.sqrt(np.mean([(r.label - mean) ** 2 for r in test])))
    assert found["tfidf_ridge"].scores.metrics["rmse"].high < found["mean"].scores.value("rmse")


def test_chinese_is_cut_into_characters():
    good, bad = (
        ["质量很好，非常满意", "很喜欢这个东西", "好评，下次再买"],
        ["质量太差，退货", "非常失望的东西", "差评，不会再买"],
    )
    train = [
        Record(f"{i}", text, label=label) for i in range(20) for texts, label in ((good, "正"), (bad, "负")) for text in texts
    ]
    test = [Record("a", "非常满意，好评", label="正"), Record("b", "太失望，差", label="负")]
    assert baselines(Classify().fit(train), train, test, resamples=0)["tfidf_svm"].scores.value("accuracy") == 1
    assert not is_spaced(good)
    assert is_spaced(["a sentence of words", "another one"])


@pytest.mark.parametrize("text", ["", "!", "a"])
def test_texts_without_a_word(text):
    train = [Record(f"{i}", text, label="ab"[i % 2]) for i in range(6)]
    found = baselines(Classify().fit(train), train, train, resamples=0)
    assert found["tfidf_logistic"].scores.value("accuracy") == 0.5


def test_without_rows_there_are_none():
    train = rows(0, 10)
    assert baselines(Classify().fit(train), train, []) == {}


def pictures(seed, count):
    """Marked pictures of one colour with noise; a third of them bears another's label."""
    import io

    from PIL import Image

    from zhuji.core.records import Picture
    from zhuji.data.marks import marked

    rng, found = np.random.default_rng(seed), []
    for i in range(count):
        label = i % 3
        colour = np.eye(3)[label if rng.random() > 0.3 else rng.integers(3)] * 120 + 60
        file = io.BytesIO()
        Image.fromarray((colour + rng.normal(0, 30, (8, 8, 3))).clip(0, 255).astype(np.uint8)).save(file, "PNG")
        found.append(Record(f"{seed}-{i}", marked(Picture(data=file.getvalue()))[0], label="rgb"[label]))
    return found


def test_pictures_are_compared_by_thumbnail():
    from sklearn.linear_model import LogisticRegression

    from zhuji.data.marks import thumbnails

    train, test = pictures(0, 150), pictures(1, 60)
    found = baselines(Classify().fit(train), train, test, resamples=0)
    assert list(found) == ["majority", "thumbnail_svm", "thumbnail_logistic"]
    learn, ask = (thumbnails([r.input for r in rows]).astype(np.float32) for rows in (train, test))
    mean, deviation = learn.mean(0), learn.std(0) + 1
    ours = LogisticRegression(C=0.01, max_iter=100).fit((learn - mean) / deviation, [r.label for r in train])
    assert found["thumbnail_logistic"].scores.value("accuracy") == pytest.approx(
        ours.score((ask - mean) / deviation, [r.label for r in test])
    )
    assert found["thumbnail_svm"].scores.value("accuracy") > 0.6 > found["majority"].scores.value("accuracy")


def test_numbers_and_many_labels_of_pictures():
    train = pictures(0, 90)
    numbers = [replace(r, label=float("rgb".index(r.label))) for r in train]
    assert list(baselines(Regress().fit(numbers), numbers, numbers[:20], resamples=0)) == ["mean", "thumbnail_ridge"]
    many = [replace(r, label=(r.label, "all")) for r in train]
    found = baselines(Classify(many=True).fit(many), many, many[:30], resamples=0)
    assert found["thumbnail_logistic"].scores.value("micro_f1") > 0.8
