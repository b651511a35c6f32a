"""Members that stream in, alone or in a batch. Never more than a chunk is in memory."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from types import TracebackType
from typing import Self

from hilum.model.errors import DigestError, StorageError
from hilum.model.members import MemberNote, StoredMember
from hilum.stores.packs.layout import encode_commit
from hilum.stores.packs.leasing import Lease
from hilum.stores.packs.open_pack import OpenPack


class MemberWriter:
    """One member, chunk by chunk; abandoned when its `with` block ends without `commit`.

    Any thread may use it, one at a time. After an error it is abandoned already.
    """

    def __init__(self, pack: OpenPack, note: MemberNote, finish: Callable[[StoredMember], None], drop: Callable[[], None]) -> None:
        self.note = note
        self.size = 0
        self._pack = pack
        self._hash = hashlib.sha256()
        self._finish = finish
        self._drop = drop
        self._is_open = True

    @property
    def sha256(self) -> bytes:
        """Of what was written so far."""
        return self._hash.digest()

    @property
    def is_open(self) -> bool:
        """Whether it takes more: neither committed nor abandoned."""
        return self._is_open

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Append; the caller may reuse the buffer.

        Raises:
            StorageFullError, StorageError: the member is gone; nothing else is.
        """
        self._require_open()
        try:
            self._pack.write(chunk)
        except BaseException:
            self.abandon()
            raise
        self._hash.update(chunk)
        self.size += len(chunk)

    def commit(self, expected_sha256: bytes | None = None) -> StoredMember:
        """Fill the header in; outside a batch, return once bytes, header and index row are durable.

        Raises:
            DigestError: these are not the bytes that were announced; nothing is kept.
            StorageFullError, StorageError: the member is not acknowledged.
        """
        self._require_open()
        try:
            require_digest(self.sha256, expected_sha256)
            member = self._pack.fill_in(self.note, self.sha256)
        except BaseException:
            self.abandon()
            raise
        self._is_open = False
        self._finish(member)
        return member

    def abandon(self) -> None:
        """Take back what was written; nothing happens when it is committed or abandoned already."""
        if self._is_open:
            self._is_open = False
            self._drop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.abandon()

    def _require_open(self) -> None:
        if not self._is_open:
            raise StorageError("This member is committed or abandoned; it takes no more bytes.")


class Batch:
    """Members that become visible all or none: they carry the batch's id, and count once its commit member is durable after them.

    It holds one pack from beginning to end, however large it grows, and has one member open at a time.
    """

    def __init__(self, batch_id: str, kind: str, lease: Lease) -> None:
        self.batch_id = batch_id
        self._kind = kind
        self._lease = lease
        self._members: list[StoredMember] = []
        self._writing: MemberWriter | None = None
        self._is_open = True

    def add(self, note: MemberNote) -> MemberWriter:
        """Begin the next member; its `commit` is quick and makes nothing durable.

        Raises:
            StorageError: the batch is over, or its last member is still open.
        """
        self._require_idle()
        pack = self._lease.pack
        note = replace(note, batch=self.batch_id, kind=self._kind)
        self._writing = MemberWriter(pack, note, self._members.append, lambda: pack.cut(pack.end))
        return self._writing

    def commit(self) -> list[StoredMember]:
        """Make all members durable with one sync and index them with one call; an empty batch leaves nothing.

        Raises:
            StorageFullError, StorageError: none of them is kept.
        """
        self._require_idle()
        if not self._members:
            self.abandon()
            return []
        try:
            self._write_commit_member()
        except BaseException:
            self.abandon()
            raise
        self._is_open = False
        self._lease.finish(self._members)
        return self._members

    def abandon(self) -> None:
        """Cut the pack back to where the batch began; nothing happens when it is over already."""
        if self._is_open:
            self._is_open = False
            self._lease.drop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.abandon()

    def _write_commit_member(self) -> None:
        body = encode_commit(self._members)
        note = replace(self._members[-1].note, sop_instance_uid="", name="", file_name="")
        self._lease.pack.write(body)
        self._lease.pack.fill_in(note, hashlib.sha256(body).digest(), is_commit=True)

    def _require_idle(self) -> None:
        if not self._is_open:
            raise StorageError("This batch is committed or abandoned.")
        if self._writing is not None and self._writing.is_open:
            raise StorageError("The batch's last member is neither committed nor abandoned.")


def require_digest(sha256: bytes, expected_sha256: bytes | None) -> None:
    """Raises: DigestError: another digest was announced."""
    if expected_sha256 is not None and sha256 != expected_sha256:
        raise DigestError(f"The bytes have the SHA-256 {sha256.hex()}, not {expected_sha256.hex()} as announced.", "Send them again.")
