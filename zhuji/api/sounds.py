"""What is said in sounds of any length, from Python."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zhuji.core.config import overlay

if TYPE_CHECKING:
    import numpy as np

    from zhuji.tools.transcribe import Listening


def transcribe(
    model: str | Path,
    source: str | Path | bytes | Iterable[np.ndarray],
    *,
    rate: int | None = None,
    sets: Sequence[str] = (),
    **options: Any,
) -> Listening:
    """What is said in a file of any length, or in blocks of samples as they come (`rate`: theirs, the model's own by default): an iterable of partials
    whose texts do not change any more, in the memory of one window; `.whole()` is the transcript. `options`: seconds that are understood at a time,
    `chunk`, and that are heard before and behind them, `left` and `right`; `sets` lays `decode.…` on how texts are sought.

    Raises ImpossiblePair for a model that does not transcribe sounds, BadSetting, and what opening the model and reading the sound raise."""
    from zhuji.api.pictures import opened
    from zhuji.model.streaming import Windows
    from zhuji.tools.transcribe import transcribe as work

    return work(opened(model), source, Windows.parse(overlay({}, options), "windows"), rate=rate, sets=sets)
