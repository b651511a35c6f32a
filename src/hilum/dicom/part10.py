"""PS3.10: DICOM recognised by its content, and the File Meta group made from a negotiated context."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from hilum.dicom.uids import is_valid_uid

IMPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2"
EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1"
EXPLICIT_VR_BIG_ENDIAN = "1.2.840.10008.1.2.2"
DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN = "1.2.840.10008.1.2.1.99"
GE_PRIVATE_IMPLICIT_VR_BIG_ENDIAN = "1.2.840.113619.5.2"
MEDIA_STORAGE_DIRECTORY = "1.2.840.10008.1.3.10"

# PS3.5 7.1.2: VRs with a length of 16 bits, and with two reserved bytes and a length of 32 bits.
SHORT_VRS = {
    vr.encode(): vr
    for vr in ("AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "PN", "SH", "SL", "SS", "ST", "TM", "UI", "UL", "US")
}
LONG_VRS = {vr.encode(): vr for vr in ("OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV")}
UNDEFINED_LENGTH = 0xFFFFFFFF

_PREAMBLE_SIZE = 128
_START_OF_META = 132
_SIGNIFICANT_VALUE = 128  # longer values say nothing about what a file is
_MOST_ELEMENTS_LOOKED_AT = 200


class UnreadableError(ValueError):
    """The bytes are no DICOM object that could be read; the message is a sentence for the person who must act."""


@dataclass(frozen=True, slots=True)
class Recognition:
    """What the first bytes of an object say (PS3.10 7.1).

    `transfer_syntax_uid` is the declared one, or without a File Meta group that names one, what the data set looks like.
    UIDs are as stored, without padding, "" where absent; they may be invalid.
    """

    transfer_syntax_uid: str
    data_set_offset: int
    has_preamble: bool = False
    has_meta: bool = False
    media_storage_sop_class_uid: str = ""
    media_storage_sop_instance_uid: str = ""
    preamble_is_executable: bool = False

    @property
    def is_dicomdir(self) -> bool:
        """Whether it is the directory of a medium, not an image of its own (PS3.3 F)."""
        return self.media_storage_sop_class_uid == MEDIA_STORAGE_DIRECTORY


_Element = tuple[int, int, bytes, int]  # group, element, value (b"" when longer than what matters here), end


def recognise(head: bytes) -> Recognition | None:
    """What DICOM object these bytes begin, or None: they begin something else.

    Names and content of the preamble do not count: TIFF, PE and ELF preambles are legal (PS3.10 7.1). What has neither preamble nor
    File Meta group is taken for a bare data set only if its first elements follow PS3.5 7.1 *and* an identifying UID is among them.

    Args:
        head: the object's first bytes; 4 KiB are enough for any usual File Meta group, the whole of a smaller object.
    """
    with_preamble = head[_PREAMBLE_SIZE:_START_OF_META] == b"DICM"
    start = _START_OF_META if with_preamble else 0
    preamble = head[:_PREAMBLE_SIZE] if with_preamble else b""
    meta = _read_meta(head, start)
    if meta is not None and (with_preamble or _names_the_object(meta)):
        return _recognition(head, meta, preamble)
    syntax = _bare_syntax(head, start)
    if syntax is None and with_preamble and _may_start_a_data_set(head[start : start + 6]):
        syntax = guess_syntax(head[start : start + 6])
    if syntax is None:
        return None
    return Recognition(syntax, start, has_preamble=with_preamble, preamble_is_executable=_is_executable(preamble))


def _recognition(head: bytes, meta: "_Meta", preamble: bytes) -> Recognition:
    syntax = _uid(meta.values.get(0x0010, b""))
    return Recognition(
        transfer_syntax_uid=syntax or guess_syntax(head[meta.end : meta.end + 6]),
        data_set_offset=meta.end,
        has_preamble=bool(preamble),
        has_meta=True,
        media_storage_sop_class_uid=_uid(meta.values.get(0x0002, b"")),
        media_storage_sop_instance_uid=_uid(meta.values.get(0x0003, b"")),
        preamble_is_executable=_is_executable(preamble),
    )


class _Meta(NamedTuple):
    values: dict[int, bytes]
    end: int


def _read_meta(head: bytes, start: int) -> _Meta | None:
    """Group 2 at `start`; in implicit VR too, which PS3.10 7.1 forbids and real files have."""
    if head[start : start + 2] != b"\x02\x00" or len(head) < start + 8:
        return None
    code = head[start + 4 : start + 6]
    values, end = {}, start
    for group, element, value, after in _elements(head, start, _LITTLE, explicit=code in SHORT_VRS or code in LONG_VRS):
        if group != 2:
            break
        values[element], end = value, after
    if end > len(head) - 8 and len(values.get(0, b"")) == 4:
        # (0002,0000) is often wrong in real files: believed only where the group goes beyond `head`.
        end = max(end, start + 12 + int(struct.unpack("<I", values[0])[0]))
    return _Meta(values, end) if values else None


class _Order(NamedTuple):
    """The fixed parts of elements in one byte order."""

    explicit: struct.Struct
    implicit: struct.Struct
    length: struct.Struct


_LITTLE = _Order(struct.Struct("<HH2sH"), struct.Struct("<HHI"), struct.Struct("<I"))
_BIG = _Order(struct.Struct(">HH2sH"), struct.Struct(">HHI"), struct.Struct(">I"))


def _elements(head: bytes, at: int, order: _Order, *, explicit: bool) -> Iterator[_Element]:
    """Elements until `head` ends or something is no element; the last one's value may lie beyond `head`."""
    last = len(head) - 8
    while at <= last:
        start = at + 8
        if not explicit:
            group, element, length = order.implicit.unpack_from(head, at)
        else:
            group, element, code, length = order.explicit.unpack_from(head, at)
            if code in LONG_VRS and start + 4 <= len(head):
                (length,) = order.length.unpack_from(head, start)
                start += 4
            elif code not in SHORT_VRS:
                return
        if length == UNDEFINED_LENGTH:
            return
        at = start + length
        yield group, element, head[start:at] if length <= _SIGNIFICANT_VALUE else b"", at


