from zhuji.model.card import card

SCORE = {"value": 0.85, "low": 0.84, "high": 0.86}
RESULTS = {
    "name": "sections", "kind": "classify", "version": "0.1.0", "labels": ["net", "a|b<script>"],
    "model": {"modality": "text", "backbone": "bag", "task": "classify", "parameters": 1_234_567},
    "test": {"accuracy": SCORE, "auroc": {"value": None, "low": None, "high": None}},
    "baselines": {"tfidf_svm": {"accuracy": {"value": 0.849, "low": 0.839, "high": 0.86}}},
    "without_leaks": {"accuracy": {"value": 0.8, "low": 0.7, "high": 0.9}},
    "ledger": {"read": 100, "used": 90, "cut": 4, "dropped": 6,
               "rows": [{"fate": "used", "cause": "", "split": "test", "label": "net", "rows": 20},
                        {"fate": "dropped", "cause": "empty", "split": "test", "label": "net", "rows": 6}]},
    "leaks": {"found": {"exact": 3, "near": 0}},
    "fingerprint": {"data.csv": {"sha256": "abc", "bytes": 5}},
    "per_class": [{"label": "net", "precision": 1, "recall": 1, "f1": 0.25, "support": 9}],
}  # fmt: skip


def test_it_says_what_a_reader_must_know():
    text = card(RESULTS)
    for fact in (
        "# sections", "1.2M (1,234,567)", "| accuracy | 0.85 [0.84, 0.86] | 0.849 [0.839, 0.86] |", "| auroc | – | – |",
        "accuracy is 0.8 [0.7, 0.9]", "100 rows read: 90 used, 4 cut, 6 dropped", "test: 20 rows", "exact: 3", "SHA-256 `abc`",
        "net (F1 0.25, 9 rows)", "zhuji predict BUNDLE", "## Licence", "golden.jsonl",
    ):  # fmt: skip
        assert fact in text, fact


def test_names_from_the_data_cannot_break_the_page():
    assert "a\\|b&lt;script>" in card(RESULTS)


def test_what_is_not_known_is_left_out():
    text = card({})
    assert "## Test scores" not in text
    assert "## Data" not in text
    assert "## Limits" in text
    assert "gives a number" in card({"kind": "regress"})
    assert "any number of labels" in card({"kind": "classify_many"})


def test_of_pictures_it_speaks_of_pictures():
    text = card({**RESULTS, "model": {**RESULTS["model"], "modality": "image"}})
    for fact in (
        "gives one label to a picture",
        "pictures of other cameras",
        "zhuji predict BUNDLE picture.jpg",
        'predict(["picture.jpg"])',
    ):
        assert fact in text, fact
    assert "a text" not in text
