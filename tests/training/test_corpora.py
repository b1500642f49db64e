import json

import numpy as np
import pytest

from tests.model.talkers import asked, untaught
from tests.parity import conversations as there
from zhuji.core.errors import BadSetting, DamagedFile, MissingFile
from zhuji.core.seed import stream
from zhuji.data.corpus.packed import Packed
from zhuji.data.corpus.settings import CorpusSettings
from zhuji.data.corpus.shards import Corpus
from zhuji.data.corpus.whole import Whole
from zhuji.modalities.spelled import Spelled
from zhuji.modalities.text import Text
from zhuji.model.chat import Chat
from zhuji.training import corpora

WORDS = [a + b + c for a in "bdgklmprst" for b in "aeiou" for c in "nrst"]


@pytest.fixture
def settings(tmp_path):
    lines = [" ".join(WORDS[i] for i in stream(n, "line").integers(0, len(WORDS), 30)) for n in range(120)]
    (tmp_path / "a.txt").write_text("\n".join(lines) + "\n")
    return CorpusSettings.parse({"sources": [str(tmp_path / "a.txt")], "valid": 0.1})


def text(**more):
    return Text(**{"tokenizer": "wordpiece", "vocab_size": 150, "max_units": 16, "wrap": "both", **more})


def test_whole_documents_are_written_with_their_words_and_read_to_any_length(settings, tmp_path):
    ready = corpora.ready(settings, text(pieces=True), tmp_path / "cache", seed=0)
    held = Corpus(ready.folder)
    whole = ready.modality.model_copy(update={"max_units": 10_000})
    source = {line: row for line in (tmp_path / "a.txt").read_text().splitlines() for row in whole.encode([line])}
    by_units = {row.ids.tobytes(): row for row in source.values()}
    assert max(row.length for row in source.values()) > 16
    stream_ = Whole([held], 10_000, 0, batch_rows=8)
    count = 0
    for n in range(stream_.batches_in_epoch(0)):
        for row in stream_.rows(n):
            expected = by_units[row.arrays["ids"].astype(np.int32).tobytes()]
            assert row.words.tolist() == expected.words.tolist()
            count += 1
    assert count == held.documents
    assert held.documents + Corpus(ready.folder, "valid").documents == 120
    packed = Packed([held], 32, 4, 0)
    assert all(len(row) <= 32 for row in packed.rows(0))


def test_units_with_parts_are_not_written(settings, tmp_path):
    with pytest.raises(BadSetting, match="spelled"):
        corpora.ready(settings, Spelled(buckets=64), tmp_path / "cache", seed=0)


def test_what_was_made_is_used_again(settings, tmp_path, monkeypatch):
    first = corpora.ready(settings, text(), tmp_path / "cache", seed=0)
    monkeypatch.setattr(Text, "fit", lambda *_: pytest.fail("fitted again"))
    again = corpora.ready(settings, text(), tmp_path / "cache", seed=0)
    assert again.folder == first.folder
    assert corpora.ready(settings, first.modality, tmp_path / "cache", seed=0).folder == first.folder
    longer = corpora.ready(settings, first.modality.model_copy(update={"max_units": 64}), tmp_path / "cache", seed=0)
    assert longer.folder == first.folder
    bare = corpora.ready(settings, first.modality.model_copy(update={"wrap": "none"}), tmp_path / "cache", seed=0)
    assert bare.folder != first.folder


def test_a_corpus_is_a_source_by_itself(settings, tmp_path):
    made = corpora.write(tmp_path / "own", settings, text(), seed=0)
    asked = CorpusSettings.parse({"sources": [str(tmp_path / "own")]})
    ready = corpora.ready(asked, Text(max_units=64), tmp_path / "cache", seed=0)
    assert ready.folder == tmp_path / "own"
    assert ready.modality.max_units == 64
    assert ready.modality.wrap == "both"
    assert ready.modality.encode(["ban dar"])[0].ids.tolist() == made.modality.encode(["ban dar"])[0].ids.tolist()
    assert corpora.ready(asked, made.modality, tmp_path / "cache", seed=0).modality == made.modality
    with pytest.raises(BadSetting, match="another"):
        corpora.ready(asked, text(vocab_size=100).fit(["other texts than these"]), tmp_path / "cache", seed=0)
    assert corpora.write(tmp_path / "own", settings, text(), seed=0).folder == tmp_path / "own"


