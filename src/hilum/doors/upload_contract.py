"""What the upload door hands out and is handed: whose bytes, which file, and the packs that take them."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from hilum.model.errors import HilumError
from hilum.model.members import MemberNote, StoredMember

Bytes = bytes | bytearray | memoryview
MakeNote = Callable[[str, str, str], MemberNote]
"""(entry's name, SOP Instance UID, transfer syntax UID) -> what stands beside it."""


class SendAgainError(HilumError):
    """The archive turned out to need a file on disk after its first bytes had passed; the next try gets one."""

    kind = "send-again"


class Writer(Protocol):
    """One member while it is written."""

    @property
    def sha256(self) -> bytes: ...
    @property
    def size(self) -> int: ...

    def write(self, chunk: Bytes) -> None: ...
    def commit(self, expected_sha256: bytes | None = None) -> StoredMember: ...
    def abandon(self) -> None: ...


class Batch(Protocol):
    """Members that become visible all or none."""

    def add(self, note: MemberNote) -> Writer: ...
    def commit(self) -> list[StoredMember]: ...
    def abandon(self) -> None: ...


class Pool(Protocol):
    """The open packs of received members."""

    def store_all(self, bodies: Sequence[tuple[Bytes, MemberNote, bytes]]) -> list[StoredMember]: ...
    def begin(self, note: MemberNote) -> Writer: ...
    def batch(self) -> Batch: ...


@dataclass(frozen=True, slots=True)
class Delivery:
    """Whose bytes they are: the upload, its project and dataset, and the sender's address."""

    intake_id: str
    project: str
    dataset: str = ""
    peer: str = ""


@dataclass(frozen=True, slots=True)
class ReceivedFile:
    """A file that is whole.

    Args:
        entries: of an archive: how many files it held; None where the file is no archive.
        skipped: of an archive: entries that are nobody's image (folders, droppings of file systems).
    """

    name: str
    size: int
    sha256: bytes
    entries: int | None = None
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class WholeBody:
    """A file that arrived whole in memory."""

    delivery: Delivery
    name: str
    content: Bytes
    expected_sha256: bytes | None

    def file(self) -> ReceivedFile:
        return ReceivedFile(self.name, len(self.content), hashlib.sha256(self.content).digest())


class Receiving(Protocol):
    """A file on its way in. After an error of any call it is abandoned already."""

    def write(self, chunk: Bytes) -> None: ...
    def check(self, expected_sha256: bytes | None) -> ReceivedFile: ...
    def commit(self) -> None: ...
    def abandon(self) -> None: ...
