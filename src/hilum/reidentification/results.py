"""Result files: the header of one is read, judged and written again; its pixels, of whatever size, are copied as they stand."""

from collections.abc import Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from hilum.dicom.elements import Limits, Source, find_end
from hilum.dicom.part10 import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    UnreadableError,
    recognise,
)
from hilum.dicom.scanner import Wanted, scan
from hilum.reidentification.checking import why_it_is_held
from hilum.reidentification.known import Known
from hilum.reidentification.restoring import mentioned, restore

if TYPE_CHECKING:
    from pydicom import Dataset

_MOST_HEADER = 256 << 20  # bytes of a header, with documents and waveforms in it, that is read whole
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Mentions:
    """What one result says of itself and of others: its SOP Instance UID, and all that may be a pseudonym."""

    sop_instance_uid: str
    pseudonyms: Set[str]


def is_dicom(head: bytes) -> bool:
    """Whether a file that begins so is a DICOM object: anything else (PDF, NIfTI, JSON, ...) has no header to restore."""
    return recognise(head) is not None


def read_mentions(path: Path) -> Mentions:
    """What a result mentions.

    Raises:
        UnreadableError: it cannot be read to its end.
    """
    result = _read(path)
    with _legible("Its structure is outside PS3.5."):
        return Mentions(str(result.header.get("SOPInstanceUID", "")), frozenset(mentioned(result.header)))


def bring_back(path: Path, out: Path, known: Known) -> str:
    """Write a result again with its identity restored.

    Returns:
        why it is held, as a sentence; empty: it was written to `out`.

    Raises:
        UnreadableError: it cannot be read to its end, or not be written again.
    """
    result = _read(path)
    with _legible("It cannot be written again as PS3.10 wants it."):
        why = why_it_is_held(result.header, known)
        if not why:
            restore(result.header, known)
            _write(result, path, out)
    return why


@contextmanager
def _legible(otherwise: str) -> Iterator[None]:
    """Turns what pydicom raises while it decodes or encodes an element into a sentence without values."""
    try:
        yield
    except UnreadableError:
        raise
    # pydicom raises whatever an odd object provokes: ValueError, TypeError, OverflowError, struct.error, RecursionError, ...
    except Exception as error:
        raise UnreadableError(otherwise) from error


@dataclass(frozen=True, slots=True)
class _Result:
    """A header, and where in the file Pixel Data begins and ends; nothing that stands behind it is kept: a signature would be wrong."""

    header: "Dataset"
    pixels: tuple[int, int] | None


def _read(path: Path) -> _Result:
    with path.open("rb") as file:
        source = Source(lambda offset, size: _read_at(file, offset, size), path.stat().st_size)
        scanned = scan(source, Wanted("SOPInstanceUID"))
        if scanned.trouble:
            raise UnreadableError(scanned.trouble)
        syntax = scanned.recognition.transfer_syntax_uid
        pixels = None
        if scanned.pixel_data is not None and syntax != DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN:
            end, trouble = find_end(source, scanned.pixel_data, Limits(), big_endian=syntax == EXPLICIT_VR_BIG_ENDIAN)
            if trouble:
                raise UnreadableError(trouble)
            pixels = scanned.pixel_data.offset - (8 if syntax == IMPLICIT_VR_LITTLE_ENDIAN else 12), end  # PS3.5 7.1: with its header
    if (pixels[0] if pixels else path.stat().st_size) > _MOST_HEADER:
        raise UnreadableError("Its header is too long to be read whole.")
    return _Result(_parse(path, stop_before_pixels=pixels is not None), pixels)


def _read_at(file: BinaryIO, offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)


def _parse(path: Path, *, stop_before_pixels: bool) -> "Dataset":
    import pydicom

    with _legible("Its structure is outside PS3.5."):
        return pydicom.dcmread(path, force=True, stop_before_pixels=stop_before_pixels)


def _write(result: _Result, path: Path, out: Path) -> None:
    import pydicom

    pydicom.dcmwrite(out, result.header, enforce_file_format=True)
    if result.pixels is None:
        return
    start, end = result.pixels
    with path.open("rb") as read, out.open("ab") as written:
        read.seek(start)
        left = end - start
        while left:
            chunk = read.read(min(_CHUNK, left))
            written.write(chunk)
            left -= len(chunk)
