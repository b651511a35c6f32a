"""Why a zip archive is refused, as a table, and the limits that every archive must keep.

One refused entry refuses the whole archive: a sender who was told "no" can mend it and send it again, a sender whose study arrived
with an entry missing may never know.
"""

from collections import Counter
from dataclasses import dataclass
from typing import NamedTuple

from hilum.model.errors import InvalidError


class ArchiveRefusedError(InvalidError):
    """The archive is not taken; whatever was handed to the sink must be dropped.

    The sentence names the entry for the sender and may therefore hold a patient's name: logs take `reason`, never the sentence.

    Args:
        sentence: what is wrong, naming the entry where there is one.
        mend: what the sender can do.
        reason: the key of the row in REFUSALS.
    """

    def __init__(self, sentence: str, mend: str = "", reason: str = "") -> None:
        super().__init__(sentence, mend)
        self.reason = reason


class NotStreamableError(InvalidError):
    """A stored member whose length stands behind it: nobody can tell where it ends while it passes.

    Nothing is wrong with the archive. It is raised at the first such member; the door drops what it has, keeps the whole body in a file and
    calls `read_spooled`.
    """


class Refusal(NamedTuple):
    """One row: a sentence with {entry} or {archive} and other facts, and the mend."""

    sentence: str
    mend: str


_AGAIN = "Make the archive again and send it again."
_RESEND = "Check the archive with `unzip -t` where it was made, and send it again."
_FORWARD = "Make the archive again from inside the folder, with relative names and forward slashes."
_SPLIT = "Send it as several smaller archives, or ask the administrator to raise the limit."
_FORGED = "Such an archive reads differently in different programs; make it again with a usual zip program."

REFUSALS: dict[str, Refusal] = {
    # What it is
    "not-a-zip": Refusal("These bytes are not a zip archive.", "Send a zip archive, or the files themselves."),
    "empty": Refusal("The archive holds no files.", "Zip the folder of images and send it again."),
    "truncated": Refusal("{archive} ends before its last record.", "The upload or the file was cut short; send it again."),
    "multi-disk": Refusal("{archive} is one part of several.", "Join the parts to one archive (`zip -s 0`) and send that."),
    # What passes
    "stray-bytes": Refusal("{archive} holds bytes that belong to no entry, at byte {offset}.", _FORGED),
    "trailing-bytes": Refusal("{archive} goes on after its end, at byte {offset}.", _FORGED),
    "wrong-crc": Refusal("The bytes of {entry} do not have the CRC that the archive states.", _RESEND),
    "damaged-deflate": Refusal("The compressed bytes of {entry} are damaged.", _RESEND),
    "forged-size": Refusal("{entry} does not have the size that the archive states ({declared} bytes).", _RESEND),
    "wrong-descriptor": Refusal("The record after {entry} does not state its CRC and sizes.", _RESEND),
    # What we do not read
    "encrypted": Refusal("{entry} is encrypted.", "Send the archive without a password; the connection itself is encrypted."),
    "unsupported-method": Refusal("{entry} is compressed with method {method}.", "Make the archive with Deflate or without compression."),
    "unsupported-flags": Refusal("{entry} uses features of zip that are not read here (flags {flags}).", _AGAIN),
    "special-file": Refusal("{entry} is not a file but a {type}.", "Make the archive from the files themselves (`zip` without `-y`)."),
    "directory-with-bytes": Refusal("{entry} is named as a folder but holds bytes.", _FORGED),
    # Names
    "no-name": Refusal("An entry has no name.", _AGAIN),
    "name-length": Refusal("The name {entry} is longer than {limit} bytes.", "Shorten the names of files and folders."),
    "nul-in-name": Refusal("The name {entry} holds a NUL character.", _AGAIN),
    "backslash": Refusal("The name {entry} holds a backslash.", _FORWARD),
    "absolute-path": Refusal("The name {entry} starts at the root of a disk.", _FORWARD),
    "drive-letter": Refusal("The name {entry} starts with a drive letter.", _FORWARD),
    "parent-path": Refusal("The name {entry} leads out of the archive.", _FORWARD),
    "same-name": Refusal("Two entries are named {entry}, or differ in upper and lower case only.", "Rename one of them."),
    # What the end says
    "overlap": Refusal("The central directory puts {entry} at byte {offset}, where no further entry starts.", _FORGED),
    "differs": Refusal("The central directory gives another {field} for {entry} than the entry itself.", _FORGED),
    "unlisted": Refusal("{archive} does not list the entry at byte {offset} in its central directory.", _FORGED),
    "wrong-end": Refusal("{archive} gives at its end another {field} of the central directory than that has.", _FORGED),
    "malformed-extra": Refusal("The zip64 or extra fields of {entry} cannot be read.", _AGAIN),
    # Limits
    "too-many-entries": Refusal("The archive holds more than {limit} entries.", _SPLIT),
    "too-many-bytes": Refusal("The archive holds more than {limit} bytes when unpacked; {entry} goes beyond.", _SPLIT),
    "entry-ratio": Refusal("{entry} unpacks to more than {limit} times its size.", "Send this file by itself, not zipped."),
    "archive-ratio": Refusal("The archive unpacks to more than {limit} times its size, reached at {entry}.", "Send the files not zipped."),
    "nesting": Refusal("{entry} is an archive inside {limit} others.", "Unpack the inner archives first."),
}


