"""A finished model in other formats, each measured on its golden rows before it may be used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from zhuji.core.config import Settings, assignments
from zhuji.core.errors import BadSetting, RunExists
from zhuji.core.files import write_json
from zhuji.core.log import in_language
from zhuji.formats import find, names
from zhuji.formats._format import Format
from zhuji.formats._network import refuse_loops
from zhuji.model import bundle, huggingface, parity
from zhuji.model.bundle import bundle_folder, open_bundle
from zhuji.model.parity import Hop, Parity
from zhuji.model.predictor import Predictor
from zhuji.training import threads


class ExportSettings(Settings):
    """How a model is exported."""

    gap: float = Field(default=parity.QUANTISED, ge=0, le=1)
    """Largest difference of a score that a format of coarser numbers may make."""


@dataclass(frozen=True)
class Exported:
    """`folders` by format, in the order asked for, each with the hop that led there and the bytes it holds; `earlier`: the hops before."""

    model: str
    folders: Mapping[str, Path]
    hops: Mapping[str, Hop]
    sizes: Mapping[str, int]
    earlier: Parity
    reads: str
    """What the model's inputs are (`Modality.reads`)."""

    def as_dict(self) -> dict[str, Any]:
        return {
            "model": self.model,
            "reads": self.reads,
            "formats": [
                {"format": name, "folder": str(folder), "bytes": self.sizes[name], "hop": self.hops[name].as_dict()}
                for name, folder in self.folders.items()
            ],
            "earlier": self.earlier.as_dict()["hops"],
        }


def export(model: Path | str, to: Sequence[str], out: Path | str | None = None, *, sets: Sequence[str] = ()) -> Exported:
    """Write a run, bundle or folder of Hugging Face as a folder for each format in `out` (default: `export` in the run, beside a bundle).

    Raises AnswersDiffer where golden rows come out otherwise: what was made is kept aside as `FORMAT.refused`. Raises UnknownName, CannotExport,
    UnwritableModel, MissingExtra, RunExists, BadSetting, and what opening raises."""
    threads.use(None)
    settings = ExportSettings.parse(assignments(sets).get("export", {}), "export")
    formats = [find(name) for name in dict.fromkeys(to)]
    if not formats:
        rule = in_language(f"must name one of: {', '.join(names())}", f"必须是：{'、'.join(names())}")
        raise BadSetting(key="--to", rule=rule)
    predictor = huggingface.read(model) if huggingface.looks_like(model) else open_bundle(model)
    run = _run_of(Path(model))
    place = Path(out) if out is not None else run / "export" if run else Path(model).with_name(f"{Path(model).name}-export")
    earlier, found = Parity.read(run) if run else Parity(), dict[str, Hop]()
    for each in formats:
        _refuse(each, predictor, place)
    for each in formats:
        found[each.name()] = _written(each, predictor, place / each.name(), settings.gap, earlier)
        if run:
            Parity.read(run).plus(found[each.name()]).write(run)
    folders = {name: place / name for name in found}
    sizes = {name: sum(file.stat().st_size for file in folder.rglob("*")) for name, folder in folders.items()}
    return Exported(str(model), folders, found, sizes, earlier, predictor.model.modality.reads)


def _run_of(path: Path) -> Path | None:
    """The run that a folder is, or is the bundle of."""
    if huggingface.looks_like(path):
        return None
    inside = bundle_folder(path)
    return inside.parent if (inside.parent / "results.json").is_file() and inside.name == "bundle" else None


def _refuse(format: Format, predictor: Predictor, place: Path) -> None:
    """What can be known before anything is written."""
    format.require_packages()
    if (place / format.name()).exists():
        raise RunExists(file=place / format.name())
    if not format.loops:
        refuse_loops(predictor.model.task, format.name())


def _written(format: Format, predictor: Predictor, folder: Path, gap: float, earlier: Parity) -> Hop:
    limit = gap if format.coarse else parity.EXACT
    folder.parent.mkdir(parents=True, exist_ok=True)

    def measure(place: Path) -> Sequence[Hop]:
        opened, _ = format.open(place, predictor)
        found = parity.hop(format.name(), predictor.golden, opened.predict, limit)
        told = earlier.plus(found).as_dict()
        if (place / bundle.HASHES).is_file():
            bundle.add(place, parity.FILE, bundle.json_bytes(told))
        else:
            write_json(place / parity.FILE, told)
        return (found,)

    advice = in_language(
        "use another format, or allow more of a quantised one with --set export.gap=…",
        "请换用其他格式，或用 --set export.gap=… 为量化格式放宽限度",
    )
    return parity.admit(folder, lambda place: format.write(predictor, place, limit), measure, advice).hops[0]
