"""Bytes in, PDUs and fragments out: the receiving half of the upper layer, without a copy of what a data set holds.

A driver of asyncio's BufferedProtocol calls `get_buffer` and `buffer_updated`; `next_piece` is called until it says None.

    |consumed|  not yet read  |      free      |
             start            end

P-DATA-TF PDUs are handed on while they arrive, value by value and read by read; every other PDU waits in the buffer until it is
whole. The buffer is small until the first P-DATA-TF PDU, so that those who never send one cost little.
"""

from typing import NamedTuple, TypeAlias

from hilum.dicom.upperlayer.errors import AbortReason, LocalProtocolError, PeerProtocolError
from hilum.dicom.upperlayer.limits import Limits
from hilum.dicom.upperlayer.pdus import P_DATA_TF, PDU_HEADER, PDV_HEADER, PDV_OVERHEAD, lengths_of

_FIRST_BUFFER_LENGTH = 0x1000
_SPARE_BUFFERS = 32
_NOTHING = memoryview(b"")


class WholePDU(NamedTuple):
    """Any PDU but P-DATA-TF; `body` is what follows the header and lies in the buffer."""

    pdu_type: int
    body: memoryview


class PDataStarted(NamedTuple):
    """The header of a P-DATA-TF PDU; its values follow."""

    length: int


class ValueFragment(NamedTuple):
    """What has arrived of a presentation data value (PS3.8 9.3.5.1); `is_whole` with its last byte."""

    context_id: int
    control: int
    view: memoryview
    is_whole: bool


Piece: TypeAlias = WholePDU | PDataStarted | ValueFragment


