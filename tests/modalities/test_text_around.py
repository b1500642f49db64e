"""What the text modality does around its tokens: special ids, numbers of words, streams, tokenizers from elsewhere."""

import functools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.modalities.test_text import CORPUS, KINDS, TEXTS, back, fitted, ids_of
from zhuji.core.errors import BadSetting
from zhuji.modalities._tokenizers import MASK, PAD, UNKNOWN
from zhuji.modalities.text import Text


class TestWrap:
    @pytest.mark.parametrize(("wrap", "before", "after"), [("both", [2], [3]), ("start", [2], []), ("end", [], [3])])
    @pytest.mark.parametrize("kind", KINDS)
    def test_special_ids_stand_around_every_text(self, kind, wrap, before, after):
        text = fitted(kind, wrap=wrap)
        assert ids_of(text, CORPUS[0]) == before + ids_of(TEXTS[kind], CORPUS[0]) + after
        assert ids_of(text, "") == before + after
        assert back(text, CORPUS[0]) == back(TEXTS[kind], CORPUS[0])

    def test_they_are_kept_within_the_limit(self):
        text = fitted("characters", wrap="both", max_units=5)
        (row,) = text.encode(["the cat"])
        assert row.ids.tolist() == [2, *ids_of(TEXTS["characters"], "the"), 3]
        assert (row.length, row.cut) == (5, 4)

    def test_runs_come_after_the_end(self):
        text = fitted("words", wrap="both", ngrams=2, ngram_frequency=1)
        ids = ids_of(text, "cat sat on")
        assert ids[0] == 2 and ids[4] == 3 and len(ids) == 7 and min(ids[5:]) >= text.num_tokens

    def test_no_room_between_them_is_refused(self):
        with pytest.raises(BadSetting, match="max_units >= 3"):
            Text.parse({"wrap": "both", "max_units": 2})

    def test_an_id_that_the_vocabulary_lacks_is_refused(self):
        with pytest.raises(BadSetting, match="no such id"):
            Text.parse({"wrap": "end", "special": {"end": None}})

    def test_the_spec_names_the_special_ids(self):
        spec = TEXTS["words"].spec
        assert (spec.start, spec.end, spec.mask, spec.reserved) == (2, 3, MASK, (0, 1, 2, 3, 4))


class TestWordsOfPieces:
    def test_pieces_of_a_word_bear_its_number(self):
        text = fitted("wordpiece", pieces=True, vocab_size=60)
        (row,) = text.encode(["the cats, mat"])
        names = [text._tokenizer.id_to_token(i) for i in row.ids.tolist()]
        for name, number, before in zip(names[1:], row.words[1:], row.words[:-1], strict=True):
            assert number == before + (not name.startswith("##")), names
        assert row.words.max() == 3  # the, cats, the comma, mat

    @pytest.mark.parametrize("kind", ["bytes", "bpe", "unigram", "characters"])
    def test_without_word_boundaries_of_the_tokenizer_the_characters_decide(self, kind):
        text = fitted(kind, pieces=True, vocab_size=300)
        (row,) = text.encode(["ab 中文 x1!"])
        pieces = [[i for i, w in zip(row.ids.tolist(), row.words.tolist()) if w == n] for n in range(row.words.max() + 1)]
        shown = [text.decode(ids).strip() for ids in pieces]
        assert [word for word in shown if word] == ["ab", "中", "文", "x1", "!"]

    def test_bytes_of_one_character_are_one_word(self):
        (row,) = fitted("bytes", pieces=True).encode(["😀a"])
        assert row.words.tolist() == [0, 0, 0, 0, 1]

    @pytest.mark.parametrize("kind", KINDS)
    @given(sentence=st.text())
    def test_every_piece_has_a_number_and_numbers_rise_by_one(self, kind, sentence):
        (row,) = fitted_pieces(kind).encode([sentence])
        assert len(row.words) == row.length
        assert set(np.diff(row.words).tolist()) <= {0, 1}
        assert row.ids.tolist() == ids_of(TEXTS[kind], sentence)

    def test_the_special_ids_and_runs_belong_to_no_word(self):
        text = fitted("words", pieces=True, wrap="both", ngrams=2, ngram_frequency=1)
        assert text.encode(["cat sat"])[0].words.tolist() == [-1, 0, 1, -1, -1]
        assert fitted("words", pieces=True).encode([""])[0].words.tolist() == [-1]

    @pytest.mark.parametrize("kind", KINDS)
    def test_an_input_of_words_keeps_their_numbers(self, kind):
        text = fitted(kind, wrap="both")
        words = ("The", "cat", "模", "型", "sat.")
        (row,) = text.encode([words])
        assert set(row.words.tolist()) == {-1, 0, 1, 2, 3, 4}
        assert row.words[0] == row.words[-1] == -1
        assert (np.diff(row.words[1:-1]) >= 0).all()

    def test_words_are_written_as_people_write_them(self):
        written = ids_of(TEXTS["bpe"], "The cat 模型 sat")
        assert TEXTS["bpe"].encode([("The", "cat", "模型", "sat")])[0].ids.tolist() == written

    def test_texts_and_words_may_stand_together(self):
        rows = TEXTS["words"].encode(["the cat", ("the", "cat"), "mat"])
        assert [row.words is None for row in rows] == [True, False, True]
        units = TEXTS["words"].collate(rows, (3,))
        assert units.words.tolist() == [[-1, -1, -1], [0, 1, -1], [-1, -1, -1]]
        assert units.ids[0].tolist() == units.ids[1].tolist()

    def test_a_modality_can_be_fitted_on_words(self):
        assert UNKNOWN not in ids_of(Text(vocab_size=50).fit([("the", "cat"), ("模", "型")]), "cat 模型")


