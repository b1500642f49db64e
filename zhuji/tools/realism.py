"""How like real pictures those of a model are, as a classifier of one's own sees them, and whether they are copies of what it learned from.

Features are the pooled states of that classifier, not those of Inception: the numbers compare models that were measured by the same classifier,
and nothing else. Beside each number stands what real pictures of the test split get in the place of drawn ones.

Shapes: M drawn pictures, N training pictures, H rows, W columns, C colours, D features.
"""

from __future__ import annotations

import io
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zhuji.core.contracts import Prediction
from zhuji.core.errors import BadSetting, NoWeights, TooFewRows
from zhuji.core.files import atomic_file, write_json, write_text
from zhuji.core.log import in_language
from zhuji.core.records import Picture, Record
from zhuji.core.seed import stream
from zhuji.formats import open_model
from zhuji.metrics.generated import (
    Gaussian,
    frechet_interval,
    mean_of,
    nearer,
    nearest,
    neighbourhoods,
    suspects,
)
from zhuji.metrics.intervals import Interval, bootstrap
from zhuji.model.assembly import collate
from zhuji.model.draw import DrawSettings, drawing, labels_of
from zhuji.model.pooled import embed_rows
from zhuji.model.predictor import Predictor, windows
from zhuji.tasks.classify import Classify
from zhuji.tools._own_rows import own_rows
from zhuji.tools._sheet import Strip, image_of, png, sheet
from zhuji.tools.pages.realised import realism_page
from zhuji.training.transfer import digest

FEWEST = 10
"""Pictures of each kind without which nothing is measured."""
MOST_BYTES, MOST_ROWS = 1 << 30, 50_000
"""Training pictures that are compared with, as bytes and as rows; of more a part is drawn by chance."""
WIDE = 256
"""Features from which the distance gets no interval: it would take minutes."""
K = 5
"""The neighbour to which a sphere of precision, recall, density and coverage reaches."""
COLUMNS, GROUPS = 8, 20
"""Pictures of a class, and classes, that are shown with their nearest training pictures."""

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Seen:
    """Pictures `(M, H, W, C)` and what the classifier makes of them: features `(M, D)` and answers; `names`: who they are; `labels`: what they were
    asked or said to be."""

    pixels: Pixels
    features: NDArray[np.float32]
    answers: Sequence[Prediction]
    names: Sequence[str]
    labels: Sequence[str | None]

    def __len__(self) -> int:
        return len(self.pixels)

    def first(self, count: int) -> Seen:
        """The first of them."""
        return Seen(self.pixels[:count], self.features[:count], self.answers[:count], self.names[:count], self.labels[:count])


@dataclass(frozen=True)
class Twin:
    """A picture's nearest training picture: its place, its name and how far it is; `closer`: the share of real test pictures that lie further from
    theirs."""

    place: int
    name: str
    distance: float
    closer: float


@dataclass(frozen=True)
class Realism:
    """`scores`: measure -> of drawn pictures, and of real ones in their place; `by_class`: of each class how many were asked for, recognised and
    seen; `copies`: by pixels and by features, how near drawn pictures lie to training pictures; `twins` likewise, the nearest of each picture."""

    run: str
    by: str
    rows: Mapping[str, int]
    features: int
    settings: Mapping[str, Any]
    hashes: Mapping[str, str]
    scores: Mapping[str, Mapping[str, Interval | None]]
    by_class: Sequence[Mapping[str, Any]]
    copies: Mapping[str, Mapping[str, Any]]
    warnings: Sequence[str]
    seconds: float
    drawn: Seen = field(repr=False)
    training: Seen = field(repr=False)
    twins: Mapping[str, Sequence[Twin]] = field(repr=False)

    def as_dict(self) -> dict[str, Any]:
        scores = {
            name: {kind: None if of is None else of.as_dict() for kind, of in pair.items()}
            for name, pair in self.scores.items()
        }
        return {
            "run": self.run, "by": self.by, "features_of": "own classifier", "rows": dict(self.rows), "features": self.features,
            "settings": dict(self.settings), "models": dict(self.hashes), "scores": scores,
            "by_class": [dict(row) for row in self.by_class], "copies": {name: dict(of) for name, of in self.copies.items()},
            "warnings": list(self.warnings), "seconds": round(self.seconds, 3),
        }  # fmt: skip


