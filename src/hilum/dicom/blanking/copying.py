"""Compressed Pixel Data copied, without what its frames say beside their image (PS3.5 A.4)."""

from collections.abc import Iterator
from struct import unpack

from hilum.dicom.blanking.codestreams import JPEG_2000_START, JPEG_START, hidden_spans
from hilum.dicom.elements import PixelDataElement, Source
from hilum.dicom.encoding import ITEM
from hilum.dicom.pixels.troubles import MAX_BYTES, PixelError

CODESTREAMS = tuple(f"1.2.840.10008.1.2.4.{number}" for number in (*range(50, 71), 80, 81, 90, 91, 92, 93, 201, 202, 203))
"""PS3.5 A.4.1 to A.4.4: the transfer syntaxes whose frames are JPEG, JPEG-LS or JPEG 2000."""

_CHUNK = 1 << 20

Fragment = tuple[int, int]
"""Where its bytes begin in the object, and how many they are."""


class Emptying:
    """Copies the value of Pixel Data; comments and the like become zeros where they stand, all other bytes stay.

    Attributes:
        segments: how many were emptied.
    """

    def __init__(self, frames: int) -> None:
        self._frames = frames
        self.segments = 0

    def __call__(self, source: Source, pixel_data: PixelDataElement) -> Iterator[bytes]:
        """The value in order, its end included.

        Raises:
            PixelError: its frames cannot be told apart, or are no codestreams.
        """
        (_, *fragments), end = _fragments(source, pixel_data.offset)  # PS3.5 A.4: the first is the Basic Offset Table
        at = pixel_data.offset
        for frame in self._grouped(source, fragments):
            for start, size in self._hidden(source, frame):
                yield from _copied(source, at, start)
                yield bytes(size)
                at = start + size
        yield from _copied(source, at, end)

    def _grouped(self, source: Source, fragments: list[Fragment]) -> list[list[Fragment]]:
        """The fragments of each frame. A frame begins with the first marker of a codestream."""
        if self._frames == 1:
            return [fragments]
        grouped: list[list[Fragment]] = []
        for at, size in fragments:
            if source.read_at(at, 2) in (JPEG_START, JPEG_2000_START):
                grouped.append([])
            if not grouped:
                raise PixelError("The first compressed frame does not begin as its transfer syntax says.")
            grouped[-1].append((at, size))
        if len(grouped) != self._frames:
            raise PixelError(f"The instance says to have {self._frames} frames, and has {len(grouped)}.")
        return grouped

    def _hidden(self, source: Source, frame: list[Fragment]) -> Iterator[Fragment]:
        if sum(size for _, size in frame) > MAX_BYTES:
            raise PixelError(f"A compressed frame is larger than the {MAX_BYTES} bytes that are allowed.")
        for start, end in hidden_spans(b"".join(source.read_at(at, size) for at, size in frame)):
            self.segments += 1
            before = 0
            for at, size in frame:  # a segment may go on in the next fragment
                first, last = max(start, before), min(end, before + size)
                if first < last:
                    yield at + first - before, last - first
                before += size


def _fragments(source: Source, at: int) -> tuple[list[Fragment], int]:
    """All items, and where the sequence ends; its structure was judged before."""
    found: list[Fragment] = []
    while True:
        group, element, length = unpack("<HHL", source.read_at(at, 8))
        at += 8
        if group << 16 | element != ITEM:
            return found, at
        found.append((at, length))
        at += length


def _copied(source: Source, at: int, end: int) -> Iterator[bytes]:
    while at < end:
        chunk = source.read_at(at, min(_CHUNK, end - at))
        if not chunk:
            raise PixelError("The pixel data end too early.")
        yield chunk
        at += len(chunk)
