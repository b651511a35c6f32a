"""A zip archive is taken apart while it passes: no spool file, nothing whole in memory, every byte once.

    reader = ZipReader(ArchiveLimits(), sink)
    for chunk in body:
        reader.feed(memoryview(chunk))
    summary = reader.finish()

Local headers say what an entry is before its bytes come, the central directory says it again at the end. Zip programs read the one or the
other, and bombs and smuggled files live in the difference; so an archive counts only when both agree in every entry and every byte of it
belongs to a record. Until `finish` returns, all that the sink was given is provisional, and after any error it must be dropped.

One thing cannot be streamed: a *stored* entry with its length behind it. `NotStreamableError` comes at the first such entry; the door then
keeps the whole body in a file and calls `read_spooled`, which learns the lengths from the central directory and reads by the same rules.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

from hilum.doors import zip_format as fmt
from hilum.doors.zip_archive import Archive, ArchiveSink, MemberSink, Surroundings
from hilum.doors.zip_refusals import ArchiveLimits, ArchiveRefusedError, NotStreamableError, Tally, refuse

__all__ = [
    "ArchiveLimits",
    "ArchiveRefusedError",
    "ArchiveSink",
    "ArchiveSummary",
    "MemberSink",
    "NotStreamableError",
    "ZipReader",
    "read_spooled",
]

_SPOOL_BLOCK = 2**20


@dataclass(frozen=True, slots=True)
class ArchiveSummary:
    """What a whole and trusted archive held: files handed to the sink, and entries passed over by reason."""

    files: int
    skipped: Mapping[str, int]


class ZipReader:
    """Reads one archive from the chunks it is fed.

    Args:
        limits: what the archive may cost.
        sink: gets the files of the archive and of the archives in it.
    """

    def __init__(self, limits: ArchiveLimits, sink: ArchiveSink) -> None:
        self._tally = Tally(limits)
        self._archive = Archive(Surroundings(self._tally, sink, _stream_nested), "", 1, None)

    def feed(self, chunk: memoryview) -> None:
        """The next bytes (of any number); the chunk may be reused afterwards.

        Raises:
            ArchiveRefusedError: the archive is not to be trusted.
            NotStreamableError: it must be read from a file.
        """
        self._tally.received_bytes += len(chunk)
        self._archive.write(chunk)

    def finish(self) -> ArchiveSummary:
        """The body has ended.

        Raises:
            ArchiveRefusedError: the archive has not, or holds no files.
        """
        self._archive.end()
        return _summarise(self._tally)


def read_spooled(file: BinaryIO, limits: ArchiveLimits, sink: ArchiveSink, folder: Path | None = None) -> ArchiveSummary:
    """Reads an archive from a seekable file, also one that cannot be streamed; archives in it are spooled to nameless files in `folder`.

    Raises:
        ArchiveRefusedError: the archive is not to be trusted, or holds no files.
    """
    tally = Tally(limits)
    tally.received_bytes = file.seek(0, 2)
    with ExitStack() as spools:
        around = Surroundings(tally, sink, _SpoolNested(folder, spools))
        _read_file(file, around, "", 1)
    return _summarise(tally)


def _summarise(tally: Tally) -> ArchiveSummary:
    if tally.files == 0:
        raise refuse("empty")
    return ArchiveSummary(tally.files, dict(tally.skipped))


# Archives in archives


def _check_depth(around: Surroundings, label: str, depth: int) -> None:
    if depth > around.tally.limits.nesting:
        raise refuse("nesting", label, limit=around.tally.limits.nesting)


def _stream_nested(around: Surroundings, label: str, depth: int) -> MemberSink:
    _check_depth(around, label, depth)
    return Archive(around, label + "/", depth, None)


class _SpoolNested:
    """Opens nested archives as files, for they too may hold what cannot be streamed."""

    def __init__(self, folder: Path | None, spools: ExitStack) -> None:
        self._folder = folder
        self._spools = spools
        self._files: dict[int, BinaryIO] = {}  # one a depth: an archive is read before the next of its depth starts

    def __call__(self, around: Surroundings, label: str, depth: int) -> MemberSink:
        _check_depth(around, label, depth)
        if depth not in self._files:
            self._files[depth] = self._spools.enter_context(TemporaryFile(dir=self._folder))  # noqa: SIM115 (the stack closes it)
        file = self._files[depth]
        file.seek(0)
        file.truncate()
        return _SpooledArchive(file, around, label + "/", depth)


class _SpooledArchive:
    """A nested archive that is kept until it is whole, then read."""

    def __init__(self, file: BinaryIO, around: Surroundings, prefix: str, depth: int) -> None:
        self._file = file
        self._place = around, prefix, depth

    def write(self, view: memoryview) -> None:
        self._file.write(view)

    def end(self) -> None:
        _read_file(self._file, *self._place)


def _read_file(file: BinaryIO, around: Surroundings, prefix: str, depth: int) -> None:
    lengths = _find_stored_lengths(file, around.tally.limits.entries)
    archive = Archive(around, prefix, depth, lengths)
    file.seek(0)
    block = memoryview(bytearray(_SPOOL_BLOCK))
    while count := file.readinto(block):  # type: ignore[attr-defined]
        archive.write(block[:count])
    archive.end()


def _find_stored_lengths(file: BinaryIO, most: int) -> dict[int, int]:
    """Compressed sizes, by offset, of the stored entries with a data descriptor, from the central directory of a seekable file.

    A hint only: the reader that uses it compares every byte afterwards. Not more than `most` rows are read.

    Raises:
        ArchiveRefusedError: the zip64 or extra fields of a row cannot be read.
    """
    lengths: dict[int, int] = {}
    file.seek(_find_directory(file))
    for _ in range(most):
        fixed = file.read(4 + fmt.CENTRAL_HEADER.size)
        if len(fixed) < 4 + fmt.CENTRAL_HEADER.size or not fixed.startswith(fmt.CENTRAL):
            break
        name_length, extra_length, comment_length = fmt.CENTRAL_HEADER.unpack(fixed[4:])[9:12]
        row = fmt.parse_central_header(fixed[4:], file.read(name_length), file.read(extra_length))
        file.seek(comment_length, 1)
        if row.facts.method == fmt.STORED and row.facts.flags & fmt.HAS_DESCRIPTOR:
            lengths[row.offset] = row.facts.compressed
    return lengths


def _find_directory(file: BinaryIO) -> int:
    """The offset that the end record, or its zip64 record, gives; the end of the file when there is none."""
    size = file.seek(0, 2)
    longest = len(fmt.ZIP64_LOCATOR) + fmt.ZIP64_LOCATOR_RECORD.size + len(fmt.END) + fmt.END_RECORD.size + fmt.SATURATED_16
    file.seek(max(0, size - longest))
    tail = file.read(longest)
    at = tail.rfind(fmt.END, 0, max(0, len(tail) - fmt.END_RECORD.size))
    if at < 0:
        return size
    offset = int(fmt.END_RECORD.unpack_from(tail, at + len(fmt.END))[5])
    located = at - fmt.ZIP64_LOCATOR_RECORD.size
    if offset != fmt.SATURATED_32 or located < len(fmt.ZIP64_LOCATOR):
        return min(offset, size)
    file.seek(min(fmt.ZIP64_LOCATOR_RECORD.unpack_from(tail, located)[1] + len(fmt.ZIP64_END), size))
    record = file.read(fmt.ZIP64_END_RECORD.size)
    if len(record) < fmt.ZIP64_END_RECORD.size:
        return size
    return min(int(fmt.ZIP64_END_RECORD.unpack(record)[8]), size)