def realism(
    run: Path,
    by: Path,
    settings: DrawSettings,
    *,
    maker: Predictor | None = None,
    judge: Predictor | None = None,
) -> Realism:
    """Draw pictures with the model of a run and measure them beside the run's own training and test pictures, as the run's modality shows these.
    `by`: the classifier that looks at them; `maker` and `judge`: both models, where they are open already.

    Raises ImpossiblePair for a model that does not draw, BadSetting for a classifier that cannot judge, TooFewRows, and what opening and reading
    raise."""
    begun = time.monotonic()
    maker, judge = maker or open_model(run), judge or open_model(by)
    labels = labels_of(maker.model, settings)
    _refuse_judge(judge, maker.model.task.classes)
    train, test = _real(run, maker, judge, settings)
    made = _judged(judge, np.stack(list(drawing(maker.model, settings))))
    names = [str(number + 1) for number in range(settings.count)]
    drawn = Seen(*made, names, labels or [None] * len(names))
    compared = min(len(drawn), len(test), len(train))
    twins, copies = _copies(train, test, drawn)
    return Realism(
        run=str(run), by=str(by),
        rows={"drawn": len(drawn), "test": len(test), "training": len(train), "compared": compared},
        features=train.features.shape[1], settings=settings.plain(),
        hashes={"run": digest(maker.model), "by": digest(judge.model)},
        scores={
            **_distances(train, test.first(compared), drawn.first(compared), settings.seed),
            **_recognised(test, drawn, settings.seed),
        },
        by_class=_by_class(judge.model.task.classes, maker.model.task.classes, test, drawn), copies=copies,
        warnings=_warnings(compared, train.features.shape[1]), seconds=time.monotonic() - begun,
        drawn=drawn, training=train, twins=twins,
    )  # fmt: skip


def _refuse_judge(judge: Predictor, classes: Sequence[str]) -> None:
    task = judge.model.task
    if judge.runner is not None:
        raise NoWeights(what="zhuji realism --by")
    if not isinstance(task, Classify) or task.many or judge.model.modality.reads != "pictures":
        rule = in_language("must be a classifier of pictures, one class each", "必须是图片分类器，每张图片一个类别")
        raise BadSetting(key="--by", rule=rule, value=f"{task.name()} / {judge.model.modality.name()}")
    unknown = [name for name in classes if name not in task.classes]
    if unknown:
        rule = in_language("must know the classes that are drawn; it does not know", "必须认识所绘制的类别；它不认识")
        raise BadSetting(key="--by", rule=rule, value=", ".join(unknown[:5]))


# ------------------------------------------------------------------------------------------------------------ pictures


def _real(run: Path, maker: Predictor, judge: Predictor, settings: DrawSettings) -> tuple[Seen, Seen]:
    """Training pictures, and at most as many test pictures as are drawn. Raises BadSetting, TooFewRows."""
    if settings.count < FEWEST:
        rule = in_language(f"must be at least {FEWEST}", f"最少为 {FEWEST}")
        raise BadSetting(key="count", rule=rule, value=settings.count)
    _, prepared = own_rows(run)
    train = _some(prepared.split("train"), _most(maker), settings.seed)
    # By chance: rows of a folder by class begin with one class.
    test = _some(prepared.split("test"), settings.count, settings.seed)
    for name, part in (("train", train), ("test", test)):
        if len(part) < FEWEST:
            raise TooFewRows(file=run, split=name, needed=FEWEST, rows=len(part))
    return _shown(judge, maker, train, answers=False), _shown(judge, maker, test)


