"""`explain`: which words speak for an answer, marked in the text; which parts of a picture, laid over it."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zhuji.cli import terminal
from zhuji.cli.inputs import counts, dropped_text, given
from zhuji.cli.options import Json, Sets, Text, Unmoved, data_options
from zhuji.core.log import in_language, say
from zhuji.data.writing import json_rows

if TYPE_CHECKING:
    from rich.console import Console

    from zhuji.model.explain import Explained, Part
    from zhuji.model.heat import Heat
    from zhuji.tools.explain import ExplainedRow

_SHOWN = 8
"""Words whose weights are listed."""
_STRONG, _WEAK = 0.5, 0.1
"""Of the strongest word's weight: from where on a word is marked strongly, and at all."""


def explain(  # noqa: PLR0917 - the options of a verb
    model: Annotated[Path, typer.Argument(metavar="RUN|BUNDLE", help="The folder that `zhuji train` printed, or its bundle.")],
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[TEXT|FILE|-]...", help="Texts, pictures, files of rows, folders, or - for lines of standard input."
        ),
    ] = None,
    about: Annotated[
        str | None,
        typer.Option(
            "--for",
            metavar="CLASS",
            help="What to explain in place of the answer: a class; of tags a word; of objects a number.",
        ),
    ] = None,
    draw: Annotated[
        Path | None,
        typer.Option(
            "--draw", metavar="FOLDER", help="Write copies of the pictures with what speaks for their answers laid over them."
        ),
    ] = None,
    text: Text = None,
    as_json: Json = False,
    seed: Unmoved = 0,
    sets: Sets = None,
) -> None:
    """Show which words, or parts of a picture, speak for and against an answer; rows of files go out as JSON lines."""
    from zhuji import api
    from zhuji.data.ledger import Ledger

    ledger = Ledger()
    with terminal.speaking(as_json) as answer:
        sources = [*given(inputs or ["-"])]
        rows = api.explain(model, sources, ledger, about=about, draw=draw, sets=sets or (), **data_options(text=text))
        if as_json:
            answer({"explanations": [row.as_dict() for row in rows], "rows": counts(ledger)}, _never)
        elif any(isinstance(source, Path) and not _is_picture(source) for source in sources):
            write = json_rows(sys.stdout)
            for row in rows:
                write(row.as_dict())
        else:
            _show(terminal.console(), rows)
        if ledger.total("dropped") and not as_json:
            say(dropped_text(counts(ledger)))


def _is_picture(path: Path) -> bool:
    from zhuji.data.pictures import ENDINGS

    return path.is_file() and path.name.lower().endswith(ENDINGS)


def _never(screen: Console, found: Any) -> None:
    raise AssertionError("JSON is not shown to a person")


def _show(screen: Console, rows: Iterable[ExplainedRow]) -> None:
    from zhuji.model.heat import Heat

    for number, row in enumerate(rows):
        if number:
            screen.print()
        if not row.explained:
            screen.print(in_language("nothing was found: there is nothing to explain", "没有找到任何内容，无可解释"))
        for one in row.explained:
            if isinstance(one, Heat):
                _show_heat(screen, one)
            else:
                _show_one(screen, one)
        for path in row.drawn:
            terminal.line(screen, in_language("drawn", "已绘制"), str(path))


def _show_one(screen: Console, one: Explained) -> None:
    from rich.text import Text as Line

    top = max((abs(part.weight) for part in one.parts), default=0.0)
    head = in_language("{} for {}: {:.3g}, where nothing is said {:.3g}", "{}：{} = {:.3g}；无内容时 {:.3g}")
    what = f"{one.about} ({one.of})" if one.of else one.about
    terminal.line(screen, in_language("answer", "回答"), _answer(one))
    terminal.line(screen, in_language("speaks", "依据"), head.format(_unit(one), what, one.value, one.base))
    screen.print(Line.assemble(*((terminal.printable(part.text), _style(part, top)) for part in one.parts)), soft_wrap=True)
    for part in one.strongest(_SHOWN):
        screen.print(f"  {part.weight:+.3f}  {terminal.printable(part.text)}", soft_wrap=True)
    if abs(one.rest) >= _WEAK * top:
        screen.print(in_language(f"  {one.rest:+.3f}  (nothing shown)", f"  {one.rest:+.3f}  （不对应任何文字）"))
    if not one.complete:
        _show_gap(screen, one.gap)
    if one.cut:
        screen.print(in_language(f"{one.cut:,} units at the end were not read", f"末尾 {one.cut:,} 个单元未被读取"))


def _show_heat(screen: Console, one: Heat) -> None:
    """In words and numbers: nine parts of the picture, each with the sum of its weights."""
    head = in_language("{} for {}: {:.3g}, where nothing is seen {:.3g}", "{}：{} = {:.3g}；什么也看不到时 {:.3g}")
    what = in_language(f"answer {one.of}, {one.about}", f"第 {one.of} 个回答 {one.about}") if one.of else one.about
    number = in_language("how surely it stands there", "其位于该处的程度") if one.of else _unit(one)
    terminal.line(screen, in_language("answer", "回答"), what if one.of else _answer(one))
    terminal.line(screen, in_language("speaks", "依据"), head.format(number, what, one.value, one.base))
    sides = [in_language(*names) for names in (("left", "左"), ("middle", "中"), ("right", "右"))]
    levels = [in_language(*names) for names in (("top", "上"), ("middle", "中"), ("bottom", "下"))]
    ninths = [[f"{weight:+.3f}" for weight in row] for row in one.coarse(3).tolist()]
    terminal.table(screen, ["", *sides], [[level, *row] for level, row in zip(levels, ninths, strict=True)])
    if one.complete is False:
        _show_gap(screen, one.gap)
    if one.cut:
        screen.print(in_language("the edges were cut off and not seen", "边缘被裁去，未被看到"))


def _show_gap(screen: Console, gap: float) -> None:
    text = in_language(
        "these weights are rough: {:+.3g} of the number is not told apart", "这些权重较粗略：有 {:+.3g} 未能归到具体部分"
    )
    screen.print(text.format(gap), soft_wrap=True)


def _answer(one: Explained | Heat) -> str:
    answer, score = one.prediction.answer, one.prediction.score
    shown = " ".join(answer) if isinstance(answer, tuple) else f"{answer:.6g}" if isinstance(answer, float) else str(answer)
    return f"{shown}  {terminal.number(score)}" if score is not None else shown


def _unit(one: Explained | Heat) -> str:
    number = isinstance(one.prediction.answer, float)
    return in_language("the number", "数值") if number else in_language("log-odds", "对数几率")


def _style(part: Part, top: float) -> str:
    share = abs(part.weight) / top if top else 0.0
    if share < _WEAK:
        return ""
    colour = "green" if part.weight > 0 else "red"
    return f"bold {colour} reverse" if share >= _STRONG else f"bold {colour}"
