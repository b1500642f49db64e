"""`evaluate`, `predict`, `convert`: what one does with a finished model."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated, Any

import typer

from zhuji.cli import terminal
from zhuji.cli.inputs import counts, dropped_text, given
from zhuji.cli.options import Group, Id, Image, Json, Label, Sets, Sound, Target, Text, Unmoved, data_options
from zhuji.cli.writing import writer
from zhuji.core.log import in_language, say
from zhuji.data.words import counted
from zhuji.data.writing import csv_rows, json_rows

if TYPE_CHECKING:
    from rich.console import Console

    from zhuji.tools.predict import Answered

Model = Annotated[Path, typer.Argument(metavar="RUN|BUNDLE", help="The folder that `zhuji train` printed, or its bundle.")]
MaybeSeed = Annotated[int | None, typer.Option("--seed", help="Seed of the bootstrap; the run's own by default.")]


def evaluate(  # noqa: PLR0917 - the options of a verb
    model: Model,
    data: Annotated[str | None, typer.Argument(help="Labelled rows; without it the run's own test split.")] = None,
    text: Text = None,
    image: Image = None,
    sound: Sound = None,
    target: Target = None,
    label: Label = None,
    group: Group = None,
    id_: Id = None,
    as_json: Json = False,
    seed: MaybeSeed = None,
    sets: Sets = None,
) -> None:
    """Score a model on labelled rows, through the same path as training."""
    from zhuji import api

    columns = data_options(text=text, image=image, sound=sound, target=target, label=label, group=group, id=id_)
    with terminal.speaking(as_json) as answer:
        found = api.evaluate(model, data, seed=seed, sets=sets or (), **columns)
        answer(found.as_dict(), _show_scores)


def _show_scores(screen: Console, found: Any) -> None:
    header = [in_language("metric", "指标"), in_language("value", "值"), in_language("95 % interval", "95 % 区间")]
    rows = [
        [name, terminal.number(of["value"]), f"[{terminal.number(of['low'])}, {terminal.number(of['high'])}]"]
        for name, of in found["scores"].items()
    ]
    terminal.table(screen, header, rows)
    part = in_language(f" (its {found['split']} split)", f"（{found['split']} 划分）") if found["split"] else ""
    terminal.line(screen, in_language("data", "数据"), f"{found['data']}{part}: {found['rows']:,} {in_language('rows', '行')}")
    if found["unseen"]:
        text = in_language(
            "{:,} rows have a label that training never met; they count as wrong", "{:,} 行的标签在训练中从未出现，按错误计"
        )
        terminal.line(screen, in_language("unseen", "未见标签"), text.format(found["unseen"]))
    if found["ledger"]:
        terminal.line(screen, in_language("ledger", "账本"), terminal.ledger_text(found["ledger"]))


def predict(  # noqa: PLR0917 - the options of a verb
    model: Model,
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TEXT|FILE|-]...", help="Texts, pictures, files of rows, folders, or - for lines of standard input."
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write a .csv, .jsonl or .parquet file.")] = None,
    draw: Annotated[
        Path | None,
        typer.Option("--draw", metavar="FOLDER", help="Write copies of the pictures with their answers drawn on them."),
    ] = None,
    text: Text = None,
    image: Image = None,
    sound: Sound = None,
    as_json: Json = False,
    seed: MaybeSeed = None,
    sets: Sets = None,
) -> None:
    """Answer texts, files or standard input; files keep their columns. Nothing here is left to chance: --seed changes nothing."""
    from zhuji import api
    from zhuji.data.ledger import Ledger

    ledger = Ledger()
    with terminal.speaking(as_json) as answer:
        sources = [*given(inputs or ["-"])]
        rows = api.predict(
            model, sources, ledger, draw=draw, seed=seed, sets=sets or (), **data_options(text=text, image=image, sound=sound)
        )
        if out is not None:
            with writer(out) as write:
                for row in rows:
                    write(_cells(row, out.suffix.lower()))
            answer({"out": str(out), "rows": counts(ledger)}, _show_counts)
        elif as_json:
            _one_object(answer.out, rows, ledger)
        else:
            _stream(rows, any(isinstance(source, Path) for source in sources))
            if ledger.total("dropped"):
                say(dropped_text(counts(ledger)))
        if ledger.changes:
            say(counted(ledger.changes))


def _stream(rows: Iterable[Answered], files: bool) -> None:
    """Rows of files go out as CSV; texts as answer, score, text with tabs between, so that one can read along."""
    if files:
        write = csv_rows(sys.stdout)
        for row in rows:
            write(_cells(row))
        return
    for row in rows:
        score = row.prediction.score
        text = " ".join(str(row.values.get("text", row.values.get("file", ""))).split())
        cells = [_answer(row), "" if score is None else f"{score:.3f}", text]
        sys.stdout.write("\t".join(map(terminal.printable, cells)) + "\n")


def _answer(row: Answered) -> str:
    """On one line; of tags, what they mark."""
    answer = row.prediction.answer
    if row.words:
        return ", ".join(f"{kind} {text}" for kind, text in row.spans) or "–"
    if isinstance(answer, tuple):
        return ", ".join(f"{part['label']} {part['score']:.2f}" if isinstance(part, dict) else str(part) for part in answer)
    return f"{answer:.6g}" if isinstance(answer, float) else " ".join(str(answer).split())


def _cells(row: Answered, ending: str = ".csv") -> dict[str, Any]:
    """Where a cell is one text, words and their tags stand in it with blanks between them, as in `predictions.csv`."""
    found = row.as_dict()
    if not row.words or ending == ".jsonl":
        return found
    return {name: " ".join(map(str, value)) if isinstance(value, list) else value for name, value in found.items()}


def _one_object(out: IO[str], rows: Iterable[Answered], ledger: Any) -> None:
    """One JSON object, however many rows: they wait in a file, so that memory stays flat and an error leaves no half object."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as waiting:
        _write_list(waiting, rows)
        tail = json.dumps({"rows": counts(ledger)}, ensure_ascii=False)
        waiting.seek(0)
        out.write('{"predictions": [')
        shutil.copyfileobj(waiting, out)
        out.write(f"], {tail[1:]}\n")


