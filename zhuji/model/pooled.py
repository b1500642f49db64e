"""Rows as vectors: what a frozen encoder makes of them, pooled. Shapes: N rows, W width of a pooled state."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from zhuji.core.contracts import Encoded
from zhuji.data.clean import Cleaner
from zhuji.model.assembly import Model, collate
from zhuji.model.predictor import BATCH_UNITS, PIXELS, Predictor, cut, cut_freely, resting, unpads, windows
from zhuji.nn.heads import Pooling, one_of

Vectors = NDArray[np.float32]


def pooling_of(model: Model) -> Pooling:
    """How the model's own head pools, with what it learned for that; the mean where the head pools nothing."""
    own = (module for module in model.head.modules() if isinstance(module, Pooling))
    return next(own, Pooling("mean", model.backbone.out_width))


def embed_rows(model: Model, rows: Sequence[Encoded], batch_units: int | None = None, pool: Pooling | None = None) -> Vectors:
    """`(N, W)` float32: the pooled states of encoded rows, in order. The model's training mode is left as it was."""
    pool = pooling_of(model) if pool is None else pool
    device = next(model.parameters()).device
    found = np.empty((len(rows), pool.width), np.float32)
    cutting = cut_freely if unpads(model, device) else cut
    most = batch_units or BATCH_UNITS * (PIXELS if model.modality.light else 1)
    for places, length in cutting([row.length for row in rows], most):
        batch = collate(model, [rows[place] for place in places], None, length).to(device)
        with resting(model):
            found[places] = pool(model.encoder(batch.units, one=one_of(pool.kind))).float().cpu().numpy()
    return found


def embed(predictor: Predictor, inputs: Iterable[Any], batch_units: int | None = None) -> Iterator[Vectors]:
    """A vector `(W,)` for each raw input, in order; holds a few thousand rows at once."""
    for window in windows(inputs, predictor.window):
        yield from embed_rows(predictor.model, encoded(predictor, window), batch_units)


def encoded(predictor: Predictor, inputs: Sequence[Any]) -> list[Encoded]:
    """Raw inputs, cleaned and encoded to become vectors."""
    cleaner = Cleaner(predictor.clean)
    return predictor.model.modality.encode([cleaner(raw)[0] if isinstance(raw, str) else raw for raw in inputs])


def unit_length(vectors: NDArray[Any]) -> NDArray[Any]:
    """Each row scaled to length 1; zeros stay."""
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
