import json
import os

import pytest

from zhuji.modalities._tokenizers import BYTE_VOCABULARY, RESERVED, guarded, library, opened, train

TEXTS = ["the cat sat on the mat", "筑基：从头开始"]


def vocabulary(kind: str, **changes) -> dict[str, int]:
    settings = {"vocab_size": 300, "min_frequency": 1, "lowercase": False, **changes}
    return train(kind, TEXTS, **settings).get_vocab()


@pytest.mark.parametrize("kind", ["bpe", "unigram", "wordpiece", "bytes", "characters", "words"])
def test_the_reserved_names_have_the_first_ids_and_are_special_to_nobody(kind):
    vocab = vocabulary(kind)
    assert [vocab[name] for name in RESERVED] == [0, 1, 2, 3, 4]
    assert sorted(vocab.values()) == list(range(len(vocab)))
    tokenizer = train(kind, TEXTS, vocab_size=300, min_frequency=1, lowercase=False)
    assert json.loads(tokenizer.to_str())["added_tokens"] == []


@pytest.mark.parametrize("kind", ["bpe", "unigram", "wordpiece", "characters", "words"])
def test_the_vocabulary_keeps_to_its_size(kind):
    assert len(vocabulary(kind, vocab_size=270)) <= 270


def test_bytes_need_no_training():
    assert len(vocabulary("bytes")) == BYTE_VOCABULARY


def test_the_library_runs_on_one_thread_unless_told_otherwise(monkeypatch):
    monkeypatch.delenv("TOKENIZERS_PARALLELISM", raising=False)
    library()
    assert os.environ["TOKENIZERS_PARALLELISM"] == "false"
    monkeypatch.setenv("TOKENIZERS_PARALLELISM", "true")
    library()
    assert os.environ["TOKENIZERS_PARALLELISM"] == "true"


def test_a_panic_of_the_library_is_an_error_like_any_other():
    model = {"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2}, "merges": [["a", "b"]]}
    with pytest.raises(ValueError):
        opened(json.dumps({"added_tokens": [], "model": model}))


def test_a_keystroke_is_not_swallowed():
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        guarded(interrupted)
