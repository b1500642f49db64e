"""What a model costs on this machine in every format that can hold it: size, time to open, time for an answer, rows a second, memory, and
what it scores. Formats take turns, so that a busy moment of the machine is nobody's alone.
"""

from __future__ import annotations

import contextlib
import statistics
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from pydantic import Field

from zhuji import formats
from zhuji.core.config import Settings, assignments
from zhuji.core.errors import CannotExport, MissingExtra, UnwritableModel
from zhuji.core.files import write_json, write_text
from zhuji.core.log import in_language
from zhuji.core.records import Record
from zhuji.data.ledger import Ledger
from zhuji.formats._format import Format
from zhuji.model import parity
from zhuji.model.parity import Hop
from zhuji.model.predictor import Predictor
from zhuji.tools._own_rows import own_test_rows
from zhuji.tools._pricing import Guest
from zhuji.tools._rows import rows_of, settings_for
from zhuji.tools.pages.drawing import Picture
from zhuji.tools.pages.priced import priced
from zhuji.training import threads
from zhuji.training.folder import RUN, environment

FILE = "benchmark.json"


class BenchmarkSettings(Settings):
    """How long one measures."""

    rounds: int = Field(default=5, gt=0)
    """Turns of each format."""
    singles: int = Field(default=20, gt=0)
    """Inputs asked one at a time in each turn."""
    many: int = Field(default=256, gt=0)
    """Inputs asked all at once in each turn."""
    rows: int = Field(default=2000, gt=0)
    """Labelled rows that are scored, at most."""


@dataclass(frozen=True)
class Price:
    """One format: `bytes` of its folder, `load_seconds` with golden rows, `p50_ms` and `p95_ms` of single inputs, `rows_per_second` of many
    (median of the turns), `peak_mb` of a process that holds it alone, `score` (metric, value, low, high; empty where it cannot be
    scored), `hop`: what it does to the golden rows."""

    format: str
    bytes: int
    load_seconds: float
    p50_ms: float
    p95_ms: float
    rows_per_second: float
    peak_mb: float
    score: Mapping[str, Any]
    hop: Mapping[str, Any]


@dataclass(frozen=True)
class Written:
    """The model in a format, and what that did to the golden rows."""

    folder: Path
    hop: Hop


@dataclass(frozen=True)
class Benchmark:
    """`skipped`: formats that were not priced, and why; `dropped`: rows of `data` that could not be read, by cause; `files`: where the table and the picture lie, of a run."""

    model: str
    task: str
    inputs: int
    formats: tuple[Price, ...]
    skipped: Mapping[str, str]
    machine: Mapping[str, str]
    dropped: Mapping[str, int]
    files: Sequence[str] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "formats": [asdict(price) for price in self.formats], "files": list(self.files)}


def benchmark(
    model: Path | str,
    data: Path | str | None = None,
    *,
    to: Sequence[str] = (),
    seed: int = 0,
    sets: Sequence[str] = (),
    columns: Mapping[str, Any] | None = None,
) -> Benchmark:
    """Price a run or a bundle in every format `to` names, by default all that can hold it. Inputs and labels are those of `data`, or of a run's
    own test split; a bundle without data is asked its golden rows and not scored. Of a run, `benchmark.json` and a picture are written
    beside its results.

    Raises UnknownName, and what opening and reading raise; CannotExport, MissingExtra, UnwritableModel and AnswersDiffer only of formats
    that were named."""
    threads.use(None)
    model = Path(model)
    predictor = formats.open_model(model)
    settings = BenchmarkSettings.parse(assignments(sets).get("benchmark", {}), prefix="benchmark")
    ledger = Ledger()
    records = list(islice(_records(model, predictor, data, ledger, sets=sets, columns=columns), settings.rows))
    with tempfile.TemporaryDirectory() as place:
        candidates, skipped = written(predictor, Path(place), to)
        prices = _measured(predictor, candidates, records, settings, seed)
    found = Benchmark(
        str(model),
        predictor.model.task.name(),
        len(_inputs(predictor, records)),
        prices,
        skipped,
        _machine(),
        dict(ledger.causes("dropped")),
    )
    return found if not (model / RUN).is_file() else _kept(found, model)


