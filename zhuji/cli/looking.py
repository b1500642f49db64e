"""`check`, `robustness`, `report`, `compare`, `studio`: looking at data, at worse data, at runs, at two runs, at runs that go on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zhuji.cli import terminal
from zhuji.cli.options import (
    Group,
    Id,
    Image,
    Json,
    Label,
    MaxDropped,
    Seed,
    Sets,
    Sound,
    Split,
    Test,
    Text,
    Time,
    Unmoved,
    Valid,
    data_options,
)
from zhuji.core.log import in_language

if TYPE_CHECKING:
    from rich.console import Console


def check(  # noqa: PLR0917 - the options of a verb
    data: Annotated[str, typer.Argument(help="The file or folder that one would train on.")],
    text: Text = None,
    image: Image = None,
    sound: Sound = None,
    label: Label = None,
    group: Group = None,
    time: Time = None,
    id_: Id = None,
    split: Split = None,
    valid: Valid = None,
    test: Test = None,
    max_dropped: MaxDropped = None,
    page: Annotated[Path | None, typer.Option("--page", help="Where the page goes; check-NAME.html here by default.")] = None,
    as_json: Json = False,
    seed: Seed = 0,
    sets: Sets = None,
) -> None:
    """Look at data before training: counts, balance, duplicates, leaks, doubtful labels. Exit code 0 passes, 1 fails."""
    from zhuji import api

    columns = data_options(
        text=text,
        image=image,
        sound=sound,
        label=label,
        group=group,
        time=time,
        id=id_,
        split=split,
        valid=valid,
        test=test,
        max_dropped=max_dropped,
    )
    with terminal.speaking(as_json) as answer:
        found = api.check(data, page=page, seed=seed, sets=sets or (), **columns)
        answer(found.as_dict(), _show_check)
    if not found.passed:
        raise typer.Exit(1)


def _show_check(screen: Console, found: Any) -> None:
    splits, total = found["splits"], in_language("all", "合计")
    labels = found["classes"]
    if labels:
        sums = [(total, {s: sum(c.get(s, 0) for c in labels.values()) for s in splits})]
        shown = [*list(labels.items())[:20], *sums]
        terminal.table(
            screen, [in_language("label", "标签"), *splits], [[k, *(f"{c.get(s, 0):,}" for s in splits)] for k, c in shown]
        )
    terminal.lines(screen, found["lines"])
    for row in found["doubtful"]["rows"][:5]:
        text = f"{row['id']}: {row['label']} → {row['suggested']} ({row['probability']:.2f})  {row['input'][:70]}"
        terminal.line(screen, in_language("doubtful", "可疑标签"), text)
    for text in found["warnings"]:
        terminal.line(screen, in_language("warning", "警告"), text)
    for text in found["failures"]:
        terminal.line(screen, in_language("FAIL", "不通过"), text)
    terminal.line(screen, in_language("page", "页面"), found["page"])
    screen.print(
        in_language("PASS", "通过") if found["passed"] else in_language("FAIL", "不通过"),
        style="bold green" if found["passed"] else "bold red",
    )


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN|FOLDER", help="Folder of a finished run, or a folder that holds runs.")],
    as_json: Json = False,
    seed: Seed = 0,
    sets: Sets = None,
) -> None:
    """Write report.html: of a run with its pictures into its folder; of a folder of runs one page that compares them."""
    from zhuji import api

    with terminal.speaking(as_json) as answer:
        answer(api.report(run, seed=seed, sets=sets or ()).as_dict(), _show_report)


def _show_report(screen: Console, found: Any) -> None:
    screen.print(terminal.printable(found["verdict"]))
    terminal.line(screen, in_language("report", "报告"), found["report"])


def robustness(  # noqa: PLR0917 - the options of a verb
    model: Annotated[Path, typer.Argument(metavar="RUN|BUNDLE", help="A model that reads pictures.")],
    data: Annotated[str | None, typer.Argument(help="Labelled pictures; without it the run's own test split.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for numbers, chart and samples; RUN/robustness by default.")
    ] = None,
    image: Image = None,
    label: Label = None,
    as_json: Json = False,
    seed: Seed = 0,
    sets: Sets = None,
) -> None:
    """Score a model on pictures made worse: noise, blur, brightness, contrast, JPEG, pixels, in five severities."""
    from zhuji import api

    with terminal.speaking(as_json) as answer:
        found = api.robustness(model, data, out=out, seed=seed, sets=sets or (), **data_options(image=image, label=label))
        answer(found.as_dict(), _show_robustness)


def _show_robustness(screen: Console, found: Any) -> None:
    from zhuji.tools.robustness import names

    shown = names()
    header = [
        in_language("severity", "严重程度"),
        *(str(number) for number in range(1, len(next(iter(found["by"].values()))) + 1)),
    ]
    rows = [[shown[name], *map(terminal.interval_text, scores)] for name, scores in found["by"].items()]
    clean = in_language("as they are", "原样")
    terminal.line(
        screen,
        clean,
        f"{found['metric']} {terminal.interval_text(found['clean'])}, {found['rows']:,} {in_language('pictures', '张图片')}",
    )
    terminal.table(screen, header, rows, title=found["metric"])
    told = in_language("{} over all, {} of that on the pictures as they are", "总平均 {}，为原样图片得分的 {}")
    kept = "–" if found["kept"] is None else f"{found['kept']:.1%}"
    terminal.line(screen, in_language("mean", "平均"), told.format(terminal.number(found["mean"]), kept))
    if found["out"]:
        terminal.line(screen, in_language("written", "已写入"), found["out"])


def compare(
    a: Annotated[Path, typer.Argument(metavar="RUN_A")],
    b: Annotated[Path, typer.Argument(metavar="RUN_B")],
    as_json: Json = False,
    seed: Seed = 0,
    sets: Sets = None,
) -> None:
    """Test whether two runs really differ, on the rows both were tested on: paired bootstrap and permutation test."""
    from zhuji import api

    with terminal.speaking(as_json) as answer:
        answer(api.compare(a, b, seed=seed, sets=sets or ()).as_dict(), _show_comparison)


def _show_comparison(screen: Console, found: Any) -> None:
    header = [in_language("metric", "指标"), "A", "B", "A − B", "p"]
    rows = [
        [name, *(terminal.interval_text(of[key]) for key in ("a", "b", "difference")), f"{of['p']:.3g}"]
        for name, of in found["metrics"].items()
    ]
    terminal.line(screen, "A", found["a"])
    terminal.line(screen, "B", found["b"])
    terminal.table(
        screen, header, rows, title=in_language(f"{found['rows']:,} test rows in common", f"共同测试行 {found['rows']:,} 行")
    )
    screen.print(terminal.printable(found["verdict"]))


def studio(
    folder: Annotated[Path, typer.Argument(metavar="[FOLDER]", help="Folder of runs, or one run.")] = Path("runs"),
    port: Annotated[
        int | None, typer.Option("--port", help="Port of this machine; 8610 by default, 0 for any that is free.")
    ] = None,
    as_json: Json = False,
    seed: Unmoved = 0,
    sets: Sets = None,
) -> None:
    """Show runs in a browser while they go on: progress, curves, warnings, reports. Served to this machine alone; Ctrl-C ends it."""
    from zhuji import api

    with terminal.speaking(as_json) as answer:
        told = {"folder": str(folder)}
        api.studio(
            folder, port=port, seed=seed, sets=sets or (), ready=lambda at: answer({**told, "address": at}, _show_studio)
        )


def _show_studio(screen: Console, found: Any) -> None:
    terminal.line(screen, in_language("studio", "工作室"), found["address"])
    terminal.line(
        screen,
        "",
        in_language("Open it in a browser of this machine; Ctrl-C ends it.", "请在本机浏览器中打开；按 Ctrl-C 结束。"),
    )
