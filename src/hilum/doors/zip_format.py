"""The records of a zip archive, as PKWARE's APPNOTE.TXT 6.3 lays them out, and the names of its entries."""

import re
import stat
import unicodedata
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from struct import Struct, unpack_from
from typing import NamedTuple

from hilum.doors.zip_refusals import refuse

LOCAL = b"PK\x03\x04"
DESCRIPTOR = b"PK\x07\x08"
CENTRAL = b"PK\x01\x02"
ZIP64_END = b"PK\x06\x06"
ZIP64_LOCATOR = b"PK\x06\x07"
END = b"PK\x05\x06"
ENDINGS = (ZIP64_END, END)

# Each without its signature.
LOCAL_HEADER = Struct("<5H3I2H")  # 4.3.7
CENTRAL_HEADER = Struct("<6H3I5H2I")  # 4.3.12
ZIP64_END_RECORD = Struct("<Q2H2I4Q")  # 4.3.14
ZIP64_LOCATOR_RECORD = Struct("<IQI")  # 4.3.15
END_RECORD = Struct("<4H2IH")  # 4.3.16

STORED = 0
DEFLATED = 8
# 4.4.5; what the field calls them, for the sentence.
METHOD_NAMES = {1: "Shrink", 6: "Implode", 9: "Deflate64", 12: "BZIP2", 14: "LZMA", 93: "Zstandard", 95: "XZ", 98: "PPMd", 99: "AES"}

# 4.4.4, general purpose bit flag.
HAS_DESCRIPTOR = 1 << 3
IS_UTF8 = 1 << 11
_ENCRYPTED = 1 << 0 | 1 << 6 | 1 << 13  # traditional, strong, masked headers
_DEFLATE_EFFORT = 1 << 1 | 1 << 2  # a remark of the compressor, without meaning for the reader
_KNOWN_FLAGS = HAS_DESCRIPTOR | IS_UTF8 | _DEFLATE_EFFORT

SATURATED_16 = 0xFFFF
SATURATED_32 = 0xFFFFFFFF
END_SATURATED = (SATURATED_16, SATURATED_16, SATURATED_32, SATURATED_32)  # 4.4.1.4: "see the zip64 record"
_END_WORDS = ("number of rows", "number of rows", "size", "offset")
_ZIP64_EXTRA = 0x0001

_SPECIAL_FILES = {
    stat.S_IFLNK: "symbolic link",
    stat.S_IFIFO: "pipe",
    stat.S_IFSOCK: "socket",
    stat.S_IFCHR: "device",
    stat.S_IFBLK: "device",
}
_REGULAR_TYPES = {0, stat.S_IFREG, stat.S_IFDIR}

_DESKTOP_FILES = {".ds_store", "thumbs.db", "desktop.ini", "icon\r"}
_DRIVE = re.compile(r"[A-Za-z]:")


class LocalHeader(NamedTuple):
    """What stands before an entry's bytes; sizes and CRC are zero when a data descriptor follows them."""

    flags: int
    method: int
    crc: int
    compressed: int
    size: int
    name: bytes
    is_zip64: bool

    @property
    def has_descriptor(self) -> bool:
        return bool(self.flags & HAS_DESCRIPTOR)


class Facts(NamedTuple):
    """What an entry turned out to be, and what the central directory must say of it.

    The name is held as a digest: names are the one part whose length a sender chooses, and all entries are held until the end.
    """

    name_digest: bytes
    flags: int
    method: int
    crc: int
    compressed: int
    size: int


FACT_WORDS = ("name", "flags", "method", "CRC", "compressed size", "size")  # the fields of Facts in a sentence


class CentralHeader(NamedTuple):
    """One row of the central directory."""

    facts: Facts
    label: str
    disk: int
    offset: int
    unix_mode: int


def parse_local_header(fixed: bytes, name: bytes, extra: bytes) -> LocalHeader:
    """The header of 4.3.7 without signature: 26 bytes, then name and extra fields.

    Raises:
        ArchiveRefusedError: a saturated size without its zip64 field.
    """
    _version, flags, method, _time, _date, crc, compressed, size, _name_length, _extra_length = LOCAL_HEADER.unpack(fixed)
    zip64 = _find_zip64(extra, name)
    size, compressed = _widen(zip64, name, size, compressed)
    return LocalHeader(flags, method, crc, compressed, size, name, zip64 is not None)


def parse_central_header(fixed: bytes, name: bytes, extra: bytes) -> CentralHeader:
    """The row of 4.3.12 without signature: 42 bytes, then name and extra fields; the comment is not needed.

    Raises:
        ArchiveRefusedError: a saturated value without its zip64 field.
    """
    row = CENTRAL_HEADER.unpack(fixed)
    _made_by, _version, flags, method, _time, _date, crc, compressed, size, _name, _extra, _comment, disk, _internal, external, offset = row
    size, compressed, offset = _widen(_find_zip64(extra, name), name, size, compressed, offset)
    facts = make_facts(name, flags, method, crc=crc, compressed=compressed, size=size)
    # 4.4.15: the upper half holds st_mode where the archive was made on Unix; elsewhere it is zero.
    return CentralHeader(facts, decode_name(name, flags), disk, offset, external >> 16)


