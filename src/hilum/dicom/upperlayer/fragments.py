"""PS3.8 E: messages cut into P-DATA-TF PDUs, and fragments put into the order of messages. Data sets are never assembled."""

from collections.abc import Collection, Iterable, Iterator
from typing import TypeAlias

from hilum.dicom.upperlayer.commandsets import Octets, decode_command_set
from hilum.dicom.upperlayer.errors import AbortReason, LocalProtocolError, PeerProtocolError
from hilum.dicom.upperlayer.events import CommandReceived, DataSetFragment
from hilum.dicom.upperlayer.limits import Limits
from hilum.dicom.upperlayer.pdus import IS_COMMAND, IS_LAST, P_DATA_TF, PDU_HEADER, PDV_HEADER, PDV_OVERHEAD
from hilum.dicom.upperlayer.receiving import ValueFragment

_PDV_SIZE = PDV_HEADER.size  # what a PDU with one value has beside the fragment
SHORTEST_PDU = _PDV_SIZE + 2  # room for a fragment of two bytes: PS3.8 E.1 wants an even number

# A P-DATA-TF PDU as its headers and its fragment, so that the fragment need not be copied.
CutPDU: TypeAlias = tuple[bytes, Octets]


def cut_command(context_id: int, command_set: bytes, pdu_length: int) -> bytes:
    """A command set's P-DATA-TF PDUs, joined: they are short."""
    if len(command_set) <= pdu_length - _PDV_SIZE:
        return _headers(context_id, len(command_set), IS_COMMAND | IS_LAST) + command_set
    pieces = cut_data_set(context_id, command_set, pdu_length, kind=IS_COMMAND)
    return b"".join(header + bytes(fragment) for header, fragment in pieces)


def cut_data_set(context_id: int, data_set: Octets | Iterable[Octets], pdu_length: int, *, kind: int = 0) -> Iterator[CutPDU]:
    """A data set's P-DATA-TF PDUs, one at a time; the fragments are views, nothing is copied.

    Args:
        context_id: the presentation context.
        data_set: all of it, or its pieces in order (as read from a file). Each piece is cut by itself.
        pdu_length: the longest variable field of a PDU, in bytes (PS3.8 D.1), at least SHORTEST_PDU.
        kind: IS_COMMAND for a command set.

    Raises:
        LocalProtocolError: a piece that is not the last has an odd length (PS3.8 E.1).
    """
    pieces = [data_set] if isinstance(data_set, Octets) else data_set
    waiting: memoryview | None = None
    for fragment in _cut(pieces, (pdu_length - _PDV_SIZE) & ~1):
        if waiting is not None:
            if len(waiting) & 1:
                raise LocalProtocolError("A piece of a data set that is not the last has an odd length.")
            yield _headers(context_id, len(waiting), kind), waiting
        waiting = fragment
    # PS3.8 E.2: one fragment says that it is the last, an empty one where there is nothing to send
    last = memoryview(b"") if waiting is None else waiting
    yield _headers(context_id, len(last), kind | IS_LAST), last


def _cut(pieces: Iterable[Octets], length: int) -> Iterator[memoryview]:
    for piece in pieces:
        view = memoryview(piece).cast("B")
        for offset in range(0, len(view), length):
            yield view[offset : offset + length]


def _headers(context_id: int, length: int, control: int) -> bytes:
    return PDU_HEADER.pack(P_DATA_TF, length + _PDV_SIZE) + PDV_HEADER.pack(length + PDV_OVERHEAD, context_id, control)


class MessageReader:
    """Says of each fragment what it is: a part of a command set, which is collected, or of a data set, which is handed on."""

    __slots__ = ("_command", "_context_id", "_contexts", "_in_data_set", "_limits")

    def __init__(self, limits: Limits, contexts: Collection[int]) -> None:
        self._limits = limits
        self._contexts = contexts
        self._command = bytearray()
        self._context_id: int | None = None  # of the message that has begun
        self._in_data_set = False

    @property
    def is_in_message(self) -> bool:
        """Whether a message has begun and is not whole."""
        return self._context_id is not None

    def feed(self, fragment: ValueFragment) -> CommandReceived | DataSetFragment | None:
        """The event this fragment makes, if any.

        Raises:
            PeerProtocolError: the fragment breaks the order of messages, or the command set cannot be answered.
        """
        context_id, control, view, is_whole = fragment
        if self._context_id != context_id:
            self._begin(context_id)
        # PS3.8 E.2: bits 2 to 7 are "never checked by the receiver"
        is_last = is_whole and bool(control & IS_LAST)
        if bool(control & IS_COMMAND) is self._in_data_set:
            raise PeerProtocolError(
                "A command fragment came inside a data set, or a data fragment without its command.",
                abort_reason=AbortReason.UNEXPECTED_PDU_PARAMETER,
            )
        if not self._in_data_set:
            return self._feed_command(context_id, view, is_last)
        if is_last:
            self._end()
        return DataSetFragment(context_id, view, is_last) if is_last or view else None

    def _begin(self, context_id: int) -> None:
        # PS3.8 E.1: "interleaving of fragments from different messages is not permitted"
        if self._context_id is not None:
            raise PeerProtocolError(
                "A fragment of another presentation context came inside a message.", abort_reason=AbortReason.UNEXPECTED_PDU_PARAMETER
            )
        if context_id not in self._contexts:
            raise PeerProtocolError("A fragment came in a presentation context that is not accepted.")
        self._context_id = context_id

    def _end(self) -> None:
        self._context_id = None
        self._in_data_set = False

    def _feed_command(self, context_id: int, view: memoryview, is_last: bool) -> CommandReceived | None:
        if len(self._command) + len(view) > self._limits.command_length:
            raise PeerProtocolError(f"A command set has more than {self._limits.command_length} bytes.")
        self._command += view
        if not is_last:
            return None
        message, has_data_set, faults = decode_command_set(self._command, self._limits)
        self._command.clear()
        if has_data_set:
            self._in_data_set = True
        else:
            self._end()
        return CommandReceived(context_id, message, has_data_set, faults)