def _names_the_object(meta: _Meta) -> bool:
    return any(is_valid_uid(_uid(meta.values.get(element, b""))) for element in (0x0002, 0x0003, 0x0010))


def _may_start_a_data_set(start: bytes) -> bool:
    """Whether this may follow `DICM`, which alone also stands in texts: nothing, an explicit VR, or one of the first groups of PS3.6."""
    return not start or start[4:6] in SHORT_VRS or start[4:6] in LONG_VRS or (start[1:2] == b"\0" and start[0] <= 0x20)


def guess_syntax(start_of_data_set: bytes) -> str:
    """The native transfer syntax that the first 6 bytes of a data set look like.

    A VR in the fifth and sixth byte means explicit VR: as a length they would announce more than 16 KB. A group of 0400 and above, read
    as little endian, is a low group in big endian.
    """
    if start_of_data_set[4:6] not in SHORT_VRS and start_of_data_set[4:6] not in LONG_VRS:
        return IMPLICIT_VR_LITTLE_ENDIAN
    return EXPLICIT_VR_BIG_ENDIAN if start_of_data_set[1] >= 0x04 else EXPLICIT_VR_LITTLE_ENDIAN


# --- a bare data set ------------------------------------------------------------------------------------------------------------

# Without preamble and meta only these prove a data set; a text, an image or an archive has none of them at a fitting place.
_PROOFS = {(0x0008, 0x0016), (0x0008, 0x0018), (0x0020, 0x000D), (0x0020, 0x000E)}
_FIRST_GROUPS = {0x0004, 0x0008}
_RECOGNITION_CODE = (0x0008, 0x0010)  # ACR-NEMA 300-1988, retired: "ACR-NEMA 2.0"


def _bare_syntax(head: bytes, start: int) -> str | None:
    for syntax, order, explicit in (
        (EXPLICIT_VR_LITTLE_ENDIAN, _LITTLE, True),
        (EXPLICIT_VR_BIG_ENDIAN, _BIG, True),
        (IMPLICIT_VR_LITTLE_ENDIAN, _LITTLE, False),
    ):
        if _is_data_set(head, start, order, explicit=explicit):
            return syntax
    return None


def _is_data_set(head: bytes, start: int, order: _Order, *, explicit: bool) -> bool:
    before = (0, 0)
    for group, element, value, _ in islice(_elements(head, start, order, explicit=explicit), _MOST_ELEMENTS_LOOKED_AT):
        tag = (group, element)
        # PS3.5 7.1: tags increase; and no data set starts with another group.
        if (before == (0, 0) and group not in _FIRST_GROUPS) or tag <= before:
            return False
        if tag in _PROOFS and is_valid_uid(_uid(value)):
            return True
        if tag == _RECOGNITION_CODE and value.startswith(b"ACR-NEMA"):
            return True
        before = tag
    return False


_SOP_CLASS_UID, _SOP_INSTANCE_UID = 0x00080016, 0x00080018


