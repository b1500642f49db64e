"""Rows into train, valid and test: as a column or file names say, or at random, stratified, by group or by time.

Rows of one block (a group, copies of one text) are never torn apart, except by time. Blocks of several rows are dealt out largest
first, each to the split that lacks most of its classes (after Sechidis, Tsoumakas, Vlahavas 2011, "On the stratification of
multi-label data"); single rows then fill each class up exactly.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import numpy as np

from zhuji.core.errors import NoRole, TooFewRows
from zhuji.core.records import SPLITS, Label, Record, boxed, class_names
from zhuji.core.seed import stream
from zhuji.data.settings import SplitSettings

TRAIN, VALID, TEST = range(3)

Array = np.ndarray


def method(settings: SplitSettings, records: Sequence[Record]) -> str:
    """What `auto` stands for with these records. Raises NoRole when they lack what a split by group or time goes by."""
    present = [role for role in ("group", "time") if any(getattr(r, role) is not None for r in records)]
    if settings.by == "auto":
        return present[0] if present else "stratified"
    if settings.by in ("group", "time") and settings.by not in present and records:
        raise NoRole(role=settings.by, columns=", ".join(records[0].extra) or "–")
    return settings.by


def assign(records: Sequence[Record], block: Array, settings: SplitSettings, seed: int, *, file: str = "") -> Array:
    """Number of each row's split, (N,) int64. A part that the records' own splits lack is cut from their train rows.

    `block` (N,) int64: rows that stay together; `file`: where they come from, for errors. Raises TooFewRows when a part that is wanted gets no row,
    and NoRole, see `method`.
    """
    own = np.array([SPLITS.index(r.split) if r.split else TRAIN for r in records], np.int64)
    shares = [0.0, settings.valid, settings.test]
    wanted = [part for part in (VALID, TEST) if shares[part] and not (own == part).any()]
    pool = np.flatnonzero(own == TRAIN)
    if wanted and len(pool):
        share = np.array([shares[part] if part in wanted else 0.0 for part in range(3)])
        share[TRAIN] = max(0.0, 1 - share.sum())
        by = method(settings, records)
        rows = [records[i] for i in pool.tolist()]
        if by == "time":
            own[pool] = _newest_last([_moment(r.time) for r in rows], share)
        else:
            kind = np.zeros(len(rows), np.int64) if by == "random" else strata([r.label for r in rows])
            numbers = all(isinstance(r.label, float) for r in rows)
            own[pool] = _deal(kind, block[pool], share, stream(seed, "split"), classes=not numbers)
    require(own, [TRAIN, *(part for part in (VALID, TEST) if shares[part])], file)
    return own


def require(splits: Array, parts: Sequence[int], file: str = "") -> None:
    """Raises TooFewRows unless each of the parts has a row."""
    for part in parts:
        if not (splits == part).any():
            raise TooFewRows(file=file or None, split=SPLITS[part], needed=1, rows=0)


def strata(labels: Sequence[Label]) -> Array:
    """A class for each label, (N,) int64: a row with many labels or boxes counts for its rarest, a number for its tenth of the range."""
    labels = [class_names(label) if boxed(label) else label for label in labels]
    if labels and all(isinstance(label, float) for label in labels):
        ranks = np.argsort(np.argsort(np.array(labels, float), kind="stable"), kind="stable")
        return ranks * 10 // len(labels)
    if any(isinstance(label, tuple) for label in labels):
        named = [[str(name) for name in label] if isinstance(label, tuple) else [] for label in labels]
        often = Counter(name for names in named for name in names)
        rarest = [min(names, key=lambda n: (often[n], n), default="") for names in named]
        return np.unique(rarest, return_inverse=True)[1].astype(np.int64)
    return np.unique([str(label) for label in labels], return_inverse=True)[1].astype(np.int64)


def moments(records: Sequence[Record]) -> list[float]:
    """Seconds or plain numbers by which to order the rows; NaN where the time cannot be read."""
    return [_moment(r.time) for r in records]


def _moment(text: str | None) -> float:
    """A number as it is; a date (ISO 8601, 2024/3/1, RFC 2822) as seconds since 1970, taken as UTC if no zone is given."""
    text = (text or "").strip()
    for read in (float, _iso, _rfc):
        try:
            found = read(text)
        except (ValueError, OverflowError, IndexError, TypeError):
            continue
        if math.isfinite(found):
            return found
    return math.nan


def _iso(text: str) -> float:
    day, _, clock = text.replace("年", "-").replace("月", "-").replace("日", "").replace("/", "-").partition(" ")
    day = "-".join(part.zfill(2) for part in day.split("-"))
    return _seconds(datetime.fromisoformat(f"{day} {clock}".strip()))


def _rfc(text: str) -> float:
    return _seconds(parsedate_to_datetime(text))


def _seconds(moment: datetime) -> float:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _newest_last(times: Sequence[float], share: Array) -> Array:
    """Oldest rows to train, newest to test; rows of one moment stay together, so sizes may miss what was asked."""
    moment = np.array(times, float)
    ordered = np.sort(moment)
    borders = np.append(np.flatnonzero(ordered[1:] > ordered[:-1]) + 1, len(moment))
    out = np.full(len(moment), TRAIN)
    for part in (VALID, TEST):
        if share[part]:
            begin = borders[np.argmin(np.abs(borders - share[:part].sum() * len(moment)))]
            if begin < len(moment):
                out[moment >= ordered[begin]] = part
    return out


def _deal(kind: Array, block: Array, share: Array, rng: np.random.Generator, *, classes: bool) -> Array:
    """`classes`: each kind must be met in training; a tenth of the range of numbers need not be."""
    kinds = int(kind.max()) + 1
    need = _targets(np.bincount(kind, minlength=kinds), share)
    out = np.full(len(kind), -1)
    number, sizes = np.unique(block, return_inverse=True, return_counts=True)[1:]
    _deal_blocks(kind, number, sizes, need, out, rng)
    _deal_singles(kind, need, out, rng)
    _fill_empty(number, sizes, share, out)
    if classes:
        _keep_in_train(kind, number, sizes, out)
    return out


def _targets(counts: Array, share: Array) -> Array:
    """Rows of each class wanted in each split, (3, classes). What rounding leaves over is carried to the next class, so that
    many small classes add up to the share; the last row of a class stays in train."""
    need = np.zeros((3, len(counts)))
    for part in (TEST, VALID):
        carried = np.floor(np.cumsum(counts * share[part]) + 0.5)
        room = np.maximum(counts - need.sum(0) - (share[TRAIN] > 0), 0)
        need[part] = np.minimum(np.diff(carried, prepend=0.0), room)
    need[TRAIN] = counts - need.sum(0)
    return need


def _deal_blocks(kind: Array, number: Array, sizes: Array, need: Array, out: Array, rng: np.random.Generator) -> None:  # noqa: PLR0917
    """Blocks of several rows, largest first; `need` is lowered and `out` filled in place."""
    order = np.argsort(number, kind="stable")
    start = np.concatenate([[0], np.cumsum(sizes)])
    weight = 1 / np.maximum(need.sum(0), 1)
    several = np.flatnonzero(sizes > 1)
    several = several[np.lexsort((rng.random(len(several)), -sizes[several]))]
    for b in several:
        rows = order[start[b] : start[b + 1]]
        held, count = np.unique(kind[rows], return_counts=True)
        part = int(np.argmax((need[:, held] * (count * weight[held])).sum(1)))
        out[rows] = part
        need[part, held] -= count


def _deal_singles(kind: Array, need: Array, out: Array, rng: np.random.Generator) -> None:
    """The rows that are left, class by class, in the proportion that is still wanted."""
    left = np.flatnonzero(out < 0)
    left = left[rng.permutation(len(left))]
    left = left[np.argsort(kind[left], kind="stable")]
    for rows in np.split(left, np.flatnonzero(np.diff(kind[left])) + 1):
        if len(rows):
            want = np.maximum(need[:, kind[rows[0]]], 0)
            ends = np.rint(np.cumsum(want) / max(want.sum(), 1) * len(rows)).astype(int)
            out[rows] = np.searchsorted(ends, np.arange(len(rows)), side="right").clip(0, 2)


def _fill_empty(number: Array, sizes: Array, share: Array, out: Array) -> None:
    """A split that is wanted but got nothing takes the smallest block of train, if train keeps another."""
    for part in (TEST, VALID):
        blocks = np.unique(number[out == TRAIN])
        if share[part] and not (out == part).any() and len(blocks) > 1:
            out[number == blocks[np.argmin(sizes[blocks])]] = part


def _keep_in_train(kind: Array, number: Array, sizes: Array, out: Array) -> None:
    """A class that train lost gets its smallest block back."""
    for lost in np.setdiff1d(kind, kind[out == TRAIN]):
        blocks = np.unique(number[kind == lost])
        out[number == blocks[np.argmin(sizes[blocks])]] = TRAIN
