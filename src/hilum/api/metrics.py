"""What an operator watches: requests, what was received, and where items stand. No identities, no ids."""

from collections.abc import Iterator

from fastapi import Request
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from hilum.api.calling import Reader
from hilum.api.routing import make_router
from hilum.model.errors import ForbiddenError
from hilum.model.identity import ADMIN_PROJECT, SYSTEM, Right
from hilum.stores.catalogue import Catalogue

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 600)


class Metrics:
    """The counters of one web process."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.registry = CollectorRegistry()
        self.files = Counter("hilum_received_files", "Files acknowledged by the upload door.", registry=self.registry)
        self.bytes = Counter("hilum_received_bytes", "Bytes acknowledged by the upload door.", registry=self.registry)
        self._requests = Histogram(
            "hilum_request_seconds", "Time to the end of the reply.", ("method", "route", "status"), buckets=SECONDS, registry=self.registry
        )
        self.registry.register(_Standing(catalogue))

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered; `route` is the template of its path."""
        self._requests.labels(method, route, f"{status // 100}xx").observe(seconds)

    def observe_file(self, size: int) -> None:
        """A file was acknowledged."""
        self.files.inc()
        self.bytes.inc(size)


class _Standing(Collector):
    """Items by kind, stage and status, counted when they are asked for."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def collect(self) -> Iterator[GaugeMetricFamily]:
        family = GaugeMetricFamily("hilum_items", "Items by where they stand.", labels=("kind", "stage", "status"))
        for kind, stage, status, number in self._catalogue.standing(SYSTEM):
            family.add_metric((kind, stage, status), number)
        yield family

    def describe(self) -> Iterator[GaugeMetricFamily]:
        """Asked for at registration, when the ledger may not be open yet."""
        yield GaugeMetricFamily("hilum_items", "Items by where they stand.", labels=("kind", "stage", "status"))


router = make_router("operating")


@router.get("/metrics", response_class=Response)
def show_metrics(call: Reader, request: Request) -> Response:
    """For Prometheus; needs the right to read in project `admin`, since it counts over all projects."""
    if not call.scope.holds(Right.READ, ADMIN_PROJECT):
        raise ForbiddenError("Metrics count over all projects.", "Ask with a token that has a role in project admin.")
    return Response(generate_latest(request.app.state.metrics.registry), media_type=CONTENT_TYPE_LATEST)
