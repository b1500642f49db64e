"""`draw`, `realism`, `stylise`: pictures that a model makes, how real they look, and one picture painted like another."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zhuji.cli import terminal
from zhuji.cli.options import Json, Sets
from zhuji.core.log import in_language
from zhuji.core.quantity import seconds_text

if TYPE_CHECKING:
    from rich.console import Console

Model = Annotated[Path, typer.Argument(metavar="RUN|BUNDLE", help="A model that learned to make pictures.")]
Drawn = Annotated[int, typer.Option("--seed", help="Seed of what is drawn.")]
Steps = Annotated[int | None, typer.Option("--steps", help="Of a diffusion model: passes for each picture.")]
Guidance = Annotated[
    float | None,
    typer.Option("--guidance", help="Of a diffusion model: above 1 its classes show more clearly, and vary less."),
]


def draw(  # noqa: PLR0917 - the options of a verb
    model: Model,
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FOLDER", help="Folder for the pictures, new or empty.")],
    count: Annotated[int, typer.Option("--count", help="Pictures.")] = 64,
    label: Annotated[
        list[str] | None,
        typer.Option("--label", metavar="CLASS", help="Only this class; may be repeated. All in turn by default."),
    ] = None,
    steps: Steps = None,
    guidance: Guidance = None,
    as_json: Json = False,
    seed: Drawn = 0,
    sets: Sets = None,
) -> None:
    """Draw pictures: a numbered PNG each, one sheet of them, and a note of how to get them again."""
    from zhuji import api

    with terminal.speaking(as_json) as answer:
        found = api.draw(
            model, out, count=count, label=label or (), steps=steps, guidance=guidance, seed=seed, sets=sets or ()
        )  # fmt: skip
        answer({"run": str(model), **found.as_dict()}, _show_drawn)


def _show_drawn(screen: Console, found: Any) -> None:
    told = in_language("{:,} pictures in {}", "{:,} 张图片，位于 {}").format(found["count"], found["folder"])
    terminal.line(screen, in_language("drawn", "已绘制"), f"{told}  ({seconds_text(found['seconds'])})")
    if found["by_class"]:
        counts = [f"{name} {count:,}" for name, count in found["by_class"].items()]
        terminal.line(screen, in_language("classes", "类别"), " · ".join(counts))
    terminal.line(screen, in_language("sheet", "总览图"), found["sheet"])
    run, seed = shlex.quote(found["run"]), found["settings"]["seed"] + 1
    one = f" --label {shlex.quote(next(iter(found['by_class'])))}" if found["by_class"] else ""
    terminal.invite(
        screen,
        f"zhuji draw {run}{one} --seed {seed} --out {shlex.quote(found['folder'] + '-2')}",
        f"zhuji realism {run} --by CLASSIFIER_RUN",
        f"zhuji evaluate {run}",
    )


def realism(  # noqa: PLR0917 - the options of a verb
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Run of a model that learned to make pictures.")],
    by: Annotated[
        Path, typer.Option("--by", metavar="CLASSIFIER_RUN", help="A classifier of such pictures, trained on real ones.")
    ],
    count: Annotated[int, typer.Option("--count", help="Pictures drawn.")] = 1000,
    out: Annotated[Path | None, typer.Option("--out", "-o", metavar="FOLDER", help="RUN/realism by default.")] = None,
    steps: Steps = None,
    guidance: Guidance = None,
    as_json: Json = False,
    seed: Drawn = 0,
    sets: Sets = None,
) -> None:
    """Measure how real the pictures of a model look to a classifier of yours, and whether they are copies of what it learned from."""
    from zhuji import api

    with terminal.speaking(as_json) as answer:
        found = api.realism(run, by, count=count, seed=seed, out=out, steps=steps, guidance=guidance, sets=sets or ())
        answer({**found.as_dict(), "page": str((out or run / "realism") / "realism.html")}, _show_realism)


def _show_realism(screen: Console, found: Any) -> None:
    from zhuji.tools.pages.realised import caution, measures, nearness

    real = in_language("real (test)", "真实（测试）")
    header = [in_language("measure", "指标"), in_language("drawn", "所绘"), real]
    terminal.table(screen, header, [list(row[:3]) for row in measures(found)])
    by = [in_language(*names) for names in (
        ("nearest training picture by", "最近训练图片，依据"), ("nearer", "更近"), ("suspects", "可疑"), ("equal", "完全相同"), ("median", "中位数"),
    )]  # fmt: skip
    terminal.table(screen, by, [list(row) for row in nearness(found)])
    told = in_language("{:,} drawn, {:,} test and {:,} training pictures; {:,} of each compared",
                       "所绘 {:,}、测试 {:,}、训练 {:,} 张图片；各取 {:,} 张比较")  # fmt: skip
    terminal.line(screen, in_language("pictures", "图片"), told.format(*found["rows"].values()))
    for text in (caution(found), *found["warnings"]):
        terminal.line(screen, in_language("note", "注意"), text)
    terminal.line(screen, in_language("page", "页面"), found["page"])
    run, classifier = shlex.quote(found["run"]), shlex.quote(found["by"])
    terminal.invite(
        screen,
        f"zhuji draw {run} --out PICTURES",
        f"zhuji predict {classifier} PICTURES",
        f"zhuji realism OTHER_RUN --by {classifier}",
    )


def stylise(  # noqa: PLR0917 - the options of a verb
    model: Annotated[
        Path, typer.Argument(metavar="RUN|BUNDLE", help="A classifier of pictures with a convolutional backbone.")
    ],
    content: Annotated[Path, typer.Option("--content", metavar="PICTURE", help="What is shown.")],
    style: Annotated[Path, typer.Option("--style", metavar="PICTURE", help="How it is painted.")],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="FILE", help="A .png, .jpg or .webp file.")],
    size: Annotated[int | None, typer.Option("--size", help="Pixels of the longer side; 256 by default.")] = None,
    steps: Annotated[int | None, typer.Option("--steps", help="Steps of the optimiser; 200 by default.")] = None,
    style_weight: Annotated[
        float | None, typer.Option("--style-weight", help="How much the style counts beside the content; 30 by default.")
    ] = None,
    as_json: Json = False,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the noise that is begun with.")] = 0,
    sets: Sets = None,
) -> None:
    """Paint one picture like another, by what a trained network sees in both; --set stylise.KEY=VALUE reaches every setting."""
    from zhuji import api

    with terminal.speaking(as_json) as answer:
        found = api.stylise(
            model, content, style, out, size=size, steps=steps, style_weight=style_weight, seed=seed, sets=sets or ()
        )
        answer({"run": str(model), "content": str(content), "style": str(style), **found.as_dict()}, _show_stylised)


def _show_stylised(screen: Console, found: Any) -> None:
    wide, high = found["size"]
    terminal.line(
        screen, in_language("written", "已写入"), f"{found['file']}  {wide} × {high}  ({seconds_text(found['seconds'])})"
    )
    names = {"content": ("content", "内容"), "style": ("style", "风格"), "roughness": ("roughness", "粗糙")}
    for name, first in found["first"].items():
        terminal.line(screen, in_language(*names[name]), f"{first:.4g} → {found['last'][name]:.4g}")
    run, file = shlex.quote(found["run"]), Path(found["file"])
    again = f"zhuji stylise {run} --content {shlex.quote(found['content'])} --style {shlex.quote(found['style'])}"
    other = shlex.quote(str(file.with_stem(f"{file.stem}-2")))
    terminal.invite(
        screen,
        f"{again} --out {other} --style-weight {found['settings']['style_weight'] * 10:g}",
        f"{again} --out {other} --size {2 * found['settings']['size']}",
        f"zhuji predict {run} {shlex.quote(found['file'])}",
    )
