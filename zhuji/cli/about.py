"""`recipes`, `doctor`, `schema`: what Zhuji itself and this machine can do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from zhuji.cli import terminal
from zhuji.cli.options import Json, Seed, Sets
from zhuji.core.log import in_language

if TYPE_CHECKING:
    from rich.console import Console


def recipes(
    name: Annotated[str | None, typer.Argument(help="Show this recipe's settings as YAML.")] = None,
    as_json: Json = False,
    seed: Seed = 0,
    sets: Sets = None,
) -> None:
    """List the named runs, or show one; --seed and --set show it with these settings."""
    from zhuji import api

    with terminal.speaking(as_json) as answer:
        if name is None:
            answer({"recipes": [r.as_dict() for r in api.recipes()]}, _list)
        else:
            text, settings = api.recipe_text(name, seed=seed, sets=sets or ())
            answer({"name": name, "yaml": text, "settings": settings}, lambda screen, data: screen.out(data["yaml"], end=""))


def _list(screen: Console, data: Any) -> None:
    kinds = {
        "train": (in_language("for labelled rows", "用于有标签的数据"), "zhuji train DATA --model NAME"),
        "pretrain": (in_language("for texts without labels", "用于无标签文本"), "zhuji pretrain CORPUS --model NAME"),
    }
    for verb, (title, command) in kinds.items():
        _family(screen, f"{title}: {command}", [recipe for recipe in data["recipes"] if recipe["verb"] == verb])


def _family(screen: Console, title: str, found: list[Any]) -> None:
    header = [
        in_language("recipe", "配方"),
        in_language("what", "内容"),
        in_language("cost", "代价"),
        in_language("score", "得分"),
    ]
    from rich import box
    from rich.table import Table

    drawn = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left", title_style="bold")
    for name, share in zip(header, (1, 5, 2, 3), strict=True):
        drawn.add_column(name, ratio=share, no_wrap=share == 1)
    for recipe in found:
        drawn.add_row(*(recipe.get(k, "") for k in ("name", "what", "cost", "score")))
    screen.print(drawn)


def doctor(as_json: Json = False, seed: Seed = 0, sets: Sets = None) -> None:
    """Look at this machine: versions, memory, precision, extras; exit code 1 if something stops a run."""
    from zhuji import api

    with terminal.speaking(as_json) as answer:
        facts = api.doctor(seed=seed, sets=sets or ())
        answer(facts, _diagnosis)
    if not facts["healthy"]:
        raise typer.Exit(1)


def _diagnosis(screen: Console, facts: Any) -> None:
    from zhuji.core.quantity import bytes_text

    torch, memory, disk = facts["torch"], facts["memory"], facts["disk"]
    free = in_language("{} free of {}", "可用 {}，共 {}")
    terminal.line(screen, "zhuji", f"{facts['zhuji']} · Python {facts['python']} · {facts['system']}")
    terminal.line(
        screen, "torch", f"{torch['version']} · {torch['cpu']} · {', '.join(torch['gpu']) or in_language('no GPU', '无 GPU')}"
    )
    threads = in_language("{} on {} usable CPUs, waiting: {}", "{} 个，可用 CPU {} 个，等待方式：{}")
    policy = facts["environment"]["OMP_WAIT_POLICY"] or in_language("active", "active")
    terminal.line(screen, in_language("threads", "线程"), threads.format(torch["threads"], torch["cpus"], policy))
    speed = in_language("bf16 multiplies matrices {} times as fast as fp32", "bf16 矩阵乘法速度为 fp32 的 {} 倍").format(
        torch["bf16_speedup"]
    )
    terminal.line(screen, in_language("precision", "精度"), speed)
    terminal.line(
        screen, in_language("memory", "内存"), free.format(bytes_text(memory["free_bytes"]), bytes_text(memory["total_bytes"]))
    )
    terminal.line(
        screen, in_language("disk", "磁盘"), free.format(bytes_text(disk["free_bytes"]), bytes_text(disk["total_bytes"]))
    )
    extras = ", ".join(f"{k} {v or in_language('(not installed)', '（未安装）')}" for k, v in facts["extras"].items())
    terminal.line(screen, in_language("extras", "附加包"), extras)
    for text in facts["problems"]:
        terminal.line(screen, in_language("PROBLEM", "问题"), text)
    for text in facts["advice"]:
        terminal.line(screen, in_language("advice", "建议"), text)
    if facts["healthy"]:
        screen.print(in_language("Ready to train.", "可以开始训练。"))


def schema(as_json: Json = False, seed: Seed = 0, sets: Sets = None) -> None:
    """Print the JSON schema of run files, of training and of pretraining; --seed and --set become its defaults."""
    from zhuji import api

    with terminal.speaking(as_json) as answer:
        whole = api.schema(seed=seed, sets=sets or ())
        answer(whole, lambda screen, data: screen.out(_indented(data)))


def _indented(data: Any) -> str:
    import json

    return json.dumps(data, ensure_ascii=False, indent=2)