def test_a_modality_is_saved_and_read(settings, tmp_path):
    fitted = text().fit(["ban dar gos", "ban"])
    corpora.save_modality(fitted, tmp_path / "t")
    assert sorted(path.name for path in (tmp_path / "t").iterdir()) == ["modality.json", "tokenizer.json"]
    read = corpora.read_modality(tmp_path / "t")
    assert corpora.identity(read) == corpora.identity(fitted)
    assert read.encode(["ban gos"])[0].ids.tolist() == fitted.encode(["ban gos"])[0].ids.tolist()
    assert corpora.identity(fitted) != corpora.identity(text().fit(["ban dar gos", "ban dor"]))
    (tmp_path / "t" / "tokenizer.json").unlink()
    with pytest.raises(DamagedFile):
        corpora.read_modality(tmp_path / "t")
    (tmp_path / "t" / "modality.json").write_text("{")
    with pytest.raises(DamagedFile):
        corpora.read_modality(tmp_path / "t")
    with pytest.raises(MissingFile):
        corpora.read_modality(tmp_path / "none")


def test_paths_become_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    plain = corpora.absolute(CorpusSettings.parse({"sources": ["a.txt"], "exclude": [{"path": "b.csv", "split": "test"}]}))
    assert plain["sources"][0]["path"] == str(tmp_path / "a.txt")
    assert plain["exclude"][0] | {"path": str(tmp_path / "b.csv"), "split": "test"} == plain["exclude"][0]


def talks(tmp_path):
    """A file of conversations, and of lines that hold none."""
    rows = [cell(f"What is {n}?", f"It is {n}.") for n in range(40)] + [cell("a<|im_end|>", "b"), [], "hello"]
    (tmp_path / "talks.jsonl").write_text("\n".join(json.dumps({"messages": row}) for row in rows))
    return CorpusSettings.parse(
        {"sources": [str(tmp_path / "talks.jsonl")], "chat": "chatml", "quality": None, "duplicates": "exact"}
    )


def cell(*texts):
    return [{"role": ("user", "assistant")[place % 2], "content": text} for place, text in enumerate(texts)]


@pytest.mark.parametrize("special", [(), ("<|im_start|>", "<|im_end|>")], ids=["marks are text", "marks are special tokens"])
def test_conversations_are_learned_as_they_are_led(special, tmp_path):
    """Up to the answer the ids are those that a model is asked with."""
    modality = there.read(there.written(there.vocabulary("bytes", special), tmp_path / "vocabulary"))
    ready = corpora.ready(talks(tmp_path), modality, tmp_path / "cache", seed=0)
    chat = Chat(untaught(modality, "chatml"))
    found = [
        row.arrays["ids"].tolist() for n in range(4) for row in Whole([Corpus(ready.folder)], 4096, 0, batch_rows=10).rows(n)
    ]
    asked_with = [list(chat.read(asked(f"What is {n}?"))) for n in range(40)]
    assert all(any(ids[: len(begin)] == begin for begin in asked_with) for ids in found) and len(found) >= 36
    causes = Corpus(ready.folder).manifest.ledger["causes"]["dropped"]
    assert causes == {"a mark in what is said": 1, "no conversation": 2}


def test_another_format_is_another_corpus(tmp_path):
    modality = there.read(there.written(there.vocabulary("bytes", ()), tmp_path / "vocabulary"))
    first, second = (
        corpora.ready(settings, modality, tmp_path / "cache", seed=0).folder
        for settings in (talks(tmp_path), CorpusSettings.parse({**talks(tmp_path).plain(), "chat": "plain"}))
    )
    assert first != second
