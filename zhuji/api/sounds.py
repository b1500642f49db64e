"""Sounds from Python: what is said in them, of any length, what is left of them without noise, and what a model goes on with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zhuji.core.config import assignments, overlay

if TYPE_CHECKING:
    import numpy as np

    from zhuji.tools.enhance import Enhanced
    from zhuji.tools.sounds import Written
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
    `chunk`, that are heard before and behind them, `left` and `right`, and without a letter that part words, `pause`; `sets` lays `decode.…` on how texts are sought.

    Raises ImpossiblePair for a model that does not transcribe sounds, BadSetting, and what opening the model and reading the sound raise."""
    from zhuji.api.pictures import opened
    from zhuji.model.streaming import Windows
    from zhuji.tools.transcribe import transcribe as work

    return work(opened(model), source, Windows.parse(overlay({}, options), "windows"), rate=rate, sets=sets)


def enhance(model: str | Path, source: str | Path, out: str | Path, *, sets: Sequence[str] = (), **options: Any) -> Enhanced:
    """Write the sound `source`, or all in and below a folder, freed of noise into the folder `out`, as WAV. `options` are those of `EnhanceSettings`
    (`piece`, `overlap`); `sets` lays `enhance.KEY=VALUE` on them, and `decode.leave=SHARE` on how
    much of the mixture is left.

    Raises ImpossiblePair for a model that does not clean sounds, MissingFile, EmptyData, BadSetting, and what opening raises."""
    from zhuji.api.pictures import opened
    from zhuji.tools._seeking import sought
    from zhuji.tools.enhance import EnhanceSettings
    from zhuji.tools.enhance import enhance as work

    given = {key: value for key, value in options.items() if value is not None}
    settings = EnhanceSettings.parse(overlay(given, assignments(sets).get("enhance", {})), "enhance")
    return work(sought(opened(model), sets), Path(source), Path(out), settings)


def sounds(
    model: str | Path,
    prompts: str | Path | Sequence[str | Path],
    out: str | Path,
    *,
    seed: int = 0,
    sets: Sequence[str] = (),
    **options: Any,
) -> Written:
    """Write how a model of samples goes on with each sound, as WAV files in the folder `out`, which must be new or empty; without prompts it begins in silence.
    `options` are those of `SoundSettings` (`seconds`, `heard`, `count`, `temperature`, …); `sets` lays `generate.KEY=VALUE` on them.

    Raises NotEmpty, ImpossiblePair for a model that makes no samples, BadSetting, SoundError, MissingExtra, and what opening raises."""
    from zhuji.api.pictures import opened
    from zhuji.model.sounding import SoundSettings
    from zhuji.tools.sounds import sounds as work

    given = {"seed": seed, **{key: value for key, value in options.items() if value is not None}}
    settings = SoundSettings.parse(overlay(given, assignments(sets).get("generate", {})), "generate")
    one = isinstance(prompts, str | Path)
    return work(opened(model), [str(prompts)] if one else [str(prompt) for prompt in prompts], settings, Path(out))
