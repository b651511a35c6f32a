"""The upload door: bodies of HTTP uploads become members of packs, a zip's entries all of them or none.

A body is taken in three moves, so that the face that reads it (api/) decides nothing about bytes:

    receiving = door.receive(delivery, name, first_bytes)
    for chunk in body: receiving.write(chunk)
    file = receiving.check(announced_sha256)     # whole, and what was announced
    receiving.commit()                           # durable: only now may the sender be told yes

Whatever fails, `receiving.abandon()` leaves nothing behind.
"""

import hashlib
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path

from hilum.doors.upload_archives import Archives
from hilum.doors.upload_contract import Bytes, Delivery, Pool, ReceivedFile, Receiving, WholeBody, Writer
from hilum.doors.upload_judging import check_dataset, check_digest, identify, is_archive, judge_digest
from hilum.doors.zips import ArchiveLimits
from hilum.model.errors import ConflictError, HilumError, InvalidError
from hilum.model.members import MemberNote

DOOR = "uploads"


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
        self._clock = clock
        self._archives = Archives(pool, limits, scratch, ticks)

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
        return self._archives.receive(name, partial(self._note_entry, delivery, prefix), head)

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

    def _note_entry(self, delivery: Delivery, prefix: str, name: str, sop_instance_uid: str, transfer_syntax_uid: str) -> MemberNote:
        """What stands beside an archive's entry."""
        return self.note(delivery, _shortened(prefix + name), sop_instance_uid, transfer_syntax_uid)


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


def _shortened(label: str) -> str:
    """A label that fits the list of files: the end tells more than the beginning."""
    return label if len(label) <= 1024 else "..." + label[-1021:]
