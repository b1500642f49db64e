"""Sounds that a model cleans, from Python."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zhuji.core.config import assignments, overlay

if TYPE_CHECKING:
    from zhuji.tools.enhance import Enhanced


def enhance(model: str | Path, source: str | Path, out: str | Path, *, sets: Sequence[str] = (), **options: Any) -> Enhanced:
    """Write the sound `source`, or all in and below a folder, freed of noise into the folder `out`, as WAV. `options` are those of `EnhanceSettings`
    (`piece`, `overlap`); `sets` lays `enhance.KEY=VALUE` on them.

    Raises ImpossiblePair for a model that does not clean sounds, MissingFile, EmptyData, BadSetting, and what opening raises."""
    from zhuji.api.pictures import opened
    from zhuji.tools.enhance import EnhanceSettings
    from zhuji.tools.enhance import enhance as work

    given = {key: value for key, value in options.items() if value is not None}
    settings = EnhanceSettings.parse(overlay(given, assignments(sets).get("enhance", {})), "enhance")
    return work(opened(model), Path(source), Path(out), settings)
