"""`serve`: models behind HTTP."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zhuji.cli import terminal
from zhuji.cli.options import Json, Sets
from zhuji.core.log import in_language

if TYPE_CHECKING:
    from rich.console import Console


def serve(  # noqa: PLR0917 - the options of a verb
    models: Annotated[
        list[str], typer.Argument(metavar="BUNDLE|NAME=BUNDLE...", help="Runs or bundles, with or without names.")
    ],
    index: Annotated[Path | None, typer.Option("--index", help="An index by `zhuji index`, for /nearest.")] = None,
    host: Annotated[str | None, typer.Option("--host", help="Where to listen; this machine only by default.")] = None,
    port: Annotated[int | None, typer.Option("--port", help="Port; 8000 by default.")] = None,
    workers: Annotated[int | None, typer.Option("--workers", help="Processes that share the port; 1 by default.")] = None,
    as_json: Json = False,
    sets: Sets = None,
) -> None:
    """Answer over HTTP: JSON, files, OpenAI's and Open Inference clients, a page to try things on."""
    from zhuji import api

    given = None if index is None else str(index)
    with terminal.speaking(as_json) as answer:

        def ready(url: str, served: list[dict[str, Any]]) -> None:
            answer({"url": url, "models": served}, _show)

        api.serve(*models, index=given, host=host, port=port, workers=workers, sets=sets or (), ready=ready)


def _show(screen: Console, found: Any) -> None:
    url, first = found["url"], found["models"][0]
    terminal.line(screen, in_language("serving", "服务"), url)
    for model in found["models"]:
        about = f"{model['name']}  {model['task']} → {model['answers']}, {in_language('version', '版本')} {model['version']}"
        terminal.line(screen, in_language("model", "模型"), about)
    terminal.line(screen, in_language("page", "页面"), f"{url}/")
    terminal.line(screen, in_language("docs", "接口"), f"{url}/openapi.json")
    terminal.invite(screen, f"curl {url}/models", f"curl {url}/predict {_input(first)}")


def _input(model: dict[str, Any]) -> str:
    """What curl sends. The bytes of an example would fill the screen."""
    if (file := {"pictures": "PICTURE.jpg", "sounds": "SOUND.wav"}.get(model["reads"])) is not None:
        return f"-F file=@{file}"
    body = json.dumps({"input": model["example"] or "…"}, ensure_ascii=False)
    return f"-H 'Content-Type: application/json' -d '{_quoted(body)}'"


def _quoted(text: str) -> str:
    """For a shell, between single quotes."""
    return text.replace("'", "'\\''")
