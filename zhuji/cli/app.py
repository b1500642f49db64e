"""`zhuji <verb>`: every verb parses, calls `zhuji.api` and prints; nothing heavy is imported before a verb runs.

Exit codes: 0 done · 1 `check` failed, or something unexpected · 2 wrong usage · 3 data · 4 bundle · 5 run · 130 interrupted.
"""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Sequence

import typer

from zhuji.cli import (
    about,
    chatting,
    cleaning,
    drawing,
    explaining,
    exporting,
    generating,
    listening,
    looking,
    pretraining,
    pricing,
    serving,
    speaking,
    training,
    using,
    vectors,
)
from zhuji.cli.terminal import json_text
from zhuji.core.errors import ZhujiError
from zhuji.core.log import in_language, say
from zhuji.version import __version__

app = typer.Typer(
    name="zhuji",
    help="Zhuji (筑基): from raw data to a model of your own, with numbers that you can defend.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for _verb in (
    training.train, training.resume, training.distil, using.evaluate, using.predict, explaining.explain,
    pretraining.pretrain, pretraining.corpus, pretraining.tokenizer, generating.generate, generating.perplexity, chatting.chat,
    listening.transcribe, cleaning.enhance, drawing.draw, drawing.realism, drawing.stylise, speaking.speak,
    vectors.probe, vectors.embed, vectors.index, vectors.nearest, using.convert, exporting.export, pricing.benchmark,
    looking.check, looking.robustness, looking.report, looking.compare, looking.studio, serving.serve, about.recipes, about.doctor, about.schema,
):  # fmt: skip
    app.command(_verb.__name__)(_verb)


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Show the version."),
) -> None:
    """Zhuji (筑基): from raw data to a model of your own, with numbers that you can defend."""


_INTERRUPTED = 130
_WRONG_USAGE: type[Exception] = typer.BadParameter.__mro__[2]
"""The command-line library's own root of what a person typed wrong; typer exports only its leaves."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb and hand back its exit code; whatever goes wrong becomes one message, never a traceback."""
    words = list(sys.argv[1:] if argv is None else argv) or ["--help"]
    _speak_utf8()
    try:
        code = int(app(args=words, prog_name="zhuji", standalone_mode=False) or 0)
        return _interrupted(words) if code == _INTERRUPTED else code
    except ZhujiError as error:
        return _fail(words, error.as_dict(), error.message(), error.exit_code)
    except _WRONG_USAGE as error:
        text = _said(error)
        return _fail(words, {"error": "WrongUsage", "message": text}, text, 2)
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted(words)
    except (BrokenPipeError, SystemExit):  # the library turns the one into the other
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # the reader left: nothing more to say to it
        return 0
    except Exception as error:  # noqa: BLE001 - the last door: a person sees one line, a developer sets ZHUJI_DEBUG
        return _unexpected(words, error)


def _said(error: Exception) -> str:
    """The library's message with the option it is about; `str` of its errors leaves that out."""
    message = getattr(error, "format_message", None)
    return str(message()) if callable(message) else str(error)


def _interrupted(words: list[str]) -> int:
    text = in_language("interrupted", "已中断")
    return _fail(words, {"error": "Interrupted", "message": text}, text, _INTERRUPTED)


def _speak_utf8() -> None:
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def _fail(words: list[str], as_dict: dict[str, object], text: str, code: int) -> int:
    if "--json" in words:
        sys.stdout.write(json_text(as_dict) + "\n")
        sys.stdout.flush()
    mark = in_language("error: ", "错误：")
    say(f"{mark}{text}")
    return code


def _unexpected(words: list[str], error: Exception) -> int:
    if os.environ.get("ZHUJI_DEBUG"):
        say(traceback.format_exc())
    what = f"{type(error).__name__}: {error}"
    ask = in_language(
        "This should not happen. Please report it with the output of the same command under ZHUJI_DEBUG=1.",
        "这不应发生。请在 ZHUJI_DEBUG=1 下重新运行该命令，并附上输出反馈给我们。",
    )
    return _fail(words, {"error": "Unexpected", "message": what}, f"{what}\n{ask}", 1)
