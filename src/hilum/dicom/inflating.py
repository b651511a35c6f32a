"""Deflated data sets (PS3.5 A.5), inflated no further than a limit."""

import zlib
from dataclasses import dataclass

from hilum.dicom.elements import WINDOW_SIZE, Source


@dataclass(frozen=True, slots=True)
class Inflated:
    """The inflated start of a data set; `source.size` is None where there is more than the limit or more has to come."""

    source: Source
    trouble: str | None = None


def inflate(source: Source, offset: int, limit: int) -> Inflated:
    """Inflate what begins at `offset`, to at most `limit` bytes: a small object may announce gigabytes."""
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)  # PS3.5 A.5: RFC 1951, without the header of zlib
    content = bytearray()
    while not inflater.eof and len(content) < limit:
        deflated = inflater.unconsumed_tail
        if not deflated:
            deflated = source.read_at(offset, WINDOW_SIZE)
            offset += len(deflated)
        if not deflated:
            return _torn(content, source)
        try:
            content += inflater.decompress(deflated, limit - len(content))
        except zlib.error:
            return Inflated(Source.of_bytes(content), "The deflated data set is broken.")
    return Inflated(Source.of_bytes(content, is_whole=inflater.eof))


def _torn(content: bytearray, source: Source) -> Inflated:
    if source.size is None:
        return Inflated(Source.of_bytes(content, is_whole=False))
    return Inflated(Source.of_bytes(content), "The file ends inside the deflated data set.")
