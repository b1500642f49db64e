"""Options that several verbs share, each written once."""

from __future__ import annotations

from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object on standard output.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of every random stream.")]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override one setting, e.g. --set train.epochs=3. May be repeated."),
]

Text = Annotated[list[str] | None, typer.Option("--text", metavar="COLUMN", help="Text column. May be repeated.")]
Label = Annotated[list[str] | None, typer.Option("--label", metavar="COLUMN", help="Label column. May be repeated.")]
Group = Annotated[str | None, typer.Option("--group", metavar="COLUMN", help="Rows of one group stay in one split.")]
Time = Annotated[str | None, typer.Option("--time", metavar="COLUMN", help="Older rows train, newer rows test.")]
Id = Annotated[str | None, typer.Option("--id", metavar="COLUMN", help="Column with a unique name of the row.")]
Split = Annotated[str | None, typer.Option("--split", metavar="COLUMN", help="Column with train, valid or test.")]
Valid = Annotated[str | None, typer.Option("--valid", metavar="FILE", help="Rows to validate on.")]
Test = Annotated[str | None, typer.Option("--test", metavar="FILE", help="Rows to test on.")]
Leaks = Annotated[str | None, typer.Option("--leaks", metavar="move|refuse|allow", help="Rows that stand in two splits.")]
MaxDropped = Annotated[
    str | None, typer.Option("--max-dropped", metavar="SHARE", help="Stop when more rows are dropped, e.g. 1%.")
]


def data_options(**given: Any) -> dict[str, Any]:
    """Settings of the `data` section from the options that were given; names are those of `DataSettings`."""
    renamed = {"valid": "valid_path", "test": "test_path"}
    return {renamed.get(name, name): value for name, value in given.items() if value is not None and value != []}
