"""The studio as a function."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from zhuji.api.foundation import RUNS


def studio(
    folder: str | Path = RUNS,
    *,
    port: int | None = None,
    seed: int = 0,
    sets: Sequence[str] = (),
    ready: Callable[[str], None] = lambda address: None,
) -> None:
    """Serve a live page over a folder of runs to this machine alone, until Ctrl-C; `ready` is told its address once it answers.

    Nothing is left to chance, so `seed` changes nothing. Raises MissingExtra, MissingFile, and BadSetting for a port that is taken."""
    from zhuji.studio.run import serve

    serve(Path(folder), port, sets=sets, ready=ready)
