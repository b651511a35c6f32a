"""The receive buffer and the framing: what is handed on when, what is kept, and what is never allocated."""

import tracemalloc
from pickle import PickleBuffer

import pytest

from hilum.dicom.upperlayer import Limits, LocalProtocolError, PeerProtocolError
from hilum.dicom.upperlayer.pdus import PDataTF, PresentationDataValue, ReleaseRequest
from hilum.dicom.upperlayer.receiving import PDataStarted, PDUReader, Piece, ValueFragment, WholePDU


def give(reader: PDUReader, octets: bytes) -> None:
    room = reader.get_buffer()
    assert len(room) >= len(octets)
    room[: len(octets)] = octets
    reader.buffer_updated(len(octets))


def read(reader: PDUReader) -> list[Piece]:
    pieces = []
    while (piece := reader.next_piece()) is not None:
        pieces.append(piece)
    return pieces


def p_data(value: bytes) -> bytes:
    return PDataTF((PresentationDataValue(1, value, is_command=False, is_last=True),)).encode()


def test_a_fragment_is_handed_on_before_its_pdu_is_whole() -> None:
    reader = PDUReader(Limits())
    octets = p_data(bytes(range(100)))
    give(reader, octets[:50])
    started, first = read(reader)
    assert started == PDataStarted(106)
    assert isinstance(first, ValueFragment)
    assert (bytes(first.view), first.is_whole) == (bytes(range(38)), False)
    give(reader, octets[50:])
    (second,) = read(reader)
    assert isinstance(second, ValueFragment)
    assert (bytes(second.view), second.is_whole) == (bytes(range(38, 100)), True)


def test_a_fragment_lies_in_the_receive_buffer_itself() -> None:
    reader = PDUReader(Limits())
    room = reader.get_buffer()
    octets = p_data(b"0123456789")
    room[: len(octets)] = octets
    reader.buffer_updated(len(octets))
    _, fragment = read(reader)
    assert isinstance(fragment, ValueFragment)
    room[len(octets) - 1] = ord("X")
    assert bytes(fragment.view) == b"012345678X"


def test_a_view_kept_too_long_is_dead_and_never_shows_other_bytes() -> None:
    reader = PDUReader(Limits())
    give(reader, p_data(b"0123456789"))
    _, fragment = read(reader)
    assert isinstance(fragment, ValueFragment)
    reader.get_buffer()
    with pytest.raises(ValueError, match="released"):
        bytes(fragment.view)


def test_a_view_in_use_keeps_the_buffer_from_being_filled_again() -> None:
    reader = PDUReader(Limits())
    give(reader, p_data(b"0123456789"))
    _, fragment = read(reader)
    assert isinstance(fragment, ValueFragment)
    user = PickleBuffer(fragment.view)  # holds it as a write in another thread would
    with pytest.raises(LocalProtocolError):
        reader.get_buffer()
    user.release()
    assert len(reader.get_buffer()) > 0


def test_what_was_not_read_is_never_overwritten() -> None:
    reader = PDUReader(Limits(receive_buffer_length=64))
    give(reader, p_data(b"x" * 20))
    reader.next_piece()
    give(reader, b"y" * 38)
    with pytest.raises(LocalProtocolError):
        reader.get_buffer()


def test_other_pdus_wait_until_they_are_whole() -> None:
    reader = PDUReader(Limits())
    octets = ReleaseRequest().encode()
    for octet in octets[:-1]:
        give(reader, bytes((octet,)))
        assert read(reader) == []
    give(reader, octets[-1:])
    (whole,) = read(reader)
    assert isinstance(whole, WholePDU)
    assert (whole.pdu_type, bytes(whole.body)) == (5, bytes(4))


def test_several_values_in_one_pdu_and_empty_ones_are_told_apart() -> None:
    reader = PDUReader(Limits())
    values = (
        PresentationDataValue(1, b"ab", True, True),
        PresentationDataValue(3, b"", False, False),
        PresentationDataValue(5, b"c", False, True),
    )
    give(reader, PDataTF(values).encode())
    _, *fragments = read(reader)
    found = [
        (piece.context_id, piece.control, bytes(piece.view), piece.is_whole) for piece in fragments if isinstance(piece, ValueFragment)
    ]
    assert found == [(1, 3, b"ab", True), (3, 0, b"", True), (5, 2, b"c", True)]


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        ("47 45 54202f20", 1),  # "GET / ": no such type
        ("00 00 00000004", 1),
        ("08 00 00000004", 1),
        ("01 00 ffffffff", 6),
        ("04 00 ffffffff", 6),
        ("04 00 00000000", 6),
        ("04 00 00000005", 6),
        ("05 00 00000005", 6),
        ("07 00 00000000", 6),
        ("01 00 00000043", 6),
    ],
)
def test_a_header_is_enough_to_refuse_a_pdu(octets: str, reason: int) -> None:
    reader = PDUReader(Limits())
    give(reader, bytes.fromhex(octets))
    with pytest.raises(PeerProtocolError) as caught:
        reader.next_piece()
    assert caught.value.abort_reason == reason


