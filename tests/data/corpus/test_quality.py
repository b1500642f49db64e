from collections import Counter

import numpy as np
import pytest

from zhuji.core.seed import stream
from zhuji.data.corpus.quality import _covered, _phrases, poor
from zhuji.data.corpus.settings import QualitySettings

GOOD = (
    "The library reads pictures in many formats, scales them and writes them again. It knows nothing about windows or screens, so it "
    "can be used on servers as well. Programs that show pictures to people should look at the other package, which builds on this "
    "one and adds what a desktop needs: drawing, colours, printing and so forth."
)
CHINESE = "这家酒店的位置非常好，离地铁站只有五分钟，房间干净整洁，服务员也很热情，下次还会选择这里。"
RULES = QualitySettings()


@pytest.mark.parametrize("text", [GOOD, CHINESE, "很好的一家酒店", "- one\n- two things\nand a last line that is longer"])
def test_good_texts_pass(text):
    assert poor(text, RULES) == ""


@pytest.mark.parametrize(
    ("text", "cause", "off"),
    [
        ("much too short", "too short", {"min_words": 0}),
        ("https://example.org/a/very/long/address/to/nowhere " * 6, "long words", {"long_words": 0}),
        ("1 2 3 4 5 word 6 7 8 9", "few letters", {"letters": 0}),
        ("#one #two #three #four and five more words here", "many symbols", {"symbols": 0}),
        ("so good " + "!" * 40 + " really very good indeed", "repeated characters", {"repeated_characters": 0}),
        ("- first point\n- second thing\n- third one\n- the last", "bullet lines", {"bullets": 0}),
        ("It began with…\nThen it was…\nAnd now all is over.\nOr so they say...", "cut-off lines", {"cut_lines": 0, "symbols": 0}),
        ("Home and more\nHome and more\nHome and more\nAnother line here", "repeated lines", {"repeated_lines": 0}),
        (GOOD + " buy this now at our shop today" * 12, "repeated phrases", {"repeated_phrases": False}),
    ],
)  # fmt: skip
def test_each_rule_has_its_cause_and_can_be_turned_off(text, cause, off):
    if cause == "cut-off lines":
        assert poor(text, QualitySettings(symbols=0)) == cause
    else:
        assert poor(text, RULES) == cause
    assert poor(text, QualitySettings(**off)) != cause


def reference(words):
    """Shares by the definition, without hashes: of the most frequent phrase, and of characters in phrases that stood there before."""
    total = sum(map(len, words))
    top, again = {}, {}
    for n in range(2, 11):
        grams = [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]
        most, count = Counter(grams).most_common(1)[0]
        top[n] = count * sum(map(len, most)) / total if count > 1 else 0.0
        seen, covered = set(), set()
        for i, gram in enumerate(grams):
            covered |= set(range(i, i + n)) if gram in seen else set()
            seen.add(gram)
        again[n] = sum(len(words[i]) for i in covered) / total
    return top, again


@pytest.mark.parametrize("seed", range(40))
def test_phrases_that_return_are_those_of_the_definition(seed):
    rng = stream(seed, "phrases")
    words = [f"w{i}" * int(i % 3 + 1) for i in rng.integers(0, 400, 80)]
    phrase = words[10 : 10 + int(rng.integers(2, 12))]
    for _ in range(int(rng.integers(0, 5))):
        at = int(rng.integers(0, len(words)))
        words[at:at] = phrase
    top, again = reference(words)
    bounds = {2: 0.20, 3: 0.18, 4: 0.16, 5: 0.15, 6: 0.14, 7: 0.13, 8: 0.12, 9: 0.11, 10: 0.10}
    expected = any(top[n] > bounds[n] for n in (2, 3, 4)) or any(again[n] > bounds[n] for n in range(5, 11))
    assert (_phrases(words, RULES) == "repeated phrases") is expected
    grams = [tuple(words[i : i + 5]) for i in range(len(words) - 4)]
    first = np.array([grams.index(gram) for gram in dict.fromkeys(grams)])
    assert _covered(first, len(grams), 5, np.array(list(map(len, words)))) == pytest.approx(again[5])