def _most(maker: Predictor) -> int:
    """Training pictures that can be held."""
    grid, channels = maker.model.modality.grid or (1, 1), maker.model.modality.spec.num_values
    return min(MOST_ROWS, MOST_BYTES // max(1, int(np.prod(grid)) * channels))


def _some(records: Sequence[Record], most: int, seed: int) -> Sequence[Record]:
    """At most so many, drawn by chance, in their order."""
    if len(records) <= most:
        return records
    return [records[i] for i in np.sort(stream(seed, "realism").choice(len(records), most, replace=False)).tolist()]


def _shown(judge: Predictor, maker: Predictor, records: Sequence[Record], *, answers: bool = True) -> Seen:
    """Real pictures as the maker's modality shows them, so that they are of the size that it draws."""
    arrays: list[np.ndarray] = []
    for window in windows(records, maker.window):
        rows = maker.model.modality.encode([record.input for record in window])
        units = collate(maker.model, rows, None, rows[0].length).units
        assert units.values is not None, "pictures have values"
        arrays += maker.model.modality.pictured(units.values)
    labels = [record.label if isinstance(record.label, str) else None for record in records]
    return Seen(*_judged(judge, np.stack(arrays), answers=answers), [_named(record) for record in records], labels)


def _named(record: Record) -> str:
    """The picture's file where it has one, else its id."""
    return Path(record.input.path).name if isinstance(record.input, Picture) and record.input.path else record.id


def _judged(
    judge: Predictor, pixels: Pixels, *, answers: bool = True
) -> tuple[Pixels, NDArray[np.float32], Sequence[Prediction]]:
    features, said = list[NDArray[np.float32]](), list[Prediction]()
    for window in windows(pixels, judge.window):
        rows = judge.ready([_stored(array) for array in window])
        features.append(embed_rows(judge.model, [row.encoded for row in rows]))
        said += judge.answers(rows) if answers else []
    return pixels, np.concatenate(features), said


def _stored(array: np.ndarray) -> Picture:
    """As the bytes of a file that loses nothing and costs little."""
    file = io.BytesIO()
    image_of(array).save(file, "BMP")
    return Picture(data=file.getvalue())


# -------------------------------------------------------------------------------------------------------------- scores


def _distances(train: Seen, test: Seen, drawn: Seen, seed: int) -> dict[str, dict[str, Interval | None]]:
    """Of drawn pictures and of real test pictures, equally many: distance to all training pictures, and neighbourhoods among as many of these."""
    chosen = np.sort(stream(seed, "compared").choice(len(train), len(drawn), replace=False))
    known, some, k = Gaussian.of(train.features), train.features[chosen], min(K, len(drawn) - 1)
    resamples = 50 if train.features.shape[1] < WIDE else 0
    found: dict[str, dict[str, Interval | None]] = {}
    for kind, part in (("drawn", drawn), ("real", test)):
        found.setdefault("frechet", {})[kind] = frechet_interval(known, part.features, resamples, seed)
        evidence = neighbourhoods(some, part.features, k)
        for name, column in zip(
            ("precision", "recall", "density", "coverage"), ("precise", "recalled", "dense", "covered"), strict=True
        ):
            found.setdefault(name, {})[kind] = _share(evidence[column], seed)
    return found


def _share(column: NDArray[Any], seed: int) -> Interval:
    return bootstrap(mean_of("of"), {"of": column.astype(np.float64)}, 1000, seed)


def _recognised(test: Seen, drawn: Seen, seed: int) -> dict[str, dict[str, Interval | None]]:
    """Share of pictures in which the classifier sees the class that was asked for; of real ones the class that they bear."""
    pair = {kind: _right(part) for kind, part in (("drawn", drawn), ("real", test))}
    if pair["drawn"] is None:
        return {}
    return {"recognised": {kind: None if right is None else _share(right, seed) for kind, right in pair.items()}}


def _right(part: Seen) -> NDArray[np.bool_] | None:
    told = [(answer.answer, label) for answer, label in zip(part.answers, part.labels, strict=True) if label is not None]
    return np.array([answer == label for answer, label in told]) if told else None


def _by_class(known: Sequence[str], asked: Sequence[str], test: Seen, drawn: Seen) -> list[dict[str, Any]]:
    """Of each class that the classifier knows: how often it sees it in drawn and in real pictures, and of those asked for, how many it recognises."""
    rows: list[dict[str, Any]] = []
    for name in known:
        of = [answer.answer == name for answer, label in zip(drawn.answers, drawn.labels, strict=True) if label == name]
        rows.append({
            "class": name, "asked": len(of) if asked else None, "recognised": sum(of) if asked else None,
            "seen": sum(answer.answer == name for answer in drawn.answers),
            "seen_in_real": sum(answer.answer == name for answer in test.answers),
        })  # fmt: skip
    return rows


def _copies(train: Seen, test: Seen, drawn: Seen) -> tuple[dict[str, list[Twin]], dict[str, dict[str, Any]]]:
    """By pixels (a number's mean difference, of 255) and by features: each drawn picture's nearest training picture, and how near these lie beside
    those of real test pictures."""
    twins: dict[str, list[Twin]] = {}
    copies: dict[str, dict[str, Any]] = {}
    for kind in ("pixels", "features"):
        among = getattr(train, kind)
        places, distances = nearest(getattr(drawn, kind), among)
        _, real = nearest(getattr(test, kind), among)
        further = 1 - np.searchsorted(np.sort(real), distances, side="right") / len(real)
        twins[kind] = [
            Twin(int(p), str(train.names[p]), float(d), float(share))
            for p, d, share in zip(places, distances, further, strict=True)
        ]
        copies[kind] = {
            "nearer": nearer(distances, real), "suspects": float(suspects(distances, real).mean()),
            "median": float(np.median(distances)), "median_of_real": float(np.median(real)),
        }  # fmt: skip
        if kind == "pixels":  # features of equal pictures differ in their last bits, with what else is in the batch
            copies[kind] |= {"equal": int((distances == 0).sum()), "equal_of_real": int((real == 0).sum())}
    return twins, copies


def _warnings(compared: int, features: int) -> list[str]:
    if compared >= 2 * features:
        return []
    return [in_language(
        f"{compared:,} pictures are few for {features:,} features: the distance is too large by chance; that of real test pictures shows by how much",
        f"{compared:,} 张图片相对 {features:,} 个特征偏少：距离会偶然偏大；真实测试图片的距离显示偏大多少",
    )]  # fmt: skip


# --------------------------------------------------------------------------------------------------------------- files


def write_realism(found: Realism, out: Path) -> dict[str, Path]:
    """`realism.json`, `realism.html` and `pairs.png` in the folder `out`, each whole or not at all; an earlier measurement gives way."""
    paths = {name: out / name for name in ("realism.json", "realism.html", "pairs.png")}
    pairs = png(sheet(_strips(found)))
    facts = {**found.as_dict(), "pairs": _pairs(found)}
    write_json(paths["realism.json"], facts)
    write_text(paths["realism.html"], realism_page(facts, pairs))
    with atomic_file(paths["pairs.png"]) as file:
        file.write(pairs)
    return paths


def _pairs(found: Realism) -> list[dict[str, Any]]:
    """Every picture that the sheet shows, with its nearest training pictures."""
    return [
        {
            "drawn": number + 1, "label": found.drawn.labels[number], "answer": found.drawn.answers[number].answer,
            "score": found.drawn.answers[number].score, "group": name,
            **{kind: {"file": twins[number].name, "distance": twins[number].distance, "closer_than": twins[number].closer}
               for kind, twins in found.twins.items()},
        }
        for name, numbers in _groups(found) for number in numbers
    ]  # fmt: skip


def _groups(found: Realism) -> list[tuple[str, list[int]]]:
    """The numbers of pictures that are shown: the first of each class, and those that lie nearest of all to a training picture."""
    by_label: dict[str, list[int]] = {}
    for number, label in enumerate(found.drawn.labels):
        shown = by_label.setdefault(label or in_language("drawn", "所绘"), [])
        if len(shown) < COLUMNS:
            shown.append(number)
    near = np.argsort([twin.distance for twin in found.twins["features"]], kind="stable")[:COLUMNS]
    return [*sorted(by_label.items())[:GROUPS], (in_language("nearest", "最接近"), near.tolist())]


def _strips(found: Realism) -> list[Strip]:
    strips: list[Strip] = []
    ways = {"pixels": in_language("by pixels", "按像素"), "features": in_language("by features", "按特征")}
    for name, numbers in _groups(found):
        strips.append(Strip(name, [found.drawn.pixels[number] for number in numbers], first=True))
        for kind, twins_of in sorted(found.twins.items()):
            twins = [twins_of[number] for number in numbers]
            strips.append(Strip(ways[kind], [found.training.pixels[twin.place] for twin in twins]))
    return strips