def check_end(
    label: str, disks: Sequence[int], stated: Sequence[int], actual: Sequence[int], saturated: Sequence[int] | None = None
) -> None:
    """Holds an end record of the archive `label` against what was read; a value may be saturated where a zip64 record stands before it.

    Raises:
        ArchiveRefusedError: it tells of other disks, or of another central directory.
    """
    if any(disk != 0 and not (saturated and disk == SATURATED_16) for disk in disks):
        raise refuse("multi-disk", label)
    for word, value, truth, full in zip(_END_WORDS, stated, actual, saturated or actual, strict=True):
        if value not in (truth, full):
            raise refuse("wrong-end", label, field=word)


def make_facts(name: bytes, flags: int, method: int, *, crc: int, compressed: int, size: int) -> Facts:
    """The facts that both headers must share; flags without meaning for the reader are left out."""
    return Facts(digest(name), flags & ~_DEFLATE_EFFORT, method, crc, compressed, size)


def digest(name: bytes) -> bytes:
    """Sixteen bytes that stand for a name."""
    return blake2b(name, digest_size=16).digest()


def _extra_fields(extra: bytes, name: bytes) -> Iterator[tuple[int, bytes]]:
    """4.5.1: number, length, value, repeated. Fewer than four bytes at the end are padding (zipalign writes it)."""
    at = 0
    while at + 4 <= len(extra):
        number, length = unpack_from("<2H", extra, at)
        at += 4 + length
        if at > len(extra):
            raise refuse("malformed-extra", decode_name(name, 0))
        yield number, extra[at - length : at]


def _find_zip64(extra: bytes, name: bytes) -> bytes | None:
    found = [value for number, value in _extra_fields(extra, name) if number == _ZIP64_EXTRA]
    if len(found) > 1:
        raise refuse("malformed-extra", decode_name(name, 0))
    return found[0] if found else None


def _widen(zip64: bytes | None, name: bytes, *values: int) -> list[int]:
    # 4.5.3: the field holds, in this order, those values only that are saturated in the header.
    widened, at = [], 0
    for value in values:
        if value != SATURATED_32:
            widened.append(value)
            continue
        if zip64 is None or at + 8 > len(zip64):
            raise refuse("malformed-extra", decode_name(name, 0))
        widened.append(unpack_from("<Q", zip64, at)[0])
        at += 8
    return widened


def pack_descriptor(crc: int, compressed: int, size: int, is_zip64: bool) -> bytes:
    """4.3.9: the data descriptor that must follow an entry, without its optional signature.

    4.3.9.2: sizes take eight bytes when the local header has the zip64 field. Java and Go write eight also where only a size needs them.
    """
    is_wide = is_zip64 or max(compressed, size) > SATURATED_32
    return Struct("<I2Q" if is_wide else "<3I").pack(crc, compressed, size)


def decode_name(name: bytes, flags: int) -> str:
    """Appendix D: UTF-8 with bit 11, else code page 437, which also takes what claims to be UTF-8 and is not; never fails."""
    if flags & IS_UTF8:
        try:
            return name.decode("utf-8")
        except UnicodeDecodeError:
            pass  # cp437 gives every byte a character: the label is odd, distinct and printable
    return name.decode("ascii" if name.isascii() else "cp437")  # the same, and four times as fast


def judge_flags(header: LocalHeader, label: str) -> None:
    """Raises ArchiveRefusedError for what is encrypted or otherwise not read here."""
    if header.flags & _ENCRYPTED:
        raise refuse("encrypted", label)
    if header.flags & ~_KNOWN_FLAGS:
        raise refuse("unsupported-flags", label, flags=f"0x{header.flags:04x}")
    if header.method not in (STORED, DEFLATED):
        named = METHOD_NAMES.get(header.method, "unknown")
        raise refuse("unsupported-method", label, method=f"{header.method} ({named})")


def judge_name(label: str) -> str:
    """The label without empty and `.` components, a folder's with its slash at the end.

    Labels never become paths, yet a hostile one is refused: it shows what the archive is for, and others may unpack it later.

    Raises:
        ArchiveRefusedError: it would lead out of a folder on some system.
    """
    if "\0" in label:
        raise refuse("nul-in-name", label)
    if "\\" in label:  # 4.4.17.1: all slashes are forward slashes
        raise refuse("backslash", label)
    if label.startswith("/"):
        raise refuse("absolute-path", label)
    components = [component for component in label.split("/") if component not in ("", ".")]
    if ".." in components:
        raise refuse("parent-path", label)
    if components and _DRIVE.match(components[0]):
        raise refuse("drive-letter", label)
    if not (components or label.endswith("/")):  # `./` is how some programs list the folder itself
        raise refuse("no-name")
    return "/".join(components or ["."]) + ("/" if label.endswith("/") else "")


def fold_name(label: str) -> bytes:
    """Sixteen bytes that are the same for labels which a case-insensitive file system takes for the same."""
    return digest(unicodedata.normalize("NFC", label.rstrip("/").casefold()).encode("utf-8"))


def judge_mode(unix_mode: int, label: str) -> None:
    """Raises ArchiveRefusedError for a symbolic link, device, pipe or socket."""
    file_type = stat.S_IFMT(unix_mode)
    if file_type not in _REGULAR_TYPES:
        raise refuse("special-file", label, type=_SPECIAL_FILES.get(file_type, "special file"))


def find_skip_reason(label: str) -> str | None:
    """Why an entry is passed over: it is a folder, or what a desktop leaves beside the files; None when it counts."""
    *folders, last = label.split("/")
    if last == "":
        return "folder"
    if "__MACOSX" in folders or last.startswith("._"):
        return "macOS resource fork"
    return "desktop file" if last.lower() in _DESKTOP_FILES else None
