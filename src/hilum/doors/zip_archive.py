"""The parser of one zip archive: bytes in as they come, its files out to a sink. No file, no socket; `zips.py` is its face.

Inflated by Intel's ISA-L, more than twice as fast as zlib. Where the two differ in what damage they notice, CRC and size tell.
"""

from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from isal import isal_zlib

from hilum.doors import zip_format as fmt
from hilum.doors.zip_refusals import ArchiveRefusedError, NotStreamableError, Tally, quote, refuse

T = TypeVar("T")
Parsing = Generator[None, memoryview, T]  # waits for a chunk at each yield

_DEFLATED_PIECE = 256 * 2**10
_PIECE_WITHOUT_LENGTH = 32 * 2**10  # what lies behind the end is copied: a small piece keeps that cheap when entries are small
_INFLATED_BLOCK = 512 * 2**10


class MemberSink(Protocol):
    """Takes the bytes of one file."""

    def write(self, view: memoryview) -> None:
        """The next bytes; the view is valid during the call only."""

    def end(self) -> None:
        """The file is complete and has the CRC and size that its entry states."""


class ArchiveSink(Protocol):
    """Takes the files of an archive, one after the other."""

    def begin(self, name: str, size: int | None) -> MemberSink:
        """A file starts. `name` is a label, never a path: `outer.zip/folder/image.dcm`; `size` is None where only its end will tell."""


class Tape:
    """The bytes of all chunks as one, and how many of them have passed. Holds no chunk over a yield."""

    def __init__(self) -> None:
        self.offset = 0
        self._chunk = memoryview(b"")
        self._at = 0

    def some(self, most: int) -> Parsing[memoryview]:
        """The next bytes, at least one and at most `most`."""
        while self._at == len(self._chunk):
            self._chunk, self._at = memoryview(b""), 0
            self._chunk = yield
        view = self._chunk[self._at : self._at + most]
        self._move(len(view))
        return view

    def give_back(self, count: int) -> None:
        """The last `count` bytes of `some` were not needed; only before the next read."""
        self._move(-count)

    def take(self, count: int) -> Parsing[bytes]:
        """The next `count` bytes, copied."""
        if count <= len(self._chunk) - self._at:
            self._move(count)
            return bytes(self._chunk[self._at - count : self._at])
        taken = bytearray()
        while len(taken) < count:
            taken += yield from self.some(count - len(taken))
        return bytes(taken)

    def _move(self, count: int) -> None:
        self._at += count
        self.offset += count


class Nowhere:
    """Takes the bytes of entries that are passed over."""

    def write(self, view: memoryview) -> None:
        """Nothing is kept."""

    def end(self) -> None:
        """Nothing was kept."""


class Member:
    """One entry as it is unpacked: counted, summed, and handed on."""

    def __init__(self, label: str, declared: int | None, tally: Tally, receiver: MemberSink) -> None:
        self.label = label
        self.size = 0
        self.crc = 0
        self._declared = declared
        self._tally = tally
        self._receiver = receiver

    def write(self, view: memoryview) -> None:
        self.size += len(view)
        if self._declared is not None and self.size > self._declared:
            raise refuse("forged-size", self.label, declared=self._declared)
        self._tally.unpack(self.label, len(view))
        self.crc = isal_zlib.crc32(view, self.crc)
        self._receiver.write(view)

    def end(self) -> None:
        self._receiver.end()


