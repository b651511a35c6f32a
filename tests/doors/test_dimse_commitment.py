"""Storage Commitment Push Model, asked for by pynetdicom."""

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.presentation import build_context
from waiting import wait_until

from hilum.dicom.part10 import EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN
from hilum.dicom.upperlayer.messages import NActionRequest
from hilum.doors.dimse_commitment import MOST_BYTES, CommitmentRequest, Held, judge, read_request
from hilum.doors.dimse_requestor import AssociationError
from hilum.model.identity import SYSTEM
from hilum.model.outcomes import StoredBytes
from hilum.model.records import OwedReport, Peer
from hilum.runtime.assembling import Application, assemble, utc_now
from hilum.runtime.committing import find_held
from hilum.runtime.reporting import report_commitments
from hilum.stores.packs import scan

COMMITMENT, INSTANCE = "1.2.840.10008.1.20.1", "1.2.840.10008.1.20.1.1"
CT, MR = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4"


class Reports:
    """What a peer was told by N-EVENT-REPORT."""

    def __init__(self, expected: int = 1) -> None:
        self._expected = expected
        self.came = threading.Event()
        self.heard: list[tuple[int, Dataset]] = []

    def hear(self, event: Any) -> tuple[int, None]:
        self.heard.append((event.request.EventTypeID, event.event_information))
        if len(self.heard) >= self._expected:
            self.came.set()
        return 0x0000, None


def asked_for(*uids: str, sop_class: str = MR) -> Dataset:
    request = Dataset()
    request.TransactionUID = "1.2.60.99"
    request.ReferencedSOPSequence = [Dataset() for _ in uids]
    for item, uid in zip(request.ReferencedSOPSequence, uids, strict=True):
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = sop_class, uid
    return request


def ask(site, reports: Reports, request: Dataset, syntax: str, *, leave: bool = False) -> int:
    peer = AE("MODALITY")
    peer.requested_contexts = [build_context(COMMITMENT, [syntax])]
    association = peer.associate("127.0.0.1", site.port, ae_title="HILUM", evt_handlers=[(evt.EVT_N_EVENT_REPORT, reports.hear)])
    assert association.is_established
    status, _ = association.send_n_action(request, 1, UID(COMMITMENT), UID(INSTANCE))
    if not leave:
        assert reports.came.wait(10)
        wait_until(lambda: owed(site) == [])  # pynetdicom's answer is sent after its handler
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


# --- of which SOP class it is held ---------------------------------------------------------------------------------------------------


def answers(site, *uids: str, sop_class: str = MR) -> dict[str, int]:
    """What a peer hears of each instance: its failure reason, or 0 where it is committed."""
    reports = Reports()
    assert ask(site, reports, asked_for(*uids, sop_class=sop_class), EXPLICIT_VR_LITTLE_ENDIAN) == 0x0000
    ((_, told),) = reports.heard
    committed, failed = told.get("ReferencedSOPSequence", ()), told.get("FailedSOPSequence", ())
    assert {item.ReferencedSOPClassUID for item in (*committed, *failed)} == {sop_class}
    reasons = {item.ReferencedSOPInstanceUID: item.FailureReason for item in failed}
    return reasons | {item.ReferencedSOPInstanceUID: 0 for item in committed}


@pytest.mark.parametrize("is_imported", [False, True])
def test_an_instance_that_is_held_with_another_sop_class_is_a_conflict(site, make_data_set: Callable, is_imported: bool) -> None:
    uid = f"1.2.60.1{is_imported:d}"
    site.store(make_data_set(uid, study=f"{uid}.1"), uid)
    if is_imported:
        site.work()
    assert answers(site, uid, "1.2.60.12", sop_class=CT) == {uid: 0x0119, "1.2.60.12": 0x0112}
    assert answers(site, uid) == {uid: 0}


def test_what_another_process_may_hold_is_looked_for_again_and_fails_only_then(make_site: Callable, make_data_set: Callable) -> None:
    site = make_site(dimse_processes=2)
    site.store(make_data_set("1.2.60.18"), "1.2.60.18")
    assert answers(site, "1.2.60.18", "1.2.60.19") == {"1.2.60.18": 0, "1.2.60.19": 0x0112}
    assert answers(site, "1.2.60.18", sop_class=CT) == {"1.2.60.18": 0x0119}


def test_of_two_copies_the_one_with_the_class_that_is_named_commits(site, make_data_set: Callable) -> None:
    """Until importing finds that the second one is another object, and sets it aside."""
    uid = "1.2.60.13"
    site.store(make_data_set(uid, study=f"{uid}.1"), uid)
    site.work()
    site.store(make_data_set(uid, study=f"{uid}.1", sop_class=CT), uid, sop_class=CT)
    assert [answers(site, uid, sop_class=one)[uid] for one in (MR, CT, f"{CT}.1")] == [0, 0, 0x0119]
    site.work()
    assert [answers(site, uid, sop_class=one)[uid] for one in (MR, CT)] == [0, 0x0119]


