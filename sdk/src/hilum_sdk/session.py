"""One exchange with the server: the request, its tries, and the answer read into its model."""

from __future__ import annotations

import logging
import random
import time
import uuid
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, ValidationError

from hilum_sdk.bodies import FileBody, content_digest
from hilum_sdk.drivers import Driver
from hilum_sdk.errors import HilumError, ServerUnreachableError, UnexpectedReplyError, api_error
from hilum_sdk.retrying import RETRIED_STATUSES, Backoff, Patience, is_passing, retry_after

PREFIX = "/api/v1"

log = logging.getLogger("hilum_sdk")

D = TypeVar("D", bound=Driver)
M = TypeVar("M", bound=BaseModel)
Query = Mapping[str, str | int | bool | None]
Attempt = Callable[[], Coroutine[Any, Any, httpx.Response]]


@dataclass(frozen=True)
class Call:
    """A request as data, from which every try builds its own `httpx.Request`."""

    method: str
    url: str
    query: dict[str, Any] = field(default_factory=dict)
    json: Any = None
    body: FileBody | bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)

    def build(self, client: httpx.Client | httpx.AsyncClient, deadline: float | None = None) -> httpx.Request:
        content = self.body if isinstance(self.body, bytes) else None
        timeout = client.timeout if deadline is None else _until(deadline, client.timeout)
        # httpx parses a URL again for every relative path and every set of parameters, an empty one included: 0.4 ms each.
        request = client.build_request(
            self.method, self.url, params=self.query or None, json=self.json, content=content, headers=self.headers, timeout=timeout
        )
        if isinstance(self.body, FileBody):
            # With its length named the body is not sent chunked, and the server can refuse what is too large before it comes.
            request.headers["Content-Length"] = str(self.body.file.size)
            request.stream = self.body
        return request


class Session(Generic[D]):
    """What all resources of one client share: the driver, the HTTP client and the patience for retries."""

    def __init__(self, driver: D, client: httpx.Client | httpx.AsyncClient, patience: Patience) -> None:
        self.driver = driver
        self._client = client
        self._root = str(client.base_url).rstrip("/") + PREFIX
        self._patience = patience
        self._backoff = Backoff()
        self._reached = False

    async def fetch(
        self,
        model: type[M],
        method: str,
        path: str,
        *,
        query: Query | None = None,
        json: Any = None,
        body: FileBody | bytes | None = None,
        sha256: str = "",
        content_type: str = "",
        changes: bool = True,
        deadline: float | None = None,
    ) -> M:
        """Make one call and read its answer.

        Args:
            query: parameters of the URL; those that are None are left out.
            json, body: the request's body, as JSON or as it is; `sha256` (hexadecimal) and `content_type` describe the latter.
            changes: whether the call changes something at the server; a GET never does.
            deadline: a moment of `time.monotonic()` after which nothing is tried again.

        Raises:
            HilumApiError: the server said no.
            ServerUnreachableError: no answer came.
            UnexpectedReplyError: the answer is not what this version of the package knows.
        """
        headers = {"Content-Type": content_type} if content_type else {}
        if sha256:
            headers["Content-Digest"] = content_digest(sha256)
        if method != "GET" and changes:
            # One key for all tries: the server does it once, however often an answer was lost.
            headers["Idempotency-Key"] = str(uuid.uuid4())
        call = Call(method, self._root + path, _present(query), json, body, headers)
        response = await self._exchange(lambda: self.driver.send(call.build(self._client, deadline)), deadline)
        return parse(model, _json(response))

    async def fetch_bytes(self, path: str, start: Callable[[], Callable[[bytes], object]]) -> None:
        """Stream a GET's body into the function that `start` gives; each try starts anew."""
        # A proxy that compresses on the way would only cost time: images and their results are compressed already.
        call = Call("GET", self._root + path, headers={"Accept": "*/*", "Accept-Encoding": "identity"})
        await self._exchange(lambda: self.driver.receive(call.build(self._client), start()), None)

    async def fetch_whole(self, path: str) -> bytes:
        """A GET's body that is no JSON and fits into memory."""
        kept = bytearray()

        def start() -> Callable[[bytes], object]:
            kept.clear()
            return kept.extend

        await self.fetch_bytes(path, start)
        return bytes(kept)

    async def _exchange(self, attempt: Attempt, deadline: float | None) -> httpx.Response:
        """Try until an answer is no passing trouble, or the time for it is over; then the last trouble is raised."""
        tries, give_up_at = 0, None
        while True:
            trouble, least = await self._try(attempt)
            if isinstance(trouble, httpx.Response):
                return trouble
            now = time.monotonic()
            if give_up_at is None:
                patience_ends = now + self._patience.seconds(self._reached)
                give_up_at = patience_ends if deadline is None else min(patience_ends, deadline)
            pause = self._backoff.pause(tries, random.random(), least)  # noqa: S311 - spreads load, keeps no secret
            if now + pause > give_up_at:
                raise trouble
            tries += 1
            # The kind of trouble only: its words may quote a file's name, which may be a patient's.
            log.info("%s, trying again in %.1f s", type(trouble).__name__, pause)
            await self.driver.sleep(pause)

    async def _try(self, attempt: Attempt) -> tuple[httpx.Response | HilumError, float]:
        """The response of success, or passing trouble and the seconds that the server asks to wait; lasting trouble is raised."""
        try:
            response = await attempt()
        except httpx.TransportError as error:
            unreachable = self._unreachable(error)
            if not is_passing(error):
                raise unreachable from error
            unreachable.__cause__ = error
            return unreachable, 0.0
        except httpx.DecodingError as error:
            raise UnexpectedReplyError(f"The server's answer cannot be decoded: {error}.") from error
        self._reached = True
        if response.status_code in RETRIED_STATUSES:
            return api_error(response), retry_after(response.headers, datetime.now(UTC))
        if not response.is_success:
            raise api_error(response)
        return response, 0.0

    def _unreachable(self, error: httpx.TransportError) -> ServerUnreachableError:
        reason = str(error) or type(error).__name__
        return ServerUnreachableError(
            f"The server {self._client.base_url} does not answer: {reason.rstrip('.')}.",
            "see that `hilum serve` runs there and that the address is right.",
        )


def parse(model: type[M], value: Any) -> M:
    """A value of the API in its model.

    Raises:
        UnexpectedReplyError: it has another shape.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}" for problem in error.errors(include_input=False))
        raise UnexpectedReplyError(
            f"The server's answer is no {model.__name__}: {problems}.", "use the hilum-sdk of the server's version."
        ) from error


def path_of(*segments: str, name: str = "") -> str:
    """A path of the API; only `name`, the last part where the API takes a file's name, keeps its slashes."""
    path = "".join(f"/{quote(segment, safe='')}" for segment in segments)
    return f"{path}/{quote(name)}" if name else path


def _until(deadline: float, timeout: httpx.Timeout) -> httpx.Timeout:
    """The client's timeouts, none of them reaching beyond the deadline."""
    left = max(0.1, deadline - time.monotonic())
    return httpx.Timeout(**{phase: left if limit is None else min(limit, left) for phase, limit in timeout.as_dict().items()})


def _present(query: Query | None) -> dict[str, Any]:
    return {key: value for key, value in (query or {}).items() if value is not None}


def _json(response: httpx.Response) -> Any:
    """The body of a successful answer; an empty one (204) is an empty object."""
    if not response.content:
        return {}
    try:
        return response.json()
    except ValueError as error:
        raise UnexpectedReplyError(f"The server's answer to {response.request.method} {response.request.url.path} is no JSON.") from error
