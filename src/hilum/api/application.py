"""The API as one ASGI application: routes, errors, and what stands around every request."""

import logging
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hilum import __version__
from hilum.api import (
    artifacts,
    attributes,
    checks,
    credentials,
    crosswalk,
    deidentification,
    events,
    health,
    items,
    log,
    metrics,
    pacs,
    projects,
    reviews,
    series,
    set_aside,
    studies,
    templates,
    uploads,
    waiting,
    workitems,
)
from hilum.api.batches import AT_ONCE, Batches
from hilum.api.bodies import Memory
from hilum.api.calling import Authenticator
from hilum.api.deliveries import Deliveries
from hilum.api.metrics import Metrics
from hilum.api.pages import page_routes
from hilum.api.problems import handle_errors, problem_of, problem_of_bug
from hilum.api.routing import PREFIX, Turns
from hilum.api.upload_files import DRAINED_BYTES, ArchiveRoute, FileRoute, Intake, UploadRoute
from hilum.doors.upload_contract import Pool
from hilum.doors.uploads import UploadDoor
from hilum.doors.zips import ArchiveLimits
from hilum.model.errors import HilumError
from hilum.runtime.assembling import Application
from hilum.runtime.settings import Settings

_LOG = logging.getLogger("hilum.access")

NOUNS = (
    checks,
    projects,
    pacs,
    credentials,
    crosswalk,
    deidentification,
    uploads,
    studies,
    series,
    templates,
    attributes,
    workitems,
    reviews,
    artifacts,
    items,
    set_aside,
    log,
    events,
    health,
    metrics,
    waiting,
)
JSON_IN_MEMORY = 64 << 20  # bytes of all bodies of changes together
BODIES_IN_MEMORY = 16  # whole bodies of the largest size that are held at once
STREAM_THREADS = 40


def make_api(app: Application, received: Pool) -> FastAPI:
    """The API over the stores of `app`.

    Args:
        received: the pool that uploads are kept in; the caller's to close.
    """
    api = FastAPI(title="Hilum", version=__version__, openapi_url=f"{PREFIX}/openapi.json", docs_url=None, redoc_url=None)
    watched = Metrics(app.catalogue, app.settings.data)
    door = UploadDoor(received, limits=archive_limits(app.settings), scratch=app.settings.scratch, clock=app.clock)
    intake = Intake(
        app=app,
        door=door,
        deliveries=Deliveries(app.intakes),
        memory=Memory(BODIES_IN_MEMORY * app.settings.buffer_bytes),
        metrics=watched,
        batches=Batches(door.keep_all, ThreadPoolExecutor(AT_ONCE, "hilum-bodies")),
        threads=ThreadPoolExecutor(STREAM_THREADS, "hilum-streams"),
    )
    api.state.application = app
    api.state.authenticator = Authenticator(app)
    api.state.turns = Turns()
    api.state.json_memory = Memory(JSON_IN_MEMORY)
    api.state.metrics = watched
    api.state.intake = intake
    api.state.is_stopping = False
    taking = [FileRoute(intake).route(), ArchiveRoute(intake).route()]
    api.router.routes.extend(taking)
    for noun in NOUNS:
        api.router.routes.extend(noun.router.routes)
    for searching in (studies.searching, crosswalk.searching):
        api.router.routes.extend(searching.routes)
    api.router.routes.extend(page_routes(app, api.state.authenticator))
    handle_errors(api)
    api.add_middleware(FirstRoutes, routes=taking)
    api.add_middleware(Surroundings, metrics=watched)
    _describe_uploads(api)
    return api


def archive_limits(settings: Settings) -> ArchiveLimits:
    """What an uploaded archive may cost."""
    return ArchiveLimits(
        entries=settings.archive_entries,
        total_bytes=settings.archive_bytes,
        entry_ratio=settings.archive_ratio,
        nesting=settings.archive_nesting,
        name_bytes=settings.file_name_bytes,
    )


class FirstRoutes:
    """The path that images come in by, tried before anything else: the framework's own way to a route takes a sixth of a file's time."""

    def __init__(self, app: ASGIApp, routes: Sequence[UploadRoute]) -> None:
        self._app = app
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = scope["type"] == "http" and next(filter(None, (self._match(route, scope) for route in self._routes)), None)
        if not found:
            await self._app(scope, receive, send)
            return
        scope.update(found)
        try:
            await found["endpoint"](scope, receive, send)
        except HilumError as error:
            await problem_of(error)(scope, receive, send)

    @staticmethod
    def _match(route: UploadRoute, scope: Scope) -> Scope | None:
        match, child = route.matches(scope)
        return child if match is Match.FULL else None


class Surroundings:
    """Around every request: its time, its line in the log, headers of every reply, and the end of every surprise.

    The line names the template of the path, never its query or a file's name: both may name a patient.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began_at, status = time.perf_counter(), 0

        async def send_on(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _finish_headers(scope, message)
            await send(message)

        try:
            await self._app(scope, receive, send_on)
        except ClientDisconnect:
            status = status or 499  # as proxies call it: nobody was there to hear an answer
        except Exception as error:
            if status:
                raise  # the reply has begun: all that is left is to break off
            await problem_of_bug(error, _path(scope))(scope, receive, send_on)
        finally:
            self._note(scope, status, time.perf_counter() - began_at)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        path = _path(scope)
        self._metrics.observe_request(scope["method"], path, status, seconds)
        # A file that was kept has its row in the ledger: a line here too would cost a fifth of the time that taking it does.
        is_kept_file = status == 201 and isinstance(scope.get("route"), UploadRoute)
        if not is_kept_file and _LOG.isEnabledFor(logging.INFO):
            _LOG.info("%s %s %d %.1f ms", scope["method"], path, status, seconds * 1000)


def _path(scope: Scope) -> str:
    """The template of the route that answered; one word for all paths that lead nowhere."""
    return getattr(scope.get("route"), "path", "unknown")


def _finish_headers(scope: Scope, message: Message) -> None:
    headers = MutableHeaders(raw=message["headers"])
    headers["x-content-type-options"] = "nosniff"
    headers.setdefault("cache-control", "no-store")
    body = scope.get("hilum.body")
    if body is not None and not body.is_over and body.left() > DRAINED_BYTES:
        headers["connection"] = "close"
    message["headers"] = headers.raw


def _describe_uploads(api: FastAPI) -> None:
    """Put the routes on plain ASGI into the OpenAPI document, too."""
    generate = api.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        for route in upload_routes(api.routes):
            document["paths"].setdefault(route.path.replace(":path", ""), {}).update(route.describe())
        return document

    api.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend the document


def upload_routes(routes: Iterable[BaseRoute]) -> list[UploadRoute]:
    """Those that bodies come in by."""
    return [route for route in routes if isinstance(route, UploadRoute)]
