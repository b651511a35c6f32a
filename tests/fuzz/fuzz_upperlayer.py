"""Fuzz target: whatever bytes come, an association says events or one PeerProtocolError, and keeps within its limits.

python tests/fuzz/fuzz_upperlayer.py [corpus folder]      where atheris is installed
"""

import sys
from itertools import cycle

from hilum.dicom.upperlayer import (
    AssociateRequest,
    AssociateRequested,
    Association,
    DataSetFragment,
    Limits,
    Negotiated,
    PeerProtocolError,
    Policy,
    ReleaseRequested,
    Role,
    UserInformation,
    negotiate,
)
from hilum.dicom.upperlayer.items import MaximumLength, PresentationContextProposed

LIMITS = Limits(pdu_length=0x8000, associate_length=0x4000, command_length=0x400, receive_buffer_length=0x1000)
LARGEST_BUFFER = LIMITS.associate_length + 6
REQUEST = AssociateRequest(
    called_ae_title="CALLED",
    calling_ae_title="CALLING",
    presentation_contexts=(PresentationContextProposed(1, "1.2.840.10008.5.1.4.1.1.2", ("1.2.840.10008.1.2",)),),
    user_information=UserInformation((MaximumLength(0x4000),)),
)
POLICY = Policy(implementation_class_uid="1.2.3", implementation_version_name="FUZZ")
# The first byte chooses where the bytes come in, the second how they are cut.
_STARTS = 4


def one_input(octets: bytes) -> None:
    """Give the bytes to an association; an AssertionError or any exception of another kind is a finding."""
    if len(octets) < 2:
        return
    association = _started(octets[0] % _STARTS)
    chunk_lengths = (0x10000,) if octets[1] == 0 else (octets[1], 1, 7)
    try:
        _feed(association, octets[2:], chunk_lengths)
    except PeerProtocolError as error:
        assert error.abort_source in (0, 2)
        assert association.state == "Sta13"
        sent = association.data_to_send()
        assert bytes(sent[-1])[0] == 7, "the A-ABORT is not the last that is sent"
    assert len(association.get_buffer()) <= LARGEST_BUFFER
    association.connection_lost()
    assert association.state == "Sta1"


def _started(start: int) -> Association:
    """An acceptor or requestor, with an association or with none yet."""
    association = Association(Role.ACCEPTOR if start < 2 else Role.REQUESTOR, LIMITS)
    if association.role is Role.REQUESTOR:
        association.associate(REQUEST)
    association.connection_opened()
    if start == 1:
        _feed(association, REQUEST.encode(), (0x10000,))
    if start == 3:
        acceptor = _started(1)
        _feed(association, b"".join(bytes(buffer) for buffer in acceptor.data_to_send()), (0x10000,))
    return association


def _feed(association: Association, octets: bytes, chunk_lengths: tuple[int, ...]) -> None:
    lengths = cycle(chunk_lengths)
    while octets:
        room = association.get_buffer(-1)
        assert 0 < len(room) <= LARGEST_BUFFER
        count = min(len(room), len(octets), next(lengths))
        room[:count] = octets[:count]
        association.buffer_updated(count)
        octets = octets[count:]
        _read(association)


def _read(association: Association) -> None:
    while (event := association.next_event()) is not None:
        match event:
            case AssociateRequested(request):
                answer = negotiate(request, POLICY)
                if isinstance(answer, Negotiated):
                    association.accept(answer)
                else:
                    association.reject(answer.result, answer.source, answer.reason)
            case ReleaseRequested() if association.may_answer_release:
                association.answer_release()
            case DataSetFragment(context_id, view, _):
                assert context_id in association.contexts
                assert len(view) <= LARGEST_BUFFER


if __name__ == "__main__":
    import atheris  # type: ignore[import-not-found]

    atheris.instrument_all()
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
