"""`chat`: a conversation in the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from zhuji.cli import terminal
from zhuji.cli.options import Json, Model, Sets
from zhuji.core.log import in_language, say


def chat(  # noqa: PLR0917 - the options of a verb
    model: Model,
    questions: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[QUESTION]...", help="What is said, one after another; the lines of standard input by default."
        ),
    ] = None,
    system: Annotated[str | None, typer.Option("--system", help="What the model is told before anybody speaks.")] = None,
    max_units: Annotated[int | None, typer.Option("--max-units", help="Units of an answer at most; 128 by default.")] = None,
    temperature: Annotated[
        float | None,
        typer.Option("--temperature", help="Below 1 likely units become likelier still; 0 takes the likeliest; 1 by default."),
    ] = None,
    as_json: Json = False,
    seed: Annotated[int, typer.Option("--seed", help="Seed of what is drawn.")] = 0,
    sets: Sets = None,
) -> None:
    """Talk with a model that has a chat format. An empty line ends it. --set generate.KEY=VALUE reaches every setting of generate."""
    from zhuji import api

    options: dict[str, Any] = {
        "max_units": max_units,
        "temperature": temperature or None,
        "how": "greedy" if temperature == 0 else None,
    }
    with terminal.speaking(as_json) as answer:
        conversation = api.chat(model, system=system, seed=seed, sets=sets or (), **options)
        for question in questions or _lines():
            for piece in conversation.say(question):
                sys.stdout.write(terminal.printable(piece))
                sys.stdout.flush()
            sys.stdout.write("\n")
        # A person has seen it all by now.
        answer(conversation.as_dict(), lambda screen, found: None)


def _lines() -> Iterator[str]:
    """What a person types, up to an empty line; he is shown where only if he sits there."""
    asks = sys.stdin.isatty()
    if asks:
        say(in_language("An empty line ends the conversation.", "输入空行即结束对话。"))
    while True:
        if asks:
            sys.stderr.write("> ")
            sys.stderr.flush()
        line = sys.stdin.readline().strip()
        if not line:
            return
        yield line
