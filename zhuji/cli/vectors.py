"""`probe`, `embed`, `index`, `nearest`: what an encoder knows, and search by meaning."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from zhuji.cli import terminal
from zhuji.cli.options import Group, Id, Json, Label, Model, Seed, Sets, Split, Test, Text, Unmoved, Valid, data_options
from zhuji.core.log import in_language
from zhuji.core.quantity import seconds_text

if TYPE_CHECKING:
    from rich.console import Console

Rows = Annotated[str, typer.Argument(help="CSV, TSV, JSONL or Parquet file, or a folder.")]


def probe(  # noqa: PLR0917 - the options of a verb
    model: Model,
    data: Rows,
    text: Text = None,
    label: Label = None,
    group: Group = None,
    split: Split = None,
    valid: Valid = None,
    test: Test = None,
    as_json: Json = False,
    seed: Seed = 0,
    sets: Sets = None,
) -> None:
    """Score what a frozen encoder knows about labelled rows: linear probe and nearest neighbours, beside models of counted words."""
    from zhuji import api

    columns = data_options(text=text, label=label, group=group, split=split, valid=valid, test=test)
    with terminal.speaking(as_json) as answer:
        answer(api.probe(model, data, seed=seed, sets=sets or (), **columns).as_dict(), _show_probe)


def _show_probe(screen: Console, found: Any) -> None:
    from zhuji.tools.pages.found import shown_name

    metrics = list(next(iter(found["scores"].values())))[:3]
    names = {"linear": in_language("linear probe", "线性探针"), "neighbours": in_language("nearest neighbours", "最近邻")}
    rows = [
        [names.get(name, shown_name(name)), *(terminal.interval_text(of[m]) if m in of else "–" for m in metrics)]
        for name, of in found["scores"].items()
    ]
    terminal.table(screen, [in_language("on its states", "基于其状态"), *metrics], rows)
    chosen = in_language("C = {:g}, k = {:g} of {:,} training rows", "C = {:g}，k = {:g}，训练行 {:,}").format(
        found["settings"]["linear"], found["settings"]["neighbours"], found["rows"]["train"]
    )
    terminal.line(screen, in_language("chosen", "所选"), chosen)
    _tail(screen, found)


def embed(  # noqa: PLR0917 - the options of a verb
    model: Model,
    data: Rows,
    to: Annotated[Path, typer.Option("--to", "-o", metavar="FILE", help="A .npy, .jsonl or .parquet file.")],
    text: Text = None,
    id_: Id = None,
    as_json: Json = False,
    seed: Unmoved = 0,
    sets: Sets = None,
) -> None:
    """Write the vector of every row to a file, in order."""
    from zhuji import api

    with terminal.speaking(as_json) as answer:
        answer(api.embed(model, data, to, sets=sets or (), **data_options(text=text, id=id_)).as_dict(), _show_embedded)


def _show_embedded(screen: Console, found: Any) -> None:
    told = in_language("{:,} vectors of {:,} numbers in {}", "{:,} 个向量，每个 {:,} 维，位于 {}")
    terminal.line(screen, in_language("written", "已写入"), told.format(found["rows"], found["width"], found["file"]))
    if found["ids"]:
        terminal.line(screen, in_language("ids", "编号"), found["ids"])
    _tail(screen, found)


def index(  # noqa: PLR0917 - the options of a verb
    model: Model,
    data: Rows,
    to: Annotated[Path, typer.Option("--to", "-o", metavar="FOLDER", help="Where the index goes; must not be there yet.")],
    text: Text = None,
    label: Label = None,
    id_: Id = None,
    as_json: Json = False,
    seed: Unmoved = 0,
    sets: Sets = None,
) -> None:
    """Write an index of a file's rows, for `zhuji nearest`."""
    from zhuji import api

    columns = data_options(text=text, label=label, id=id_)
    with terminal.speaking(as_json) as answer:
        answer(api.index(model, data, to, sets=sets or (), **columns).as_dict(), _show_index)


