import pytest

from zhuji.data import names


@pytest.mark.parametrize(
    ("name", "words"),
    [("Review-Text", ("review", "text")), ("reviewText", ("review", "text")), ("评论 内容", ("评论", "内容")), ("", ())],
)
def test_words_of_a_name(name, words):
    assert names.words(name) == words


def test_a_whole_name_outranks_a_part():
    ranks = [names.rank(name, names.TEXT) for name in ("text", "Content", "clean_text", "用户评论内容", "price")]
    assert ranks[0] == 0 and ranks[0] < ranks[1] < ranks[2] and ranks[3] is not None and ranks[4] is None


@pytest.mark.parametrize(
    ("value", "split"),
    [("Train", "train"), (" dev ", "valid"), ("验证集", "valid"), ("TEST", "test"), ("other", None), (1, None)],
)
def test_names_of_splits(value, split):
    assert names.split_name(value) == split


def test_known_names():
    assert names.known("Label") and names.known("标签") and not names.known("great film")
