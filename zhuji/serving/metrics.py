"""What is counted, for Prometheus. With several workers each writes its counts to files in a folder that `PROMETHEUS_MULTIPROC_DIR`
names before the library is loaded, and any of them tells the sum."""

from __future__ import annotations

import os

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)


class Metrics:
    """One set of counts, each of its own registry, so that a process may hold several servers."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry()
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

    def batch(self, model: str, kind: str, rows: int, seconds: float) -> None:
        self._rows.labels(model, kind).inc(rows)
        self._sizes.labels(model).observe(rows)
        self._busy.labels(model).inc(seconds)

    def queue(self, model: str, rows: int) -> None:
        self._queue.labels(model).set(rows)

    def version(self, model: str, version: str, served: bool) -> None:
        self._version.labels(model, version).set(1 if served else 0)

    def text(self) -> bytes:
        """All counts in Prometheus' text format."""
        if FOLDER not in os.environ:
            return generate_latest(self._registry)
        together = CollectorRegistry()
        MultiProcessCollector(together)
        return generate_latest(together)
