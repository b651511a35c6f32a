"""The web process: uvicorn on a listening socket that it was given, and the pool of received packs."""

import asyncio
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any

import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from hilum.api.application import make_api
from hilum.runtime.assembling import Application
from hilum.runtime.stepping import Stop
from hilum.runtime.tending import tended_pool

GRACE_SECONDS = 10  # for requests that are under way when the process is to stop
MOST_CONNECTIONS = 1000
HEADER_SECONDS = 30.0  # a connection that has sent no whole request head by then is closed
KEEP_ALIVE_SECONDS = 30


def serve_web(app: Application, listening: socket.socket, *, ready: Callable[[], object] = lambda: None, stop: Stop | None = None) -> None:
    """Serve until the stop is asked for; packs are sealed on return.

    Args:
        listening: a bound socket, inherited or our own.
        ready: called when requests are taken.
        stop: ends the serving; without one SIGTERM and SIGINT do.
    """
    stop = stop or Stop()
    with ExitStack() as stack:
        received = stack.enter_context(tended_pool(app, "received"))
        api = make_api(app, received)
        server = _Server(_configure(api, behind_proxy=app.settings.behind_proxy), ready)
        stack.enter_context(stop.until_stopped(server.ask_to_stop))
        stack.enter_context(_signals_heard(stop))
        server.run(sockets=[listening])


def listen(host: str, port: int) -> socket.socket:
    """A bound socket for `serve_web`; port 0 takes a free one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((host, port))
    return listening


def _configure(api: FastAPI, *, behind_proxy: bool) -> uvicorn.Config:
    return uvicorn.Config(
        api,
        http=_ImpatientProtocol,
        loop="uvloop",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,  # uvicorn's own would name queries; application.Surroundings writes the line
        server_header=False,
        proxy_headers=behind_proxy,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


class _Server(uvicorn.Server):
    """uvicorn that tells when it is ready, and leaves signals to its process: the packs are still to be sealed when it ends."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], object]) -> None:
        super().__init__(config)
        self._ready = ready

    def ask_to_stop(self) -> None:
        """From a signal handler or another thread."""
        self.should_exit = True

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        return nullcontext()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.config.app.state.is_stopping = True  # type: ignore[union-attr]  # ours, made by make_api
        await super().shutdown(sockets)


class _ImpatientProtocol(HttpToolsProtocol):
    """Closes connections that never finish a request's head: uvicorn itself would wait for ever."""

    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait_for_head()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._wait_for_head()

    def on_headers_complete(self) -> None:
        self._cancel_deadline()
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel_deadline()
        super().connection_lost(exc)

    def _wait_for_head(self) -> None:
        self._cancel_deadline()
        self._deadline = self.loop.call_later(HEADER_SECONDS, self._hang_up)

    def _cancel_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _hang_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()


@contextmanager
def _signals_heard(stop: Stop) -> Iterator[None]:
    """SIGTERM and SIGINT ask for the stop, where this is the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, lambda *_: stop.ask()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


__all__ = ["listen", "serve_web"]
