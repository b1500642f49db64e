from tests.formats.made import exported, predictor
from zhuji.formats import find
from zhuji.model.bundle import open_bundle


def test_it_is_our_bundle_and_changes_nothing():
    folder = exported("writer", "safetensors")
    opened, limit = find("safetensors").open(folder)
    texts = [row["input"] for row in predictor("writer").golden]
    assert list(opened.predict(texts)) == list(predictor("writer").predict(texts)) == list(open_bundle(folder).predict(texts))
    assert limit == 1e-4 and find("safetensors").loops
