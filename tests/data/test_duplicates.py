import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhuji.core.seed import stream
from zhuji.data import duplicates
from zhuji.data.duplicates import WORD, cluster_of, exact_key, join, near_groups, normalised, similarity

SYLLABLES = ["ka", "to", "mi", "ren", "sol", "ve", "du", "pa", "lin", "gor", "es", "ta", "bri", "nu", "qua"]
HANZI = [chr(c) for c in range(0x4E00, 0x4E00 + 800)]


def english(rng: np.random.Generator, words: int) -> str:
    return " ".join("".join(rng.choice(SYLLABLES, rng.integers(1, 4))) for _ in range(words))


def chinese(rng: np.random.Generator, words: int) -> str:
    return "".join(rng.choice(HANZI, words))


def changed(text: str, rng: np.random.Generator, make) -> str:
    """3 % of the words, at least one, replaced."""
    spans = [m.span() for m in WORD.finditer(text)]
    for begin, end in sorted(
        (spans[i] for i in rng.choice(len(spans), max(1, round(0.03 * len(spans))), replace=False)), reverse=True
    ):
        text = text[:begin] + make(rng, 1) + text[end:]
    return text


def reference(a: str, b: str) -> float:
    """Jaccard similarity by Python sets."""
    raw = [f" {normalised(t)} ".encode() for t in (a, b)]
    x, y = ({r[i : i + 5] for i in range(max(1, len(r) - 4))} for r in raw)
    return len(x & y) / len(x | y)


@pytest.mark.parametrize(
    "copy", ["Hello  World", "hello world", " HELLO\tworld\n", "Ｈｅｌｌｏ world", "hello\u00a0world", "hello\u3000WORLD"]
)
def test_copies_in_case_width_and_blanks_are_exact(copy):
    assert exact_key(copy) == exact_key("Hello World")
    assert len(exact_key(copy)) == 16


def test_other_texts_are_not_exact():
    assert len({exact_key(t) for t in ["", "a", "b", "a b", "ab", "a.", "好", "号"]}) == 8


@given(st.text())
def test_normalised_twice_is_normalised_once(text):
    assert normalised(normalised(text)) == normalised(text)


@given(st.lists(st.text(alphabet="ab好 \ud800", max_size=12), min_size=1, max_size=8))
def test_any_texts_fall_into_clusters_that_hold_equal_texts_together(texts):
    cluster = cluster_of(texts, 0.8, 0)
    assert cluster.shape == (len(texts),)
    for i, j in itertools.combinations(range(len(texts)), 2):
        if exact_key(texts[i]) == exact_key(texts[j]):
            assert cluster[i] == cluster[j]


def test_similarity_equals_sets():
    rng = stream(1, "texts")
    texts = [english(rng, 60) for _ in range(6)]
    texts += [changed(t, rng, english) for t in texts] + ["x" * 30, "x" * 31, "ok", "ok!"]
    pairs = list(itertools.combinations(range(len(texts)), 2))
    got = similarity(texts, [a for a, _ in pairs], [b for _, b in pairs])
    assert got.tolist() == [pytest.approx(reference(texts[a], texts[b]), abs=1e-12) for a, b in pairs]


@pytest.mark.parametrize("make", [english, chinese])
@pytest.mark.parametrize("words", [12, 25, 60, 400])
def test_copies_with_three_percent_of_words_changed_are_found(make, words):
    rng = stream(7, make.__name__, words)
    count = 150 if words < 100 else 50
    texts = [make(rng, words) for _ in range(count)]
    copies = [changed(t, rng, make) for t in texts]
    cluster = cluster_of(texts + copies, 0.8, 0)
    assert (cluster[:count] == cluster[count:]).mean() >= 0.95
    assert len(np.unique(cluster[:count])) == count, "texts that have nothing in common were joined"


