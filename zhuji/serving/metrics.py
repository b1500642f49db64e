"""What is counted, for Prometheus. With several workers each writes its counts to files in a folder that `PROMETHEUS_MULTIPROC_DIR`
names before the library is loaded, and any of them tells the sum."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


@dataclass(frozen=True)
class Counts:
    """Of one model."""

    _queue: Gauge
    _sizes: Histogram
    _busy: Counter
    _rows: Mapping[str, Counter]

    def batch(self, kind: str, rows: int, seconds: float) -> None:
        """Rows that were computed together."""
        self._rows[kind].inc(rows)
        self._sizes.observe(rows)
        self._busy.inc(seconds)

    def queue(self, rows: int) -> None:
        """Rows that are accepted and not yet answered."""
        self._queue.set(rows)


class Metrics:
    """One set of counts, each of its own registry, so that a process may hold several servers."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
        self._served: dict[str, str] = {}
        self._requests = Counter("zhuji_requests", "Requests answered.", ("route", "status"), registry=registry)
        self._seconds = Histogram(
            "zhuji_request_seconds",
            "From accepting a request to its last byte.",
            ("route",),
            registry=registry,
            buckets=_SECONDS,
        )
        self._rows = Counter("zhuji_rows", "Rows computed.", ("model", "kind"), registry=registry)
        self._sizes = Histogram("zhuji_batch_rows", "Rows computed together.", ("model",), registry=registry, buckets=_ROWS)
        self._busy = Counter("zhuji_compute_seconds", "Time spent computing.", ("model",), registry=registry)
        self._queue = Gauge(
            "zhuji_queue_rows",
            "Rows accepted and not yet answered.",
            ("model",),
            registry=registry,
            multiprocess_mode="livesum",
        )
        self._version = Gauge(
            "zhuji_model_info", "1 for the version that is served.", ("model", "version"), registry=registry,
            multiprocess_mode="livemax",
        )  # fmt: skip

    def request(self, route: str, status: int, seconds: float) -> None:
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def of(self, model: str) -> Counts:
        """What a lane counts."""
        return Counts(
            self._queue.labels(model), self._sizes.labels(model), self._busy.labels(model),
            {kind: self._rows.labels(model, kind) for kind in ("answer", "vector")},
        )  # fmt: skip

    def versions(self, served: Mapping[str, str]) -> None:
        """By model; a version that is served no longer becomes 0."""
        for model, version in served.items():
            before = self._served.get(model)
            if before is not None and before != version:
                self._version.labels(model, before).set(0)
            self._version.labels(model, version).set(1)
        self._served.update(served)

    def text(self) -> bytes:
        """All counts in Prometheus' text format."""
        if FOLDER not in os.environ:
            return generate_latest(self._registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)
        return generate_latest(together)