def _write_list(file: IO[str], rows: Iterable[Answered]) -> None:
    write = json_rows(file)
    for number, row in enumerate(rows):
        if number:
            file.write(",")
        write(row.as_dict())


def _show_counts(screen: Console, data: Any) -> None:
    found = data["rows"]
    terminal.line(screen, in_language("written", "已写入"), data["out"])
    terminal.line(
        screen,
        in_language("rows", "行"),
        in_language(
            f"read {found['read']:,} = answered {found['answered']:,} + dropped {found['dropped']:,}",
            f"读取 {found['read']:,} = 回答 {found['answered']:,} + 丢弃 {found['dropped']:,}",
        ),
    )
    if found["dropped"]:
        say(dropped_text(found))


def convert(
    source: Annotated[Path, typer.Argument(metavar="RUN|BUNDLE|HF_FOLDER", help="What is there.")],
    target: Annotated[Path, typer.Argument(help="The folder to write; must not be there yet.")],
    as_json: Json = False,
    seed: Unmoved = 0,
    sets: Sets = None,
) -> None:
    """Turn a Hugging Face folder into a bundle, or a run or bundle into a Hugging Face folder."""
    from zhuji import api

    with terminal.speaking(as_json) as answer:
        answer(api.convert(source, target, sets=sets or ()).as_dict(), _show_conversion)


def _show_conversion(screen: Console, found: Any) -> None:
    import shlex

    from zhuji.core.quantity import count_text

    kind = in_language("bundle", "模型包") if found["wrote"] == "bundle" else found["wrote"]
    told = in_language("{} with {} parameters in {}", "{}，{} 个参数，位于 {}")
    terminal.line(
        screen,
        in_language("written", "已写入"),
        told.format(kind, count_text(sum(found["parameters"].values())), found["target"]),
    )
    terminal.invite(screen, f"zhuji train FILE.csv --from {shlex.quote(found['target'])}")
