"""Zips that are uploaded: their entries become members of one batch while they pass, all of them or none."""

import hashlib
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

from hilum.doors.upload_contract import Batch, Bytes, MakeNote, Pool, ReceivedFile, SendAgainError, Writer
from hilum.doors.upload_judging import SHORT_HEAD, check_digest, identify
from hilum.doors.zips import ArchiveLimits, ArchiveSink, ArchiveSummary, MemberSink, NotStreamableError, ZipReader, read_spooled
from hilum.model.errors import StorageFullError
from hilum.model.members import MemberNote

_FLAGS_AT, _HAS_DESCRIPTOR = 6, 1 << 3  # APPNOTE 4.3.7, 4.4.4: bit 3 of the general purpose flags
DIGEST_THREADS = 2
_SPOOL_SECONDS = 600.0


class Archives:
    """What all archives of a door share.

    Args:
        pool: takes the members.
        limits: what an archive may cost.
        scratch: a folder for archives that cannot be read while they pass.
        ticks: seconds, monotonic.
    """

    def __init__(self, pool: Pool, limits: ArchiveLimits, scratch: Path, ticks: Callable[[], float] = time.monotonic) -> None:
        self._pool = pool
        self._limits = limits
        self._scratch = scratch
        self._ticks = ticks
        self._spools_until = 0.0
        self._digests = ThreadPoolExecutor(DIGEST_THREADS, "hilum-digests")

    def receive(self, name: str, note: MakeNote, head: Bytes) -> "ReceivingArchive":
        """Begin an archive by its first bytes, which are to be written too."""
        return ReceivingArchive(self, name, note, self._open_spool() if self._may_need_spool(head) else None)

    def _may_need_spool(self, head: Bytes) -> bool:
        """A zip program that writes lengths behind an entry may do so for a stored one too, later on."""
        has_descriptor = len(head) > _FLAGS_AT and bool(head[_FLAGS_AT] & _HAS_DESCRIPTOR)
        return has_descriptor or self._ticks() < self._spools_until

    def _open_spool(self) -> BinaryIO:
        self._scratch.mkdir(parents=True, exist_ok=True)
        return TemporaryFile(dir=self._scratch)

    def batch(self) -> Batch:
        return self._pool.batch()

    def read_stream(self, members: ArchiveSink) -> ZipReader:
        return ZipReader(self._limits, members)

    def read_spool(self, spool: BinaryIO, members: ArchiveSink) -> ArchiveSummary:
        return read_spooled(spool, self._limits, members, self._scratch)

    def digesting(self, digest: "hashlib._Hash", chunk: Bytes) -> Future[None]:
        """Add a chunk to a digest, in another thread."""
        return self._digests.submit(digest.update, chunk)

    def spool_for_a_while(self) -> None:
        """Keep archives on disk beside reading them: one that needs it is about to be sent again."""
        self._spools_until = self._ticks() + _SPOOL_SECONDS


class ReceivingArchive:
    """A zip that is taken apart while it passes; with a `spool`, its bytes are kept beside until it is certain that this works."""

    def __init__(self, archives: Archives, name: str, note: MakeNote, spool: BinaryIO | None) -> None:
        self._archives = archives
        self._name = name
        self._hash = hashlib.sha256()
        self._size = 0
        self._spool = spool
        self._note = note
        self._batch = archives.batch()
        self._reader: ZipReader | None = archives.read_stream(_Members(self._batch, self._note))

    def write(self, chunk: Bytes) -> None:
        # The archive's own digest costs as much as all that is done with its files: another core may have it.
        digesting = self._archives.digesting(self._hash, chunk)
        self._size += len(chunk)
        try:
            self._keep_beside(chunk)
            if self._reader is not None:
                self._reader.feed(memoryview(chunk))
        except NotStreamableError as reason:
            self._stop_streaming(reason)
        except BaseException:
            self.abandon()
            raise
        finally:
            digesting.result()

    def check(self, expected_sha256: bytes | None) -> ReceivedFile:
        digest = self._hash.digest()
        check_digest(self, ReceivedFile(self._name, self._size, digest), expected_sha256)
        try:
            summary = self._finish()
        except BaseException:
            self.abandon()
            raise
        return ReceivedFile(self._name, self._size, digest, summary.files, sum(summary.skipped.values()))

    def commit(self) -> None:
        try:
            self._batch.commit()
        finally:
            self.abandon()

    def abandon(self) -> None:
        self._batch.abandon()
        if self._spool is not None:
            self._spool.close()

    def _keep_beside(self, chunk: Bytes) -> None:
        if self._spool is None:
            return
        try:
            self._spool.write(chunk)
        except OSError as error:
            raise StorageFullError(
                f"The archive cannot be kept on disk: {error.strerror}.", "Free some space, then send it again."
            ) from error

    def _stop_streaming(self, reason: NotStreamableError) -> None:
        self._reader = None
        self._batch.abandon()
        if self._spool is None:
            self._archives.spool_for_a_while()
            raise SendAgainError("The archive can only be read from a file on disk.", "Send it again; it is kept on disk then.") from reason

    def _finish(self) -> ArchiveSummary:
        if self._reader is not None:
            return self._reader.finish()
        if self._spool is None:  # streaming stopped with an error, and the caller went on all the same
            raise SendAgainError("The archive was not read to its end.", "Send it again.")
        self._batch = self._archives.batch()
        return self._archives.read_spool(self._spool, _Members(self._batch, self._note))


class _Members:
    """The files of an archive as members of a batch."""

    def __init__(self, batch: Batch, note: MakeNote) -> None:
        self._batch = batch
        self._note = note

    def begin(self, name: str, size: int | None) -> MemberSink:  # noqa: ARG002 - packs need no size beforehand
        return _Member(self._batch, partial(self._note, name))


class _Member:
    """One file of an archive: its first bytes name it, so it begins with them."""

    def __init__(self, batch: Batch, make_note: Callable[[str, str], MemberNote]) -> None:
        self._batch = batch
        self._make_note = make_note
        self._head = bytearray()
        self._writer: Writer | None = None

    def write(self, view: memoryview) -> None:
        if self._writer is not None:
            self._writer.write(view)
        elif self._head or len(view) < SHORT_HEAD:
            self._head += view
            if len(self._head) >= SHORT_HEAD:
                self._begin(self._head)
        else:
            self._begin(view)

    def end(self) -> None:
        (self._writer or self._begin(self._head)).commit()

    def _begin(self, head: Bytes) -> Writer:
        self._writer = self._batch.add(self._make_note(*identify(head)))
        self._writer.write(head)
        return self._writer