def _show_index(screen: Console, found: Any) -> None:
    import shlex

    told = in_language("{:,} rows, vectors of {:,} numbers, in {}", "{:,} 行，向量 {:,} 维，位于 {}")
    terminal.line(screen, in_language("index", "索引"), told.format(found["rows"], found["width"], found["folder"]))
    _tail(screen, found)
    question = shlex.quote(in_language("a question of yours", "你的一个问题"))
    terminal.invite(screen, f"zhuji nearest {shlex.quote(found['folder'])} {question}")


def nearest(  # noqa: PLR0917 - the options of a verb
    folder: Annotated[Path, typer.Argument(metavar="INDEX", help="The folder that `zhuji index` wrote.")],
    questions: Annotated[
        list[str] | None, typer.Argument(metavar="[TEXT|-]...", help="Questions, or - for lines of standard input.")
    ] = None,
    k: Annotated[int | None, typer.Option("-k", help="Rows found for each question: 5 by default, 10 with --evaluate.")] = None,
    evaluate: Annotated[
        Path | None, typer.Option("--evaluate", metavar="FILE", help="Score the index on these labelled questions instead.")
    ] = None,
    by: Annotated[
        str, typer.Option("--by", metavar="label|id", help="Right answers bear the question's label, or have the ids it names.")
    ] = "label",
    model: Annotated[
        str | None, typer.Option("--model", metavar="RUN|BUNDLE", help="The model of the index, if it has moved.")
    ] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Compare all rows, and open no graph of a stranger's.")] = False,
    text: Text = None,
    label: Label = None,
    as_json: Json = False,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the bootstrap of --evaluate.")] = 0,
    sets: Sets = None,
) -> None:
    """Find the rows of an index that are nearest in meaning, or score the index: recall, reciprocal rank, NDCG."""
    from zhuji import api

    with terminal.speaking(as_json) as answer:
        if evaluate is not None:
            found = api.retrieval(
                folder, evaluate, k or 10, by=_by(by), model=model, seed=seed, sets=sets or (),
                **data_options(text=text, label=label),
            )  # fmt: skip
            answer(found.as_dict(), _show_retrieval)
            return
        asked = [*terminal.texts(questions or ["-"])]
        hits = api.nearest(folder, asked, k or 5, model=model, exact=exact, sets=sets or ())
        answer({"answers": [_answered(text, some) for text, some in zip(asked, hits, strict=True)]}, _show_hits)


def _by(given: str) -> Any:
    from zhuji.core.errors import BadSetting

    if given not in ("label", "id"):
        raise BadSetting(key="--by", rule=in_language("must be label or id", "必须是 label 或 id"), value=given)
    return given


def _answered(question: str, hits: Iterable[Any]) -> dict[str, Any]:
    return {"question": question, "hits": [hit.as_dict() for hit in hits]}


def _show_hits(screen: Console, found: Any) -> None:
    for answer in found["answers"]:
        screen.print(terminal.printable(answer["question"]), style="bold", soft_wrap=True)
        for hit in answer["hits"]:
            label = "" if hit["label"] is None else f" [{hit['label']}]"
            text = " ".join(str(hit["input"]).split())
            screen.print(terminal.printable(f"  {hit['score']:.3f}  {hit['id']}{label}  {text[:90]}"), soft_wrap=True)


def _show_retrieval(screen: Console, found: Any) -> None:
    header = [in_language("metric", "指标"), in_language("value [95 % interval]", "值 [95 % 区间]")]
    terminal.table(screen, header, [[name, terminal.interval_text(of)] for name, of in found["scores"].items()])
    told = in_language("{:,}, {:,} of which have a right answer", "{:,} 个，其中 {:,} 个有正确答案")
    terminal.line(screen, in_language("questions", "问题"), told.format(found["queries"], found["asked"]))
    terminal.line(screen, in_language("ledger", "账本"), terminal.ledger_text(found["ledger"]))


def _tail(screen: Console, found: Any) -> None:
    terminal.line(screen, in_language("ledger", "账本"), terminal.ledger_text(found["ledger"]))
    terminal.line(screen, in_language("time", "用时"), seconds_text(found["seconds"]))
