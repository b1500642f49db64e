import json

import pytest

from zhuji.core.errors import CorpusExists, EmptyData
from zhuji.core.seed import stream
from zhuji.data.corpus.settings import CorpusSettings
from zhuji.data.ledger import Ledger
from zhuji.modalities.text import Text
from zhuji.tools import corpus as tool
from zhuji.training.corpora import read_modality

WORDS = [a + b + c for a in "bdgklmprst" for b in "aeiou" for c in "nrst"]


@pytest.fixture
def settings(tmp_path):
    lines = [" ".join(WORDS[i] for i in stream(n, "line").integers(0, len(WORDS), 30)) for n in range(90)]
    (tmp_path / "a.txt").write_text("\n".join([*lines, "short"]) + "\n")
    return CorpusSettings.parse({"sources": [str(tmp_path / "a.txt")], "valid": 0.1})


def test_a_tokenizer_is_trained_saved_and_measured(settings, tmp_path):
    report = tool.tokenizer(settings, tmp_path / "t", Text(tokenizer="words", vocab_size=100, wrap="both"))
    assert json.loads(json.dumps(report.as_dict())) == json.loads(json.dumps(report.as_dict(), default=str))
    fitted = read_modality(tmp_path / "t")
    assert report.vocabulary == 100
    assert report.texts < 91
    assert report.bytes_per_token == pytest.approx(4, abs=0.05)  # words of three letters and a blank
    known = set(json.loads((tmp_path / "t" / "tokenizer.json").read_text())["model"]["vocab"])
    words = [word for line in (tmp_path / "a.txt").read_text().splitlines()[:90] for word in line.split()]
    assert report.unknown == pytest.approx(sum(word not in known for word in words) / len(words), abs=0.03)
    assert fitted.wrap == "both"
    assert len(report.samples) == 3
    with pytest.raises(CorpusExists):
        tool.tokenizer(settings, tmp_path / "t", Text())


def test_nothing_to_learn_from(settings, tmp_path):
    with pytest.raises(EmptyData):
        tool.tokenizer(settings.model_copy(update={"exclude": settings.sources}), tmp_path / "t", Text())


def test_a_corpus_is_built_and_its_ledger_told(settings, tmp_path):
    report = tool.corpus(settings, tmp_path / "c", Text(tokenizer="wordpiece", vocab_size=150))
    assert report.told == "91 texts read = 90 used + 0 cut + 1 dropped (too short 1)."[:-1]
    assert sum(split["documents"] for split in report.splits.values()) == 90
    assert report.bytes == sum(path.stat().st_size for path in (tmp_path / "c").rglob("*") if path.is_file())
    json.dumps(report.as_dict())
    again = tool.corpus(settings, tmp_path / "c", Text(tokenizer="wordpiece", vocab_size=150))
    assert again.splits == report.splits
    with pytest.raises(CorpusExists):
        tool.corpus(settings, tmp_path / "c", Text(tokenizer="wordpiece", vocab_size=120))


def test_progress_is_told_now_and_then(capsys, monkeypatch):
    teller = tool._Teller(0.0)
    monkeypatch.setattr(tool.time, "monotonic", lambda: 10.0)
    teller(Ledger(read=50))
    assert not capsys.readouterr().err
    monkeypatch.setattr(tool.time, "monotonic", lambda: 40.0)
    teller(Ledger(read=4000, units=7))
    teller(Ledger(read=4000, units=7))
    assert capsys.readouterr().err == "4,000 texts read, 7 units kept; 100 texts/s\n"
