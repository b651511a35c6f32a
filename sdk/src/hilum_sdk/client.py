"""The two clients: `Hilum` blocks, `AsyncHilum` awaits; everything else they share."""

from __future__ import annotations

import os
from ipaddress import ip_address
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import httpx

from hilum_sdk.drivers import Awaiting, Blocking, Driver
from hilum_sdk.resources.items import Items
from hilum_sdk.resources.projects import Projects
from hilum_sdk.resources.results import Results
from hilum_sdk.resources.series import SeriesCalls
from hilum_sdk.resources.studies import Studies
from hilum_sdk.resources.templates import Templates
from hilum_sdk.resources.uploads import Uploads
from hilum_sdk.resources.waiting import Waiting
from hilum_sdk.resources.workitems import Workitems
from hilum_sdk.retrying import Patience
from hilum_sdk.session import Session

DEFAULT_SERVER = "http://127.0.0.1:8080"

D = TypeVar("D", bound=Driver)


class _Client(Generic[D]):
    """The nouns of the API over one session."""

    def __init__(self, session: Session[D]) -> None:
        self.uploads = Uploads(session)
        self.studies = Studies(session)
        self.series = SeriesCalls(session)
        self.workitems = Workitems(session)
        self.results = Results(session)
        self.items = Items(session)
        self.templates = Templates(session)
        self.projects = Projects(session)
        self.waiting = Waiting(session)


class Hilum(_Client[Blocking]):
    """A client of a Hilum server; its calls block. May be used from several threads.

    Args:
        server: the address, http or https, with or without a path.
        token: the bearer token; without one that of the environment variable HILUM_TOKEN.
        timeout: seconds that connecting, and every read and write, may take.
        retry_for: seconds that a call is tried again after lost connections and the statuses 429, 502, 503 and 504.
        transport: what carries the requests instead of the network.
    """

    def __init__(
        self,
        server: str = DEFAULT_SERVER,
        token: str | None = None,
        *,
        timeout: float = 60.0,
        retry_for: float = 60.0,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self._client = httpx.Client(transport=transport, **_settings(server, token, timeout))
        super().__init__(Session(Blocking(self._client), self._client, Patience(retry_for)))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


class AsyncHilum(_Client[Awaiting]):
    """The same for asyncio: calls are awaited, lists are read with `async for`. Its arguments are those of `Hilum`."""

    def __init__(
        self,
        server: str = DEFAULT_SERVER,
        token: str | None = None,
        *,
        timeout: float = 60.0,
        retry_for: float = 60.0,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._client = httpx.AsyncClient(transport=transport, **_settings(server, token, timeout))
        super().__init__(Session(Awaiting(self._client), self._client, Patience(retry_for)))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.aclose()


def _settings(server: str, token: str | None, timeout: float) -> dict[str, Any]:
    """Arguments of both httpx clients. Redirects are not followed: a token goes only where it was meant to go."""
    url = httpx.URL(server)
    if url.scheme not in {"http", "https"} or not url.host:
        raise ValueError(f"{server!r} is no address of a server. Mend: give one like {DEFAULT_SERVER}.")
    token = os.environ.get("HILUM_TOKEN") if token is None else token
    return {
        "base_url": url,
        "headers": {"User-Agent": "hilum-sdk", "Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {}),
        "timeout": httpx.Timeout(timeout),
        # As many connections as there are files in the air: `concurrency` is the limit.
        "limits": httpx.Limits(max_connections=None, max_keepalive_connections=64),
        # A proxy of the environment cannot reach this machine's own loopback.
        "trust_env": not _is_loopback(url.host),
    }


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
