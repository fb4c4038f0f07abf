"""What Prometheus is told: base units, and labels of few values."""

from __future__ import annotations

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_RECORDS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """The figures of one server, in a registry of its own."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # they double the series, and no dashboard uses them
        self._registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._requests = Counter(
            "opdeploy_requests", "Requests answered; 499: the client had gone.", ("route", "code"), registry=registry
        )
        self._in_flight = Gauge("opdeploy_requests_in_flight", "Requests not yet answered.", registry=registry)
        self._queue_depth = Gauge("opdeploy_queue_depth", "Requests that wait for a run.", registry=registry)
        self.queue_seconds = Histogram(
            "opdeploy_queue_seconds", "Time that requests waited for a run.", buckets=_SECONDS, registry=registry
        )
        self.batch_records = Histogram(
            "opdeploy_batch_records", "Records of one run of the model.", buckets=_RECORDS, registry=registry
        )
        self.inference_seconds = Histogram(
            "opdeploy_inference_seconds", "Time of one run of the model.", buckets=_SECONDS, registry=registry
        )
        self._request_seconds = Histogram(
            "opdeploy_request_seconds",
            "Time from a request's head to its answer.",
            ("route",),
            buckets=_SECONDS,
            registry=registry,
        )
        self.load_seconds = Gauge(
            "opdeploy_load_seconds", "Time to load, warm up and check the model.", registry=registry
        )
        self.ready = Gauge("opdeploy_ready", "1 when the model can be used, else 0.", registry=registry)

        self._answered: dict[tuple[str, int], tuple[Counter, Histogram]] = {}

    def answered(self, route: str, code: int, seconds: float) -> None:
        """Count a request that was answered, and how long that took."""
        found = self._answered.get((route, code))
        if found is None:  # looking up labels takes longer than counting
            found = self._requests.labels(route, str(int(code))), self._request_seconds.labels(route)
            self._answered[route, code] = found
        found[0].inc()
        found[1].observe(seconds)

    def exposition(self, in_flight: int, queue_depth: int) -> bytes:
        """Return all figures in the text format of Prometheus."""
        self._in_flight.set(in_flight)
        self._queue_depth.set(queue_depth)
        return generate_latest(self._registry)