class Opening:
    """Decides by an entry's first bytes, not by its name, whether it is a file or an archive."""

    def __init__(self, open_as: Callable[[bool], MemberSink]) -> None:
        self._open_as = open_as
        self._first = b""
        self._receiver: MemberSink | None = None

    def write(self, view: memoryview) -> None:
        if self._receiver is not None:
            return self._receiver.write(view)
        missing = len(fmt.LOCAL) - len(self._first)
        self._first += bytes(view[:missing])
        if len(self._first) == len(fmt.LOCAL):
            self._decide().write(view[missing:])
        return None

    def end(self) -> None:
        (self._receiver or self._decide()).end()

    def _decide(self) -> MemberSink:
        self._receiver = self._open_as(self._first == fmt.LOCAL)
        self._receiver.write(memoryview(self._first))
        return self._receiver


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an archive shares with the archives in it."""

    tally: Tally
    sink: ArchiveSink
    open_nested: "Callable[[Surroundings, str, int], MemberSink]"


class Archive:
    """The parser of one archive, outermost or nested: itself a receiver of bytes."""

    def __init__(self, around: Surroundings, prefix: str, depth: int, lengths: Mapping[int, int] | None) -> None:
        self._around = around
        self._tally = around.tally
        self._prefix = prefix
        self._label = prefix.removesuffix("/")
        self._depth = depth
        self._lengths = lengths  # of stored entries with a descriptor, by offset; None while streaming
        self._tape = Tape()
        self._seen: dict[int, fmt.Facts] = {}
        self._is_whole = False
        self._failure: Exception | None = None
        self._parsing = self._parse()
        next(self._parsing)

    def write(self, view: memoryview) -> None:
        if self._failure is not None:
            raise self._failure
        try:
            self._parsing.send(view)
        except Exception as failure:  # also the sink's: whatever it was, no later chunk may pass as if nothing had been
            self._failure = failure
            raise

    def end(self) -> None:
        if self._failure is not None:
            raise self._failure
        if not self._is_whole:
            raise refuse("truncated", self._label)

    def _parse(self) -> Parsing[None]:
        signature = yield from self._tape.take(4)
        if signature != fmt.LOCAL:
            raise _judge_start(signature)
        while signature == fmt.LOCAL:
            yield from self._parse_entry(self._tape.offset - 4)
            signature = yield from self._tape.take(4)
        yield from self._parse_directory(signature)
        self._is_whole = True
        yield from self._tape.some(1)
        raise refuse("trailing-bytes", self._label, offset=self._tape.offset - 1)

    # The entries

    def _parse_entry(self, offset: int) -> Parsing[None]:
        header = yield from self._parse_local_header()
        inner = fmt.judge_name(fmt.decode_name(header.name, header.flags))
        label = self._prefix + inner
        fmt.judge_flags(header, label)
        self._tally.count_entry(label, fmt.fold_name(label))
        member = self._open(inner, label, header)
        compressed = yield from self._unpack(member, header, offset)
        self._tally.weigh(label, member.size, compressed)
        if header.has_descriptor:
            yield from self._check_descriptor(member, header, compressed)
        elif member.crc != header.crc:
            raise refuse("wrong-crc", label)
        member.end()
        self._seen[offset] = fmt.make_facts(
            header.name, header.flags, header.method, crc=member.crc, compressed=compressed, size=member.size
        )

    def _parse_local_header(self) -> Parsing[fmt.LocalHeader]:
        fixed = yield from self._tape.take(fmt.LOCAL_HEADER.size)
        name_length, extra_length = fmt.LOCAL_HEADER.unpack(fixed)[-2:]
        rest = yield from self._tape.take(name_length + extra_length)
        name, limit = rest[:name_length], self._tally.limits.name_bytes
        if name_length > limit:
            raise refuse("name-length", self._prefix + fmt.decode_name(name, 0), limit=limit)
        return fmt.parse_local_header(fixed, name, rest[name_length:])

    def _open(self, inner: str, label: str, header: fmt.LocalHeader) -> Member:
        size = None if header.has_descriptor else header.size
        if size is not None:
            self._tally.announce(label, size)
            self._tally.weigh(label, size, header.compressed)
        skip_reason = fmt.find_skip_reason(inner)
        if skip_reason is not None:
            self._tally.skipped[skip_reason] += 1
            return Member(label, size, self._tally, Nowhere())
        return Member(label, size, self._tally, Opening(lambda is_archive: self._open_as(is_archive, label, size)))

    def _open_as(self, is_archive: bool, label: str, size: int | None) -> MemberSink:
        if is_archive:
            return self._around.open_nested(self._around, label, self._depth + 1)
        self._tally.files += 1
        return self._around.sink.begin(label, size)

    def _unpack(self, member: Member, header: fmt.LocalHeader, offset: int) -> Parsing[int]:
        """Returns the number of compressed bytes."""
        if header.method == fmt.DEFLATED:
            length = None if header.has_descriptor else header.compressed
            compressed = yield from self._inflate(member, length)
        else:
            compressed = self._stored_length(member, header, offset)
            yield from self._copy(member, compressed)
        if not header.has_descriptor and member.size != header.size:
            raise refuse("forged-size", member.label, declared=header.size)
        if member.size and member.label.endswith("/"):
            raise refuse("directory-with-bytes", member.label)
        return compressed

    def _stored_length(self, member: Member, header: fmt.LocalHeader, offset: int) -> int:
        if not header.has_descriptor:
            if header.compressed != header.size:
                raise refuse("forged-size", member.label, declared=header.size)
            return header.size
        if member.label.endswith("/"):
            return 0
        if self._lengths is None:
            raise NotStreamableError(
                f"{quote(member.label)} is stored with its length behind it.", "The archive must be read from a file, not from a stream."
            )
        if offset not in self._lengths:
            raise refuse("unlisted", self._label, offset=offset)
        return self._lengths[offset]

    def _copy(self, member: Member, length: int) -> Parsing[None]:
        while length:
            view = yield from self._tape.some(length)
            length -= len(view)
            member.write(view)
            del view  # the caller may resize its buffer before the next chunk

    def _inflate(self, member: Member, length: int | None) -> Parsing[int]:
        """Returns the number of compressed bytes, up to the end of the deflate stream; that must be `length` where it is known."""
        inflater = isal_zlib.decompressobj(-isal_zlib.MAX_WBITS)
        compressed = 0
        while not inflater.eof and compressed != length:
            most = _PIECE_WITHOUT_LENGTH if length is None else min(_DEFLATED_PIECE, length - compressed)
            piece = yield from self._tape.some(most)
            compressed += len(piece)
            for block in _inflate_piece(inflater, piece, member.label):
                member.write(memoryview(block))
                self._tally.weigh(member.label, member.size, length or compressed)
            unused = len(inflater.unused_data)
            self._tape.give_back(unused)
            compressed -= unused
            del piece
        if not inflater.eof or compressed != (length or compressed):
            raise refuse("damaged-deflate", member.label)
        return compressed

    def _check_descriptor(self, member: Member, header: fmt.LocalHeader, compressed: int) -> Parsing[None]:
        expected = fmt.pack_descriptor(member.crc, compressed, member.size, header.is_zip64)
        found = yield from self._tape.take(len(expected))
        # 4.3.9.3: the signature is optional, and a CRC may happen to look like it: the bytes without it are tried first.
        if found != expected:
            found += yield from self._tape.take(len(fmt.DESCRIPTOR))
            if found != fmt.DESCRIPTOR + expected:
                raise refuse("wrong-descriptor", member.label)

    # The central directory

    def _parse_directory(self, signature: bytes) -> Parsing[None]:
        start, rows = self._tape.offset - 4, 0
        while signature == fmt.CENTRAL:
            self._check_row((yield from self._parse_row()))
            rows += 1
            signature = yield from self._tape.take(4)
        if signature not in fmt.ENDINGS:
            raise refuse("stray-bytes", self._label, offset=self._tape.offset - 4)
        if self._seen:
            raise refuse("unlisted", self._label, offset=min(self._seen))
        yield from self._parse_end(signature, (rows, rows, self._tape.offset - 4 - start, start))

    def _parse_row(self) -> Parsing[fmt.CentralHeader]:
        fixed = yield from self._tape.take(fmt.CENTRAL_HEADER.size)
        name_length, extra_length, comment_length = fmt.CENTRAL_HEADER.unpack(fixed)[9:12]
        rest = yield from self._tape.take(name_length + extra_length + comment_length)
        return fmt.parse_central_header(fixed, rest[:name_length], rest[name_length : name_length + extra_length])

    def _check_row(self, row: fmt.CentralHeader) -> None:
        label = self._prefix + row.label
        if row.disk != 0:
            raise refuse("multi-disk", self._label)
        facts = self._seen.pop(row.offset, None)
        if facts is None:
            raise refuse("overlap", label, offset=row.offset)
        for word, seen, listed in zip(fmt.FACT_WORDS, facts, row.facts, strict=True):
            if seen != listed:
                raise refuse("differs", label, field=word)
        fmt.judge_mode(row.unix_mode, label)

    def _parse_end(self, signature: bytes, actual: tuple[int, int, int, int]) -> Parsing[None]:
        """`actual`: rows on this disk, rows, size and offset of the central directory."""
        has_zip64 = signature == fmt.ZIP64_END
        if has_zip64:
            yield from self._parse_zip64_end(actual)
            signature = yield from self._tape.take(4)
        if signature != fmt.END:
            raise refuse("stray-bytes", self._label, offset=self._tape.offset - 4)
        record = fmt.END_RECORD.unpack((yield from self._tape.take(fmt.END_RECORD.size)))
        saturated = fmt.END_SATURATED if has_zip64 else None
        fmt.check_end(self._label, record[:2], record[2:6], actual, saturated)
        yield from self._tape.take(record[6])

    def _parse_zip64_end(self, actual: tuple[int, int, int, int]) -> Parsing[None]:
        offset = self._tape.offset - 4
        record = fmt.ZIP64_END_RECORD.unpack((yield from self._tape.take(fmt.ZIP64_END_RECORD.size)))
        if record[0] != fmt.ZIP64_END_RECORD.size - 8:  # 4.3.14.1: without the signature and this field itself
            raise refuse("wrong-end", self._label, field="zip64 record")
        fmt.check_end(self._label, record[3:5], record[5:9], actual)
        signature = yield from self._tape.take(4)
        _disk, located, disks = fmt.ZIP64_LOCATOR_RECORD.unpack((yield from self._tape.take(fmt.ZIP64_LOCATOR_RECORD.size)))
        if disks > 1:
            raise refuse("multi-disk", self._label)
        if signature != fmt.ZIP64_LOCATOR or located != offset:
            raise refuse("wrong-end", self._label, field="zip64 locator")


def _judge_start(signature: bytes) -> ArchiveRefusedError:
    # 8.5.3, 8.5.4: a split archive starts with the descriptor's signature, one that turned out not to need splitting with PK00.
    return refuse({fmt.END: "empty", fmt.DESCRIPTOR: "multi-disk", b"PK00": "multi-disk"}.get(signature, "not-a-zip"))


def _inflate_piece(inflater: Any, piece: memoryview, label: str) -> Iterator[bytes]:
    """What a piece unpacks to, a bounded block at a time; output may be held back although all input was taken."""
    rest: memoryview | bytes = piece
    while True:
        try:
            block = inflater.decompress(rest, _INFLATED_BLOCK)
        except isal_zlib.error as error:  # type: ignore[misc]  # its stubs take the class for an instance
            raise refuse("damaged-deflate", label) from error
        if block:
            yield block
        rest = inflater.unconsumed_tail
        if inflater.eof or (not rest and len(block) < _INFLATED_BLOCK):
            return
