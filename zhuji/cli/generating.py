"""`generate`, `perplexity`: a model that writes, and how well it foresees texts."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zhuji.cli import terminal
from zhuji.cli.options import Json, Model, Sets, Unmoved
from zhuji.core.log import in_language
from zhuji.core.quantity import seconds_text

if TYPE_CHECKING:
    from rich.console import Console


def generate(  # noqa: PLR0917 - the options of a verb
    model: Model,
    prompts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PROMPT|-]...", help="Beginnings of texts, or - for lines of standard input; with --out sounds."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FOLDER", help="Go on with sounds; folder for them, new or empty.")
    ] = None,
    seconds: Annotated[float | None, typer.Option("--seconds", help="Of sound made; 1 by default.")] = None,
    heard: Annotated[float | None, typer.Option("--heard", help="Seconds heard of each sound; all by default.")] = None,
    how: Annotated[str | None, typer.Option("--how", help="sample, greedy or beam; sample by default.")] = None,
    max_units: Annotated[int | None, typer.Option("--max-units", help="Units written at most; 128 by default.")] = None,
    temperature: Annotated[
        float | None, typer.Option("--temperature", help="Below 1 likely units become likelier still; 1 by default.")
    ] = None,
    top_k: Annotated[int | None, typer.Option("--top-k", help="Only so many of the likeliest units.")] = None,
    top_p: Annotated[
        float | None, typer.Option("--top-p", help="Only the likeliest units that together have this probability.")
    ] = None,
    beams: Annotated[int | None, typer.Option("--beams", help="Beam search with so many beams.")] = None,
    stop: Annotated[
        list[str] | None, typer.Option("--stop", metavar="TEXT", help="The text ends before this. May be repeated.")
    ] = None,
    json_schema: Annotated[
        str | None, typer.Option("--json-schema", metavar="FILE|JSON", help="A JSON schema that the text will follow.")
    ] = None,
    regex: Annotated[str | None, typer.Option("--regex", help="A regular expression that the text will match.")] = None,
    as_json: Json = False,
    seed: Annotated[int, typer.Option("--seed", help="Seed of what is drawn.")] = 0,
    sets: Sets = None,
) -> None:
    """Go on with a text, which appears as it is written, or with a sound. --set generate.KEY=VALUE reaches every setting, e.g. repetition_penalty."""
    from zhuji import api

    options: dict[str, Any] = {
        "how": how, "max_units": max_units, "temperature": temperature, "top_k": top_k, "top_p": top_p, "beams": beams,
        "stop": tuple(stop) if stop else None, "json_schema": _schema(json_schema), "regex": regex,
    }  # fmt: skip
    if out is not None:
        options |= {"seconds": seconds, "heard": heard}
        with terminal.speaking(as_json) as answer:
            made = api.sounds(model, prompts or [], out, seed=seed, sets=sets or (), **options).as_dict()
            answer({"run": str(model), **made}, _show_sounds)
        return
    asked = [*terminal.texts(prompts or ["-"])]
    whole = as_json or beams is not None or how == "beam"
    with terminal.speaking(as_json) as answer:
        if whole:
            answer(api.generate(model, asked, seed=seed, sets=sets or (), **options).as_dict(), _show_texts)
        else:
            for prompt in asked:
                _write(prompt, api.stream(model, prompt, seed=seed, sets=sets or (), **options))


def _schema(given: str | None) -> str | None:
    """A schema as it stands, or the content of the file that holds it. Raises MissingFile."""
    if given is None or given.lstrip().startswith("{"):
        return given
    if not Path(given).is_file():
        from zhuji.core.errors import MissingFile

        raise MissingFile(file=given)
    return Path(given).read_text(encoding="utf-8")


def _write(prompt: str, pieces: Iterable[str]) -> None:
    """The prompt, and what follows it as it comes; of the two only the second is the model's."""
    begun = False
    for piece in pieces:
        sys.stdout.write(terminal.printable(piece if begun else prompt + piece))
        sys.stdout.flush()
        begun = True
    sys.stdout.write("\n" if begun else terminal.printable(prompt) + "\n")


def _show_texts(screen: Console, found: Any) -> None:
    for text in found["texts"]:
        screen.print(terminal.printable(text["prompt"] + text["text"]), soft_wrap=True)


def _show_sounds(screen: Console, found: Any) -> None:
    made = sum(file["made"] for file in found["files"])
    told = in_language("{:,} sounds in {}: {:.2f} s made", "{:,} 段声音，位于 {}：生成 {:.2f} 秒")
    terminal.line(
        screen, in_language("written", "已写入"),
        f"{told.format(len(found['files']), found['folder'], made)}  ({seconds_text(found['seconds'])})",
    )  # fmt: skip
    terminal.line(screen, in_language("page", "页面"), found["page"])


def perplexity(  # noqa: PLR0917 - the options of a verb
    model: Model,
    data: Annotated[str, typer.Argument(help="Text, CSV, JSONL or Parquet file, or a folder of them.")],
    text: Annotated[
        list[str] | None, typer.Option("--text", metavar="COLUMN", help="Text column of a table. May be repeated.")
    ] = None,
    window: Annotated[
        int | None, typer.Option("--window", help="Units read at once; as many as the model can by default.")
    ] = None,
    stride: Annotated[int | None, typer.Option("--stride", help="Units between two windows; half a window by default.")] = None,
    as_json: Json = False,
    seed: Unmoved = 0,
    sets: Sets = None,
) -> None:
    """How well a model foresees texts: perplexity of a unit, and bits per byte, which models of any tokenizer share."""
    from zhuji import api
    from zhuji.data.ledger import Ledger

    ledger = Ledger()
    with terminal.speaking(as_json) as answer:
        found = api.perplexity(
            model, data, ledger, text=text or (), window=window, stride=stride, seed=seed, sets=sets or ()
        )  # fmt: skip
        answer({**found.as_dict(), "ledger": ledger.as_dict()}, _show_perplexity)


def _show_perplexity(screen: Console, found: Any) -> None:
    terminal.line(screen, in_language("perplexity", "困惑度"), terminal.number(found["perplexity"]))
    bits = in_language("bits per byte", "每字节比特数")
    screen.print(f"{bits} {terminal.number(found['bits_per_byte'])}")
    told = in_language("{:,} units, {:,} bytes of {:,} texts", "{:,} 个单元，{:,} 字节，{:,} 篇文本")
    terminal.line(screen, in_language("over", "范围"), told.format(found["units"], found["bytes"], found["texts"]))
    terminal.line(screen, in_language("ledger", "账本"), terminal.ledger_text(found["ledger"]))
