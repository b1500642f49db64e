"""Search by meaning: an index of a file's rows on disk, and the rows nearest to a question.

    manifest.json         format, model, width, number of rows, size and SHA-256 of the other files
    vectors.safetensors   one vector of length 1 a row
    rows.jsonl            id, input and label of each row, a JSON object a line
    graph.usearch         only above `EXACT` rows: a graph of neighbours (Malkov & Yashunin 2018)

Similarity is the cosine. Up to `EXACT` rows every one is compared, which is exact and fast. Opening executes nothing and trusts no
length in a file. A graph is read by a library, after every number in it that leads somewhere was checked (see `_graph`); `exact` does
without it.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from zhuji.core.contracts import Columns
from zhuji.core.errors import DamagedBundle, NewerFormat, NotABundle, UnsafeBundle, WrongModel
from zhuji.core.files import atomic_folder, write_json
from zhuji.core.log import in_language
from zhuji.core.records import Record
from zhuji.data.ledger import Ledger
from zhuji.data.settings import DataSettings
from zhuji.metrics.intervals import Interval, bootstrap_all
from zhuji.metrics.retrieval import retrieval_metrics
from zhuji.model.pooled import Vectors, embed, embed_rows, unit_length
from zhuji.model.predictor import Predictor
from zhuji.model.safety import MIB, list_files, parse_json, read_bytes, read_header
from zhuji.tools._graph import open_graph, write_graph
from zhuji.tools._rows import rows_of, settings_for, vectors_of
from zhuji.training import threads
from zhuji.training.transfer import absolute, digest, open_model

FORMAT = 1
MANIFEST, VECTORS, ROWS, GRAPH = "manifest.json", "vectors.safetensors", "rows.jsonl", "graph.usearch"
EXACT = 100_000
"""Rows up to which all are compared with a question."""
LIMIT = 64 << 30
"""Largest file of an index, in bytes."""
_CHUNK = 1024
"""Questions answered at once."""


@dataclass(frozen=True)
class Built:
    """An index of `rows` rows in `folder`."""

    folder: Path
    rows: int
    width: int
    ledger: Mapping[str, Any]
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        return {
            "folder": str(self.folder), "rows": self.rows, "width": self.width, "ledger": dict(self.ledger),
            "seconds": round(self.seconds, 3),
        }  # fmt: skip


@dataclass(frozen=True)
class Hit:
    """A row found: `score` is the cosine with the question."""

    id: str
    input: str
    label: Any
    score: float

    def as_dict(self) -> dict[str, Any]:
        return {"id": self.id, "input": self.input, "label": self.label, "score": round(self.score, 6)}


@dataclass(frozen=True)
class Retrieval:
    """How well an index answers: metric -> interval, over `queries` questions, `asked` of which have any right answer."""

    scores: Mapping[str, Interval]
    queries: int
    asked: int
    ledger: Mapping[str, Any]

    def as_dict(self) -> dict[str, Any]:
        return {
            "scores": {name: interval.as_dict() for name, interval in self.scores.items()}, "queries": self.queries,
            "asked": self.asked, "ledger": dict(self.ledger),
        }  # fmt: skip


def index(
    model: Path | str, data: Path | str, to: Path | str, *, sets: Sequence[str] = (), columns: Mapping[str, Any] | None = None
) -> Built:
    """Write the index of a file's rows to the folder `to`, which must not exist and appears whole or not at all.

    Raises MissingExtra above `EXACT` rows without the library, and what opening and reading raise."""
    begun = time.monotonic()
    threads.use(None)
    predictor, ledger = open_model(str(model)), Ledger()
    records, vectors = _embedded(predictor, settings_for(predictor, data, sets, columns), ledger)
    with atomic_folder(Path(to)) as partial:
        (partial / VECTORS).write_bytes(safetensors.numpy.save({"vectors": vectors}))
        (partial / ROWS).write_bytes(b"".join(_line(record) for record in records))
        if len(records) > EXACT:
            write_graph(partial / GRAPH, vectors)
        files = {path.name: {"bytes": path.stat().st_size, "sha256": _hash(path)} for path in sorted(partial.iterdir())}
        about = {"path": absolute(str(model)), "hash": digest(predictor.model)}
        write_json(partial / MANIFEST, {"format": FORMAT, "model": about, "rows": len(records), "files": files})
    return Built(Path(to), len(records), vectors.shape[1], ledger.as_dict(), time.monotonic() - begun)


def _embedded(predictor: Predictor, settings: DataSettings, ledger: Ledger) -> tuple[list[Record], Vectors]:
    """All rows and their vectors, of length 1."""
    records, parts = list[Record](), [embed_rows(predictor.model, [])]
    for chunk, vectors in vectors_of(predictor, rows_of(predictor, settings, ledger), ledger):
        records += chunk
        parts.append(vectors)
    return records, unit_length(np.concatenate(parts)).astype(np.float32)


def _line(record: Record) -> bytes:
    label = list(record.label) if isinstance(record.label, tuple) else record.label
    return json.dumps({"id": record.id, "input": str(record.input), "label": label}, ensure_ascii=False).encode() + b"\n"


def _hash(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Index:
    """An index that was opened. `graph` is None where all rows are compared."""

    def __init__(self, vectors: Vectors, rows: Sequence[Mapping[str, Any]], model: Mapping[str, Any], graph: Any) -> None:
        self.vectors, self.rows, self.model, self._graph = vectors, rows, model, graph

    def search(self, questions: NDArray[Any], k: int) -> tuple[NDArray[np.int64], Vectors]:
        """Of questions `(Q, W)`, the places `(Q, k)` of the nearest rows, best first, and their cosines; k is at most the number of rows.
        Equal ones stand in the order of the file where all are compared."""
        questions, k = unit_length(questions).astype(np.float32), min(k, len(self.vectors))
        if self._graph is not None:
            found = self._graph.search(questions, k)
            keys = np.asarray(found.keys, dtype=np.int64).reshape(len(questions), -1)
        else:
            parts = [self._compare(questions[i : i + _CHUNK], k) for i in range(0, len(questions), _CHUNK)]
            keys = np.concatenate([np.empty((0, k), np.int64), *parts])
        return keys, np.einsum("qkw,qw->qk", self.vectors[keys], questions)

    def hits(self, questions: NDArray[Any], k: int) -> list[list[Hit]]:
        """The rows that `search` finds, with what they say."""
        return [
            [
                Hit(row["id"], row["input"], row["label"], float(score))
                for row, score in zip(map(self.rows.__getitem__, places), scores)
            ]
            for places, scores in zip(*self.search(questions, k), strict=True)
        ]

    def _compare(self, questions: Vectors, k: int) -> NDArray[np.int64]:
        scores = questions @ self.vectors.T
        few = np.argpartition(-scores, k - 1, axis=1)[:, :k] if k < scores.shape[1] else np.tile(np.arange(k), (len(scores), 1))
        few = np.sort(few, axis=1)
        order = np.argsort(-np.take_along_axis(scores, few, 1), axis=1, kind="stable")
        return np.take_along_axis(few, order, 1)


def open_index(folder: Path | str, *, exact: bool = False) -> Index:
    """The index in a folder. `exact`: compare all rows, even where there is a graph.

    Raises NotABundle, NewerFormat, UnsafeBundle and DamagedBundle; MissingExtra when a graph is there and the library is not."""
    folder = Path(folder)
    sizes = list_files(folder)
    if MANIFEST not in sizes:
        raise NotABundle(file=folder, why=in_language(f"there is no {MANIFEST}", f"没有 {MANIFEST}"))
    manifest = _manifest(folder / MANIFEST, sizes)
    for name, entry in manifest["files"].items():
        if sizes[name] != entry["bytes"] or _hash(folder / name) != entry["sha256"]:
            raise DamagedBundle(file=folder / name, why=in_language("it is another one than was saved", "它与保存时不同"))
    read_header(folder / VECTORS, sizes[VECTORS])
    vectors = safetensors.numpy.load_file(folder / VECTORS).get("vectors", np.empty(0))
    rows = [parse_json(line, folder / ROWS) for line in read_bytes(folder / ROWS, sizes[ROWS]).splitlines()]
    sound = vectors.dtype == np.float32 and vectors.ndim == 2 and len(vectors) == len(rows) and bool(np.isfinite(vectors).all())
    if not sound or not all(isinstance(row, dict) and {"id", "input", "label"} == set(row) for row in rows):
        why = in_language("rows and vectors must belong together", "行与向量必须对应")
        raise DamagedBundle(file=folder, why=why)
    graph = open_graph(folder / GRAPH, sizes[GRAPH], vectors) if GRAPH in sizes and not exact else None
    return Index(vectors, rows, manifest["model"], graph)


def _manifest(path: Path, sizes: Mapping[str, int]) -> dict[str, Any]:
    said: Any = parse_json(read_bytes(path, MIB), path)
    said = said if isinstance(said, dict) else {}
    version = said.get("format")
    if type(version) is int and version > FORMAT:
        raise NewerFormat(file=path, known=FORMAT, value=version)
    files, model = said.get("files"), said.get("model")
    entries: list[Any] = list(files.values()) if isinstance(files, dict) else [None]
    sound = all(isinstance(entry, dict) and set(entry) == {"bytes", "sha256"} for entry in entries)
    if (
        version != FORMAT
        or not sound
        or not isinstance(files, dict)
        or not isinstance(model, dict)
        or set(model) != {"path", "hash"}
    ):
        raise DamagedBundle(file=path, why=in_language("it is not as it was written", "它与写入时不同"))
    if set(files) != set(sizes) - {MANIFEST} or not {VECTORS, ROWS} <= set(files) <= {VECTORS, ROWS, GRAPH}:
        why = in_language(f"the files must be those of {MANIFEST}", f"文件必须正是 {MANIFEST} 所列的那些")
        raise UnsafeBundle(file=path.parent, why=why)
    if max(sizes.values()) > LIMIT:
        raise UnsafeBundle(file=path.parent, why=in_language("a file is too large", "文件过大"))
    return said


def nearest(
    folder: Path | str,
    questions: Iterable[str],
    k: int = 5,
    *,
    predictor: Predictor | None = None,
    exact: bool = False,
    opened: Index | None = None,
) -> list[list[Hit]]:
    """The k rows nearest to each question, best first. The model is the one that the index names, or `predictor`.

    Raises WrongModel when that is not the model that made the index, and what opening raises."""
    opened = opened or open_index(folder, exact=exact)
    predictor = _right_model(folder, opened, predictor)
    found: list[list[Hit]] = []
    remaining = iter(questions)
    while chunk := list(islice(remaining, _CHUNK)):
        found += opened.hits(np.stack(list(embed(predictor, chunk))), k)
    return found


def _right_model(folder: Path | str, opened: Index, predictor: Predictor | None) -> Predictor:
    path = str(opened.model["path"])
    if predictor is None and path.startswith("hf:"):
        raise WrongModel(file=folder, value=path)  # what a file says never makes us speak to the network
    predictor = predictor or open_model(path)
    if digest(predictor.model) != opened.model["hash"]:
        raise WrongModel(file=folder, value=path)
    return predictor


def evaluate(
    folder: Path | str,
    data: Path | str,
    k: int = 10,
    *,
    by: Literal["label", "id"] = "label",
    resamples: int = 1000,
    seed: int = 0,
    predictor: Predictor | None = None,
    sets: Sequence[str] = (),
    columns: Mapping[str, Any] | None = None,
) -> Retrieval:
    """How well an index answers the rows of `data`. Relevant to a row are the indexed rows that bear its label, or, `by` id, those whose
    ids its label names. An indexed row with the question's own id and text is left out. Raises what `nearest` and reading raise."""
    opened, ledger = open_index(folder), Ledger()
    predictor = _right_model(folder, opened, predictor)
    records, questions = _embedded(predictor, settings_for(predictor, data, sets, columns), ledger)
    key = [str(row["id"]) if by == "id" else row["label"] for row in opened.rows]
    own = {(row["id"], row["input"]): place for place, row in enumerate(opened.rows)}
    places, _ = opened.search(questions, k + 1)
    evidence = _evidence(records, places, key, [own.get((r.id, str(r.input)), -1) for r in records], k)
    asked = int((evidence["relevant"] > 0).sum())
    return Retrieval(bootstrap_all(retrieval_metrics(k), evidence, resamples, seed), len(records), asked, ledger.as_dict())


def _evidence(records: Sequence[Record], places: NDArray[np.int64], key: Sequence[Any], own: Sequence[int], k: int) -> Columns:
    """What `metrics.retrieval` reads, from the places found for each record; `own`: the place of a record itself in the index, or -1."""
    wanted = [set(r.label) if isinstance(r.label, tuple) else {r.label} - {None} for r in records]
    bearing = [set(bear) if isinstance(bear, list) else {bear} for bear in key]
    counts = Counter(name for names in bearing for name in names)
    relevance = np.zeros((len(records), k))
    relevant = np.zeros(len(records), np.int64)
    for number, (names, found, mine) in enumerate(zip(wanted, places, own, strict=True)):
        hits = [bool(names & bearing[place]) for place in found if place != mine][:k]
        relevance[number, : len(hits)] = hits
        several = len(names) > 1 and any(len(bear) > 1 for bear in bearing)
        total = sum(bool(names & bear) for bear in bearing) if several else sum(counts[name] for name in names)
        relevant[number] = total - (mine >= 0 and bool(names & bearing[mine]))
    ideal = (np.arange(k) < relevant[:, None]).astype(np.float64)
    return {"relevance": relevance, "ideal": ideal, "relevant": relevant}
