"""How well a model foresees texts: the verb `perplexity`.

Texts longer than the window are read in windows that overlap, so that every unit but the first is predicted once, from at least
`window - stride` units before it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from typing import Any

import numpy as np

from zhuji.core.contracts import Encoded, Modality
from zhuji.core.errors import BadSetting, EmptyData, ImpossiblePair
from zhuji.core.log import in_language
from zhuji.data.clean import Cleaner
from zhuji.data.corpus.settings import TextsSettings
from zhuji.data.corpus.texts import Texts
from zhuji.data.ledger import Ledger
from zhuji.model.assembly import Model, collate
from zhuji.model.predictor import BATCH_UNITS, Predictor, cut, evaluating, windows
from zhuji.tasks.next_unit import NextUnit


@dataclass(frozen=True)
class Foreseen:
    """`units` that were predicted, the `bytes` of UTF-8 that they stand for, and `nats`, the sum of their losses."""

    texts: int
    units: int
    bytes: int
    nats: float

    @property
    def perplexity(self) -> float:
        """exp of the mean loss of a unit; compares models of one tokenizer only."""
        return math.exp(min(self.nats / self.units, 709.0)) if self.units else math.nan

    @property
    def bits_per_byte(self) -> float:
        """Compares models of whatever tokenizer, as long as it loses nothing of a text."""
        return self.nats / math.log(2) / self.bytes if self.bytes else math.nan

    def plus(self, other: Foreseen) -> Foreseen:
        return Foreseen(
            self.texts + other.texts, self.units + other.units, self.bytes + other.bytes, self.nats + other.nats
        )  # fmt: skip

    def as_dict(self) -> dict[str, Any]:
        return {"perplexity": self.perplexity, "bits_per_byte": self.bits_per_byte, **asdict(self)}


def perplexity(
    predictor: Predictor,
    texts: Iterable[str],
    *,
    window: int | None = None,
    stride: int | None = None,
    batch_units: int = BATCH_UNITS,
) -> Foreseen:
    """Of texts, cleaned as in training, however long; a few thousand are held at once. `window` units at a time (the model's limit, where
    none is given), each `stride` further on (half a window).

    Raises ImpossiblePair for a model that does not predict the next unit, BadSetting for a stride that leaves units out, EmptyData when
    nothing is left to predict.
    """
    model = predictor.model
    _refuse_blind(model)
    limit = limit_of(model)
    window = limit if window is None else window
    stride = max(1, window // 2) if stride is None else stride
    _check(window, stride, limit)
    cleaner, total = Cleaner(predictor.clean), Foreseen(0, 0, 0, 0.0)
    endless = unlimited(model.modality)
    for some in windows(texts):
        clean = [text for raw in some if (text := cleaner(raw)[0]).strip()]
        total = total.plus(
            _foreseen(model, clean, endless.encode(clean), window=window, stride=stride, batch_units=batch_units)
        )
    if not total.units:
        raise EmptyData(value=f"{total.texts} texts, 0 units")
    return total


def perplexity_of(predictor: Predictor, settings: TextsSettings, ledger: Ledger, **options: Any) -> Foreseen:
    """Of every text of a file or folder; what cannot be read is dropped in `ledger`. Raises what reading raises."""
    return perplexity(predictor, _readable(settings, ledger), **options)


def _readable(settings: TextsSettings, ledger: Ledger) -> Iterator[str]:
    for raw in Texts(settings):
        ledger.read += 1
        if raw.text is None:
            ledger.drop(raw.cause)
            continue
        ledger.settle("used", split=None, label=None)
        yield raw.text


def _refuse_blind(model: Model) -> None:
    if isinstance(model.task, NextUnit) and isinstance(model.modality.decode(()), str):
        return
    raise ImpossiblePair(
        first=in_language("perplexity", "困惑度"),
        second=in_language(f"a model of task '{model.task.name()}'", f"任务为「{model.task.name()}」的模型"),
        rule=in_language(
            "only a model that predicts the next unit of a text has one", "只有预测文本下一个单元的模型才有困惑度"
        ),
        advice=in_language("pretrain one: zhuji pretrain --objective next", "请先预训练：zhuji pretrain --objective next"),
    )


def limit_of(model: Model) -> int:
    """Units that the model met at once in training."""
    limit: int = model.modality.plain().get("max_units", 512)
    positions: dict[str, Any] = model.backbone.plain()
    return min(limit, positions["max_positions"]) if positions.get("positions") == "learned" else limit


def unlimited(modality: Modality) -> Modality:
    """The same modality, which cuts nothing off."""
    return modality.model_copy(update={"max_units": 1 << 40}) if "max_units" in type(modality).model_fields else modality


def _check(window: int, stride: int, limit: int) -> None:
    if not 2 <= window <= limit:
        rule = in_language(
            f"must be from 2 to {limit}, which the model was made for", f"必须在 2 到 {limit} 之间，这是模型的上限"
        )
        raise BadSetting(key="window", rule=rule, value=window)
    if not 1 <= stride < window:
        rule = in_language(
            f"must be from 1 to {window - 1}, or units are left out", f"必须在 1 到 {window - 1} 之间，否则会漏掉单元"
        )
        raise BadSetting(key="stride", rule=rule, value=stride)


def cuts(length: int, window: int, stride: int) -> Iterator[tuple[int, int, int]]:
    """`(start, stop, known)`: windows over a text of so many units; the first `known` units of each are context only. Every unit but the
    first is new in exactly one."""
    reached = 1
    for start in range(0, max(1, length - 1), stride):
        stop = min(start + window, length)
        if stop > reached:
            yield start, stop, reached - start
        reached = max(reached, stop)
        if stop == length:
            return


def _foreseen(
    model: Model, texts: Sequence[str], rows: Sequence[Encoded], *, window: int, stride: int, batch_units: int
) -> Foreseen:
    parts = list(chain.from_iterable(_parts(row, window, stride) for row in rows))
    units, nats, device = 0, 0.0, next(model.parameters()).device
    for places, length in cut([part.length for part, _ in parts], batch_units):
        batch = collate(model, [parts[place][0] for place in places], None, length).to(device)
        with evaluating(model):
            outputs = model.outputs(batch)
        known = np.array([parts[place][1] for place in places])
        # The guess at place k is about unit k + 1.
        new = (np.arange(1, length + 1) >= known[:, None]) & outputs["named"].cpu().numpy()
        units += int(new.sum())
        nats += float(outputs["id_loss"].double().cpu().numpy()[new].sum())
    free = [_first(model.modality, row) for row in rows]
    spelled = sum(max(0, len(text.encode()) - first) for text, first in zip(texts, free, strict=True))
    return Foreseen(len(texts), units, spelled, nats)


def _parts(row: Encoded, window: int, stride: int) -> Iterator[tuple[Encoded, int]]:
    assert row.ids is not None
    for start, stop, known in cuts(row.length, window, stride):
        yield replace(row, ids=row.ids[start:stop], words=None), known


def _first(modality: Modality, row: Encoded) -> int:
    """Bytes of a text's first unit, which nothing predicts: none where it is a start. Of a character cut in two it is told as one."""
    assert row.ids is not None
    spelled: str = modality.decode(row.ids[:1].tolist())
    whole = spelled.rstrip("\ufffd")
    return len(whole.encode()) + (whole != spelled)
