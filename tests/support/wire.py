"""DIMSE as bytes, for tests that speak it by hand."""

import socket
import struct
from contextlib import suppress

from hilum.dicom.upperlayer.commandsets import encode_command_set
from hilum.dicom.upperlayer.fragments import cut_command, cut_data_set
from hilum.dicom.upperlayer.items import PresentationContextProposed
from hilum.dicom.upperlayer.messages import CStoreRequest
from hilum.doors.dimse_requestor import make_request

MR = "1.2.840.10008.5.1.4.1.1.4"
EXPLICIT = "1.2.840.10008.1.2.1"
A_ASSOCIATE_AC, A_ASSOCIATE_RJ, P_DATA_TF, A_ABORT = 2, 3, 4, 7


def receive_pdu(peer: socket.socket) -> tuple[int, bytes]:
    """Type and body; (0, b"") where the connection is closed instead."""
    peer.settimeout(10)
    head = b""
    with suppress(ConnectionError):
        while len(head) < 6:
            if not (piece := peer.recv(6 - len(head))):
                return 0, b""
            head += piece
        kind, length = head[0], struct.unpack(">I", head[2:])[0]
        body = b""
        while len(body) < length:
            body += peer.recv(length - len(body))
        return kind, body
    return 0, b""


def associate(peer: socket.socket, *contexts: tuple[str, str], called: str = "HILUM") -> None:
    proposed = [
        PresentationContextProposed(2 * number + 1, uid, (syntax,)) for number, (uid, syntax) in enumerate(contexts or [(MR, EXPLICIT)])
    ]
    peer.sendall(make_request(called, "HOSTILE", proposed).encode())
    assert receive_pdu(peer)[0] == A_ASSOCIATE_AC


def store_bytes(body: bytes, uid: str, sop_class: str = MR, **fields: object) -> bytes:
    command = CStoreRequest(message_id=1, affected_sop_class_uid=sop_class, affected_sop_instance_uid=uid)
    return command_bytes(encode_command_set(command, has_data_set=True)) + data_bytes(body)


def command_bytes(command_set: bytes) -> bytes:
    return cut_command(1, command_set, 16384)


def data_bytes(body: bytes) -> bytes:
    return b"".join(header + bytes(fragment) for header, fragment in cut_data_set(1, body, 16384))


def status_of(body: bytes) -> int:
    """Of the first response in a P-DATA-TF PDU."""
    at = body.index(struct.pack("<HHI", 0, 0x0900, 2))
    return int(struct.unpack_from("<H", body, at + 8)[0])
