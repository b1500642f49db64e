"""What a verb says: one JSON object, or text and tables for a person, on standard output."""

from __future__ import annotations

import contextlib
import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from zhuji.core.log import in_language
from zhuji.data.words import counted

if TYPE_CHECKING:
    from rich.console import Console


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: they become null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(v) for v in value]
    return value


def json_text(data: Mapping[str, Any]) -> str:
    return json.dumps(_finite(data), ensure_ascii=False, allow_nan=False, default=str)


@dataclass(frozen=True)
class Answer:
    """Gives a verb's answer: as one JSON object on `out`, or through a function that shows it to a person."""

    out: TextIO
    as_json: bool

    def __call__(self, data: Mapping[str, Any], human: Callable[[Console, Any], None]) -> None:
        if self.as_json:
            self.out.write(json_text(data) + "\n")
            self.out.flush()
        else:
            human(console(), data)


@contextlib.contextmanager
def speaking(as_json: bool) -> Iterator[Answer]:
    """With `as_json` everything that is printed besides the answer, also by libraries, goes to standard error."""
    answer = Answer(sys.stdout, as_json)
    with contextlib.redirect_stdout(sys.stderr) if as_json else contextlib.nullcontext():
        yield answer


def texts(given: Iterable[str]) -> Iterator[str]:
    """Words as they stand; for `-` the lines of standard input."""
    for word in given:
        if word == "-":
            yield from (line.rstrip("\r\n") for line in sys.stdin)
        else:
            yield word


def console() -> Console:
    """Rows of hostile data are printed through it, so nothing in them is read as markup."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else 110
    return Console(file=sys.stdout, markup=False, emoji=False, highlight=False, soft_wrap=False, width=width)


def table(screen: Console, header: Sequence[str], rows: Sequence[Sequence[str]], title: str | None = None) -> None:
    """A compact table; every column but the first is right-aligned."""
    from rich import box
    from rich.table import Table

    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left", title_style="bold")
    for i, name in enumerate(header):
        drawn.add_column(name, justify="left" if i == 0 else "right", overflow="fold")
    for row in rows:
        drawn.add_row(*[printable(cell) for cell in row])
    screen.print(drawn)


def printable(text: str) -> str:
    """Text of unknown origin without the control characters that could steer a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else "�" for c in str(text))


def interval_text(score: Mapping[str, float | None]) -> str:
    """`0.849 [0.839, 0.858]`"""
    value, low, high = (score.get(k) for k in ("value", "low", "high"))
    return f"{number(value)} [{number(low)}, {number(high)}]"


def number(value: float | None) -> str:
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:.3f}" if abs(value) < 100 else f"{value:.4g}"


COLUMN = 10
"""Cells of a terminal in front of a line's text."""


def line(screen: Console, name: str, text: str, column: int = COLUMN) -> None:
    """`name  text`, the text hanging where it began."""
    from rich.cells import cell_len

    screen.print(printable(f"{name}{' ' * max(1, column - cell_len(name))}{text}"), soft_wrap=True)


def lines(screen: Console, told: Iterable[tuple[str, str]]) -> None:
    """A line for each name, all texts in one column."""
    from rich.cells import cell_len

    several = list(told)
    column = max([COLUMN, *(cell_len(name) + 2 for name, _ in several)])
    for name, text in several:
        line(screen, name, text, column)


def invite(screen: Console, *commands: str) -> None:
    """What one may do next."""
    screen.print(in_language("\nnext:", "\n接下来："))
    for command in commands:
        screen.print(printable(f"  {command}"), soft_wrap=True)


def finished(screen: Console, result: Mapping[str, Any]) -> None:
    """Where a finished run lies, and the commands that it invites to."""
    from zhuji import api

    line(screen, in_language("run", "运行"), result["run"])
    line(screen, in_language("report", "报告"), result["report"])
    invite(screen, *api.next_commands(Path(result["run"])))


def ledger_text(ledger: Mapping[str, Any]) -> str:
    """`read 100 = used 90 + cut 5 + dropped 5 (empty text 5)`, and of sounds the seconds."""
    causes: Mapping[str, int] = ledger.get("causes", {}).get("dropped", {})
    why = counted(causes)
    template = in_language("read {} = used {} + cut {} + dropped {}", "读取 {} = 使用 {} + 截断 {} + 丢弃 {}")
    text = template.format(*(f"{ledger.get(k, 0):,}" for k in ("read", "used", "cut", "dropped")))
    text += f" ({why})" if why else ""
    if not any(seconds := [ledger.get(name, 0.0) for name in ("seconds", "seconds_cut", "seconds_dropped")]):
        return text
    heard = in_language("seconds: used {} + cut {} + dropped {}", "秒数：使用 {} + 截断 {} + 丢弃 {}")
    return f"{text} · {heard.format(*(f'{each:,.1f}' for each in seconds))}"
