"""Storage Commitment Push Model, asked for by pynetdicom."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.presentation import build_context

from hilum.dicom.part10 import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from hilum.doors.dimse_commitment import read_request
from hilum.model.records import Peer

COMMITMENT, INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"
MR = "1.2.840.10008.5.1.4.1.1.4"


class Reports:
    """What a peer was told by N-EVENT-REPORT."""

    def __init__(self) -> None:
        self.came = threading.Event()
        self.heard: list[tuple[int, Dataset]] = []

    def hear(self, event: Any) -> tuple[int, None]:
        self.heard.append((event.request.EventTypeID, event.event_information))
        self.came.set()
        return 0x0000, None


def asked_for(*uids: str) -> Dataset:
    request = Dataset()
    request.TransactionUID = "1.2.60.99"
    request.ReferencedSOPSequence = [Dataset() for _ in uids]
    for item, uid in zip(request.ReferencedSOPSequence, uids, strict=True):
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = MR, uid
    return request


def ask(site, reports: Reports, request: Dataset, syntax: str, *, leave: bool = False) -> int:
    peer = AE("MODALITY")
    peer.requested_contexts = [build_context(COMMITMENT, [syntax])]
    association = peer.associate("127.0.0.1", site.port, ae_title="HILUM", evt_handlers=[(evt.EVT_N_EVENT_REPORT, reports.hear)])
    assert association.is_established
    status, _ = association.send_n_action(request, 1, UID(COMMITMENT), UID(INSTANCE))
    if not leave:
        assert reports.came.wait(10)
    association.release()
    return status.Status


@pytest.mark.parametrize("syntax", [EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN])
def test_what_is_held_is_committed_on_the_same_association(site, make_data_set: Callable, syntax: str) -> None:
    site.store(make_data_set("1.2.60.1"), "1.2.60.1")
    reports = Reports()
    assert ask(site, reports, asked_for("1.2.60.1"), syntax) == 0x0000
    ((event_type, told),) = reports.heard
    assert event_type == 1
    assert told.TransactionUID == "1.2.60.99"
    assert [(item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID) for item in told.ReferencedSOPSequence] == [(MR, "1.2.60.1")]
    assert "FailedSOPSequence" not in told


def test_what_is_imported_is_still_committed(site, make_data_set: Callable) -> None:
    site.store(make_data_set("1.2.60.2", study="1.2.60.200"), "1.2.60.2")
    site.work()
    reports = Reports()
    assert ask(site, reports, asked_for("1.2.60.2"), EXPLICIT_VR_LITTLE_ENDIAN) == 0x0000
    assert reports.heard[0][0] == 1


def test_what_is_not_held_fails_with_its_reason(site, make_data_set: Callable) -> None:
    site.store(make_data_set("1.2.60.3"), "1.2.60.3")
    reports = Reports()
    assert ask(site, reports, asked_for("1.2.60.3", "1.2.60.4"), EXPLICIT_VR_LITTLE_ENDIAN) == 0x0000
    ((event_type, told),) = reports.heard
    assert event_type == 2
    assert [item.ReferencedSOPInstanceUID for item in told.ReferencedSOPSequence] == ["1.2.60.3"]
    assert [(item.ReferencedSOPInstanceUID, item.FailureReason) for item in told.FailedSOPSequence] == [("1.2.60.4", 0x0112)]


def test_another_projects_instances_are_not_committed(site, make_data_set: Callable) -> None:
    site.project("secret")
    site.store(make_data_set("1.2.60.5"), "1.2.60.5", "kp-secret")
    reports = Reports()
    ask(site, reports, asked_for("1.2.60.5"), EXPLICIT_VR_LITTLE_ENDIAN)
    assert reports.heard[0][0] == 2


def test_a_request_without_references_is_refused(site) -> None:
    assert ask(site, Reports(), asked_for(), EXPLICIT_VR_LITTLE_ENDIAN, leave=True) != 0x0000


def test_a_peer_that_has_left_is_told_on_an_association_of_ours(site) -> None:
    from hilum.doors.dimse_commitment import CommitmentResult
    from hilum.runtime.asking_peers import report_commitment

    reports = Reports()
    listener = AE("MODALITY")
    listener.add_supported_context(COMMITMENT, scu_role=True, scp_role=True)
    server = listener.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, reports.hear)])
    try:
        peer = Peer("modality", "MODALITY", "127.0.0.1", server.server_address[1])
        result = CommitmentResult(1, "1.2.60.98", ((MR, "1.2.60.6"),), ())
        assert report_commitment(peer, "HILUM", result, site.app.settings)
    finally:
        server.shutdown()
    assert [(event_type, told.TransactionUID) for event_type, told in reports.heard] == [(1, "1.2.60.98")]


@pytest.mark.parametrize("body", [b"", b"garbage" * 10, bytes(100)])
def test_garbage_is_no_request(body: bytes) -> None:
    assert read_request(body, EXPLICIT_VR_LITTLE_ENDIAN) is None
