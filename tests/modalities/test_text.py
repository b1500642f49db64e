"""The text modality and the six tokenizers under it."""

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from zhuji.core.contracts import Encoded
from zhuji.core.errors import BadSetting
from zhuji.modalities._tokenizers import BYTE_VOCABULARY, MASK, PAD, RESERVED, UNKNOWN
from zhuji.modalities.text import Text, with_ngrams

CORPUS = [
    "The cat sat on the mat. The cat, it seems, likes the mat!",
    "筑基：百日筑基，从头开始训练模型。模型很好，很强大。",
    "mixed 中文 and English 混合 text 😀👨‍👩‍👧 end",
    "a b c d e f g h i j k l m n o p q r s t u v w x y z 0 1 2 3 4 5 6 7 8 9",
    "tabs\tand\nline breaks\r\n  and   blanks ",
    "[MASK] is text here, and so are [PAD] and [UNK].",
]
KINDS = ["bpe", "unigram", "wordpiece", "bytes", "characters", "words"]
LOSSLESS = ["bpe", "unigram", "bytes"]


def fitted(kind: str, **changes) -> Text:
    return Text.parse({"tokenizer": kind, "vocab_size": 400, "lowercase": False, "max_units": 1000, **changes}).fit(CORPUS)


TEXTS = {kind: fitted(kind) for kind in KINDS}


def ids_of(text: Text, sentence: str) -> list[int]:
    return text.encode([sentence])[0].ids.tolist()


def back(text: Text, sentence: str) -> str:
    return text.decode(ids_of(text, sentence))


def words_of(text: Text, sentence: str) -> list[str]:
    return [text.decode([i]) for i in ids_of(text, sentence)]


class TestRoundTrip:
    @pytest.mark.parametrize("kind", [*LOSSLESS, "characters"])
    @pytest.mark.parametrize("sentence", CORPUS)
    def test_what_was_trained_on_comes_back_exactly(self, kind, sentence):
        assert back(TEXTS[kind], sentence) == sentence

    @pytest.mark.parametrize("kind", LOSSLESS)
    @given(sentence=st.text(min_size=1))
    def test_anything_comes_back_exactly(self, kind, sentence):
        assert back(TEXTS[kind], sentence) == sentence

    @given(sentence=st.text(alphabet=st.sampled_from(sorted(set("".join(CORPUS)))), min_size=1))
    def test_known_characters_come_back_exactly(self, sentence):
        assert back(TEXTS["characters"], sentence) == sentence

    @pytest.mark.parametrize("kind", ["words", "wordpiece"])
    def test_these_forget_blanks_and_what_they_do_not_know(self, kind):
        assert back(TEXTS[kind], "the   cat\n筑 基") == back(TEXTS[kind], "the cat 筑基")
        assert UNKNOWN in ids_of(TEXTS[kind], "кот")

    @pytest.mark.parametrize("kind", KINDS)
    @given(sentence=st.text())
    def test_nothing_breaks_and_no_text_leads_to_a_reserved_id_but_unknown(self, kind, sentence):
        (row,) = TEXTS[kind].encode([sentence])
        assert row.length >= 1
        assert row.ids.dtype == np.int32
        assert set(row.ids.tolist()).isdisjoint({PAD, 2, 3, MASK})
        assert row.ids.max() < TEXTS[kind].spec.num_ids

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("name", RESERVED)
    def test_a_reserved_name_in_a_text_is_text(self, kind, name):
        assert set(ids_of(TEXTS[kind], f"a {name} b")).isdisjoint({PAD, 2, 3, MASK})
        if kind in LOSSLESS:
            assert back(TEXTS[kind], f"a {name} b") == f"a {name} b"


class TestWords:
    def test_chinese_is_cut_into_characters_and_spaced_scripts_into_words(self):
        assert words_of(TEXTS["words"], "模型 likes cat，强大") == ["模", "型", "likes", "cat", "，", "强", "大"]

    def test_scripts_side_by_side_are_parted(self):
        assert words_of(TEXTS["words"], "English混合text") == ["English", "混", "合", "text"]

    def test_marks_and_emoji_stand_alone(self):
        assert words_of(TEXTS["words"], "mat!!😀") == ["mat", "!", "!", "😀"]

    def test_lowercase(self):
        lower = fitted("words", lowercase=True)
        assert ids_of(lower, "THE Cat") == ids_of(lower, "the cat")
        assert ids_of(TEXTS["words"], "THE") == [UNKNOWN]

    def test_rare_words_are_unknown(self):
        often = fitted("words", min_frequency=2)
        assert UNKNOWN not in ids_of(often, "the cat")
        assert ids_of(often, "likes") == [UNKNOWN]

    def test_the_vocabulary_is_the_most_frequent_first(self):
        small = Text(vocab_size=len(RESERVED) + 2).fit(["b b b a a c"])
        assert ids_of(small, "b a c") == [5, 6, UNKNOWN]
        assert small.num_tokens == 7