def test_candidates_miss_almost_none_of_the_pairs_that_brute_force_finds():
    rng = stream(3, "brute")
    stock = [english(rng, 8) for _ in range(40)]
    texts = [" ".join(rng.choice(stock, 6)) for _ in range(1000)]  # paragraphs in common: every similarity between 0 and 1
    texts += [
        changed(t, rng, english) if rng.random() < 0.5 else t + " " + english(rng, int(rng.integers(2, 14))) for t in texts
    ]
    keys = duplicates._shingles([normalised(t).encode() for t in texts])
    from scipy.sparse import csr_array

    shingle = np.unique(keys & np.uint64(2**40 - 1), return_inverse=True)[1]
    sets = csr_array((np.ones(len(keys), np.float32), ((keys >> np.uint64(40)).astype(int), shingle)))
    shared = (sets @ sets.T).toarray()
    sizes = shared.diagonal()
    alike = shared / (sizes[:, None] + sizes[None] - shared)
    true = np.argwhere(np.triu(alike >= 0.8, 1))
    cluster = cluster_of(texts, 0.8, 0)
    found = cluster[true[:, 0]] == cluster[true[:, 1]]
    assert len(true) > 800
    assert found.mean() >= 0.995
    linked = join(np.arange(len(texts)), true[:, 0], true[:, 1])
    assert len(np.unique(linked)) == pytest.approx(len(np.unique(cluster)), abs=5), "rows were joined that no pair ties"


def test_the_threshold_is_kept():
    a = "the quick brown fox jumps over the lazy dog near the old mill"
    b = "the quick brown fox jumps over the lazy dog near the new barn beyond"
    alike = reference(a, b)
    assert 0.5 < alike < 0.8
    assert near_groups([a, b], alike - 0.01, 0) == [[0, 1]]
    assert near_groups([a, b], alike + 0.01, 0) == []


def test_one_changed_word_of_a_short_text_counts_by_words():
    nine = "one two three four five six seven eight nine"
    assert near_groups([nine, nine.replace("five", "extraordinarily")], 0.8, 0) == [[0, 1]]
    eight = nine.removesuffix(" nine")
    assert near_groups([eight, eight.replace("five", "extraordinarily")], 0.8, 0) == []
    assert near_groups(["one of the best films", "one of the worst films"], 0.8, 0) == []


def test_zero_finds_exact_copies_only():
    texts = ["a b c d e f g h i j k l m n", "A b c d e f g h i j k l m n", "a b c d e f g h i j k l m o"]
    assert near_groups(texts, 0, 0) == near_groups(texts, 1, 0) == [[0, 1]]
    assert near_groups(texts, 0.7, 0) == [[0, 1, 2]]


def test_thousands_of_rows_of_one_template_are_one_cluster_and_quick():
    texts = [
        f"Dear customer, your order number {i} has left our house today and will arrive within three days." for i in range(1500)
    ]
    assert [len(group) for group in near_groups(texts, 0.8, 0)] == [1500]


def test_groups_are_sorted_and_edges_hold():
    assert near_groups([], 0.8, 0) == near_groups(["only"], 0.8, 0) == []
    assert near_groups(["b", "a", "A", "B", "c"], 0.8, 0) == [[0, 3], [1, 2]]
    assert near_groups(["", " ", "x"], 0.8, 0) == [[0, 1]]


def test_chunks_change_nothing(monkeypatch):
    rng = stream(5, "chunks")
    texts = [english(rng, 20) for _ in range(60)]
    texts += [changed(t, rng, english) for t in texts]
    whole = near_groups(texts, 0.8, 0)
    monkeypatch.setattr(duplicates, "CHUNK", 500)
    assert near_groups(texts, 0.8, 0) == whole


def test_a_huge_text_is_compared_by_its_beginning(monkeypatch):
    monkeypatch.setattr(duplicates, "LONGEST", 2000)
    rng = stream(6, "huge")
    text = english(rng, 600)
    assert near_groups([text, text + english(rng, 600)], 0.8, 0) == [[0, 1]]
    assert exact_key(text) != exact_key(text + " end"), "exact copies are compared whole"
