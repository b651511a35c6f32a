"""Hostile and chopped byte streams: the same events however they are cut, and never more than a PeerProtocolError."""

import importlib.util
import random
import tracemalloc
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hilum.dicom.upperlayer import AssociateRequest, AssociateRequested, Association, Limits, PeerProtocolError, Role, negotiate
from hilum.dicom.upperlayer.commandsets import encode_command_set
from hilum.dicom.upperlayer.fragments import cut_command, cut_data_set
from hilum.dicom.upperlayer.messages import CEchoRequest, CStoreRequest
from hilum.dicom.upperlayer.pdus import Abort, PDataTF, PresentationDataValue, ReleaseRequest

FUZZ_TARGET = Path(__file__).parents[2] / "fuzz" / "fuzz_upperlayer.py"
CT = "1.2.840.10008.5.1.4.1.1.2"
DATA_SET = random.Random(7).randbytes(3000)
STORE = CStoreRequest(message_id=1, affected_sop_class_uid=CT, affected_sop_instance_uid="1.2.3")


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


fuzz = load(FUZZ_TARGET)


def p_data(context_id: int) -> bytes:
    """An echo, and a store whose command and data set come in fragments of many sizes, several in one PDU."""
    echo = cut_command(1, encode_command_set(CEchoRequest(message_id=9), has_data_set=False), 64)
    command = cut_command(context_id, encode_command_set(STORE, has_data_set=True), 30)
    data_set = b"".join(bytes(part) for pdu in cut_data_set(context_id, DATA_SET[:2000], 700) for part in pdu)
    last = PDataTF((PresentationDataValue(context_id, b"", False, False), PresentationDataValue(context_id, DATA_SET[2000:], False, True)))
    return echo + command + without_last(data_set) + last.encode()


def without_last(octets: bytes) -> bytes:
    """PDUs of one value each, none of which says that it is the last."""
    made, offset = bytearray(octets), 0
    while offset < len(made):
        made[offset + 11] &= 0xFD
        offset += 6 + int.from_bytes(made[offset + 2 : offset + 6], "big")
    return bytes(made)


def answer_when_asked(side: Any, policy: Any) -> None:
    for event in side.events:
        if isinstance(event, AssociateRequested) and side.association.state == "Sta3":
            side.association.accept(negotiate(event.request, policy))


@settings(max_examples=150, deadline=None)
@given(lengths=st.lists(st.integers(1, 700), min_size=1, max_size=20), buffer_length=st.integers(16, 5000))
def test_any_chunking_gives_the_same_events(
    lengths: list[int],
    buffer_length: int,
    make_side: Callable[..., Any],
    make_request: Callable[..., AssociateRequest],
    make_policy: Callable[..., Any],
) -> None:
    policy, request = make_policy(), make_request()
    whole = make_side(Association(Role.ACCEPTOR))
    cut = make_side(Association(Role.ACCEPTOR, Limits(receive_buffer_length=buffer_length)))
    sizes = cycle(lengths)
    for side in (whole, cut):
        side.association.connection_opened()
    # PS3.8 7.1: nothing may be sent before the association is accepted, so the stream has two parts
    for octets in (request.encode(), p_data(3) * 2 + ReleaseRequest().encode()):
        whole.receive(octets)
        rest = octets
        while rest:
            size = next(sizes)
            cut.receive(rest[:size])
            rest = rest[size:]
        for side in (whole, cut):
            answer_when_asked(side, policy)
    assert whole.events == cut.events
    assert len(whole.events) == 6
    assert whole.data_sets == cut.data_sets == [DATA_SET, DATA_SET]


CORPUS = [
    *(bytes((start, cut)) + octets for start in range(4) for cut in (0, 1, 13) for octets in (
        fuzz.REQUEST.encode(),
        p_data(1),
        p_data(3),
        ReleaseRequest().encode() * 2,
        Abort(2, 3).encode(),
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\x04\0\xff\xff\xff\xff" + bytes(100),
        b"\x01\0\0\0\x40\0" + bytes(0x4000),
        b"\x04\0\0\0\0\x06\0\0\0\x02\x01\0" * 500,
        b"\x07\0\0\0\0\x04\0\0\0\0" * 100,
        b"",
    )),
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(CORPUS)))
def test_the_fuzz_target_finds_nothing_in_the_corpus(number: int) -> None:
    fuzz.one_input(CORPUS[number])


@settings(max_examples=400, deadline=None)
@given(st.binary(max_size=2000))
def test_random_bytes_are_at_most_the_peers_fault(octets: bytes) -> None:
    fuzz.one_input(octets)


@settings(max_examples=600, deadline=None)
@given(
    st.sampled_from(CORPUS),
    st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 7)), max_size=8),
    st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 60), st.binary(max_size=60)), max_size=3),
)
def test_flipped_bits_and_spliced_bytes_are_at_most_the_peers_fault(
    octets: bytes, flips: list[tuple[int, int]], splices: list[tuple[int, int, bytes]]
) -> None:
    made = bytearray(octets)
    for place, bit in flips:
        if len(made) > 2:
            made[2 + place % (len(made) - 2)] ^= 1 << bit
    for place, length, replacement in splices:
        start = 2 + place % max(1, len(made) - 2)
        made[start : start + length] = replacement
    fuzz.one_input(bytes(made))


FIXED_FIELDS = b"\0\1\0\0" + b"A" * 32 + bytes(32)
EMPTY_ITEM = b"\x7f\0\0\0"


@pytest.mark.parametrize(
    "items", [EMPTY_ITEM * 65_000, b"\x10\0\0\x031.2" + b"\x50\0\xff\xfc" + EMPTY_ITEM * 0x3FFF], ids=["items", "user items"]
)
def test_a_flood_of_small_items_costs_no_more_than_its_buffer(items: bytes, make_side: Callable[..., Any]) -> None:
    flood = b"\x01\0" + (len(FIXED_FIELDS) + len(items)).to_bytes(4, "big") + FIXED_FIELDS + items
    side = make_side(Association(Role.ACCEPTOR))
    side.association.connection_opened()
    tracemalloc.start()
    try:
        with pytest.raises(PeerProtocolError):
            side.receive(flood)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * Limits().associate_length


def test_two_hundred_silent_connections_cost_little() -> None:
    tracemalloc.start()
    try:
        associations = [Association(Role.ACCEPTOR) for _ in range(200)]
        for association in associations:
            association.connection_opened()
            association.get_buffer()
        current, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert current < 200 * 8192
