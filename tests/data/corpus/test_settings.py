import pytest

from zhuji.core.errors import BadSetting, UnknownKey
from zhuji.data.corpus.settings import CorpusSettings


def test_a_path_alone_is_a_source():
    settings = CorpusSettings.parse({"sources": ["a.txt", {"path": "b.csv", "weight": 2}], "exclude": ["t.csv"]})
    assert [(s.path, s.weight) for s in settings.sources] == [("a.txt", 1.0), ("b.csv", 2.0)]
    assert settings.exclude[0].path == "t.csv"
    assert CorpusSettings.parse(settings.plain()) == settings


@pytest.mark.parametrize(
    "given",
    [{"sources": []}, {"sources": [{"path": "a", "weight": 0}]}, {"sources": ["a"], "near": 1.5}, {"sources": ["a"], "valid": 2},
     {"sources": ["a"], "duplicates": "some"}],
)  # fmt: skip
def test_what_cannot_be_is_refused(given):
    with pytest.raises(BadSetting):
        CorpusSettings.parse(given)


def test_unknown_keys_are_refused_with_the_nearest():
    with pytest.raises(UnknownKey, match="min_words"):
        CorpusSettings.parse({"sources": ["a"], "quality": {"min_word": 3}})
