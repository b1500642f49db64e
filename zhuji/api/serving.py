"""Serving models, from Python."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from zhuji.core.config import assignments, overlay
from zhuji.core.errors import MissingExtra


def serve(
    *models: str | Path,
    sets: Sequence[str] = (),
    ready: Callable[[str, list[dict[str, Any]]], None] = lambda url, models: None,
    **options: Any,
) -> None:
    """Serve bundles (a path, or `NAME=PATH`) until SIGTERM or Ctrl-C. `options` are those of `ServeSettings`; `sets` lays
    `serve.KEY=VALUE` on them; `ready` hears the address and what `/models` says, once requests are taken.

    Raises BadSetting, MissingExtra, CannotListen, and what opening raises. An ASGI application to mount elsewhere: `zhuji.serving.app.create`."""
    _refuse_without_packages()
    from zhuji.serving.run import run
    from zhuji.serving.settings import ServeSettings, place_of

    given = {key: value for key, value in options.items() if value is not None}
    named = {"models": [place_of(str(model)) for model in models]}
    run(ServeSettings.parse(overlay({**named, **given}, assignments(sets).get("serve", {})), "serve"), ready)


def _refuse_without_packages() -> None:
    """Raises MissingExtra."""
    from importlib.util import find_spec

    for package, name in (("fastapi", "fastapi"), ("uvicorn", "uvicorn"), ("orjson", "orjson"), ("multipart", "python-multipart"),
                          ("prometheus_client", "prometheus-client")):  # fmt: skip
        if find_spec(package) is None:
            raise MissingExtra(what="zhuji serve", package=name, extra="serve")