def refuse(reason: str, entry: str = "", **facts: object) -> ArchiveRefusedError:
    """The error for a row of REFUSALS, to be raised; `entry` is quoted, shortened and made printable.

    Where the row speaks of the archive, `entry` is the label of a nested one, and empty for the outermost.
    """
    row = REFUSALS[reason]
    archive = f"The archive {quote(entry)}" if entry else "The archive"
    return ArchiveRefusedError(row.sentence.format(entry=quote(entry), archive=archive, **facts), row.mend, reason)


def quote(name: str) -> str:
    """A name between quotes, control characters escaped, its middle left out when long."""
    shown = name if len(name) <= 120 else f"{name[:60]}...{name[-57:]}"
    return repr(shown)


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """What an archive may cost, its nested archives included; sizes in bytes.

    Args:
        entries: entries of all archives together, folders and skipped ones included; 200,000 cost about 70 MB while they are compared.
        total_bytes: unpacked bytes; a nested archive counts as itself and again as its entries, as it is unpacked twice.
        ratio: unpacked bytes of everything to the bytes received.
        entry_ratio: unpacked to compressed bytes of one entry. Deflate ends at 1032:1, so this stops pure zeros only.
        ratio_floor_bytes: ratios are judged beyond this many unpacked bytes: masks and blank slices are honest and compress as bombs do
            (the study.zip of PIXL 210:1, an all-zero NIfTI mask 1030:1), while so few bytes harm nobody.
        nesting: archives one inside the other, the outermost counted.
        name_bytes: the name of one entry as it stands in the archive.
    """

    entries: int = 200_000
    total_bytes: int = 50 * 2**30
    ratio: int = 200
    entry_ratio: int = 1000
    ratio_floor_bytes: int = 256 * 2**20
    nesting: int = 4
    name_bytes: int = 1024


class Tally:
    """What an archive and all archives in it have cost so far, held against the limits."""

    def __init__(self, limits: ArchiveLimits) -> None:
        self.limits = limits
        self.received_bytes = 0
        self.unpacked_bytes = 0
        self.files = 0
        self.skipped: Counter[str] = Counter()
        self._entries = 0
        self._labels: set[bytes] = set()

    def count_entry(self, label: str, key: bytes) -> None:
        """One more entry; `key` stands for its label with case folded.

        Raises:
            ArchiveRefusedError: too many, or the label is taken.
        """
        self._entries += 1
        if self._entries > self.limits.entries:
            raise refuse("too-many-entries", limit=self.limits.entries)
        if key in self._labels:
            raise refuse("same-name", label)
        self._labels.add(key)

    def announce(self, label: str, size: int) -> None:
        """An entry states its size: refused before its first byte when that cannot fit."""
        if self.unpacked_bytes + size > self.limits.total_bytes:
            raise refuse("too-many-bytes", label, limit=self.limits.total_bytes)

    def unpack(self, label: str, count: int) -> None:
        """`count` more bytes came out of an entry."""
        self.announce(label, count)
        self.unpacked_bytes += count
        if self.unpacked_bytes > max(self.limits.ratio_floor_bytes, self.limits.ratio * self.received_bytes):
            raise refuse("archive-ratio", label, limit=self.limits.ratio)

    def weigh(self, label: str, size: int, compressed: int) -> None:
        """An entry came to, or states, `size` bytes out of `compressed`."""
        if size > max(self.limits.ratio_floor_bytes, self.limits.entry_ratio * compressed):
            raise refuse("entry-ratio", label, limit=self.limits.entry_ratio)
