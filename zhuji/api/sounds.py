"""Sounds that a model makes, from Python."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zhuji.core.config import assignments, overlay

if TYPE_CHECKING:
    from zhuji.tools.sounds import Written


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
    from zhuji.formats import open_model
    from zhuji.model.sounding import SoundSettings
    from zhuji.tools.sounds import sounds as work
    from zhuji.training import threads

    given = {"seed": seed, **{key: value for key, value in options.items() if value is not None}}
    settings = SoundSettings.parse(overlay(given, assignments(sets).get("generate", {})), "generate")
    threads.use(None)
    one = isinstance(prompts, str | Path)
    return work(open_model(model), [str(prompts)] if one else [str(prompt) for prompt in prompts], settings, Path(out))
