"""What a compressed frame says beside its image: comments, application segments, bytes behind its end.

    >>> hidden_spans(b"\\xff\\xd8\\xff\\xfe\\x00\\x06Jane\\xff\\xd9")
    [(6, 10)]

JPEG (ISO/IEC 10918-1 B.1), JPEG-LS (ISO/IEC 14495-1 C.1) and JPEG 2000 (ISO/IEC 15444-1 A.1). What no decoder needs can be overwritten
where it stands: no length and no offset changes. Segments that only name the encoder stay, and so does what tells the colours.
"""

import re
from collections.abc import Iterator

from hilum.dicom.pixels.troubles import PixelError

JPEG_START, JPEG_2000_START = b"\xff\xd8", b"\xff\x4f"

Span = tuple[int, int]
"""Where hidden bytes begin and end within a frame."""

_EOI, _SOS, _SOF55 = 0xD9, 0xDA, 0xF7
# ISO/IEC 10918-1 table B.1: TEM and RSTm stand alone.
_STANDALONE = frozenset({0x01, *range(0xD0, 0xD8)})
# SOFn with DHT, JPG and DAC; SOS to EXP; ISO/IEC 14495-1 C.1.1: SOF55 and LSE.
_DECODING = frozenset({*range(0xC0, 0xD0), *range(0xDA, 0xE0), _SOF55, 0xF8})
# Application segments that tell how colours are stored, and how many of their bytes do: JFIF up to its thumbnail, Adobe's up to its
# transform, HP's colour transform and the SPIFF header of JPEG-LS with the end of its directory.
_COLOURS = ((0xE0, b"JFIF\0", 14), (0xEE, b"Adobe", 12), (0xE8, b"mrfx", 5), (0xE8, b"SPIFF\0", 30), (0xE8, b"\0\0\0\1", 6))
# ISO/IEC 10918-1 B.1.1.5: 0xFF of the entropy-coded data is followed by 0; ISO/IEC 14495-1 A.1: by a byte below 0x80.
_JPEG_MARKER, _JPEG_LS_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]"), re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")

_SOT, _SOD, _EOC, _COM = 0x90, 0x93, 0xD9, 0x64
# Names of encoders, as they write them; nothing else fits.
_ENCODER = re.compile(
    rb"(Kakadu-v?|Created by (GDCM/)?OpenJPEG version |Creator: JasPer Version |LEAD Technologies Inc\. V)[0-9.]{1,9}[\0\n]?"
)


def hidden_spans(codes: bytes) -> list[Span]:
    """The bytes of a frame that no decoder needs and that are not zero, in order.

    Args:
        codes: one whole frame, from its first marker on.

    Raises:
        PixelError: it is no such codestream, or one whose segments cannot be followed: nobody can say what it holds.
    """
    if codes.startswith(JPEG_2000_START):
        spans = _of_jpeg_2000(codes)
    elif codes.startswith(JPEG_START):
        spans = _of_jpeg(codes)
    else:
        raise PixelError("A compressed frame does not begin as its transfer syntax says: nobody can tell what else it holds.")
    return [(start, end) for start, end in spans if codes[start:end].strip(b"\0")]


def _of_jpeg(codes: bytes) -> Iterator[Span]:
    at, entropy = 2, _JPEG_MARKER
    while at < len(codes):
        marker, at = _marker(codes, at)
        if marker == _EOI:
            yield at, len(codes)
            return
        if marker in _STANDALONE:
            continue
        end = _end_of_segment(codes, at)
        yield _kept(codes, marker, at + 2, end), end
        at = end
        entropy = _JPEG_LS_MARKER if marker == _SOF55 else entropy
        if marker == _SOS:
            found = entropy.search(codes, at)
            at = found.start() if found else len(codes)


def _marker(codes: bytes, at: int) -> tuple[int, int]:
    """A marker's code, and where it ends."""
    if codes[at] != 0xFF:
        raise PixelError("A compressed frame has bytes between its segments: nobody can tell what they are.")
    while at < len(codes) and codes[at] == 0xFF:  # ISO/IEC 10918-1 B.1.1.2: fill bytes
        at += 1
    if at == len(codes):
        raise PixelError("A compressed frame ends inside a marker.")
    return codes[at], at + 1


def _end_of_segment(codes: bytes, at: int) -> int:
    length = int.from_bytes(codes[at : at + 2], "big")
    if length < 2 or at + length > len(codes):
        raise PixelError("A compressed frame ends inside a segment.")
    return at + length


def _kept(codes: bytes, marker: int, start: int, end: int) -> int:
    """Up to where a segment's content is needed."""
    if marker in _DECODING or _ENCODER.fullmatch(codes, start, end):
        return end
    known = (size for code, name, size in _COLOURS if code == marker and codes.startswith(name, start))
    return min(start + next(known, 0), end)


def _of_jpeg_2000(codes: bytes) -> Iterator[Span]:
    at, tile_part = 2, 0
    while at < len(codes):
        marker, start = _marker(codes, at)
        if marker == _EOC:
            yield start, len(codes)
            return
        if marker == _SOD:
            at = _end_of_tile_part(codes, tile_part)
            continue
        end = _end_of_segment(codes, start)
        if marker == _COM and not _ENCODER.fullmatch(codes, start + 4, end):  # ISO/IEC 15444-1 A.9.2: Lcom, Rcom, Ccom
            yield start + 4, end
        tile_part = at if marker == _SOT else tile_part
        at = end


def _end_of_tile_part(codes: bytes, start: int) -> int:
    """ISO/IEC 15444-1 A.4.2: Psot counts from the SOT marker; 0 means up to the end of the codestream."""
    length = int.from_bytes(codes[start + 6 : start + 10], "big")
    if start == 0 or 0 < length < 14:
        raise PixelError("A compressed frame has a tile without a length: nobody can tell what it holds.")
    if length:
        return start + length
    at = codes.rfind(b"\xff\xd9")
    return at if at > start else len(codes)
