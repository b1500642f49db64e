import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from tests import trained
from zhuji.core.errors import BadSetting
from zhuji.model.pooled import unit_length
from zhuji.tools import probe as module
from zhuji.tools.probe import probe


@pytest.fixture(scope="module")
def probed():
    return probe(trained.run(), trained.data(), resamples=50)


def test_every_probe_is_scored_with_an_interval_beside_counted_words(probed):
    assert list(probed.scores) == ["linear", "neighbours", "majority", "tfidf_svm", "tfidf_logistic"]
    for name in ("linear", "neighbours"):
        found = probed.scores[name]["accuracy"]
        assert found.value > 0.9
        assert found.low <= found.value <= found.high
        assert probed.scores[name]["macro_f1"].value > 0.8
    assert probed.scores["majority"]["accuracy"].value < 0.6
    assert probed.settings["linear"] in module.PENALTIES
    assert probed.settings["neighbours"] in module.NEIGHBOURS
    plain = probed.as_dict()
    assert plain["ledger"]["balanced"]
    assert plain["rows"] == {"train": 84, "test": 24}


def test_a_probe_is_the_same_again(probed):
    again = probe(trained.run(), trained.data(), resamples=50).as_dict()
    assert {**again, "seconds": 0} == {**probed.as_dict(), "seconds": 0}


def test_neighbours_vote_as_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    train, test, goal = rng.normal(size=(60, 4)), rng.normal(size=(20, 4)), rng.integers(0, 3, 60)
    train, test = train.astype(np.float32), test.astype(np.float32)
    found, k = module._neighbours(train, test, goal, 0)
    theirs = KNeighborsClassifier(int(k), metric="cosine", algorithm="brute").fit(train, goal)
    np.testing.assert_allclose(found, theirs.predict_proba(test), atol=1e-12)
    near = module._nearest(unit_length(train), unit_length(train), 5, itself=True)
    assert not (near == np.arange(60)[:, None]).any()


def test_numbers_and_many_labels_are_probed_too(tmp_path):
    lines = (trained.data()).read_text().splitlines()[1:]
    lengths = {"dogs": 1.5, "cats": 4.5, "鸟类": 9.25}
    path = tmp_path / "numbers.csv"
    rows = [line.rsplit(",", 1) for line in lines]
    path.write_text(
        "text,label\n" + "\n".join(f"{text},{lengths[label] + i % 7 / 100}" for i, (text, label) in enumerate(rows)) + "\n"
    )
    numbers = probe(trained.run(), path, resamples=0)
    assert numbers.scores["linear"]["r2"].value > 0.8
    assert numbers.scores["neighbours"]["r2"].value > 0.8
    path.write_text(
        "text,label\n"
        + "\n".join(f"{text},{label}|{'odd' if i % 2 else 'even'}" for i, (text, label) in enumerate(rows))
        + "\n"
    )
    many = probe(trained.run(), path, resamples=0, columns={"label_separator": "|"})
    assert many.scores["linear"]["micro_f1"].value > 0.6


def test_what_has_no_classes_or_numbers_is_refused():
    with pytest.raises(BadSetting, match="class names or numbers"):
        module._task("tag")
