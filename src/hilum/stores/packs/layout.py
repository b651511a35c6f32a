"""What a member looks like in a pack: a pax header of fixed size, a ustar header, the bytes.

    | 512       | 1536             | 512      | size  | to the next 512 |
    | ustar 'x' | pax records      | ustar '0'| bytes | zeros           |

The first 2560 bytes are left empty (zeros) while the bytes stream in, and are filled in last: zeros mean "no member here yet". Their size
is fixed, so what `comment` does not need is spaces at the end of its JSON: legal for JSON, for pax and for every tar.

`comment` is the one keyword that all tars ignore silently (POSIX.1-2017 pax: "all characters shall be ignored by the pax utility").
"""

import hashlib
import json
import re
import struct
import tarfile
import uuid
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final

from hilum.dicom.uids import is_valid_uid
from hilum.model.errors import InvalidError
from hilum.model.members import MemberNote, StoredMember

BLOCK: Final = 512
PAX_AREA: Final = 3 * BLOCK
HEADER_BYTES: Final = BLOCK + PAX_AREA + BLOCK
END_OF_ARCHIVE: Final = bytes(2 * BLOCK)  # POSIX.1-2017 pax: "two 512-octet logical records filled with binary zeros"

# POSIX.1-2017 ustar: name, mode, uid, gid, size, mtime, chksum, typeflag, linkname, magic, version, uname, gname, devmajor, devminor,
# prefix
_USTAR = struct.Struct("100s8s8s8s12s12s8sc100s6s2s32s32s8s8s155s12x")
_SPACES_AS_CHECKSUM = b" " * 8  # "all spaces" while it is computed
_CHECKSUM_AT = 148
_LARGEST_USTAR_SIZE = 8**11 - 1  # eleven octal digits; pax `size` holds what is larger
_LONGEST_NAME = 100  # ustar `name`
_COMMIT_SUFFIX = ".batch"
# No hidden file, no parent, no drive letter, no option: a name that is safe wherever the pack is unpacked.
_SAFE_NAME = re.compile(r"(?:[A-Za-z0-9_][A-Za-z0-9._-]*/)*[A-Za-z0-9_][A-Za-z0-9._-]*", re.ASCII)

_IS_PLAIN = re.compile(r"[ !#-\[\]-~]*").fullmatch  # what JSON does not escape

# Key in `comment`, field of the note, the most bytes its JSON text may take. Ours: too long is a mistake of the caller.
_OURS = (
    ("kind", "kind", 32),
    ("batch", "batch", 64),
    ("intake", "intake_id", 64),
    ("project", "project", 64),
    ("dataset", "dataset", 128),
    ("door", "door", 32),
)
_FIELDS_OF_OURS = {field for _key, field, _most in _OURS}
# The sender's: any text, cut to fit. The file name takes what is left.
_SENDERS = (
    ("calling_ae_title", "calling_ae_title", 64),
    ("called_ae_title", "called_ae_title", 64),
    ("peer", "peer", 96),
    ("transfer_syntax_uid", "transfer_syntax_uid", 64),
)
_MEMBERS = (
    ("sop_instance_uid", "sop_instance_uid", 96),
    ("name", "name", 96),
)


class HeaderError(ValueError):
    """These bytes are no header of a member of this pack."""


def successor(pack_id: str) -> str:
    """The id of the pack that takes this one's place when it is rewritten: known beforehand, a kill leaves no doubt which is which."""
    return str(uuid.uuid5(uuid.UUID(pack_id), "rewritten"))


def padding(size: int) -> bytes:
    """The zeros between a member's last byte and the next block."""
    return bytes(-size % BLOCK)


def member_name(note: MemberNote, sha256: bytes) -> str:
    """`<SOP Instance UID>.dcm`, the note's own safe name, or `<digest>`: never a path that a sender chose (reliability 23)."""
    if is_valid_uid(note.sop_instance_uid):
        return f"{note.sop_instance_uid}.dcm"
    is_safe = len(note.name) <= _LONGEST_NAME and not note.name.endswith(_COMMIT_SUFFIX) and _SAFE_NAME.fullmatch(note.name)
    return note.name if is_safe else sha256.hex()


def commit_name(batch: str) -> str:
    """The name of the member that makes a batch whole."""
    return f"{batch}{_COMMIT_SUFFIX}"


def is_commit(member: StoredMember) -> bool:
    """Whether this is a batch's commit member, not an image."""
    return bool(member.note.batch) and member.name == commit_name(member.note.batch)


def encode_commit(members: Sequence[StoredMember]) -> bytes:
    """The bytes of a batch's commit member: how many members, and the digest of their digests in order."""
    chain = hashlib.sha256(b"".join(member.sha256 for member in members))
    return json.dumps({"members": len(members), "sha256": chain.hexdigest()}).encode()


def encode_header(member: StoredMember) -> bytes:
    """The 2560 bytes before a member.

    Raises:
        InvalidError: a field of ours is too long.
    """
    path, size = _record("path", member.name), _record("size", str(member.size))
    length = PAX_AREA - len(path) - len(size)
    head = f"{length} comment=".encode()
    room = length - len(head) - len(b"\n")
    area = path + size + head + _comment(member, room).ljust(room).encode("ascii") + b"\n"
    at = b"%011o\0" % max(0, int(member.note.received_at.timestamp()))
    before = _ustar(f"PaxHeaders/{member.name}"[:_LONGEST_NAME], PAX_AREA, tarfile.XHDTYPE, at)
    return before + area + _ustar(member.name, member.size, tarfile.REGTYPE, at)


