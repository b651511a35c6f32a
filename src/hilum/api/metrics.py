"""What an operator watches: requests, what was received, and where items stand. No identities, no ids."""

from collections.abc import Iterator
from pathlib import Path

from fastapi import Request
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from hilum.api.calling import Reader
from hilum.api.routing import make_router
from hilum.doors.dimse_watching import SECONDS as REPLY_SECONDS
from hilum.model.errors import ForbiddenError
from hilum.model.identity import ADMIN_PROJECT, SYSTEM, Right
from hilum.runtime.dimse_counts import collect
from hilum.stores.catalogue import Catalogue

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 600)


class Metrics:
    """The counters of one web process."""

    def __init__(self, catalogue: Catalogue, data: Path) -> None:
        self.registry = CollectorRegistry()
        self.files = Counter("hilum_received_files", "Files acknowledged by the upload door.", registry=self.registry)
        self.bytes = Counter("hilum_received_bytes", "Bytes acknowledged by the upload door.", registry=self.registry)
        self._requests = Histogram(
            "hilum_request_seconds", "Time to the end of the reply.", ("method", "route", "status"), buckets=SECONDS, registry=self.registry
        )
        self.registry.register(_Standing(catalogue))
        self.registry.register(_Dimse(data))

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered; `route` is the template of its path."""
        self._requests.labels(method, route, f"{status // 100}xx").observe(seconds)

    def observe_file(self, size: int) -> None:
        """A file was acknowledged."""
        self.files.inc()
        self.bytes.inc(size)


class _Dimse(Collector):
    """What the DIMSE processes count, added up when it is asked for."""

    def __init__(self, data: Path) -> None:
        self._data = data

    def collect(self) -> Iterator[Metric]:
        counts = collect(self._data)
        yield GaugeMetricFamily("hilum_dimse_associations_open", "Associations that are open.", value=counts.open)
        yield CounterMetricFamily("hilum_dimse_instances", "Instances acknowledged by the DIMSE door.", value=counts.instances)
        yield CounterMetricFamily("hilum_dimse_bytes", "Bytes acknowledged by the DIMSE door.", value=counts.bytes)
        yield CounterMetricFamily("hilum_dimse_echoes", "C-ECHO requests answered.", value=counts.echoes)
        ended = CounterMetricFamily("hilum_dimse_associations", "Associations by how they ended.", labels=("ended",))
        refused = CounterMetricFamily("hilum_dimse_refusals", "C-STORE requests refused, by status.", labels=("status",))
        for family, by_label in ((ended, counts.associations), (refused, counts.refusals)):
            for label, number in by_label.items():
                family.add_metric((label,), number)
            yield family
        buckets, below = [], 0
        for bound, number in zip((*map(str, REPLY_SECONDS), "+Inf"), counts.replies, strict=True):
            below += number
            buckets.append((bound, below))
        yield HistogramMetricFamily(
            "hilum_dimse_reply_seconds", "From the last byte of a C-STORE to its answer.", buckets=buckets, sum_value=counts.reply_seconds
        )

    def describe(self) -> Iterator[Metric]:
        """Asked for at registration."""
        return self.collect()


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
