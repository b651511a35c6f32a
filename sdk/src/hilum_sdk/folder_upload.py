"""Sending files: digests, then an offer, then only what the server does not hold."""

from __future__ import annotations

from collections.abc import Callable, Collection, Coroutine, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from hilum_sdk.bodies import Advance, LocalFile, sha256_of
from hilum_sdk.drivers import Driver
from hilum_sdk.errors import DigestMismatchError, FileChangedError, InvalidError
from hilum_sdk.models import Offer, UploadedFile
from hilum_sdk.progress import Tally

OFFERED_AT_ONCE = 1000  # files a call: about 150 KB of JSON

Key = tuple[str, str]  # a file's name and its SHA-256


@dataclass(frozen=True)
class Sender:
    """Sends files to one upload, at most `concurrency` at a time."""

    driver: Driver
    offer: Callable[[Sequence[LocalFile]], Coroutine[Any, Any, Offer]]
    put: Callable[[LocalFile, Advance], Coroutine[Any, Any, UploadedFile]]
    tally: Tally
    concurrency: int

    async def send(self, files: Sequence[LocalFile], there: Collection[Key] = ()) -> None:
        """Send what the server lacks; `there` names files that this upload has already, so that they are not offered again."""
        for batch in _batches(files, OFFERED_AT_ONCE):
            digested = await self.driver.gather([partial(self._digest, file) for file in batch], self.concurrency)
            new = [file for file in digested if (file.name, file.sha256) not in there]
            wanted = set((await self.offer(new)).wanted) if new else set()
            for file in digested:
                if file.name not in wanted:
                    self.tally.add_held(file.size)
            await self.driver.gather([partial(self._send, file) for file in new if file.name in wanted], self.concurrency)

    async def _digest(self, file: LocalFile) -> LocalFile:
        return replace(file, sha256=await self.driver.compute(partial(sha256_of, file.path)))

    async def _send(self, file: LocalFile) -> None:
        try:
            kept = await self.put(file, self.tally.add_bytes)
        except InvalidError:
            # Either the file changed since its digest was computed, or its bytes were damaged on the way: worth one more try.
            await self._require_unchanged(file)
            kept = await self.put(file, self.tally.add_bytes)
        require_digest(file.name, file.sha256, kept.sha256)
        self.tally.add_file()

    async def _require_unchanged(self, file: LocalFile) -> None:
        if (await self._digest(file)).sha256 != file.sha256:
            raise FileChangedError(
                f"{file.name} changed while it was being sent.", "let the program that writes the folder finish, then upload again."
            )


def require_digest(name: str, sent: str, kept: str) -> None:
    """Raise DigestMismatchError unless the server kept the bytes that were sent."""
    if kept.lower() != sent:
        raise DigestMismatchError(
            f"The server kept other bytes of {name} than were sent: SHA-256 {kept} instead of {sent}.", "upload it again."
        )


def _batches(files: Sequence[LocalFile], size: int) -> Iterator[Sequence[LocalFile]]:
    for start in range(0, len(files), size):
        yield files[start : start + size]