def decode_header(raw: bytes, pack_id: str, at: int) -> StoredMember:
    """The member whose 2560 header bytes begin at `at` of a pack; the inverse of `encode_header`.

    Raises:
        HeaderError: zeros, damage, or another tar's header.
    """
    try:
        if len(raw) != HEADER_BYTES or not _is_ustar(raw[:BLOCK], tarfile.XHDTYPE) or not _is_ustar(raw[-BLOCK:], tarfile.REGTYPE):
            raise HeaderError
        records = dict(_records(raw[BLOCK:-BLOCK]))
        name, size, comment = records["path"], int(records["size"]), json.loads(records["comment"])
        # Bytes that a sender made look like a member are none: nobody outside knows the pack's id.
        if comment["pack"] != pack_id or comment.pop("crc32") != _crc(name, size, _compact(comment)):
            raise HeaderError
        return StoredMember(pack_id, at + HEADER_BYTES, size, bytes.fromhex(comment["sha256"]), name, _note(comment))
    except (tarfile.HeaderError, ValueError, KeyError, TypeError) as error:
        raise HeaderError(f"There is no member at {at} of pack {pack_id}.") from error


def _note(comment: Mapping[str, Any]) -> MemberNote:
    fields = {field: comment[key] for key, field, _most in (*_OURS, *_SENDERS, *_MEMBERS) if key in comment}
    return MemberNote(received_at=datetime.fromisoformat(comment["received_at"]), file_name=comment["file_name"], **fields)


def _comment(member: StoredMember, room: int) -> str:
    note = member.note
    text = f'{{"sha256":"{member.sha256.hex()}","pack":"{member.pack_id}","received_at":"{note.received_at.isoformat()}"'
    text += _senders_records(*_senders_values(note))
    text += "".join(_json_record(key, _cut(value, most)) for key, field, most in _MEMBERS if (value := getattr(note, field)))
    text += ',"file_name":"'
    if note.file_name:
        text += _escaped(_end_of_name(note.file_name, room - len(text) - len('","crc32":"00000000"}')))
    text += '"'
    return f'{text},"crc32":"{_crc(member.name, member.size, text + "}")}"}}'


_senders_values = attrgetter(*(field for _key, field, _most in (*_OURS, *_SENDERS)))


@lru_cache(256)
def _senders_records(*values: str) -> str:
    """What all members of one sender have alike, in the order of the tables."""
    records = ""
    for (key, field, most), text in zip((*_OURS, *_SENDERS), values, strict=True):
        if field in _FIELDS_OF_OURS and len(_escaped(text)) > most:
            raise InvalidError(f"The {key} of a member takes more than {most} bytes.", "Shorten it.")
        if text:
            records += _json_record(key, _cut(text, most))
    return records


def _json_record(key: str, text: str) -> str:
    return f',"{key}":"{_escaped(text)}"'


def _end_of_name(file_name: str, room: int) -> str:
    """The end of a path tells more than its beginning."""
    return _cut(file_name[::-1], room)[::-1]


def _crc(name: str, size: int, comment: str) -> str:
    """Guards what the checksums of ustar do not cover: a flipped bit must not move a member to another project."""
    return f"{zlib.crc32(f'{name} {size} {comment}'.encode()):08x}"


_compact: Callable[[Mapping[str, str]], str] = json.JSONEncoder(separators=(",", ":")).encode


def _cut(text: str, most: int) -> str:
    """As much of the beginning as fits into `most` bytes of JSON, marked with dots where some is missing."""
    if len(text) <= most and len(_escaped(text)) <= most:
        return text
    room = most - len("...")
    for count, character in enumerate(text):
        room -= len(_escaped(character))
        if room < 0:
            return text[:count] + "..."
    return text


def _escaped(text: str) -> str:
    return text if _IS_PLAIN(text) else json.dumps(text)[1:-1]


def _record(key: str, value: str) -> bytes:
    """A pax extended header record; its length counts its own digits."""
    bare = len(f" {key}={value}\n")
    length = bare + len(str(bare))
    length = bare + len(str(length))
    return f"{length} {key}={value}\n".encode("ascii")


def _records(area: bytes) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(area):
        digits = area[at : area.index(b" ", at)]
        record = area[at + len(digits) + 1 : at + int(digits)]
        if int(digits) <= len(digits) or not record.endswith(b"\n"):
            raise HeaderError
        key, _, value = record[:-1].decode("ascii").partition("=")
        yield key, value
        at += int(digits)


def _ustar(name: str, size: int, kind: bytes, at: bytes) -> bytes:
    length = b"%011o\0" % (size if size <= _LARGEST_USTAR_SIZE else 0)
    nobody = b"0000000\0"
    before = (name.encode("ascii"), b"0000600\0", nobody, nobody, length, at)
    behind = (kind, b"", b"ustar", b"00", b"", b"", b"", b"", b"")
    checksum = sum(b"".join((*before, _SPACES_AS_CHECKSUM, *behind)))  # the rest is zeros, and they add nothing
    return _USTAR.pack(*before, b"%06o\0 " % checksum, *behind)


def _is_ustar(block: bytes, kind: bytes) -> bool:
    header = tarfile.TarInfo.frombuf(block, "ascii", "strict")
    return header.type == kind and (kind == tarfile.REGTYPE or header.size == PAX_AREA)