class TestLimits:
    def test_the_start_is_kept_and_the_rest_counted(self):
        short = fitted("characters", max_units=4)
        row, exact = short.encode(["the cat", "the "])
        assert short.decode(row.ids.tolist()) == "the "
        assert (row.length, row.cut, exact.cut) == (4, 3, 0)

    @pytest.mark.parametrize("kind", KINDS)
    @pytest.mark.parametrize("sentence", ["", "   ", "\n"])
    def test_no_row_is_empty(self, kind, sentence):
        (row,) = TEXTS[kind].encode([sentence])
        assert row.length >= 1 and row.cut == 0

    def test_an_empty_text_is_one_unknown_unit(self):
        for text in TEXTS.values():
            assert ids_of(text, "") == [UNKNOWN]

    def test_no_rows(self):
        assert TEXTS["words"].encode([]) == []
        assert TEXTS["words"].model_copy(update={"ngrams": 2}).encode([]) == []

    @pytest.mark.parametrize("kind", KINDS)
    def test_half_a_surrogate_pair_is_replaced(self, kind):
        assert ids_of(TEXTS[kind], "a\ud83db") == ids_of(TEXTS[kind], "a\ufffdb")

    @pytest.mark.parametrize("kind", KINDS)
    def test_fitting_on_surrogates_and_on_nothing(self, kind):
        assert ids_of(fitted(kind).fit(["\ud800"]), "")
        if kind != "unigram":
            assert ids_of(fitted(kind).fit([]), "a")

    def test_a_vocabulary_of_bytes_must_hold_all_bytes(self):
        for kind in ("bpe", "unigram"):
            with pytest.raises(BadSetting, match=str(BYTE_VOCABULARY)):
                Text.parse({"tokenizer": kind, "vocab_size": 100})
        assert Text(tokenizer="bytes", vocab_size=10).fit([]).num_tokens == BYTE_VOCABULARY

    def test_an_unfitted_one_says_so(self):
        with pytest.raises(AssertionError, match="fitted"):
            Text().encode(["a"])


class TestTravel:
    @pytest.mark.parametrize("kind", KINDS)
    def test_files_hold_all_that_was_learned(self, kind):
        text = TEXTS[kind]
        again = Text.parse(json.loads(json.dumps(text.plain()))).with_files(text.files())
        assert again.spec == text.spec
        assert again.files() == text.files()
        for sentence in CORPUS:
            assert ids_of(again, sentence) == ids_of(text, sentence)

    def test_the_same_texts_give_the_same_tokenizer_in_another_process(self):
        program = (
            "import sys, json, hashlib; from zhuji.modalities.text import Text\n"
            "for kind in json.loads(sys.argv[1]):\n"
            "    text = Text(tokenizer=kind, vocab_size=400, lowercase=False).fit(json.loads(sys.argv[2]))\n"
            "    print(hashlib.sha256(text.files()['tokenizer.json']).hexdigest())"
        )
        command = [sys.executable, "-c", program, json.dumps(KINDS), json.dumps(CORPUS)]
        there = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        here = [hashlib.sha256(TEXTS[kind].files()["tokenizer.json"]).hexdigest() for kind in KINDS]
        assert dict(zip(KINDS, there)) == dict(zip(KINDS, here))

    def test_fitting_leaves_the_original_as_it_was(self):
        text = Text(vocab_size=50)
        text.fit(CORPUS)
        with pytest.raises(AssertionError):
            _ = text.spec


def hashed_by_hand(run: list[int], buckets: int) -> int:
    """The hash in Python's own whole numbers."""
    modulus = 2**64
    value = run[0] + 1
    for unit in run[1:]:
        value = (value * 0x9E3779B97F4A7C15 + unit + 1) % modulus
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        value = (value ^ (value >> shift)) * factor % modulus
    return (value ^ (value >> 31)) % buckets


class TestNgrams:
    @given(
        rows=st.lists(st.lists(st.integers(0, 99), min_size=1, max_size=6), min_size=1, max_size=5),
        longest=st.integers(2, 4),
        buckets=st.integers(1, 1000),
    )
    def test_every_run_of_a_row_gets_its_hash_and_none_crosses_rows(self, rows, longest, buckets):
        got = with_ngrams([np.array(row, dtype=np.int32) for row in rows], longest, 100, buckets)
        for row, ids in zip(rows, got, strict=True):
            runs = [row[at : at + size] for size in range(2, longest + 1) for at in range(len(row) - size + 1)]
            assert ids.dtype == np.int32
            assert ids.tolist() == row + [100 + hashed_by_hand(run, buckets) for run in runs]

    def test_hashing_is_spread_evenly(self):
        rows = [np.arange(20_000, dtype=np.int32)]
        (ids,) = with_ngrams(rows, 2, 0, 100)
        counts = np.bincount(ids[20_000:], minlength=100)
        expected = 19_999 / 100
        # Chi-squared with 99 degrees of freedom stays below 148.2 in 999 of 1000 fair draws.
        assert ((counts - expected) ** 2 / expected).sum() < 148.2

    def test_text_with_ngrams(self):
        plain, pairs = fitted("words", max_units=5), fitted("words", max_units=5, ngrams=2, ngram_buckets=50)
        one, two = plain.encode(CORPUS), pairs.encode(CORPUS)
        assert pairs.spec.num_ids == plain.spec.num_ids + 50
        for alone, both in zip(one, two, strict=True):
            assert both.ids[: alone.length].tolist() == alone.ids.tolist()
            assert both.length == 2 * alone.length - 1
            assert both.cut == alone.cut
            assert pairs.decode(both.ids.tolist()) == plain.decode(alone.ids.tolist())


class TestCollate:
    def test_rows_are_padded_behind(self):
        rows = [Encoded(ids=np.array([7, 8], dtype=np.int32)), Encoded(ids=np.array([9], dtype=np.int32))]
        units = TEXTS["words"].collate(rows, (3,))
        assert units.ids.tolist() == [[7, 8, PAD], [9, PAD, PAD]]
        assert units.mask.tolist() == [[True, True, False], [True, False, False]]
        assert units.ids.dtype == torch.int64 and units.values is None
