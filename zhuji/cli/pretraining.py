"""`pretrain`, `corpus`, `tokenizer`: from texts without labels to a foundation."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zhuji.cli import terminal
from zhuji.cli.options import Epochs, Json, Name, RunDir, RunSeed, Sets, Start
from zhuji.core.log import in_language
from zhuji.core.quantity import bytes_text, count_text, seconds_text
from zhuji.data.words import told

if TYPE_CHECKING:
    from rich.console import Console

Sources = Annotated[
    list[str],
    typer.Argument(metavar="CORPUS...", help="Text, CSV, JSONL or Parquet files, folders of them, or a built corpus."),
]
Columns = Annotated[list[str] | None, typer.Option("--text", metavar="COLUMN", help="Text column of tables. May be repeated.")]
Without = Annotated[
    list[str] | None,
    typer.Option("--without", metavar="FILE[:SPLIT]", help="Texts that must not be in the corpus, e.g. reviews.csv:test."),
]
Recipe = Annotated[
    str | None, typer.Option("--model", "-m", metavar="RECIPE|FILE.yaml", help="See `zhuji recipes`; default bert-mini.")
]
Tokenizer = Annotated[
    Path | None, typer.Option("--tokenizer", metavar="FOLDER", help="What `zhuji tokenizer` made, instead of a new one.")
]
To = Annotated[Path, typer.Option("--to", metavar="FOLDER", help="Where it goes.")]


def pretrain(  # noqa: PLR0917 - the options of a verb
    corpus: Sources,
    objective: Annotated[
        str | None, typer.Option("--objective", help="masked, next, replaced, contrast, triplet, distill-self or patches.")
    ] = None,
    model: Recipe = None,
    start: Start = None,
    tokenizer: Tokenizer = None,
    text: Columns = None,
    without: Without = None,
    epochs: Epochs = None,
    name: Name = None,
    run_dir: RunDir = None,
    as_json: Json = False,
    seed: RunSeed = None,
    sets: Sets = None,
) -> None:
    """Lay a foundation on texts without labels; `zhuji train DATA --from RUN` builds on it."""
    from zhuji import api

    with terminal.speaking(as_json) as answer:
        result = api.pretrain(
            corpus, objective=objective, model=model, start=start, tokenizer=tokenizer, text=text or (),
            without=without or (), epochs=epochs, name=name, run_dir=run_dir, seed=seed, sets=sets or (),
        )  # fmt: skip
        answer(result.as_dict(), show)


def show(screen: Console, result: Any) -> None:
    """What a pretraining came to, for a person."""
    if result["valid"]:
        rows = [[metric, terminal.interval_text(score)] for metric, score in result["valid"].items()]
        terminal.table(
            screen,
            [in_language("held-out documents", "留出的文档"), in_language("value [95 % interval]", "值 [95 % 区间]")],
            rows,
        )
    for warning in result["warnings"]:
        terminal.line(screen, in_language("warning", "警告"), warning)
    terminal.line(screen, in_language("learned", "已学"), _cost_text(result))
    terminal.line(screen, in_language("ledger", "账本"), terminal.ledger_text(result["ledger"]))
    terminal.finished(screen, result)


def _cost_text(result: Any) -> str:
    cost = result["cost"]
    units, taken, joules = count_text(result["units"]), seconds_text(result["seconds"]), count_text(cost["joules"])
    hours, source = f"{cost['cpu_hours']:.3g}", told(cost["joules_from"])
    return in_language(
        f"{units} units in {taken}: {hours} CPU-hours, {joules} J ({source})",
        f"{taken} 内 {units} 个单元：{hours} CPU 小时，{joules} 焦（{source}）",
    )


def corpus(  # noqa: PLR0917 - the options of a verb
    sources: Sources,
    to: To,
    model: Recipe = None,
    tokenizer: Tokenizer = None,
    text: Columns = None,
    without: Without = None,
    as_json: Json = False,
    seed: RunSeed = None,
    sets: Sets = None,
) -> None:
    """Clean texts, drop copies and write them as shards in units of one tokenizer, to be pretrained on again and again."""
    from zhuji import api

    with terminal.speaking(as_json) as answer:
        found = api.corpus(
            sources, to, model=model, tokenizer=tokenizer, text=text or (), without=without or (), seed=seed, sets=sets or ()
        )
        answer(found.as_dict(), _show_corpus)


def _show_corpus(screen: Console, found: Any) -> None:
    header = [in_language("split", "划分"), in_language("documents", "文档"), in_language("units", "单元")]
    rows = [[name, f"{of['documents']:,}", f"{of['units']:,}"] for name, of in found["splits"].items()]
    terminal.table(screen, header, rows)
    terminal.line(screen, in_language("ledger", "账本"), terminal.ledger_text(found["ledger"]))
    size = in_language("{}, vocabulary of {:,}, {}", "{}，词表 {:,}，{}")
    sizes = size.format(bytes_text(found["bytes"]), found["vocabulary"], seconds_text(found["seconds"]))
    terminal.line(screen, in_language("size", "大小"), sizes)
    terminal.line(screen, in_language("corpus", "语料"), found["folder"])
    terminal.invite(screen, f"zhuji pretrain {shlex.quote(found['folder'])}")


def tokenizer(  # noqa: PLR0917 - the options of a verb
    sources: Sources,
    to: To,
    model: Recipe = None,
    vocab_size: Annotated[
        int | None, typer.Option("--vocab-size", help="Ids of the vocabulary; the recipe's by default.")
    ] = None,
    text: Columns = None,
    without: Without = None,
    as_json: Json = False,
    seed: RunSeed = None,
    sets: Sets = None,
) -> None:
    """Train a recipe's tokenizer on texts; the folder holds a plain tokenizer.json."""
    from zhuji import api

    with terminal.speaking(as_json) as answer:
        found = api.tokenizer(
            sources, to, model=model, vocab_size=vocab_size, text=text or (), without=without or (), seed=seed, sets=sets or ()
        )
        answer(found.as_dict(), _show_tokenizer)


def _show_tokenizer(screen: Console, found: Any) -> None:
    for pieces in found["samples"]:
        terminal.line(screen, in_language("pieces", "切分"), " ".join(piece.strip() or "␣" for piece in pieces))
    learned = in_language("{:,} ids from {:,} texts, {:,} characters", "{:,} 个编号，学自 {:,} 篇文本、{:,} 个字符")
    amounts = learned.format(found["vocabulary"], found["texts"], found["characters"])
    terminal.line(screen, in_language("learned", "已学"), amounts)
    measured = in_language(
        "{:.2f} bytes of UTF-8 a token, {:.2%} of tokens unknown", "每个词元 {:.2f} 字节（UTF-8），未知词元占 {:.2%}"
    )
    terminal.line(screen, in_language("measured", "测得"), measured.format(found["bytes_per_token"], found["unknown"]))
    terminal.line(screen, in_language("folder", "文件夹"), found["folder"])
    terminal.invite(screen, f"zhuji pretrain CORPUS --tokenizer {shlex.quote(found['folder'])}")
