"""A member of a pack: what the sender gave, where it lies, and what is known about how it came."""

from dataclasses import dataclass
from datetime import datetime

_BLOCK = 512  # POSIX.1-2017 pax: ustar blocks; every member starts on one


@dataclass(frozen=True, slots=True)
class MemberNote:
    """What stands beside a member's bytes in its pack, so that a pack explains itself without the ledger.

    What others sent (AE titles, peer, transfer syntax, invalid UIDs, file name) may be any text: it is written escaped and cut to fit.

    Args:
        project: whose it is.
        door: the door it came through, or the stage that made it.
        received_at: aware UTC time.
        intake_id: the delivery it belongs to; empty for what we made ourselves.
        sop_instance_uid: PS3.3 C.12.1; need not be valid. Names the member where it is.
        name: the member's name where it is no instance (a result's file); used where it is safe in a file system.
        dataset: the label the sender gave.
        calling_ae_title, called_ae_title: PS3.8 9.3.2, empty where the door is not DIMSE.
        peer: address of the sender.
        transfer_syntax_uid: PS3.10 7.1 (0002,0010), as negotiated or as found.
        file_name: the sender's name for it.
        kind: what the pack is for (`received`, `deidentified`, `results`); set by the pool.
        batch: the id of the batch it becomes visible with; set by the batch.
    """

    project: str
    door: str
    received_at: datetime
    intake_id: str = ""
    sop_instance_uid: str = ""
    name: str = ""
    dataset: str = ""
    calling_ae_title: str = ""
    called_ae_title: str = ""
    peer: str = ""
    transfer_syntax_uid: str = ""
    file_name: str = ""
    kind: str = ""
    batch: str = ""


@dataclass(frozen=True, slots=True)
class StoredMember:
    """Bytes in the vault.

    Args:
        pack_id: a UUID.
        offset: of the first byte of the member's own bytes in the pack.
        size: in bytes.
        sha256: 32 bytes.
        name: the member's name in the tar.
        note: how it came.
    """

    pack_id: str
    offset: int
    size: int
    sha256: bytes
    name: str
    note: MemberNote

    @property
    def end(self) -> int:
        """Where the next member begins: recovery goes on from the `end` of the last indexed member."""
        return self.offset + -(-self.size // _BLOCK) * _BLOCK