class PDUReader:
    """Takes PDUs apart. It knows lengths and types, not states: what may come when is `association`'s.

    Args:
        spare: buffers of `limits.receive_buffer_length` bytes that nobody uses, shared by readers that come one after another: the
            first touch of new memory costs as much as a copy.
    """

    __slots__ = (
        *("_buffer", "_context_id", "_control", "_end", "_expects_data", "_in_value", "_is_deaf", "_lent"),
        *("_limits", "_pdu_left", "_spare", "_start", "_value_left", "_wanted_length"),
    )

    def __init__(self, limits: Limits, spare: list[memoryview] | None = None) -> None:
        self._limits = limits
        self._spare = [] if spare is None else spare
        self._buffer = memoryview(bytearray(_FIRST_BUFFER_LENGTH))
        self._wanted_length = _FIRST_BUFFER_LENGTH
        self._start = self._end = 0
        self._lent: list[memoryview] = []
        self._pdu_left = 0  # of the P-DATA-TF PDU at hand, in bytes
        self._value_left = 0  # of the presentation data value at hand
        self._in_value = False
        self._context_id = self._control = 0
        self._expects_data = self._is_deaf = False

    def get_buffer(self) -> memoryview:
        """Room for what the transport has next, never empty. Every view handed out before is released.

        Raises:
            LocalProtocolError: a view is still in use, or what was received has not been read.
        """
        self._take_back()
        pending = self._end - self._start
        if self._expects_data and self._spare:
            self._wanted_length = self._limits.receive_buffer_length
        self._expects_data = False
        if self._wanted_length != len(self._buffer):
            self._replace(self._wanted_length)
        elif pending == 0:
            self._start = self._end = 0
        elif self._start:
            self._buffer[:pending] = bytes(self._buffer[self._start : self._end])
            self._start, self._end = 0, pending
        if self._end == len(self._buffer):
            raise LocalProtocolError("The receive buffer is full: call next_event() until it gives None.")
        return self._buffer[self._end :]

    def expect_data(self) -> None:
        """P-DATA-TF PDUs are likely to come next: the first of them is read as a whole, where a buffer is spare."""
        self._expects_data = True

    def buffer_updated(self, count: int) -> None:
        """The first `count` bytes of the room from `get_buffer` have been filled."""
        if not 0 <= count <= len(self._buffer) - self._end:
            raise LocalProtocolError(f"{count} bytes do not fit the buffer.")
        self._end = self._start if self._is_deaf else self._end + count

    def stop(self) -> None:
        """Read nothing more: what comes after an invalid PDU cannot be told apart, after a close it does not matter."""
        self._is_deaf = True
        self._end = self._start
        self._pdu_left = self._value_left = 0
        self._in_value = False

    def close(self) -> None:
        """Nothing is received any more: the buffer is for the next reader."""
        self.stop()
        self._take_back()
        if len(self._buffer) == self._limits.receive_buffer_length and len(self._spare) < _SPARE_BUFFERS:
            self._spare.append(self._buffer)
        self._buffer, self._start, self._end = _NOTHING, 0, 0

    def rest(self) -> None:
        """All that was received is read: the large buffer is for whoever receives next, while the processor still has it at hand.

        Raises:
            LocalProtocolError: a view is still in use.
        """
        if self._start == self._end and len(self._buffer) == self._limits.receive_buffer_length and len(self._spare) < _SPARE_BUFFERS:
            self._take_back()
            self._spare.append(self._buffer)
            self._buffer, self._start, self._end = _NOTHING, 0, 0

    def next_piece(self) -> Piece | None:
        """The next piece of what was received; None: more bytes are needed.

        Raises:
            PeerProtocolError: type, length or structure break the standard or a limit, as soon as a header shows it.
        """
        if self._in_value or self._pdu_left:
            return self._next_fragment()
        if self._end - self._start < PDU_HEADER.size:
            return None
        pdu_type, length = PDU_HEADER.unpack_from(self._buffer, self._start)
        self._check_header(pdu_type, length)
        if pdu_type != P_DATA_TF:
            return self._take_whole(pdu_type, length)
        self._start += PDU_HEADER.size
        self._pdu_left = length
        self._wanted_length = self._limits.receive_buffer_length
        return PDataStarted(length)

    def _check_header(self, pdu_type: int, length: int) -> None:
        lengths = lengths_of(pdu_type, self._limits)
        if lengths is None:
            raise PeerProtocolError(f"There is no PDU of type {pdu_type:02X}H.", abort_reason=AbortReason.UNRECOGNIZED_PDU)
        if not lengths[0] <= length <= lengths[1]:
            raise PeerProtocolError(f"A PDU of type {pdu_type:02X}H says it has {length} bytes; {lengths[0]} to {lengths[1]} are taken.")

    def _take_whole(self, pdu_type: int, length: int) -> WholePDU | None:
        end = self._start + PDU_HEADER.size + length
        if end > self._end:
            self._make_room(PDU_HEADER.size + length)
            return None
        body = self._lend(self._start + PDU_HEADER.size, end)
        self._start = end
        return WholePDU(pdu_type, body)

    def _make_room(self, length: int) -> None:
        """Let the buffer grow towards a PDU of `length`, at most doubling: a header alone makes nobody allocate much."""
        if length > len(self._buffer) == self._end - self._start:
            self._wanted_length = min(length, 2 * len(self._buffer))

    def _next_fragment(self) -> ValueFragment | None:
        if not self._in_value and not self._read_value_header():
            return None
        available = min(self._value_left, self._end - self._start)
        if available == 0 < self._value_left:
            return None
        view = self._lend(self._start, self._start + available)
        self._start += available
        self._pdu_left -= available
        self._value_left -= available
        self._in_value = self._value_left > 0
        return ValueFragment(self._context_id, self._control, view, not self._in_value)

    def _read_value_header(self) -> bool:
        if self._pdu_left < PDV_HEADER.size:
            raise PeerProtocolError("A P-DATA-TF PDU ends inside the header of a value.")
        if self._end - self._start < PDV_HEADER.size:
            return False
        length, self._context_id, self._control = PDV_HEADER.unpack_from(self._buffer, self._start)
        self._start += PDV_HEADER.size
        self._pdu_left -= PDV_HEADER.size
        self._value_left = length - PDV_OVERHEAD
        # PS3.8 E.1: a value "is wholly contained in a given P-DATA request primitive"
        if not 0 <= self._value_left <= self._pdu_left:
            raise PeerProtocolError("A presentation data value does not fit its PDU.")
        self._in_value = True
        return True

    def _lend(self, start: int, end: int) -> memoryview:
        view = self._buffer[start:end]
        self._lent.append(view)
        return view

    def _take_back(self) -> None:
        """Release the views handed out: who kept one gets a ValueError, not the bytes of another image."""
        try:
            for view in self._lent:
                view.release()
        except BufferError as error:
            raise LocalProtocolError("A view of the receive buffer is still in use.") from error
        self._lent.clear()

    def _replace(self, length: int) -> None:
        pending = bytes(self._buffer[self._start : self._end])
        if self._spare and max(length, len(pending)) == self._limits.receive_buffer_length:
            self._buffer = self._spare.pop()
        else:
            self._buffer = memoryview(bytearray(max(length, len(pending))))
        self._wanted_length = len(self._buffer)
        self._buffer[: len(pending)] = pending
        self._start, self._end = 0, len(pending)
