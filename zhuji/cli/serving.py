"""`serve`: models behind HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from zhuji.cli.options import Sets


def serve(  # noqa: PLR0917 - the options of a verb
    models: Annotated[
        list[str], typer.Argument(metavar="BUNDLE|NAME=BUNDLE...", help="Runs or bundles, with or without names.")
    ],
    index: Annotated[Path | None, typer.Option("--index", help="An index by `zhuji index`, for /nearest.")] = None,
    host: Annotated[str | None, typer.Option("--host", help="Where to listen; this machine only by default.")] = None,
    port: Annotated[int | None, typer.Option("--port", help="Port; 8000 by default.")] = None,
    workers: Annotated[int | None, typer.Option("--workers", help="Processes that share the port; 1 by default.")] = None,
    sets: Sets = None,
) -> None:
    """Answer over HTTP: JSON, files, OpenAI's and Open Inference clients, a page to try things on."""
    from zhuji import api

    given = None if index is None else str(index)
    api.serve(*models, index=given, host=host, port=port, workers=workers, sets=sets or ())