@functools.cache
def fitted_pieces(kind: str) -> Text:
    return fitted(kind, pieces=True)


class TestStreams:
    @pytest.mark.parametrize("kind", KINDS)
    def test_a_stream_gives_what_a_list_gives(self, kind):
        text = Text(tokenizer=kind, vocab_size=400, ngrams=2, weigh=True)
        assert text.fit(iter(CORPUS)).files() == text.fit(CORPUS).files()

    @pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "unigram"])
    def test_what_can_be_read_again_is_never_held(self, kind):
        class Stream:
            alive = most = 0

            def __iter__(self):
                for number in range(5000):
                    yield Counted(f"word{number % 7} text " * 3)

        class Counted(str):
            def __init__(self, *_):
                Stream.alive += 1
                Stream.most = max(Stream.most, Stream.alive)

            def __del__(self):
                Stream.alive -= 1

        Text(tokenizer=kind, vocab_size=300).fit(Stream())
        assert Stream.most < 2500


FOREIGN = {
    "added_tokens": [
        {"id": n, "content": c, "special": True, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False}
        for n, c in [(3, "<s>"), (1, "<pad>"), (7, "<mask>")]
    ],
    "truncation": {"max_length": 2, "strategy": "LongestFirst", "stride": 0, "direction": "Right"},
    "padding": {
        "strategy": {"Fixed": 9}, "direction": "Right", "pad_to_multiple_of": None, "pad_id": 1, "pad_type_id": 0, "pad_token": "<pad>",
    },
    "pre_tokenizer": {"type": "Whitespace"},
    "model": {
        "type": "WordLevel", "unk_token": "<unk>",
        "vocab": {"<unk>": 0, "<pad>": 1, "a": 2, "<s>": 3, "b": 4, "<": 5, ">": 6, "<mask>": 7, "mask": 8},
    },
}  # fmt: skip


def foreign(**settings) -> Text:
    special = {"pad": 1, "unknown": 0, "start": 3, "end": None, "mask": 7}
    return Text.read(json.dumps(FOREIGN), **{"vocab_size": 12, "wrap": "start", "special": special, **settings})


class TestForeign:
    def test_ids_are_whatever_it_says_and_nothing_is_cut_or_padded(self):
        text = foreign()
        assert ids_of(text, "a b zzz b") == [3, 2, 4, 0, 4]
        assert text.spec.num_ids == 12 and text.spec.reserved == (0, 1, 3, 7)
        units = text.collate(text.encode(["a", ""]), (3,))
        assert units.ids.tolist() == [[3, 2, 1], [3, 1, 1]]
        assert text.stem(4).table.padding_idx == 1

    def test_a_special_name_in_a_text_is_text(self):
        assert ids_of(foreign(), "<mask>") == [3, 5, 8, 6]
        assert foreign().encode_masked("a <mask> b").ids.tolist() == [3, 2, 7, 4]

    def test_decoding_drops_what_is_reserved(self):
        assert foreign().decode([3, 2, 0, 4, 7, 11, 1]) == "a b"

    def test_it_travels(self):
        text = foreign()
        again = Text.parse(json.loads(json.dumps(text.plain()))).with_files(text.files())
        assert ids_of(again, "a <mask>") == ids_of(text, "a <mask>") and again.files() == text.files()

    def test_fitting_leaves_it_alone(self):
        assert foreign().fit(["x y z"]).files() == foreign().files()
        with pytest.raises(BadSetting, match="brings"):
            Text(tokenizer="read").fit(["x"])

    def test_more_ids_than_the_table_has_are_refused(self):
        with pytest.raises(ValueError, match="holds id 8"):
            foreign(vocab_size=8)

    def test_what_is_no_tokenizer_is_refused(self):
        with pytest.raises(ValueError):
            Text.read("{}", vocab_size=12)

    def test_padding_without_an_id_of_its_own_is_still_zero(self):
        text = foreign(special={"pad": None, "unknown": None, "start": 3, "end": 3, "mask": None})
        units = text.collate(text.encode(["a b", ""]), (3,))
        states = text.stem(4)(units).states
        assert not states[1, 1:].any() and states[0].all()


class TestMaskedTexts:
    @pytest.mark.parametrize("kind", ["wordpiece", "words"])
    def test_the_name_stands_for_a_hidden_token(self, kind):
        row = fitted(kind, wrap="both").encode_masked("the [MASK] sat")
        the, sat = ids_of(TEXTS[kind], "the")[0], ids_of(TEXTS[kind], "sat")[0]
        assert row.ids.tolist() == [2, the, MASK, sat, 3]


class TestDecoding:
    @pytest.mark.parametrize("kind", KINDS)
    def test_reserved_ids_are_dropped_for_every_kind(self, kind):
        ids = ids_of(TEXTS[kind], "the cat")
        assert TEXTS[kind].decode([2, *ids, 3, MASK, UNKNOWN, PAD]) == "the cat"

    def test_pieces_grow_together(self):
        text = fitted("wordpiece", vocab_size=60)
        assert len(ids_of(text, "training")) > 1 and back(text, "training the cat") == "training the cat"
