"""Tokenizers in such folders. Ids are compared with those of `transformers` in tests/parity."""

import json

import pytest

from tests.model.huggingface.made import TEXTS, folder, text
from zhuji.core.errors import BundleError, UnreadableModel, UnwritableModel
from zhuji.model.huggingface.tokenizer import read, written


def laid(path, modality):
    for name, data in written(modality):
        (path / name).write_text(data, encoding="utf-8")
    return path


@pytest.mark.parametrize("wrap", ["none", "both", "start", "end"])
def test_what_is_written_is_read(wrap, tmp_path):
    made = text(wrap=wrap)
    again = read(laid(tmp_path, made), "bert", made.num_tokens, 12)
    assert (again.wrap, again.special, again.max_units) == (wrap, made.special, 12)
    for a, b in zip(again.encode(TEXTS), made.encode(TEXTS), strict=True):
        assert a.ids.tolist() == b.ids.tolist()


def test_another_wrapping_than_the_file_has_is_written_as_it_is(tmp_path):
    made = text()
    again = read(laid(tmp_path, made), "bert", made.num_tokens, 12).model_copy(update={"wrap": "none"})
    (tmp_path / "b").mkdir()
    assert read(laid(tmp_path / "b", again), "bert", made.num_tokens, 12).wrap == "none"


def test_no_tokenizer_is_refused(tmp_path):
    path = folder(tmp_path / "there")
    (path / "tokenizer.json").unlink()
    with pytest.raises(UnreadableModel, match=r"vocab\.txt"):
        read(path, "bert", 100, 12)


def test_more_ids_than_the_table_has_are_refused(tmp_path):
    with pytest.raises(BundleError, match="at most 20 ids"):
        read(laid(tmp_path, text()), "bert", 20, 12)


def test_merges_that_fit_no_vocabulary_are_refused(tmp_path):
    (tmp_path / "vocab.json").write_text(json.dumps({"a": 0, "b": 1}))
    (tmp_path / "merges.txt").write_text("#version: 0.2\na b\n")
    with pytest.raises(BundleError):
        read(tmp_path, "gpt2", 10, 12)


def test_runs_of_tokens_have_no_counterpart():
    with pytest.raises(UnwritableModel, match="ngrams"):
        dict(written(text(ngrams=2)))
