"""Request bodies that stream from disk, and the digests that go with them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import httpx

from hilum_sdk.drivers import CHUNK, raise_if_stopped
from hilum_sdk.errors import FileChangedError

Advance = Callable[[int], object]


@dataclass(frozen=True)
class LocalFile:
    """A file to send: the name it has at the server, where it lies, its bytes' number and SHA-256 in hexadecimal."""

    name: str
    path: Path
    size: int
    sha256: str = ""


class FileBody(httpx.SyncByteStream, httpx.AsyncByteStream):
    """The bytes of a file as a request's body; every new try reads it from its start.

    `advance` is called with the number of bytes handed on, and with a negative number when a new try starts over.
    """

    def __init__(self, file: LocalFile, advance: Advance | None = None) -> None:
        self.file = file
        self._advance = advance or (lambda _bytes: None)
        self._sent = 0

    def __iter__(self) -> Iterator[bytes]:
        self._start_over()
        for chunk in self._chunks():
            raise_if_stopped()
            yield chunk
            self._count(chunk)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self._start_over()
        with closing(self._chunks()) as chunks:
            # One visit to a thread a chunk, opening included: each may cost a turn of the interpreter's lock, 5 ms.
            while chunk := await asyncio.to_thread(next, chunks, b""):
                yield chunk
                self._count(chunk)
                if self._sent == self.file.size:
                    return

    def _chunks(self) -> Generator[bytes, None, None]:
        left = self.file.size
        with self.file.path.open("rb") as opened:
            while True:
                # One byte more than is left shows a file that grew.
                chunk = opened.read(CHUNK if left > CHUNK else left + 1)
                if len(chunk) > left or (left and not chunk):
                    raise FileChangedError(
                        f"{self.file.name} changed while it was being sent: it had {self.file.size} bytes.",
                        "let the program that writes the folder finish, then upload again.",
                    )
                left -= len(chunk)
                yield chunk
                if not left:
                    return

    def _start_over(self) -> None:
        self._advance(-self._sent)
        self._sent = 0

    def _count(self, chunk: bytes) -> None:
        self._sent += len(chunk)
        self._advance(len(chunk))


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file in hexadecimal; the file is never whole in memory."""
    with path.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def content_digest(sha256: str) -> str:
    """The value of the field Content-Digest (RFC 9530 2) for a SHA-256 in hexadecimal."""
    return f"sha-256=:{base64.b64encode(bytes.fromhex(sha256)).decode('ascii')}:"
