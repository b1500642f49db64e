"""From a corpus to batches: packed rows know their documents, and held-out documents are read whole and in order."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from tests import made_up
from zhuji.core.contracts import Encoded
from zhuji.data.corpus.packed import Packed
from zhuji.data.corpus.settings import CorpusSettings
from zhuji.data.corpus.shards import Corpus
from zhuji.data.corpus.whole import Whole
from zhuji.modalities.text import Text
from zhuji.training import corpora
from zhuji.training import folder as places
from zhuji.training.feed import Feed, Held, cut, pretrained_on


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> corpora.Ready:
    folder = tmp_path_factory.mktemp("corpus")
    texts = made_up.texts(folder / "texts.txt", lines=120)
    settings = CorpusSettings.parse({"sources": [str(texts)], "valid": 0.2, "quality": None})
    return corpora.ready(settings, Text(tokenizer="words", max_units=64), folder / "cache", 0)


def test_packed_rows_tell_documents_apart(ready: corpora.Ready) -> None:
    corpus = Corpus(ready.folder)
    feed = Feed(ready.modality, Packed([corpus], 32, 4, 0))
    seen = 0
    for number in range(feed.steps_in_epoch(0)):
        units = feed.batch(number).units
        assert units.segments is not None and units.segments.shape == units.mask.shape == (len(units), 32)
        steps = units.segments.diff(dim=1)
        assert bool(((steps == 0) | (steps == 1) | ~units.mask[:, 1:]).all())
        seen += int(units.mask.sum())
    assert seen == corpus.units
    assert feed.epoch(feed.steps_in_epoch(0)) == 1.0


def test_whole_documents_need_no_segments(ready: corpora.Ready) -> None:
    corpus = Corpus(ready.folder)
    feed = Feed(ready.modality, Whole([corpus], 64, 0, batch_units=256))
    units = [feed.batch(number).units for number in range(feed.steps_in_epoch(0))]
    assert all(part.segments is None for part in units)
    assert sum(len(part) for part in units) == corpus.documents


def test_any_batch_is_the_same_at_every_call(ready: corpora.Ready) -> None:
    first, second = (Feed(ready.modality, Packed([Corpus(ready.folder)], 32, 4, 7)) for _ in range(2))
    order = list(range(first.steps_in_epoch(0) + 2))
    ahead = {number: first.batch(number).units.ids for number in order}
    for number in reversed(order):
        assert torch.equal(ahead[number], second.batch(number).units.ids)


def test_held_documents_are_whole_and_bounded(ready: corpora.Ready) -> None:
    corpus = Corpus(ready.folder, "valid")
    everything = Held.read(corpus, ready.modality, 10**9, 64)
    assert len(everything) == corpus.documents
    few = Held.read(corpus, ready.modality, 60, 64)
    assert 1 <= len(few) < len(everything) and sum(row.length for row in few.encoded) <= 60
    assert [record.input for record in few.records] == [record.input for record in everything.records[: len(few)]]
    assert few.encoded[0].ids is not None
    assert few.records[0].input == ready.modality.decode(few.encoded[0].ids.tolist()) != ""


def test_cut_counts_what_it_takes_away() -> None:
    row = cut(Encoded(ids=np.arange(9, dtype=np.int32), words=np.arange(9, dtype=np.int32), cut=2), 4)
    assert row.ids is not None and row.words is not None
    assert row.ids.tolist() == row.words.tolist() == [0, 1, 2, 3] and row.cut == 7 and row.values is None


def test_what_a_run_was_pretrained_on(ready: corpora.Ready, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pretrained_on(tmp_path, ready.modality, 5) == []
    kept = tmp_path / places.CORPUS / f"corpus-{ready.folder.name}"
    shutil.copytree(ready.folder, kept)
    short = ready.modality.model_copy(update={"max_units": 3})
    whole, cut_rows = (list(pretrained_on(tmp_path, modality, 5)) for modality in (ready.modality, short))
    assert [row.ids.tolist()[:3] for row in whole if row.ids is not None] == [
        row.ids.tolist() for row in cut_rows if row.ids is not None
    ]
    assert len(whole) == 5 and max(row.length for row in whole) > 3
    # An older run is still a start: its texts are left alone, and that is told.
    (kept / "manifest.json").write_text('{"format": 1, "blocks": []}')
    assert pretrained_on(tmp_path, ready.modality, 5) == []
    assert str(tmp_path) in capsys.readouterr().err