def test_bytes_that_are_gone_fail_alone_and_what_does_not_tell_its_class_is_committed(make_site: Callable, make_data_set: Callable) -> None:
    site, uids = make_site(), ("1.2.60.14", "1.2.60.15", "1.2.60.16")
    for uid in uids:
        site.store(make_data_set(uid), uid)
    site.work()
    (pack,) = (path for path in site.app.settings.packs.glob("*.tar") if len(list(scan(path))) == 3)
    first, _, last = (one.member for one in scan(pack))
    with pack.open("r+b") as file:
        file.seek(first.offset)
        file.write(bytes(first.size))
        os.truncate(pack, last.offset + last.size // 2)
    assert answers(site, *uids, sop_class=CT) == dict(zip(uids, (0, 0x0119, 0x0110), strict=True))
    pack.unlink()
    site.app.vault.close()
    assert set(answers(site, *uids).values()) == {0x0110}


def test_what_a_deletion_moves_meanwhile_is_looked_for_again(site, make_data_set: Callable) -> None:
    uid = "1.2.60.17"
    site.store(make_data_set(uid, study=f"{uid}.1"), uid)
    site.work()
    places = [[(uid, StoredBytes("0" * 32, 512, 512, b""))], list(site.app.commitments.held(SYSTEM, "inbox", [uid]))]
    app = replace(site.app, commitments=SimpleNamespace(held=lambda *_: places.pop(0)))
    assert find_held(app, "inbox", [uid]) == {uid: Held(frozenset({MR}))}


@pytest.mark.parametrize(
    ("held", "reason"),
    [
        (None, 0x0112),
        (Held(frozenset({MR})), 0),
        (Held(frozenset({CT})), 0x0119),
        (Held(frozenset({CT, MR})), 0),
        (Held(frozenset(), has_untold=True), 0),
        (Held(frozenset({CT}), has_untold=True), 0),
        (Held(frozenset(), has_unread=True), 0x0110),
        (Held(frozenset({CT}), has_unread=True), 0x0110),  # what cannot be read may be the one that is meant
        (Held(frozenset({MR}), has_unread=True), 0),
    ],
)
def test_each_reason_not_to_commit(held: Held | None, reason: int) -> None:
    commitment = judge(CommitmentRequest("1.2.3", ((MR, "1.2.4"),)), {} if held is None else {"1.2.4": held})
    assert commitment.committed == (() if reason else ((MR, "1.2.4"),))
    assert commitment.failed == (((MR, "1.2.4", reason),) if reason else ())


def test_another_projects_instances_are_not_committed(site, make_data_set: Callable) -> None:
    site.project("secret")
    site.store(make_data_set("1.2.60.5"), "1.2.60.5", "kp-secret")
    reports = Reports()
    ask(site, reports, asked_for("1.2.60.5"), EXPLICIT_VR_LITTLE_ENDIAN)
    assert reports.heard[0][0] == 2


def test_a_request_without_references_is_refused(site) -> None:
    assert ask(site, Reports(), asked_for(), EXPLICIT_VR_LITTLE_ENDIAN, leave=True) == 0x0115


@pytest.mark.parametrize(
    ("sop_class", "instance", "action", "status"),
    [(MR, INSTANCE, 1, 0x0118), (COMMITMENT, "1.2.3", 1, 0x0112), (COMMITMENT, INSTANCE, 2, 0x0123)],
)
def test_an_action_that_is_none_of_ours_is_refused_with_its_status(site, sop_class: str, instance: str, action: int, status: int) -> None:
    message = NActionRequest(message_id=1, requested_sop_class_uid=sop_class, requested_sop_instance_uid=instance, action_type_id=action)
    with site.associate(sop_class=COMMITMENT) as peer:
        assert peer.ask(1, message, b"").status == status


def test_a_request_that_is_too_long_is_refused_and_not_kept_in_memory(site) -> None:
    message = NActionRequest(message_id=1, requested_sop_class_uid=COMMITMENT, requested_sop_instance_uid=INSTANCE, action_type_id=1)
    with site.associate(sop_class=COMMITMENT) as peer:
        assert peer.ask(1, message, bytes(MOST_BYTES + 2)).status == 0x0213


def test_several_requests_of_one_association_are_reported_one_at_a_time(site, make_data_set: Callable) -> None:
    site.store(make_data_set("1.2.60.7"), "1.2.60.7")
    reports = Reports(expected=3)
    peer = AE("MODALITY")
    peer.requested_contexts = [build_context(COMMITMENT, [EXPLICIT_VR_LITTLE_ENDIAN])]
    association = peer.associate("127.0.0.1", site.port, ae_title="HILUM", evt_handlers=[(evt.EVT_N_EVENT_REPORT, reports.hear)])
    for number in (1, 2, 3):
        request = asked_for("1.2.60.7")
        request.TransactionUID = f"1.2.60.9{number}"
        assert association.send_n_action(request, 1, UID(COMMITMENT), UID(INSTANCE))[0].Status == 0
    assert reports.came.wait(10)
    wait_until(lambda: owed(site) == [])
    association.release()
    assert sorted(told.TransactionUID for _, told in reports.heard) == ["1.2.60.91", "1.2.60.92", "1.2.60.93"]


# --- who has left is told on an association of ours --------------------------------------------------------------------------------


@contextmanager
def listening(reports: Reports, *, scp_role: bool | None = True, port: int = 0) -> Iterator[int]:
    """pynetdicom as the modality that waits for its reports; its port."""
    modality = AE("MODALITY")
    modality.add_supported_context(COMMITMENT, scu_role=scp_role, scp_role=scp_role)
    server = modality.start_server(("127.0.0.1", port), block=False, evt_handlers=[(evt.EVT_N_EVENT_REPORT, reports.hear)])
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()


def later(site, **delta: float) -> Application:
    """The stores as another process opens them after so long."""
    return assemble(site.app.settings, clock=lambda: utc_now() + timedelta(**delta))


def owed(site) -> list[OwedReport]:
    app = later(site, days=30)
    try:
        return app.commitments.due(SYSTEM)
    finally:
        app.close()


def report(site, **delta: float) -> list[str]:
    app = later(site, **delta)
    try:
        return report_commitments(app)
    finally:
        app.close()


def ask_and_leave(site, make_data_set: Callable, uid: str) -> None:
    """Broken off right after the answer: the report on this association is never confirmed."""
    site.store(make_data_set(uid), uid, calling="MODALITY")
    body = request_bytes(uid)
    message = NActionRequest(message_id=1, requested_sop_class_uid=COMMITMENT, requested_sop_instance_uid=INSTANCE, action_type_id=1)
    with suppress(AssociationError), site.associate(calling="MODALITY", sop_class=COMMITMENT) as peer:
        assert peer.ask(1, message, body).status == 0
        raise AssociationError("it leaves")
    wait_until(lambda: len(site.app.commitments.due(SYSTEM)) == 1)


def request_bytes(uid: str) -> bytes:
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_dataset(buffer, asked_for(uid))
    return buffer.getvalue()


def test_a_peer_that_left_is_told_on_an_association_of_ours(make_site: Callable, make_data_set: Callable) -> None:
    site, reports = make_site(), Reports()
    ask_and_leave(site, make_data_set, "1.2.61.1")
    with listening(reports) as port:
        site.app.peers.add(SYSTEM, Peer("modality", "MODALITY", "127.0.0.1", port))
        assert report(site) == []
    assert [(event_type, told.TransactionUID) for event_type, told in reports.heard] == [(1, "1.2.60.99")]
    assert owed(site) == []


def test_a_report_that_nobody_takes_is_tried_again_with_back_off_until_it_is_taken(make_site: Callable, make_data_set: Callable) -> None:
    """Each round by stores that are opened anew, as after a restart."""
    site, reports = make_site(), Reports()
    ask_and_leave(site, make_data_set, "1.2.61.2")
    assert report(site) == ["A report of storage commitment waits. 'MODALITY' at 127.0.0.1 is no registered peer (`hilum pacs add`)."]
    with listening(reports) as port:
        pass  # a port where nobody listens any more
    site.app.peers.add(SYSTEM, Peer("modality", "MODALITY", "127.0.0.1", port))
    assert report(site, seconds=2) == []  # it rests
    (why,) = report(site, seconds=6)
    assert "cannot be reached" in why
    assert [one.attempt for one in owed(site)] == [2]
    with listening(reports, port=port):
        assert report(site, hours=1) == []
    assert [told.TransactionUID for _, told in reports.heard] == ["1.2.60.99"]
    assert owed(site) == []


def test_a_report_is_given_up_when_its_time_is_over(make_site: Callable, make_data_set: Callable, caplog: pytest.LogCaptureFixture) -> None:
    site = make_site(dimse_report_hours=1)
    ask_and_leave(site, make_data_set, "1.2.61.3")
    report(site, hours=2)
    assert owed(site) == []
    assert "1.2.60.99 is given up" in caplog.text


def test_a_peer_that_does_not_agree_to_the_scps_role_is_not_forced(make_site: Callable, make_data_set: Callable) -> None:
    site, reports = make_site(), Reports()
    ask_and_leave(site, make_data_set, "1.2.61.4")
    with listening(reports, scp_role=None) as port:
        site.app.peers.add(SYSTEM, Peer("modality", "MODALITY", "127.0.0.1", port))
        (why,) = report(site)
    assert "does not agree to our role" in why
    assert reports.heard == []
    assert len(owed(site)) == 1


@pytest.mark.parametrize("body", [b"", b"garbage" * 10, bytes(100)])
def test_garbage_is_no_request(body: bytes) -> None:
    assert read_request(body, EXPLICIT_VR_LITTLE_ENDIAN) is None
