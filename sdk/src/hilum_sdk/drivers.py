"""How the calls touch the world: one driver that blocks, one that awaits.

Every call of this package is written once, as a coroutine over a `Driver`. `Awaiting` hands it to the caller's event loop.
`Blocking` does each thing at once, inside the method, so that the coroutine never suspends and ends at its first `send`.
"""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, CancelledError, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import httpx

CHUNK = 1 << 20  # bytes that are in memory of each file that is sent or received

T = TypeVar("T")
Job = Callable[[], Coroutine[Any, Any, T]]


class Driver(ABC):
    """What a call may ask of the world."""

    @abstractmethod
    async def send(self, request: httpx.Request) -> httpx.Response:
        """Send a request; the response is read whole."""

    @abstractmethod
    async def receive(self, request: httpx.Request, write: Callable[[bytes], object]) -> httpx.Response:
        """Send a request and hand a successful body to `write` in pieces of at most `CHUNK`; any other body is read whole."""

    @abstractmethod
    async def sleep(self, seconds: float) -> None:
        """Let time pass."""

    @abstractmethod
    async def compute(self, function: Callable[[], T]) -> T:
        """Run a function that blocks, and hold up nobody else."""

    @abstractmethod
    async def gather(self, jobs: Sequence[Job[T]], limit: int) -> list[T]:
        """Run jobs, at most `limit` at a time; the first error stops the others and is raised."""


class Blocking(Driver):
    """Over `httpx.Client` and threads; safe to use from several threads."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client

    async def send(self, request: httpx.Request) -> httpx.Response:
        return self.client.send(request)

    async def receive(self, request: httpx.Request, write: Callable[[bytes], object]) -> httpx.Response:
        response = self.client.send(request, stream=True)
        try:
            if not response.is_success:
                response.read()
                return response
            for chunk in response.iter_bytes(CHUNK):
                raise_if_stopped()
                write(chunk)
            return response
        finally:
            response.close()

    async def sleep(self, seconds: float) -> None:
        _stopping().wait(seconds)
        raise_if_stopped()

    async def compute(self, function: Callable[[], T]) -> T:
        return function()

    async def gather(self, jobs: Sequence[Job[T]], limit: int) -> list[T]:
        stop = threading.Event()
        with ThreadPoolExecutor(limit, thread_name_prefix="hilum-sdk") as pool:
            futures = [pool.submit(_run_stoppable, job, stop) for job in jobs]
            try:
                return _results(futures)
            finally:
                # After an error, Ctrl-C included, what waits never starts and what runs ends at its next chunk or pause.
                stop.set()
                for future in futures:
                    future.cancel()


class Awaiting(Driver):
    """Over `httpx.AsyncClient` and the running event loop."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client

    async def send(self, request: httpx.Request) -> httpx.Response:
        return await self.client.send(request)

    async def receive(self, request: httpx.Request, write: Callable[[bytes], object]) -> httpx.Response:
        response = await self.client.send(request, stream=True)
        try:
            if not response.is_success:
                await response.aread()
                return response
            async for chunk in response.aiter_bytes(CHUNK):
                await asyncio.to_thread(write, chunk)
            return response
        finally:
            await response.aclose()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def compute(self, function: Callable[[], T]) -> T:
        return await asyncio.to_thread(function)

    async def gather(self, jobs: Sequence[Job[T]], limit: int) -> list[T]:
        places = asyncio.Semaphore(limit)

        async def run(job: Job[T]) -> T:
            async with places:
                return await job()

        tasks = [asyncio.create_task(run(job)) for job in jobs]
        try:
            return await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def run_blocking(steps: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine over a `Blocking` driver to its end, which it reaches without suspending."""
    try:
        steps.send(None)
    except StopIteration as finished:
        return cast(T, finished.value)
    steps.close()
    raise RuntimeError("a call over the blocking driver suspended: it awaits something that is not the driver's")


_here = threading.local()


def raise_if_stopped() -> None:
    """End this thread's job if a job beside it failed; called between chunks and pauses."""
    if _stopping().is_set():
        raise CancelledError


def _stopping() -> threading.Event:
    """The event that stops the job of this thread; a thread of the caller's own is never stopped."""
    event: threading.Event = getattr(_here, "stopping", None) or threading.Event()
    return event


@contextmanager
def _stoppable_by(stop: threading.Event) -> Iterator[None]:
    _here.stopping = stop
    try:
        yield
    finally:
        _here.stopping = None


def _run_stoppable(job: Job[T], stop: threading.Event) -> T:
    with _stoppable_by(stop):
        return run_blocking(job())


def _results(futures: Sequence[Future[T]]) -> list[T]:
    """Every result in order, or the first error as soon as there is one."""
    done, _ = wait(futures, return_when=FIRST_EXCEPTION)
    for future in done:
        future.result()
    return [future.result() for future in futures]
