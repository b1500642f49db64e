from __future__ import annotations

from tests.formats.made import predictor
from zhuji.formats._network import Network


def test_rows_of_words_are_an_example_row_by_row() -> None:
    """Not a text of how Python writes them, which knows nothing of words."""
    found = predictor("pieces")
    network = Network.of(found, "onnx")
    words = network.example[network.fields.index("words")]
    assert (words.amax(1) + 1).tolist() == [len(row["input"]) for row in found.golden][: len(words)]