def read_leading_uids(head: bytes, at: int, *, explicit: bool) -> tuple[str, str] | None:
    """SOP Class UID and SOP Instance UID of the little endian data set at `at`, where its first elements show both, and that they are past.

    Quick, and sure: None means no more than that one must look closer.
    """
    before, sop_class_uid, sop_instance_uid = 0, b"", b""
    for group, element, value, end in _elements(head, at, _LITTLE, explicit=explicit):
        tag = group << 16 | element
        # PS3.5 7.1: tags increase
        if tag <= before:
            return None
        if tag > _SOP_INSTANCE_UID:
            return (_uid(sop_class_uid), _uid(sop_instance_uid)) if sop_class_uid and sop_instance_uid else None
        if tag in (_SOP_CLASS_UID, _SOP_INSTANCE_UID) and explicit and head[at + 4 : at + 6] != b"UI":
            return None
        if tag == _SOP_CLASS_UID:
            sop_class_uid = value
        elif tag == _SOP_INSTANCE_UID:
            sop_instance_uid = value
        before, at = tag, end
    return None


def read_sop_classes(head: bytes) -> frozenset[str]:
    """The SOP classes that an object's first bytes name, in its File Meta group (0002,0002) and in its data set (0008,0016).

    They should be one (PS3.10 Table 7.1-1), and are not in some files that were changed. Empty: these bytes do not tell.
    """
    found = recognise(head)
    if found is None:
        return frozenset()
    explicit = found.transfer_syntax_uid != IMPLICIT_VR_LITTLE_ENDIAN
    leading = read_leading_uids(head, found.data_set_offset, explicit=explicit) or ("", "")
    return frozenset(uid for uid in (found.media_storage_sop_class_uid, leading[0]) if is_valid_uid(uid))


def _uid(value: bytes) -> str:
    return value.decode("latin-1").strip(" \0")


_EXECUTABLE_STARTS = (
    b"MZ",
    b"\x7fELF",
    b"#!",
    b"\xfe\xed\xfa\xce",
    b"\xfe\xed\xfa\xcf",
    b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe",
    b"\xca\xfe\xba\xbe",
)


def _is_executable(preamble: bytes) -> bool:
    """Whether a system would run the file: PE, ELF, Mach-O or a script (CVE-2019-11687)."""
    return preamble.startswith(_EXECUTABLE_STARTS)


# --- File Meta ------------------------------------------------------------------------------------------------------------------


def file_meta(
    sop_class_uid: str,
    sop_instance_uid: str,
    transfer_syntax_uid: str,
    *,
    implementation_class_uid: str,
    implementation_version_name: str = "",
    source_application_entity_title: str = "",
) -> bytes:
    """Preamble, prefix and File Meta group for a data set that came in a negotiated context (PS3.10 7.1).

    Args:
        implementation_version_name: 1 to 16 characters, or "" to leave it out.
        source_application_entity_title: the sender's AE title, at most 16 characters, or "" to leave it out.

    Returns:
        What stands before the data set: 128 zero bytes, `DICM`, and group 2 in explicit VR little endian.

    Raises:
        ValueError: a value is not ASCII or longer than its VR allows.
    """
    of_its_class = _text_element(0x0002, "UI", sop_class_uid)
    of_its_source = _source_elements(
        transfer_syntax_uid, implementation_class_uid, implementation_version_name, source_application_entity_title
    )
    group = _VERSION + of_its_class + _text_element(0x0003, "UI", sop_instance_uid) + of_its_source
    return _PREFIX + struct.pack("<HH2sHI", 2, 0, b"UL", 4, len(group)) + group


_PREFIX = bytes(_PREAMBLE_SIZE) + b"DICM"
_VERSION = struct.pack("<HH2sxxI2s", 2, 0x0001, b"OB", 2, b"\x00\x01")


@lru_cache(256)  # the same for all objects of an association
def _source_elements(transfer_syntax_uid: str, class_uid: str, version_name: str, application_entity_title: str) -> bytes:
    return (
        _text_element(0x0010, "UI", transfer_syntax_uid)
        + _text_element(0x0012, "UI", class_uid)
        + (_text_element(0x0013, "SH", version_name) if version_name else b"")
        + (_text_element(0x0016, "AE", application_entity_title) if application_entity_title else b"")
    )


_LONGEST = {"UI": 64, "SH": 16, "AE": 16}  # PS3.5 6.2


def _text_element(element: int, vr: str, text: str) -> bytes:
    value = text.encode("ascii")
    if len(value) > _LONGEST[vr]:
        raise ValueError(f"(0002,{element:04X}) has {len(value)} characters; {vr} allows {_LONGEST[vr]} (PS3.5 6.2).")
    if len(value) % 2:
        value += b"\0" if vr == "UI" else b" "
    return struct.pack("<HH2sH", 2, element, vr.encode(), len(value)) + value
