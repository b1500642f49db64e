import numpy as np

from tests.heard import RATE, tone
from zhuji.core.records import Sound
from zhuji.data.sounds import as_wav
from zhuji.training.summaries import summaries


def test_sounds_of_any_length_become_equally_many_numbers() -> None:
    given = [
        Sound(data=as_wav(tone(hertz, seconds), RATE))
        for hertz, seconds in ((300, 0.5), (300, 0.01), (2_000, 12.0), (310, 0.5))
    ]
    found = summaries(given)
    assert found.shape == (4, 91) and np.isfinite(found).all()
    assert np.abs(found[0] - found[3]).mean() < 0.5 * np.abs(found[0] - found[2]).mean()


def test_when_something_sounds_is_told_by_thirds() -> None:
    quiet = np.zeros(2_000, np.float32)
    early, late = np.concatenate((tone(500, 0.25), quiet)), np.concatenate((quiet, tone(500, 0.25)))
    one, other = summaries([Sound(data=as_wav(one, RATE)) for one in (early, late)])
    assert np.abs(one[:13] - other[:13]).max() < 5 < one[52] - other[52]
