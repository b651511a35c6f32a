"""Large bodies within limits: of size, of time, and of the memory that all of them together take."""

import asyncio
import base64
import binascii
import json
import re
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from hilum.api.problems import BusyError, TooLargeError, TooSlowError, UnsupportedError
from hilum.model.errors import InvalidError
from hilum.stores.storable import storable

IDLE_SECONDS = 30.0  # the longest silence within a body
GRACE_SECONDS = 60.0
LEAST_RATE = 8192  # bytes a second, on the average after the grace: one ISDN channel
RAISE_THE_LIMIT = "Ask the administrator to raise HILUM_FILE_BYTES."

_SHA_256 = re.compile(r"(?:^|,)\s*sha-256\s*=\s*([^,]*)")


_ODD = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
"""How JSON writes what cannot be stored; few other bodies have it."""


def check_json(body: bytes) -> None:
    """Raise InvalidError where the body is JSON with text that cannot be stored."""
    if _ODD.search(body):
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            return  # it is told where it is read
        check_storable(value)


def check_storable(value: Any) -> None:
    """Raise InvalidError where a value holds what cannot be stored.

    RFC 8259 8.2 lets lone surrogates pass, which no reply could tell again; PostgreSQL has no text with a NUL; NaN is no JSON.
    """
    try:
        is_storable = storable(value) == value
    except RecursionError as error:
        raise InvalidError("Its parts lie too deep in each other.", "Say it with fewer.") from error
    if not is_storable:
        raise InvalidError(
            "It holds a character that no text has (NUL, or half a surrogate pair), or a number that is none.", "Leave it out."
        )


class Body:
    """A request's body, read in pieces.

    Args:
        receive: of ASGI.
        most_bytes: the largest body that is taken.
        announced: its Content-Length; None where it comes in chunks.
        ticks: seconds, monotonic.
        mend: what the sender of a larger one can do.
    """

    def __init__(
        self,
        receive: Receive,
        most_bytes: int,
        announced: int | None = None,
        ticks: Callable[[], float] = time.monotonic,
        *,
        mend: str = RAISE_THE_LIMIT,
    ) -> None:
        self._mend = mend
        self.announced = announced
        self.size = 0
        self.is_over = False
        self._receive = receive
        self._most_bytes = most_bytes
        self._ticks = ticks
        self._began_at = ticks()

    async def read(self, wanted: int) -> bytes:
        """At least `wanted` bytes, or all that is left.

        Raises:
            TooLargeError, TooSlowError: it is refused.
            ClientDisconnect: the sender is gone.
        """
        pieces: list[bytes] = []
        missing = wanted
        while missing > 0 and not self.is_over:
            piece = await self._next()
            pieces.append(piece)
            missing -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def left(self) -> float:
        """Bytes that are still to come, as far as the sender said."""
        return float("inf") if self.announced is None else self.announced - self.size

    async def _next(self) -> bytes:
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                message = await self._receive()
        except TimeoutError as error:
            raise TooSlowError(f"Nothing came for {IDLE_SECONDS:g} s.", "Send it again.") from error
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        piece: bytes = message.get("body", b"")
        self.is_over = not message.get("more_body", False)
        self._count(len(piece))
        return piece

    def _count(self, number: int) -> None:
        self.size += number
        if self.size > self._most_bytes:
            raise TooLargeError(f"The body has more than {self._most_bytes} bytes.", self._mend)
        seconds = self._ticks() - self._began_at
        if seconds > GRACE_SECONDS + self.size / LEAST_RATE:
            raise TooSlowError(f"The body comes at less than {LEAST_RATE} bytes a second.", "Look at the network, then send it again.")


class Memory:
    """The bytes that all bodies held in memory may take together; who finds no room waits in a queue.

    Args:
        most_bytes: for all of them.
    """

    def __init__(self, most_bytes: int) -> None:
        self._free = most_bytes
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def reserved(self, size: int) -> AsyncIterator[None]:
        """Room for `size` bytes.

        Raises:
            BusyError: none came free.
        """
        await self._take(size)
        try:
            yield
        finally:
            self._free += size
            self._hand_out()

    async def _take(self, size: int) -> None:
        if not self._waiting and self._free >= size:
            self._free -= size
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():  # it came free in the moment we gave up
                self._free += size
            self._hand_out()
            if isinstance(error, TimeoutError):
                raise BusyError("Too many bodies are arriving at once.", "Send it again, with fewer connections.") from error
            raise

    def _hand_out(self) -> None:
        while self._waiting:
            size, turn = self._waiting[0]
            if not turn.done():
                if self._free < size:
                    return
                self._free -= size
                turn.set_result(None)
            self._waiting.popleft()


def announced_size(headers: Headers) -> int | None:
    """Content-Length; None where the body is sent in chunks. The HTTP parser lets nothing but digits pass."""
    length = headers.get("content-length")
    return None if length is None else int(length)


def check_announced(headers: Headers, most_bytes: int, mend: str = RAISE_THE_LIMIT) -> None:
    """Refuse a body before its first byte.

    Raises:
        TooLargeError: it is announced as larger than `most_bytes`.
        UnsupportedError: it is compressed for the way.
    """
    if headers.get("content-encoding", "identity") != "identity":
        raise UnsupportedError("Bodies with a Content-Encoding are not read.", "Send the bytes as they are.")
    if (announced_size(headers) or 0) > most_bytes:
        raise TooLargeError(f"The body has more than {most_bytes} bytes.", mend)


def announced_sha256(headers: Headers) -> bytes | None:
    """The SHA-256 of Content-Digest (RFC 9530 2), 32 bytes; None where none was announced, or by another algorithm only.

    Raises:
        InvalidError: it cannot be read; to keep the bytes unchecked is not what the sender asked for.
    """
    found = _SHA_256.search(headers.get("content-digest", ""))
    if found is None:
        return None
    value = found[1].strip()
    try:  # RFC 8941 3.3.5: a byte sequence stands between colons
        digest = base64.b64decode(value[1:-1], validate=True) if value.startswith(":") and value.endswith(":") else b""
    except binascii.Error:
        digest = b""
    if len(digest) != 32:
        raise InvalidError("The Content-Digest cannot be read.", "Send `Content-Digest: sha-256=:<base64 of 32 bytes>:` (RFC 9530).")
    return digest
