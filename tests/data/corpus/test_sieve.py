import tempfile
from contextlib import closing

import pytest

from tests.data.corpus.made import full_file, needs_full
from zhuji.core.errors import MissingFile, ScratchFull
from zhuji.core.seed import stream
from zhuji.data.corpus.copies import NearIndex
from zhuji.data.corpus.seen import Seen
from zhuji.data.corpus.settings import CorpusSettings, SourceSettings
from zhuji.data.corpus.sieve import Sieve, enumerate_texts, in_chunks
from zhuji.data.corpus.texts import RawText
from zhuji.data.ledger import Ledger

WORDS = [a + b + c for a in "bdgklmprst" for b in "aeiou" for c in "nrst"]


def text_of(n, words=40):
    return " ".join(WORDS[i] for i in stream(n, "text").integers(0, len(WORDS), words))


def sifted(texts, tmp_path, **settings):
    ledger = Ledger()
    with closing(Sieve(CorpusSettings.parse({"sources": [str(tmp_path / "a.txt")], **settings}), ledger)) as sieve:
        good = sieve(
            [(0, RawText(text, "" if text is not None else "bad JSON", "a.txt", n)) for n, text in enumerate(texts, 1)]
        )
    for one in good:
        ledger.settle("used", split=one.split, label=sieve.names[0])
    assert ledger.balanced
    return [one.text for one in good], dict(ledger.causes("dropped")), good


def test_each_text_has_one_fate(tmp_path):
    one, two = text_of(1), text_of(2)
    near = two.replace(" ", " x ", 1)
    left, dropped, _ = sifted([one, None, "", "too short", one.upper(), f"  {one} ", two, near, "1 2 3 4 5 6 7"], tmp_path)
    assert left == [one, two]
    assert dropped == {"bad JSON": 1, "empty text": 1, "too short": 1, "copy": 2, "near copy": 1, "few letters": 1}
    assert sifted([one, one, two, near], tmp_path, duplicates="exact")[0] == [one, two, near]
    assert sifted([one, one, two, near], tmp_path, duplicates="keep")[0] == [one, one, two, near]
    assert sifted(["too short"], tmp_path, quality=None)[0] == ["too short"]


def test_excluded_texts_are_not_let_in_not_even_nearly_or_as_a_line_of_another(tmp_path):
    test, other = [text_of(n) for n in range(5)], [text_of(n) for n in range(5, 15)]
    (tmp_path / "t.csv").write_text(
        "text,split\n" + "".join(f"{t},test\n" for t in test) + "".join(f"{t},train\n" for t in other)
    )
    near, inside = test[1].replace(" ", " x ", 1), f"Before\n{test[2].upper()}\nafter"
    texts = [test[0], near, inside, *other]
    exclude = [{"path": str(tmp_path / "t.csv"), "split": "test"}]
    left, dropped, _ = sifted(texts, tmp_path, exclude=exclude)
    assert left == other
    assert dropped == {"held out": 2, "nearly held out": 1}
    left, dropped, _ = sifted(texts, tmp_path, exclude=exclude, duplicates="exact")
    assert left == [near, *other]
    assert sifted(texts, tmp_path)[0] == texts


def test_a_copy_of_what_was_nearly_held_out_stays_out(tmp_path):
    (tmp_path / "t.txt").write_text(text_of(0) + "\n")
    near = text_of(0).replace(" ", " x ", 1)
    assert sifted([near, near, near + " more"], tmp_path, exclude=[str(tmp_path / "t.txt")])[0] == []


def test_long_texts_are_cut(tmp_path):
    left, _, good = sifted([text_of(0), "a b c d e f"], tmp_path, longest=20)
    assert left == [text_of(0)[:20], "a b c d e f"]
    assert [one.cut for one in good] == [True, False]


def test_the_held_out_part_does_not_move_when_texts_are_added(tmp_path):
    texts = [text_of(n) for n in range(600)]

    def held_out(some):
        return {one.text for one in sifted(some, tmp_path, valid=0.1)[2] if one.split == "valid"}

    first = held_out(texts[:300])
    assert 15 < len(first) < 50
    assert held_out(texts) & set(texts[:300]) == first
    assert held_out(texts[::-1]) & set(texts[:300]) == first


def test_only_some_languages(tmp_path):
    english = "The house stands on a hill above the river and has many windows."
    german = "Das Haus steht auf einem Hügel über dem Fluss und hat viele Fenster."
    left, dropped, _ = sifted([english, german], tmp_path, languages=["de"])
    assert left == [german]
    assert dropped == {"another language": 1}


@pytest.mark.parametrize(("count", "size"), [(5000, 10), (50, 500_000)])
def test_chunks_are_bounded_by_texts_and_by_characters(tmp_path, count, size):
    path = tmp_path / "a.txt"
    path.write_text(("x" * size + "\n") * count)
    chunks = list(in_chunks(enumerate_texts((SourceSettings(path=str(path)),))))
    assert sum(map(len, chunks)) == count
    assert max(map(len, chunks)) <= 2048
    assert max(sum(len(raw.text) for _, raw in chunk) for chunk in chunks) < (1 << 22) + size


def test_closing_forgets_also_when_it_cannot_begin(tmp_path, monkeypatch):
    closed = []
    for kind in (Seen, NearIndex):
        monkeypatch.setattr(kind, "close", lambda self, close=kind.close: closed.append(type(self)) or close(self))
    sifted([text_of(0)], tmp_path)
    assert closed == [Seen, NearIndex]
    with pytest.raises(MissingFile):
        sifted([text_of(0)], tmp_path, exclude=[str(tmp_path / "none.txt")])
    assert closed == [Seen, NearIndex] * 2


@needs_full
def test_a_full_disk_is_told(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "TemporaryFile", full_file)
    with pytest.raises(ScratchFull, match="No space left on device"):
        sifted([text_of(0)], tmp_path)
