"""Hostile inputs with their real bytes (CONTRIBUTING.md names the list): each leaves the door serving others, and nothing half kept.

| number  | input                                            | its test                                                                |
|---------|--------------------------------------------------|-------------------------------------------------------------------------|
| 1       | HTTP at the DICOM port                           | test_http_on_the_dicom_port_is_closed                                   |
| 2       | a PDU of 4 GB                                    | test_a_pdu_of_4_gb_is_refused_before_it_is_allocated                    |
| 3       | half a header, then silence                      | test_half_a_header_and_silence_is_closed_by_artim                       |
| 4       | 200 silent connections                           | test_two_hundred_silent_connections_keep_nobody_out                     |
| 5       | one byte a second                                | test_one_byte_a_second_is_no_progress                                   |
| 6       | unknown called AE title                          | test_an_unknown_called_ae_title_is_rejected                             |
| 7       | unknown calling AE title, or from elsewhere      | test_dimse_peers: test_only_registered_pairs_of_ae_title_and_address    |
| 8       | damaged command sets                             | test_a_damaged_command_is_answered_with_a_status_and_nothing_is_kept    |
| 9       | another UID in the data set                      | test_dimse: test_another_sop_instance_uid_than_the_commands_is_refused  |
| 10      | 1,000 C-STOREs broken off                        | test_c_stores_broken_off_leave_nothing, test_a_large_object_broken_off  |
| 11, 12  | half a study, then all of it; the same again     | test_a_study_sent_half_and_then_whole_is_there_once                     |
| 13      | the same UID with other pixels                   | test_the_same_uid_with_other_pixels_is_flagged_and_overwrites_nothing   |
| 15      | certificates that are over or nobody's           | test_dimse_tls: test_without_a_valid_certificate, and interop           |
| 16      | deflate bombs of 300 MB and 10 GB                | test_a_deflate_bomb_is_kept_as_it_is_and_set_aside                      |
| 17      | lengths beyond the end                           | test_lengths_beyond_the_end_are_not_believed                            |
| 18, 19  | cut at every 1,000 bytes, in Pixel Data too      | test_a_truncated_data_set_is_never_taken_for_a_whole_one                |
| 20, 21  | preambles; another transfer syntax than said     | test_a_preamble_cannot_come_in_by_c_store, test_another_encoding_than   |
| 22      | private collisions, UN sequences                 | test_private_collisions_and_un_sequences_are_kept_as_they_are           |
| 23      | UIDs that are paths, too long, with NUL          | test_a_uid_with_nul_inside, test_dimse: test_an_invalid_uid_is_refused  |
| 26, 27  | escape sequences and shell metacharacters        | test_a_name_with_escapes_is_one_line_of_the_log                         |
| 39      | a full disk                                      | test_dimse_full_disk                                                    |
| 40      | kill -9 at any moment                            | interop/test_dimse_killed                                               |
"""

import socket
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import psutil
import pytest
from waiting import wait_until
from wire import (
    A_ABORT,
    A_ASSOCIATE_RJ,
    EXPLICIT,
    MR,
    P_DATA_TF,
    associate,
    command_bytes,
    data_bytes,
    receive_pdu,
    status_of,
    store_bytes,
)

from hilum.dicom.upperlayer.commandsets import encode_command_set
from hilum.dicom.upperlayer.items import PresentationContextProposed
from hilum.dicom.upperlayer.messages import CEchoRequest, CFindRequest, CStoreRequest, Request
from hilum.doors.dimse_requestor import AssociationError, make_request
from hilum.doors.dimse_statuses import Status
from hilum.model.identity import SYSTEM
from hilum.model.records import MemberState

DEFLATED = "1.2.840.10008.1.2.1.99"
MEBIBYTE = 1 << 20


