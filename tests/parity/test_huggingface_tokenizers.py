"""Tokenizers cut texts as `transformers` does: ids are equal, piece by piece, and so is the text that ids stand for."""

from __future__ import annotations

import pytest

from tests.parity.huggingface_folders import POSITIONS, TEXTS, config_of, quiet, saved, tokenizer_of, transformers
from zhuji.modalities.text import Text
from zhuji.model.huggingface import tokenizer as ours

pytestmark = pytest.mark.filterwarnings("ignore")

MORE = [
    *TEXTS, "", "   ", "筑基 2024年，你好！", "emoji: 🇨🇳🏳️‍🌈 e\u0301", "don't can't I'm", "a\u00a0b\u200bc\x00d", "x" * 120, "Ａ１ ﾊﾝｶｸ 한국어",
]  # fmt: skip
KINDS = {"bert": "BertModel", "roberta": "RobertaModel", "gpt2": "GPT2Model", "llama": "LlamaModel"}


def read(folder, kind, tokenizer):
    return ours.read(folder, kind, len(tokenizer), POSITIONS)


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_ids(kind, tmp_path):
    saved(kind, KINDS[kind], tmp_path)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    text = read(tmp_path, kind, theirs)
    for sentence in MORE:
        expected = theirs(sentence, truncation=True, max_length=POSITIONS)["input_ids"]
        if expected:
            assert text.encode([sentence])[0].ids.tolist() == expected, sentence


@pytest.mark.parametrize("kind", ["bert", "roberta", "gpt2"])
def test_the_older_files_give_the_same_ids(kind, tmp_path):
    with quiet():
        theirs = tokenizer_of(kind, tmp_path)
    assert not (tmp_path / "tokenizer.json").exists()
    text = read(tmp_path, kind, theirs)
    for sentence in MORE:
        expected = theirs(sentence, truncation=True, max_length=POSITIONS)["input_ids"]
        if expected:
            assert text.encode([sentence])[0].ids.tolist() == expected, sentence


@pytest.mark.parametrize("kind", KINDS)
def test_special_ids(kind, tmp_path):
    _, theirs = saved(kind, KINDS[kind], tmp_path)
    special = read(tmp_path, kind, theirs).special
    first = theirs.cls_token_id if theirs.cls_token_id is not None else theirs.bos_token_id
    last = theirs.sep_token_id if theirs.sep_token_id is not None else theirs.eos_token_id
    assert (special.pad, special.unknown, special.mask) == (theirs.pad_token_id, theirs.unk_token_id, theirs.mask_token_id)
    assert special.start == first
    assert special.end == last


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_text_from_ids(kind, tmp_path):
    saved(kind, KINDS[kind], tmp_path)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    text = read(tmp_path, kind, theirs)
    for sentence in TEXTS[:4]:
        ids = text.encode([sentence])[0].ids.tolist()
        assert text.decode(ids) == theirs.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)


@pytest.mark.parametrize("kind", ["bpe", "unigram", "wordpiece", "bytes", "characters", "words"])
@pytest.mark.parametrize("wrap", ["none", "both", "start", "end"])
def test_ours_there(kind, wrap, tmp_path):
    text = Text.parse({"tokenizer": kind, "vocab_size": 400, "max_units": POSITIONS, "wrap": wrap}).fit(TEXTS)
    for name, data in ours.written(text):
        (tmp_path / name).write_text(data, encoding="utf-8")
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    again = read(tmp_path, "bert", theirs)
    assert (again.wrap, again.special) == (wrap, text.special)
    for sentence in MORE:
        ids = text.encode([sentence])[0].ids.tolist()
        assert again.encode([sentence])[0].ids.tolist() == ids
        found = theirs(sentence, truncation=True, max_length=POSITIONS)["input_ids"]
        assert found == ids or (ids == [1] and not found), sentence
    assert theirs.mask_token_id == text.spec.mask
    assert theirs("[MASK]", add_special_tokens=False)["input_ids"] == [text.spec.mask]


def test_words_of_a_row_are_cut_as_theirs(tmp_path):
    _, theirs = saved("bert", "BertModel", tmp_path)
    words = ("The", "unaffable", "cat", "在", "看", "!")
    row = read(tmp_path, "bert", theirs).encode([words])[0]
    expected = theirs(list(words), is_split_into_words=True)
    assert row.ids.tolist() == expected["input_ids"]
    assert row.words.tolist() == [-1 if word is None else word for word in expected.word_ids()]


def test_a_configuration_of_the_tests_has_room_for_every_id(tmp_path):
    with quiet():
        tokenizer = tokenizer_of("llama", tmp_path)
    assert config_of("llama", tokenizer).vocab_size > len(tokenizer)
