"""Serving models, from Python."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from zhuji.core.config import assignments, overlay


def serve(*models: str | Path, sets: Sequence[str] = (), **options: Any) -> None:
    """Serve bundles (a path, or `NAME=PATH`) until SIGTERM or Ctrl-C. `options` are those of `ServeSettings`; `sets` lays
    `serve.KEY=VALUE` on them.

    Raises BadSetting, MissingExtra, CannotListen, and what opening raises. An ASGI application to mount elsewhere: `zhuji.serving.app.create`."""
    from zhuji.serving.run import run
    from zhuji.serving.settings import ServeSettings, place_of

    given = {key: value for key, value in options.items() if value is not None}
    named = {"models": [place_of(str(model)) for model in models]}
    run(ServeSettings.parse(overlay({**named, **given}, assignments(sets).get("serve", {})), "serve"))
