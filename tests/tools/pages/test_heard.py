from __future__ import annotations

import base64

from zhuji.core.log import speaking
from zhuji.tools.pages.heard import Heard, sounds_page


def test_the_page_plays_what_stands_inside_it() -> None:
    one, other = Heard(b"RIFF1", "1.wav", "<b>.wav", 0.5, 1.0, 3.21), Heard(b"RIFF2", "2.wav", None, 0.0, 2.0, 4.0)
    page = sounds_page("Sounds & more", "a" * 64, [one, other])
    for sound in (one, other):
        assert f'src="data:audio/wav;base64,{base64.b64encode(sound.wave).decode()}"' in page
    assert "&lt;b&gt;.wav" in page and "Sounds &amp; more" in page and "silence" in page
    assert "media-src data:" in page and "http://" not in page and "https://" not in page
    with speaking("zh"):
        assert "静音" in sounds_page("声音", "a" * 64, [other])
