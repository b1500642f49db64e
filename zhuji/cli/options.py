"""Options that several verbs share, each written once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

Json = Annotated[bool, typer.Option("--json", help="Print exactly one JSON object on standard output.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of every random stream.")]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override one setting, e.g. --set train.epochs=3. May be repeated."),
]

RunSeed = Annotated[int | None, typer.Option("--seed", help="Seed of every random stream; 0 by default.")]
Unmoved = Annotated[int, typer.Option("--seed", help="Nothing here is left to chance: changes nothing.")]

Model = Annotated[
    str, typer.Argument(metavar="RUN|BUNDLE|HF_FOLDER", help="A run, its bundle, a Hugging Face folder, or hf:NAME.")
]
Start = Annotated[
    str | None,
    typer.Option("--from", metavar="RUN|BUNDLE|HF_FOLDER", help="Begin from this model: its tokenizer, backbone and weights."),
]
Epochs = Annotated[float | None, typer.Option("--epochs", help="Passes over the training rows or documents.")]
Name = Annotated[str | None, typer.Option("--name", help="Name of the run.")]
RunDir = Annotated[Path | None, typer.Option("--run-dir", help="Folder of the run; runs/NNN-name by default.")]

Text = Annotated[list[str] | None, typer.Option("--text", metavar="COLUMN", help="Text column. May be repeated.")]
Label = Annotated[list[str] | None, typer.Option("--label", metavar="COLUMN", help="Label column. May be repeated.")]
Image = Annotated[str | None, typer.Option("--image", metavar="COLUMN", help="Column of pictures: files, or bytes.")]
Sound = Annotated[str | None, typer.Option("--sound", metavar="COLUMN", help="Column of sounds: files, or bytes.")]
Target = Annotated[
    str | None, typer.Option("--target", metavar="COLUMN", help="Column of second texts: translations, or halves of pairs.")
]
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
