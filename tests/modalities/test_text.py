"""The text modality and the six tokenizers under it."""

import hashlib
import json
import math
import subprocess
import sys

import numpy as np
import pytest
import safetensors.numpy
import torch
from hypothesis import given
from hypothesis import strategies as st

from zhuji.core.contracts import Encoded
from zhuji.core.errors import BadSetting
from zhuji.modalities._tokenizers import BYTE_VOCABULARY, MASK, PAD, RESERVED, UNKNOWN
from zhuji.modalities.text import Text

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


class TestRunsOfTokens:
    def test_known_runs_follow_the_tokens(self):
        plain, pairs = fitted("words", max_units=8), fitted("words", max_units=8, ngrams=2, ngram_frequency=1)
        one, two = plain.encode(CORPUS), pairs.encode(CORPUS)
        assert pairs.spec.num_ids > plain.spec.num_ids
        for alone, both in zip(one, two, strict=True):
            assert both.ids[: alone.length].tolist() == alone.ids.tolist()
            assert both.length == 2 * alone.length - 1
            assert both.cut == alone.cut
            assert pairs.decode(both.ids.tolist()) == plain.decode(alone.ids.tolist())

    def test_what_training_did_not_meet_often_enough_has_no_id(self):
        text = Text(ngrams=2, ngram_frequency=2).fit(["a b c", "a b d", "a b", "c d", "c d"])
        assert text.spec.num_ids == text.num_tokens + 2  # "a b" and "c d"
        (known,), (unknown,) = text.encode(["a b"]), text.encode(["b c"])
        assert known.length == 3 and known.ids[2] >= text.num_tokens
        assert unknown.length == 2

    def test_of_too_many_the_most_frequent_stay(self):
        text = Text(ngrams=2, ngram_size=1, ngram_frequency=1).fit(["a b", "a b", "c d"])
        assert [row.length for row in text.encode(["a b", "c d"])] == [3, 2]

    def test_weights_begin_at_the_inverse_document_frequency(self):
        text = Text(weigh=True).fit(["a a b", "a c", "a"])
        weight = text.stem(4).weight.weight.exp()[:, 0].tolist()
        a, b, unseen = (weight[ids_of(text, word)[0]] for word in ("a", "b", "zzz"))
        inverse = {1: math.log(4 / 2) + 1, 3: math.log(4 / 4) + 1, 0: math.log(4 / 1) + 1}
        assert b / a == pytest.approx(inverse[1] / inverse[3])
        assert unseen / a == pytest.approx(inverse[0] / inverse[3])

    def test_runs_and_weights_travel(self):
        text = fitted("words", ngrams=3, ngram_frequency=1, weigh=True)
        again = Text.parse(text.plain()).with_files(text.files())
        assert again.files() == text.files()
        assert all(ids_of(again, sentence) == ids_of(text, sentence) for sentence in CORPUS)
        assert torch.equal(again.stem(3).weight.weight, text.stem(3).weight.weight)

    @pytest.mark.parametrize("broken", [{"runs": np.array([3, 2], np.int64)}, {"rarity": np.zeros(3, np.float32)}])
    def test_files_that_do_not_fit_are_refused(self, broken):
        text = fitted("words", ngrams=2, weigh=True)
        units = {**safetensors.numpy.load(text.files()["units.safetensors"]), **broken}
        files = {**text.files(), "units.safetensors": safetensors.numpy.save(units)}
        with pytest.raises(ValueError, match="sorted runs"):
            Text.parse(text.plain()).with_files(files)


class TestCollate:
    def test_rows_are_padded_behind(self):
        rows = [Encoded(ids=np.array([7, 8], dtype=np.int32)), Encoded(ids=np.array([9], dtype=np.int32))]
        units = TEXTS["words"].collate(rows, (3,))
        assert units.ids.tolist() == [[7, 8, PAD], [9, PAD, PAD]]
        assert units.mask.tolist() == [[True, True, False], [True, False, False]]
        assert units.ids.dtype == torch.int64 and units.values is None


def test_texts_are_cut_as_they_are_said() -> None:
    pytest.importorskip("phonemizer")
    text = Text(tokenizer="characters", phonemes="en-us").fit(["Room 42, please.", "write"])
    (number,), (word,) = text.encode(["42"]), text.encode(["forty two"])
    assert number.ids is not None and word.ids is not None and number.ids.tolist() == word.ids.tolist()
    assert text.decode(number.ids) == "fˈɔːɹɾi tˈuː" == text.shown("42").text
    right, write = text.encode(["right", ("write",)])
    assert right.ids is not None and write.ids is not None and right.ids.tolist() == write.ids.tolist()
    hidden = text.encode_masked("42 [MASK]")
    assert hidden.ids is not None and hidden.ids.tolist() == [*number.ids.tolist(), text.special.mask]
    assert text.unknown("four vats") == ["v", "æ", "s"], "phonemes that training never met"
    again = Text.parse(text.plain()).with_files(text.files())
    assert again.encode(["two"])[0].length == 4


@pytest.mark.parametrize("language", ["", "EN", "en us", "../en", "en-us\n"])
def test_a_language_is_a_name(language: str) -> None:
    with pytest.raises(BadSetting):
        Text.parse({"phonemes": language})


def test_half_a_sign_behind_a_mask_is_no_error() -> None:
    text = Text(tokenizer="characters").fit(["ab"])
    row = text.encode_masked("a[MASK]\ud800")
    assert row.ids is not None and row.ids.tolist()[1:] == [text.special.mask, text.special.unknown]
