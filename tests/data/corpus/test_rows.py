import numpy as np
import pytest

from zhuji.data.corpus.rows import Row, kinds_of


@pytest.mark.parametrize("words", [[0, 0, 1, 1, 2], [-1, 0, 1, 1, -1], [0], [-1, -1], [0, -1, -1, 1, 1], []])
def test_words_come_back_as_they_were(words):
    kinds = kinds_of(np.array(words, int))
    assert kinds.dtype == np.uint8
    row = Row({"words": kinds}, np.array([len(words)]), np.array([0]))
    assert row.words.tolist() == words


def test_words_of_different_documents_differ_even_where_a_document_was_cut_inside_a_word():
    kinds = np.concatenate([kinds_of(np.array([-1, 0, 0, 1]))[2:], kinds_of(np.array([0, 0, 1]))])
    row = Row({"words": kinds}, np.array([2, 3]), np.array([7, 8]))
    assert row.words.tolist() == [0, 1, 2, 2, 3]


def test_segments_and_pieces():
    row = Row({"ids": np.arange(6), "values": np.ones((6, 2))}, np.array([1, 3, 2]), np.array([4, 5, 6]))
    assert len(row) == 6
    assert row.segments.tolist() == [0, 1, 1, 1, 2, 2]
    assert [piece["ids"].tolist() for piece in row.pieces] == [[0], [1, 2, 3], [4, 5]]
    assert [piece["values"].shape for piece in row.pieces] == [(1, 2), (3, 2), (2, 2)]
    assert row.words is None
