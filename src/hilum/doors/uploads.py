"""The upload door: bodies of HTTP uploads become members of packs, a zip's entries all of them or none.

A body is taken in three moves, so that the face that reads it (api/) decides nothing about bytes:

    receiving = door.receive(delivery, name, first_bytes)
    for chunk in body: receiving.write(chunk)
    file = receiving.check(announced_sha256)     # whole, and what was announced
    receiving.commit()                           # durable: only now may the sender be told yes

Whatever fails, `receiving.abandon()` leaves nothing behind.
"""

import hashlib
import json
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO, Protocol

from hilum.dicom.scanner import UnreadableError, Wanted, scan_prefix
from hilum.doors.zips import ArchiveLimits, ArchiveSummary, MemberSink, NotStreamableError, ZipReader, read_spooled
from hilum.model.errors import ConflictError, DigestError, HilumError, InvalidError, StorageFullError
from hilum.model.members import MemberNote, StoredMember

DOOR = "uploads"
ARCHIVE_STARTS = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08", b"PK00")  # APPNOTE 4.3.7, 4.3.16, 8.5.3, 8.5.4
MOST_DATASET_CHARACTERS = 64
MOST_DATASET_BYTES = 128  # stores/packs/layout.py: its part of a member's header
HEAD_BYTES = 1 << 16  # as many first bytes as are looked at for the SOP Instance UID
_SHORT_HEAD = 2048  # where it stands in nearly every object
_SOP_INSTANCE_UID = Wanted("SOPInstanceUID")
_FLAGS_AT, _HAS_DESCRIPTOR = 6, 1 << 3  # APPNOTE 4.3.7, 4.4.4: bit 3 of the general purpose flags
DIGEST_THREADS = 2
_SPOOL_SECONDS = 600.0
_UNUSABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")

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


