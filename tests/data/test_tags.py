import pytest
from hypothesis import given
from hypothesis import strategies as st
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import IOB2, IOBES, Entities

from zhuji.data.tags import is_mark, kinds, may_follow, normal, scheme_of, spans

BIO = ["O", "B-a", "I-a", "B-b", "I-b"]
BIOES = [*BIO, "E-a", "S-a", "E-b", "S-b"]


@pytest.mark.parametrize(
    "rows, scheme",
    [
        ([["O", "B-a", "I-a", "B-a"]], "BIO"),
        ([["O", "I-a", "I-a", "O", "I-b", "B-b"]], "IOB1"),
        ([["B-a", "E-a", "S-b", "O"]], "BIOES"),
        ([["B-a", "L-a", "U-b", "O"]], "BIOES"),
        ([["DET", "NOUN"]], "plain"),
        ([["O", "O"]], "plain"),
        ([["O", "B-a", "weird"]], "plain"),
        ([], "plain"),
        # Now and then a span that begins wrongly makes no other scheme.
        ([["O", "B-a"], ["B-a", "I-a"], ["O", "I-a"]], "BIO"),
    ],
)
def test_the_scheme_is_found(rows, scheme):
    assert scheme_of(rows) == scheme


@pytest.mark.parametrize(
    "tags, scheme, expected",
    [
        (["I-a", "I-a", "B-a", "I-b"], "IOB1", ("B-a", "I-a", "B-a", "B-b")),
        (["B-a", "L-a", "U-b"], "BIOES", ("B-a", "E-a", "S-b")),
        (["B-a", "M-a", "E-a"], "BIOES", ("B-a", "I-a", "E-a")),
        (["O", "I-a"], "BIO", None),
        (["B-a", "I-b"], "BIO", None),
        (["B-a", "O"], "BIOES", None),
        (["S-a", "E-a"], "BIOES", None),
        (["O", "S-a"], "BIO", None),
        (["x", "y"], "plain", ("x", "y")),
        (["x", "B-a"], "BIO", None),
        ([], "BIO", ()),
    ],
)
def test_tags_are_brought_to_one_form_or_refused(tags, scheme, expected):
    assert normal(tags, scheme) == expected


@given(st.lists(st.sampled_from(BIO), max_size=8))
def test_spans_are_seqevals(tags):
    """conlleval's reading for any order of tags; and strict where the tags keep to the scheme."""
    assert spans(tags) == get_entities(tags)
    if normal(tags, "BIO") is not None:
        strict = [(e.tag, e.start, e.end - 1) for row in Entities([tags], IOB2).entities for e in row]
        assert spans(tags) == strict


@given(st.lists(st.sampled_from(BIOES), max_size=8))
def test_spans_of_bioes_that_keep_to_it(tags):
    if normal(tags, "BIOES") is not None:
        strict = [(e.tag, e.start, e.end - 1) for row in Entities([tags], IOBES).entities for e in row]
        assert spans(tags) == strict


def test_which_tag_may_follow():
    allowed = {(a, b) for a in BIO for b in BIO if may_follow(a, b, "BIO")}
    assert allowed == {(a, b) for a in BIO for b in BIO if b[0] != "I" or (a[0] in "BI" and a[2:] == b[2:])}
    assert not may_follow("B-a", "O", "BIOES") and may_follow("E-a", "O", "BIOES") and may_follow("B-a", "E-a", "BIOES")


def test_what_a_row_counts_as():
    assert kinds(("O", "B-b", "I-b", "S-a")) == ("a", "b")
    assert kinds(("O",)) == ("O",)
    assert is_mark("B-a-b") and is_mark("O") and not is_mark("o") and not is_mark("B_a")