@pytest.fixture(autouse=True)
def serves_others(site, make_site: Callable, made_sites: list, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """After each of them a C-ECHO of another peer is answered within 5 s, memory is bounded, and no patient stands in the log."""
    before = psutil.Process().memory_info().rss
    yield
    for door in (site, *made_sites):
        assert door.echo() < 5
    assert psutil.Process().memory_info().rss - before < 300 * MEBIBYTE
    assert "NOBODY-MAY-LOG-ME" not in caplog.text


# --- 1-5: the wire ---------------------------------------------------------------------------------------------------------------


def test_http_on_the_dicom_port_is_closed(site) -> None:  # 1
    with site.connect() as peer:
        peer.sendall(b"GET / HTTP/1.1\r\nHost: hilum\r\n\r\n")
        assert receive_pdu(peer)[0] in (A_ABORT, 0)


@pytest.mark.parametrize("pdu_type", [1, 4])
def test_a_pdu_of_4_gb_is_refused_before_it_is_allocated(site, pdu_type: int) -> None:  # 2
    with site.connect() as peer:
        if pdu_type == P_DATA_TF:
            associate(peer)
        peer.sendall(struct.pack(">BBI", pdu_type, 0, 0xFFFFFFFF) + b"x" * 100)
        assert receive_pdu(peer)[0] == A_ABORT


def test_half_a_header_and_silence_is_closed_by_artim(make_site: Callable) -> None:  # 3
    site = make_site(dimse_artim_seconds=0.5)
    with site.connect() as peer:
        peer.sendall(b"\x01\x00\x00")
        assert receive_pdu(peer)[0] in (A_ABORT, 0)


def test_two_hundred_silent_connections_keep_nobody_out(site) -> None:  # 4
    with ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(site.connect())
        assert site.echo() < 1
    assert site.echo() < 1


def test_with_too_many_connections_the_oldest_silent_one_goes(make_site: Callable) -> None:  # 4
    site = make_site(dimse_connections=20)
    with ExitStack() as stack:
        silent = [stack.enter_context(site.connect()) for _ in range(30)]
        assert site.echo() < 1
        assert receive_pdu(silent[0])[0] == 0


def test_one_byte_a_second_is_no_progress(make_site: Callable, make_data_set: Callable) -> None:  # 5
    site = make_site(dimse_progress_seconds=0.6)
    octets = store_bytes(make_data_set("1.2.30.1", size=60_000), "1.2.30.1")
    with site.connect() as peer:
        associate(peer)
        peer.sendall(octets[:5000])
        began_at = time.monotonic()
        with suppress(OSError):
            for octet in octets[5000:5100]:
                peer.sendall(bytes([octet]))
                if _is_readable(peer, 0.05):
                    break
        assert receive_pdu(peer)[0] in (A_ABORT, 0)
        assert time.monotonic() - began_at < 5
    assert site.members() == {}


def _is_readable(peer: socket.socket, seconds: float) -> bool:
    import select

    return bool(select.select([peer], [], [], seconds)[0])


# --- 6, 7: names -----------------------------------------------------------------------------------------------------------------


def test_an_unknown_called_ae_title_is_rejected(site) -> None:  # 6
    with site.connect() as peer:
        peer.sendall(make_request("NOBODY", "HOSTILE", [PresentationContextProposed(1, MR, (EXPLICIT,))]).encode())
        assert receive_pdu(peer) == (A_ASSOCIATE_RJ, bytes([0, 1, 1, 7]))


def test_an_unknown_project_is_quarantined_by_setting(make_site: Callable, make_data_set: Callable) -> None:  # 6
    site = make_site(dimse_quarantine=True)
    assert site.store(make_data_set("1.2.30.2"), "1.2.30.2", "NOBODY").status == Status.SUCCESS
    site.work()
    aside = site.set_aside()
    assert [one.reason for one in aside] == ["It was sent to NOBODY, and no project has this name."]
    assert site.studies() == []


# --- 8, 9, 23: commands ----------------------------------------------------------------------------------------------------------


def _changed_group_length(command_set: bytes) -> bytes:
    return command_set[:8] + struct.pack("<I", 9999) + command_set[12:]


def _without(command_set: bytes, element: int) -> bytes:
    """The command set without one element, with a fitting group length."""
    at, kept = 12, b""
    while at < len(command_set):
        _, number, length = struct.unpack_from("<HHI", command_set, at)
        if number != element:
            kept += command_set[at : at + 8 + length]
        at += 8 + length
    return command_set[:8] + struct.pack("<I", len(kept)) + kept


@pytest.mark.parametrize(
    "damage", [_changed_group_length, lambda octets: _without(octets, 0x1000), lambda octets: _without(octets, 0x0002)]
)
def test_a_damaged_command_is_answered_with_a_status_and_nothing_is_kept(site, make_data_set: Callable, damage: Callable) -> None:  # 8
    command = CStoreRequest(message_id=1, affected_sop_class_uid=MR, affected_sop_instance_uid="1.2.30.3")
    before = set(site.members())
    with site.connect() as peer:
        associate(peer)
        peer.sendall(command_bytes(damage(encode_command_set(command, has_data_set=True))) + data_bytes(make_data_set("1.2.30.3")))
        kind, body = receive_pdu(peer)
        assert (kind, status_of(body)) == (P_DATA_TF, Status.INVALID_ATTRIBUTE_VALUE)
    assert set(site.members()) == before


def test_a_uid_with_nul_inside_is_refused(site, make_data_set: Callable) -> None:  # 23
    before = set(site.members())
    with site.connect() as peer:
        associate(peer)
        peer.sendall(store_bytes(make_data_set("1.2.30.4"), "1.2.\0.4"))
        assert status_of(receive_pdu(peer)[1]) == Status.INVALID_SOP_INSTANCE
    assert set(site.members()) == before


# --- 10-13: broken off, sent again -----------------------------------------------------------------------------------------------


def test_c_stores_broken_off_leave_nothing(make_site: Callable, make_data_set: Callable) -> None:  # 10
    """1,000 of them, each at another byte, by A-ABORT or by silence."""
    site = make_site()
    octets = store_bytes(make_data_set("1.2.30.5", size=64_000), "1.2.30.5")
    for number in range(1000):
        with site.connect() as peer:
            associate(peer)
            peer.sendall(octets[: 100 + number * 63])
            if number % 2:
                peer.sendall(struct.pack(">BBIBBBB", A_ABORT, 0, 4, 0, 0, 0, 0))
    assert site.store(make_data_set("1.2.30.8"), "1.2.30.8").status == Status.SUCCESS
    assert set(site.members()) == {"1.2.30.8.dcm"}
    assert list(site.app.settings.scratch.glob("*")) == []


def test_a_large_object_broken_off_leaves_nothing(make_site: Callable, make_data_set: Callable) -> None:  # 10
    site = make_site(buffer_bytes=MEBIBYTE)
    octets = store_bytes(make_data_set("1.2.30.6", size=12 * MEBIBYTE), "1.2.30.6")
    for _ in range(5):
        with site.connect() as peer:
            associate(peer)
            peer.sendall(octets[: 8 * MEBIBYTE])
    assert site.store(make_data_set("1.2.30.7"), "1.2.30.7").status == Status.SUCCESS
    wait_until(lambda: set(site.members()) == {"1.2.30.7.dcm"})


def test_a_study_sent_half_and_then_whole_is_there_once(make_site: Callable, make_data_set: Callable, ask: Callable) -> None:  # 11, 12
    site = make_site()
    project = site.project("twice", quiet_seconds=0)
    bodies = {f"1.2.31.{number}": make_data_set(f"1.2.31.{number}", study="1.2.31") for number in range(1, 11)}
    with suppress(AssociationError), site.associate(project) as peer:
        for uid in list(bodies)[:6]:
            assert ask(peer, bodies[uid], uid).status == Status.SUCCESS
        peer._socket.close()
        raise AssociationError("the sender was killed")
    with site.associate(project) as peer:
        assert {ask(peer, body, uid).status for uid, body in bodies.items()} == {Status.SUCCESS}
    site.work()
    study = site.app.catalogue.find_study(SYSTEM, "1.2.31")
    assert study.number_of_instances == 10
    states = [member.state for member in site.set_aside()]
    assert states == []


def test_the_same_uid_with_other_pixels_is_flagged_and_overwrites_nothing(
    make_site: Callable, make_data_set: Callable, ask: Callable
) -> None:  # 13
    site = make_site()
    first, second = make_data_set("1.2.32.1", size=100), make_data_set("1.2.32.1", size=200)
    with site.associate() as peer:
        assert {ask(peer, body, "1.2.32.1").status for body in (first, second)} == {Status.SUCCESS}
    site.work()
    aside = site.set_aside()
    assert [one.state for one in aside] == [MemberState.CONFLICT]
    (series,) = site.app.catalogue.list_series(SYSTEM)
    (instance,) = site.app.catalogue.instances_of(SYSTEM, series)
    assert b"".join(site.app.vault.stream(instance.stored)).endswith(first)


# --- 16-22: data sets ------------------------------------------------------------------------------------------------------------


def deflate_bomb(head: bytes, gigabytes: float) -> bytes:
    """A data set of this size, deflated to a thousandth: blocks of zeros that are complete in themselves, repeated."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = [compressor.compress(head)]
    blocks = int(gigabytes * 1000)
    while blocks:
        number = min(blocks, 2000)  # an element ends before 4 GB
        bomb.append(compressor.compress(struct.pack("<HH2sxxI", 9, 0x1001, b"OB", number * MEBIBYTE)) + compressor.flush(zlib.Z_FULL_FLUSH))
        zeros = compressor.compress(bytes(MEBIBYTE)) + compressor.flush(zlib.Z_FULL_FLUSH)
        bomb.append(zeros * number)
        blocks -= number
    return b"".join([*bomb, compressor.flush()])


@pytest.mark.parametrize("gigabytes", [0.3, 10])
def test_a_deflate_bomb_is_kept_as_it_is_and_set_aside(make_site: Callable, make_data_set: Callable, gigabytes: float) -> None:  # 16
    site = make_site()
    bomb = deflate_bomb(make_data_set("1.2.33.1")[:-520], gigabytes)
    with site.associate(syntaxes=(DEFLATED,)) as peer:
        command = CStoreRequest(message_id=1, affected_sop_class_uid=MR, affected_sop_instance_uid="1.2.33.1")
        status = peer.ask(1, command, bomb).status
    assert status in (Status.SUCCESS, Status.CANNOT_UNDERSTAND)
    site.work()
    assert site.studies() == []


def test_lengths_beyond_the_end_are_not_believed(make_site: Callable, make_data_set: Callable, make_element: Callable) -> None:  # 17
    site = make_site()
    head = make_data_set("1.2.33.2")[: -12 - 512]
    for tail in (
        struct.pack("<HH2sH", 0x28, 0x1080, b"LO", 0xFFFE),
        struct.pack("<HH2sxxI", 0x28, 0x1090, b"UT", 0xFFFFFFFE),
        struct.pack("<HH2sxxI", 0x7FE0, 0x10, b"OW", 0xFFFFFFF0),
    ):
        assert site.store(head + tail, "1.2.33.2").status in (Status.SUCCESS, Status.CANNOT_UNDERSTAND)
    site.work()
    assert site.studies() == []


def test_a_truncated_data_set_is_never_taken_for_a_whole_one(make_site: Callable, make_data_set: Callable, ask: Callable) -> None:  # 18, 19
    site = make_site()
    whole = make_data_set("1.2.33.3", size=20_000)
    rows = struct.pack("<HH2sHH", 0x28, 0x10, b"US", 2, 100) + struct.pack("<HH2sHH", 0x28, 0x11, b"US", 2, 100)
    whole = whole[: -12 - 20_000] + rows + struct.pack("<HH2sHH", 0x28, 0x100, b"US", 2, 16) + whole[-12 - 20_000 :]
    with site.associate() as peer:
        for end in range(1000, len(whole), 1000):
            assert ask(peer, whole[: end & ~1], "1.2.33.3").status in (Status.SUCCESS, Status.CANNOT_UNDERSTAND)
    site.work()
    assert site.studies() == []
    assert len(site.set_aside()) > 10


def test_a_preamble_cannot_come_in_by_c_store(site, make_data_set: Callable) -> None:  # 20, 21
    site.store(make_data_set("1.2.33.4"), "1.2.33.4")
    assert site.members()["1.2.33.4.dcm"][:132] == bytes(128) + b"DICM"


@pytest.mark.parametrize(("syntax", "status"), [("1.2.840.10008.1.2", Status.SUCCESS), ("1.2.840.10008.1.2.2", Status.CANNOT_UNDERSTAND)])
def test_another_encoding_than_the_contexts_is_kept_as_sent_if_it_can_be_read(  # 21
    site, make_data_set: Callable, syntax: str, status: Status
) -> None:
    """As at every door: explicit VR where implicit was agreed to is read all the same (the scanner sees it), big endian is not."""
    uid = f"1.2.33.6.{syntax.count('.')}"
    body = make_data_set(uid)
    assert site.store(body, uid, syntaxes=(syntax,)).status == status
    kept = [member for name, member in site.members().items() if name == f"{uid}.dcm"]
    assert [member.endswith(body) for member in kept] == ([True] if status == Status.SUCCESS else [])


def test_private_collisions_and_un_sequences_are_kept_as_they_are(site, make_data_set: Callable, make_element: Callable) -> None:  # 22
    private = make_element(9, 0x10, "LO", b"ONE") + make_element(9, 0x11, "LO", b"ONE") + make_element(9, 0x1001, "LO", b"a")
    private += struct.pack("<HH2sxxI", 9, 0x1102, b"UN", 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE0DD, 0)
    plain = make_data_set("1.2.33.5")
    at = plain.index(struct.pack("<HH2s", 0x10, 0x20, b"LO"))
    body = plain[:at] + private + plain[at:]
    assert site.store(body, "1.2.33.5").status == Status.SUCCESS
    assert site.members()["1.2.33.5.dcm"].endswith(body)


# --- 26, 27: names that would do harm elsewhere ----------------------------------------------------------------------------------


def test_a_name_with_escapes_is_one_line_of_the_log(site, caplog: pytest.LogCaptureFixture) -> None:  # 26, 27
    caplog.set_level("INFO", "hilum.dimse")
    for calling in ("\x1b[31mRED\n2026", "$(reboot)`id`"):
        with site.connect() as peer:
            peer.sendall(make_request("HILUM", calling, [PresentationContextProposed(1, MR, (EXPLICIT,))]).encode())
            receive_pdu(peer)
    wait_until(lambda: len(caplog.records) >= 2)
    for record in caplog.records:
        assert record.getMessage().isprintable()
    assert any("\\u001b" in record.getMessage() for record in caplog.records)


# --- operations that were not negotiated -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("has_data_set", [True, False])
def test_an_operation_that_was_not_negotiated_is_answered_as_such(site, make_data_set: Callable, ask: Callable, has_data_set: bool) -> None:
    with site.associate() as peer:
        request: Request = CEchoRequest(message_id=7)
        if has_data_set:
            request = CFindRequest(message_id=7, affected_sop_class_uid=MR)
        response = peer.ask(1, request, make_data_set("1.2.42.1") if has_data_set else None)
        assert (response.message_id_being_responded_to, response.status) == (7, Status.UNRECOGNIZED_OPERATION)
        assert ask(peer, make_data_set("1.2.42.2"), "1.2.42.2").status == Status.SUCCESS