def _records(
    model: Path,
    predictor: Predictor,
    data: Path | str | None,
    ledger: Ledger,
    *,
    sets: Sequence[str],
    columns: Mapping[str, Any] | None,
) -> Iterable[Record]:
    if data is not None:
        return rows_of(predictor, settings_for(predictor, data, sets, columns), ledger)
    if not (model / RUN).is_file():
        return []
    others = [pair for pair in sets if not pair.startswith("benchmark.")]
    return own_test_rows(model, predictor.model.task.needs, others)[1]


def written(predictor: Predictor, place: Path, to: Sequence[str]) -> tuple[dict[str, Written], dict[str, str]]:
    """The model in each format of `to`, or in all, as folders in `place`; and of others why not. Raises what `benchmark` does."""
    found: dict[str, Written] = {}
    skipped: dict[str, str] = {}
    for name in to or formats.names():
        each = formats.find(name)
        try:
            each.write(predictor, place / name, _limit(each))
        except (CannotExport, MissingExtra, UnwritableModel) as reason:
            if to:
                raise
            skipped[name] = reason.message()
            continue
        hop = _hop(predictor, each, place / name)
        if hop.passed:
            found[name] = Written(place / name, hop)
        elif to:
            hop.require(place / name)
        else:
            skipped[name] = hop.why
    return found, skipped


def _measured(
    predictor: Predictor,
    written: Mapping[str, Written],
    records: Sequence[Record],
    settings: BenchmarkSettings,
    seed: int,
) -> tuple[Price, ...]:
    with contextlib.ExitStack() as open_ones:
        guests = {name: open_ones.enter_context(Guest(found.folder)) for name, found in written.items()}
        waits: dict[str, list[float]] = {name: [] for name in guests}
        rates: dict[str, list[float]] = {name: [] for name in guests}
        inputs = _inputs(predictor, records)
        many = _repeated(inputs, settings.many)
        for turn in range(-1, settings.rounds):  # the first turn warms up
            singles = _repeated(inputs, settings.singles, max(turn, 0) * settings.singles)
            for name, guest in guests.items():
                found, rate = guest.latencies(singles), guest.rate(many)
                if turn >= 0:
                    waits[name] += found
                    rates[name].append(rate)
        peaks = {name: guest.peak() for name, guest in guests.items()}
        labelled = [record for record in records if record.label is not None or record.target is not None]
        scores = {name: guest.score(labelled, seed, 1000) if labelled else {} for name, guest in guests.items()}
        return tuple(
            Price(
                format=name, bytes=_size(found.folder), load_seconds=round(guests[name].opened.seconds, 4),
                p50_ms=round(1e3 * statistics.median(waits[name]), 3), p95_ms=round(1e3 * _share(waits[name], 0.95), 3),
                rows_per_second=round(statistics.median(rates[name]), 1), peak_mb=round(peaks[name] / 2**20, 1),
                score=scores[name], hop=found.hop.as_dict(),
            )
            for name, found in written.items()
        )  # fmt: skip


def _inputs(predictor: Predictor, records: Sequence[Record]) -> list[Any]:
    return [record.input for record in records] or [row["input"] for row in predictor.golden]


def _hop(predictor: Predictor, each: Format, folder: Path) -> Hop:
    opened, _ = each.open(folder, predictor)
    return parity.hop(each.name(), predictor.golden, opened.predict, _limit(each))


def _limit(each: Format) -> float:
    return parity.QUANTISED if each.coarse else parity.EXACT


def _repeated(inputs: Sequence[Any], count: int, start: int = 0) -> list[Any]:
    """So many inputs from `start` on, from the first again where there are fewer."""
    return [inputs[(start + place) % len(inputs)] for place in range(count)]


def _share(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(int(share * len(values)), len(values) - 1)]


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _machine() -> dict[str, str]:
    told = environment(torch.get_num_threads(), torch.device("cpu"))
    return {
        "cpu": told["cpu"], "threads": in_language(f"{told['threads']} threads", f"{told['threads']} 个线程"),
        "python": f"Python {told['python']}", "torch": f"torch {told['packages']['torch']}",
    }  # fmt: skip


def _kept(found: Benchmark, run: Path) -> Benchmark:
    picture: Picture = priced([asdict(price) for price in found.formats])
    path = run / "pictures" / f"{picture.name}.svg"
    path.parent.mkdir(exist_ok=True)
    write_text(path, picture.file)
    write_json(run / FILE, found.as_dict())
    return Benchmark(
        **{**{name: getattr(found, name) for name in found.__dataclass_fields__}, "files": (str(run / FILE), str(path))}
    )