class UploadDoor:
    """Makes members of what is uploaded. Safe for many threads; each `Receiving` belongs to one at a time.

    Args:
        pool: takes the members.
        limits: what an archive may cost.
        scratch: a folder for archives that cannot be read while they pass.
        clock: aware UTC times.
        ticks: seconds, monotonic.
    """

    def __init__(
        self,
        pool: Pool,
        *,
        limits: ArchiveLimits,
        scratch: Path,
        clock: Callable[[], datetime],
        ticks: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pool = pool
        self._limits = limits
        self._scratch = scratch
        self._clock = clock
        self._ticks = ticks
        self._spools_until = 0.0
        self._digests = ThreadPoolExecutor(DIGEST_THREADS, "hilum-digests")

    def keep_all(self, bodies: Sequence[WholeBody]) -> list[ReceivedFile | HilumError]:
        """Keep whole bodies that are no archives, all with one sync; durable on return.

        Returns:
            for each body, in order, the file, or why it is not acknowledged: other bytes than announced, no room, a disk that failed.
        """
        judged = [self._judge(body) for body in bodies]
        answers = [answer for answer, _ in judged]
        sound = [
            (body.content, note, answer.sha256)
            for body, (answer, note) in zip(bodies, judged, strict=True)
            if note is not None and isinstance(answer, ReceivedFile)
        ]
        try:
            if sound:
                self._pool.store_all(sound)
        except HilumError as error:
            return [answer if isinstance(answer, HilumError) else type(error)(error.sentence, error.mend) for answer in answers]
        return answers

    def _judge(self, body: WholeBody) -> tuple[ReceivedFile | HilumError, MemberNote | None]:
        """A body and what stands beside it, or why it is refused: that is its own affair, whoever shares its sync."""
        answer = judge_digest(body.file(), body.expected_sha256)
        if isinstance(answer, HilumError):
            return answer, None
        try:
            return answer, self.note(body.delivery, body.name, *identify(body.content))
        except InvalidError as error:
            return error, None

    def receive(self, delivery: Delivery, name: str, head: Bytes) -> Receiving:
        """Begin a file by its first bytes, which are to be written too.

        Raises:
            StorageFullError, StorageError: there is no room, or no pack is free.
        """
        if is_archive(head):
            return self.receive_archive(delivery, name, f"{name}/", head)
        uid, syntax = identify(head)
        return ReceivingMember(self._pool.begin(self.note(delivery, name, uid, syntax)), name)

    def receive_archive(self, delivery: Delivery, name: str, prefix: str, head: Bytes) -> Receiving:
        """Begin an archive; its entries are named `prefix` and their own names. Raises as `receive`."""
        spool = self._open_spool() if self._may_need_spool(head) else None
        return ReceivingArchive(self, delivery, name, prefix, spool)

    def note(self, delivery: Delivery, name: str, sop_instance_uid: str = "", transfer_syntax_uid: str = "") -> MemberNote:
        """What stands beside a member.

        Raises:
            InvalidError: the dataset does not fit.
        """
        check_dataset(delivery.dataset)
        return MemberNote(
            project=delivery.project,
            door=DOOR,
            received_at=self._clock(),
            intake_id=delivery.intake_id,
            sop_instance_uid=sop_instance_uid,
            dataset=delivery.dataset,
            peer=delivery.peer,
            transfer_syntax_uid=transfer_syntax_uid,
            file_name=name,
        )

    def note_entry(self, delivery: Delivery, prefix: str, name: str, sop_instance_uid: str, transfer_syntax_uid: str) -> MemberNote:
        """What stands beside an archive's entry."""
        return self.note(delivery, _shortened(prefix + name), sop_instance_uid, transfer_syntax_uid)

    def _may_need_spool(self, head: Bytes) -> bool:
        """A zip program that writes lengths behind an entry may do so for a stored one too, later on."""
        has_descriptor = len(head) > _FLAGS_AT and bool(head[_FLAGS_AT] & _HAS_DESCRIPTOR)
        return has_descriptor or self._ticks() < self._spools_until

    def _open_spool(self) -> BinaryIO:
        self._scratch.mkdir(parents=True, exist_ok=True)
        return TemporaryFile(dir=self._scratch)

    def batch(self) -> Batch:
        return self._pool.batch()

    def read_stream(self, members: "_Members") -> ZipReader:
        return ZipReader(self._limits, members)

    def read_spool(self, spool: BinaryIO, members: "_Members") -> ArchiveSummary:
        return read_spooled(spool, self._limits, members, self._scratch)

    def digesting(self, digest: "hashlib._Hash", chunk: Bytes) -> Future[None]:
        """Add a chunk to a digest, in another thread."""
        return self._digests.submit(digest.update, chunk)

    def spool_for_a_while(self) -> None:
        """Keep archives on disk beside reading them: one that needs it is about to be sent again."""
        self._spools_until = self._ticks() + _SPOOL_SECONDS


class ReceivingMember:
    """A file that becomes one member, whatever its length."""

    def __init__(self, writer: Writer, name: str) -> None:
        self._writer = writer
        self._name = name

    def write(self, chunk: Bytes) -> None:
        self._writer.write(chunk)

    def check(self, expected_sha256: bytes | None) -> ReceivedFile:
        return check_digest(self, ReceivedFile(self._name, self._writer.size, self._writer.sha256), expected_sha256)

    def commit(self) -> None:
        self._writer.commit()

    def abandon(self) -> None:
        self._writer.abandon()


class ReceivingArchive:
    """A zip that is taken apart while it passes; with a `spool`, its bytes are kept beside until it is certain that this works."""

    def __init__(self, door: UploadDoor, delivery: Delivery, name: str, prefix: str, spool: BinaryIO | None) -> None:
        self._door = door
        self._name = name
        self._hash = hashlib.sha256()
        self._size = 0
        self._spool = spool
        self._note: MakeNote = partial(door.note_entry, delivery, prefix)
        self._batch = door.batch()
        self._reader: ZipReader | None = door.read_stream(_Members(self._batch, self._note))

    def write(self, chunk: Bytes) -> None:
        # The archive's own digest costs as much as all that is done with its files: another core may have it.
        digesting = self._door.digesting(self._hash, chunk)
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
            self._door.spool_for_a_while()
            raise SendAgainError("The archive can only be read from a file on disk.", "Send it again; it is kept on disk then.") from reason

    def _finish(self) -> ArchiveSummary:
        if self._reader is not None:
            return self._reader.finish()
        if self._spool is None:  # streaming stopped with an error, and the caller went on all the same
            raise SendAgainError("The archive was not read to its end.", "Send it again.")
        self._batch = self._door.batch()
        return self._door.read_spool(self._spool, _Members(self._batch, self._note))


class ReceivingAgain:
    """A file whose name is taken: only its bytes are compared. The same bytes are the same file; others are refused."""

    def __init__(self, name: str, held_sha256: bytes) -> None:
        self._name = name
        self._held_sha256 = held_sha256
        self._hash = hashlib.sha256()
        self._size = 0

    def write(self, chunk: Bytes) -> None:
        self._hash.update(chunk)
        self._size += len(chunk)

    def check(self, expected_sha256: bytes | None) -> ReceivedFile:
        file = check_digest(self, ReceivedFile(self._name, self._size, self._hash.digest()), expected_sha256)
        if file.sha256 != self._held_sha256:
            raise ConflictError("This upload holds other bytes under this file name.", "Send them under another name.")
        return file

    def commit(self) -> None:
        """It is held already."""

    def abandon(self) -> None:
        """Nothing was kept."""


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
        elif self._head or len(view) < _SHORT_HEAD:
            self._head += view
            if len(self._head) >= _SHORT_HEAD:
                self._begin(self._head)
        else:
            self._begin(view)

    def end(self) -> None:
        (self._writer or self._begin(self._head)).commit()

    def _begin(self, head: Bytes) -> Writer:
        self._writer = self._batch.add(self._make_note(*identify(head)))
        self._writer.write(head)
        return self._writer


def is_archive(head: Bytes) -> bool:
    """Whether a body is a zip, by its content. PS3.10 7.1: a preamble may hold anything, also what looks like a zip."""
    return bytes(head[:4]) in ARCHIVE_STARTS and bytes(head[128:132]) != b"DICM"


def identify(head: Bytes) -> tuple[str, str]:
    """SOP Instance UID and transfer syntax by the first bytes of an object; empty where they do not tell. Importing judges, not we."""
    for size in (_SHORT_HEAD, HEAD_BYTES):
        try:
            header = scan_prefix(bytes(head[:size]), _SOP_INSTANCE_UID)
        except UnreadableError:
            return "", ""
        if header is not None:
            return header.text("SOPInstanceUID") or "", header.recognition.transfer_syntax_uid
        if len(head) <= size:
            break
    return "", ""


def check_digest(receiving: Receiving, file: ReceivedFile, expected_sha256: bytes | None) -> ReceivedFile:
    """The file, unless other bytes were announced: then it is abandoned and DigestError is raised."""
    answer = judge_digest(file, expected_sha256)
    if isinstance(answer, HilumError):
        receiving.abandon()
        raise answer
    return answer


def judge_digest(file: ReceivedFile, expected_sha256: bytes | None) -> ReceivedFile | DigestError:
    """The file, or why it is not what was announced."""
    if expected_sha256 is None or file.sha256 == expected_sha256:
        return file
    return DigestError(f"The bytes have the SHA-256 {file.sha256.hex()}, not {expected_sha256.hex()} as announced.", "Send them again.")


def check_name(name: str, most_bytes: int) -> None:
    """Raise InvalidError unless `name` can stand in a list of files. It never becomes a path."""
    if not name or len(name.encode("utf-8", "surrogatepass")) > most_bytes:
        raise InvalidError(f"A file name has 1 to {most_bytes} bytes.", "Choose a shorter name.")
    if _UNUSABLE.search(name):
        raise InvalidError("The file name holds control characters.", "Choose a name of letters, digits, spaces, dots, dashes and slashes.")


def check_dataset(label: str) -> None:
    """Raise InvalidError unless `label` fits beside a member of a pack, where it stands as JSON text in ASCII."""
    if len(label) > MOST_DATASET_CHARACTERS or len(json.dumps(label)) - len('""') > MOST_DATASET_BYTES:
        raise InvalidError(
            f"The dataset has more than {MOST_DATASET_CHARACTERS} characters, or takes more than {MOST_DATASET_BYTES} bytes as JSON text.",
            "Choose a shorter label; a character that is not ASCII takes six bytes.",
        )
    if _UNUSABLE.search(label):
        raise InvalidError("The dataset holds control characters.", "Choose a label of letters, digits and spaces.")


def _shortened(label: str) -> str:
    """A label that fits the list of files: the end tells more than the beginning."""
    return label if len(label) <= 1024 else "..." + label[-1021:]