@pytest.mark.parametrize("octets", ["04 00 00000008 00000007 01 00", "04 00 00000008 00000001 01 00", "04 00 00000008 ffffffff 01 00"])
def test_a_value_that_does_not_fit_its_pdu_is_refused(octets: str) -> None:
    reader = PDUReader(Limits())
    give(reader, bytes.fromhex(octets))
    reader.next_piece()
    with pytest.raises(PeerProtocolError):
        reader.next_piece()


def test_a_pdu_that_ends_inside_a_values_header_is_refused() -> None:
    reader = PDUReader(Limits())
    give(reader, bytes.fromhex("04 00 00000008 00000002 01 00 0000"))
    with pytest.raises(PeerProtocolError):
        read(reader)


def test_a_large_length_alone_allocates_nothing() -> None:
    limits = Limits(associate_length=1 << 30, pdu_length=1 << 30, receive_buffer_length=0x10000)
    tracemalloc.start()
    try:
        for header in ("01 00 3fffffff", "04 00 3fffffff"):
            reader = PDUReader(limits)
            give(reader, bytes.fromhex(header))
            read(reader)
            reader.get_buffer()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 0x20000


def test_a_request_longer_than_the_first_buffer_is_read_whole() -> None:
    reader = PDUReader(Limits())
    body = bytes(200_000)
    rest = memoryview(b"\x01\0" + len(body).to_bytes(4, "big") + body)
    pieces: list[Piece] = []
    while rest:
        room = reader.get_buffer()
        count = min(len(room), len(rest))
        room[:count] = rest[:count]
        reader.buffer_updated(count)
        rest = rest[count:]
        pieces += read(reader)
    (whole,) = pieces
    assert isinstance(whole, WholePDU)
    assert len(whole.body) == len(body)


def test_more_bytes_than_there_was_room_for_are_our_fault() -> None:
    reader = PDUReader(Limits())
    room = reader.get_buffer()
    with pytest.raises(LocalProtocolError):
        reader.buffer_updated(len(room) + 1)


def test_a_stopped_reader_takes_bytes_and_says_nothing() -> None:
    reader = PDUReader(Limits())
    give(reader, p_data(b"0123456789")[:15])
    reader.stop()
    give(reader, ReleaseRequest().encode())
    assert read(reader) == []


def test_where_a_buffer_is_spare_the_first_data_are_read_as_a_whole() -> None:
    spare = [memoryview(bytearray(Limits().receive_buffer_length))]
    first, second = PDUReader(Limits(), spare), PDUReader(Limits(), spare)
    for reader in (first, second):
        reader.expect_data()
    assert len(first.get_buffer()) == Limits().receive_buffer_length
    # Who sends nothing costs no memory that is not there already.
    assert len(second.get_buffer()) < Limits().receive_buffer_length
    first.close()
    assert len(spare) == 1


def test_what_came_before_the_larger_buffer_is_read_out_of_it() -> None:
    reader = PDUReader(Limits(), [memoryview(bytearray(Limits().receive_buffer_length))])
    give(reader, ReleaseRequest().encode() + p_data(b"0123456789"))
    released = reader.next_piece()
    assert isinstance(released, WholePDU)
    reader.expect_data()
    assert bytes(released.body) == bytes(4)
    _, fragment = read(reader)
    assert isinstance(fragment, ValueFragment)
    assert bytes(fragment.view) == b"0123456789"


def test_a_large_buffer_goes_to_whoever_receives_next_as_soon_as_all_is_read() -> None:
    spare: list[memoryview] = []
    readers = [PDUReader(Limits(), spare) for _ in range(2)]
    for reader in readers * 3:
        give(reader, p_data(b"0123456789"))
        assert len(read(reader)) == 2
        reader.rest()
    assert len(spare) == 1


def test_no_large_buffer_is_given_away_with_bytes_that_are_not_read() -> None:
    spare = [memoryview(bytearray(Limits().receive_buffer_length))]
    reader = PDUReader(Limits(), spare)
    reader.expect_data()
    octets = p_data(b"0123456789")
    give(reader, octets[:3])
    assert read(reader) == []
    reader.rest()
    assert spare == []
    give(reader, octets[3:])
    assert len(read(reader)) == 2
    reader.rest()
    assert len(spare) == 1
