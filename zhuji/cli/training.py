"""`train`, `resume`: from a file to a model, and on from where it was stopped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zhuji.cli import pretraining, terminal
from zhuji.cli.options import (
    Epochs,
    Group,
    Id,
    Image,
    Json,
    Label,
    Leaks,
    MaxDropped,
    Name,
    RunDir,
    RunSeed,
    Sets,
    Sound,
    Split,
    Start,
    Target,
    Test,
    Text,
    Time,
    Valid,
    data_options,
)  # fmt: skip
from zhuji.core.log import in_language
from zhuji.data.words import counted

if TYPE_CHECKING:
    from rich.console import Console

Data = Annotated[str, typer.Argument(help="CSV, TSV, JSONL, Parquet or CoNLL file, or a folder.")]
Recipe = Annotated[
    str | None,
    typer.Option("--model", "-m", metavar="RECIPE|FILE.yaml", help="See `zhuji recipes`; default bag, with --from finetune."),
]


def train(  # noqa: PLR0917 - the options of a verb
    data: Annotated[
        str | None, typer.Argument(help="CSV, TSV, JSONL, Parquet or CoNLL file, or a folder of texts or pictures.")
    ] = None,
    model: Recipe = None,
    start: Start = None,
    config: Annotated[Path | None, typer.Option("--config", help="A YAML file with settings of one's own.")] = None,
    task: Annotated[
        str | None,
        typer.Option("--task", help="classify, regress, tag, translate, contrast …; found from the columns by default."),
    ] = None,
    epochs: Epochs = None,
    text: Text = None,
    image: Image = None,
    sound: Sound = None,
    target: Target = None,
    label: Label = None,
    group: Group = None,
    time: Time = None,
    id_: Id = None,
    split: Split = None,
    valid: Valid = None,
    test: Test = None,
    leaks: Leaks = None,
    max_dropped: MaxDropped = None,
    name: Name = None,
    run_dir: RunDir = None,
    as_json: Json = False,
    seed: RunSeed = None,
    sets: Sets = None,
) -> None:
    """Train, test, save and report: the folder that is left is enough for everything after."""
    from zhuji import api

    columns = data_options(
        text=text, image=image, sound=sound, target=target, label=label, group=group, time=time, id=id_, split=split, valid=valid, test=test, leaks=leaks,
        max_dropped=max_dropped,
    )  # fmt: skip
    with terminal.speaking(as_json) as answer:
        result = api.train(
            data, model=model, start=start, config=config, task=task, epochs=epochs, name=name, run_dir=run_dir, seed=seed,
            sets=sets or (), **columns,
        )  # fmt: skip
        answer(result.as_dict(), _show)


def distil(  # noqa: PLR0917 - the options of a verb
    teacher: Annotated[str, typer.Argument(metavar="TEACHER", help="A run, bundle or Hugging Face folder of any task.")],
    data: Data,
    model: Recipe = None,
    unlabelled: Annotated[
        Path | None, typer.Option("--unlabelled", metavar="FILE", help="Further texts, which only the teacher labels.")
    ] = None,
    weight: Annotated[
        float | None,
        typer.Option("--weight", help="Of the teacher's lessons, 0 to 1; the rest is that of labels or texts. Default 0.7."),
    ] = None,
    temperature: Annotated[
        float | None, typer.Option("--temperature", help="Above 1 the teacher's doubts count more. Default 2.")
    ] = None,
    epochs: Epochs = None,
    text: Text = None,
    label: Label = None,
    split: Split = None,
    valid: Valid = None,
    test: Test = None,
    name: Name = None,
    run_dir: RunDir = None,
    as_json: Json = False,
    seed: RunSeed = None,
    sets: Sets = None,
) -> None:
    """Train a small model on what a large one says: about rows, with or without labels, or about each unit of texts."""
    from zhuji import api

    columns = data_options(text=text, label=label, split=split, valid=valid, test=test)
    with terminal.speaking(as_json) as answer:
        result = api.distil(
            teacher, data, model=model, unlabelled=unlabelled, weight=weight, temperature=temperature, epochs=epochs, name=name,
            run_dir=run_dir, seed=seed, sets=sets or (), **columns,
        )  # fmt: skip
        answer(result.as_dict(), pretraining.show if isinstance(result, api.Foundation) else _show)


def resume(
    run: Annotated[Path, typer.Argument(help="Folder of a run or a pretraining that was stopped.")],
    as_json: Json = False,
    seed: Annotated[int | None, typer.Option("--seed", help="Must be the run's own.")] = None,
    sets: Sets = None,
) -> None:
    """Go on with a run that was stopped; it ends as if it never had been. Settings that differ from the run's are refused."""
    from zhuji import api

    with terminal.speaking(as_json) as answer:
        result = api.resume(run, seed=seed, sets=sets or ())
        answer(result.as_dict(), pretraining.show if isinstance(result, api.Foundation) else _show)


def _show(screen: Console, result: Any) -> None:
    from zhuji.tools.pages.found import shown_name

    test, rivals = result["test"], result["baselines"]
    metrics = list(test)[:3]
    if metrics:
        first = metrics[0]
        text = in_language("test {} {} (95 % interval)", "测试集 {} {}（95 % 区间）").format(
            first, terminal.interval_text(test[first])
        )
        screen.print(f"\n{text}", style="bold")
        mine = in_language("this model", "本模型")
        scored = [(mine, test), *((shown_name(name), scores) for name, scores in rivals.items() if first in scores)]
        rows = [[name, *(terminal.interval_text(of[m]) if m in of else "–" for m in metrics)] for name, of in scored]
        terminal.table(screen, [in_language("model", "模型"), *metrics], rows)
        _show_groups(screen, result["by_group"], metrics)
    more = (
        (name, ", ".join(f"{metric} {terminal.interval_text(scores[metric])}" for metric in metrics if metric in scores))
        for name, scores in result["more_tests"].items()
    )
    terminal.lines(screen, more)
    terminal.lines(screen, result["notes"].items())
    terminal.line(screen, in_language("ledger", "账本"), terminal.ledger_text(result["ledger"]))
    terminal.line(screen, in_language("leaks", "泄漏"), _leaks_text(result["leaks"]))
    terminal.finished(screen, result)


def _show_groups(screen: Console, groups: dict[str, Any], metrics: list[str]) -> None:
    """Scores by group; one group alone says nothing new."""
    if len(groups) > 1:
        rows = [
            [f"{name} ({of['rows']:,})", *(terminal.interval_text(of[m]) if m in of else "–" for m in metrics)]
            for name, of in groups.items()
        ]
        terminal.table(screen, [in_language("this model by group (rows)", "本模型按分组（行数）"), *metrics], rows)


def _leaks_text(leaks: Any) -> str:
    found = counted(leaks.get("found", {}))
    if not found:
        return in_language("none found", "未发现")
    done = {"move": in_language("moved into one split", "已移入同一划分"), "allow": in_language("kept, as asked", "按要求保留")}
    kept = leaks.get("kept", 0) if leaks.get("action") == "move" else 0
    large = (
        in_language(f", but for {kept:,} rows of groups too large to move", f"，但 {kept:,} 行所在分组过大，未移动")
        if kept
        else ""
    )
    return f"{found}: {done.get(leaks.get('action', 'move'), '')}{large}"
