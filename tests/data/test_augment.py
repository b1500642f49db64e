from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from zhuji.core.seed import stream
from zhuji.data.augment import SHARE, vary

TEXT = " ".join(f"word{i}" for i in range(200))


@given(st.text(alphabet="ab 好中\n.", min_size=1), st.integers(0, 5))
def test_no_word_is_invented_and_no_text_becomes_empty(text, seed):
    made = vary(text, stream(seed, "augment"))
    assert bool(made.strip()) == bool(text.strip())
    assert Counter(made.replace(" ", "").replace("\n", "")) <= Counter(text.replace(" ", "").replace("\n", ""))


def test_words_stay_whole_and_about_a_tenth_goes():
    lost = []
    for seed in range(20):
        made = vary(TEXT, stream(seed, "augment")).split(" ")
        assert set(made) <= set(TEXT.split(" "))
        assert len(set(made)) == len(made)
        assert made != sorted(made, key=lambda w: int(w[4:])), "nothing was swapped"
        lost.append(1 - len(made) / 200)
    assert abs(sum(lost) / 20 - SHARE) < 0.02


def test_chinese_is_varied_by_characters():
    text = "这个房间很大很干净服务员也非常热情下次还会再来"
    made = {vary(text, stream(seed, "augment")) for seed in range(10)}
    assert len(made) == 10
    assert all(" " not in m and set(m) <= set(text) for m in made)


def test_a_single_word_stays():
    assert vary("word", stream(0, "augment")) == "word"
    assert vary("", stream(0, "augment")) == ""
