"""Hostile inputs with their real bytes (CONTRIBUTING.md names the list): each leaves the door serving others, and nothing half kept."""

import socket
import struct
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress

import psutil
import pytest
from waiting import wait_until

from hilum.dicom.upperlayer.commandsets import encode_command_set
from hilum.dicom.upperlayer.fragments import cut_command, cut_data_set
from hilum.dicom.upperlayer.items import PresentationContextProposed
from hilum.dicom.upperlayer.messages import CStoreRequest
from hilum.doors.dimse_requestor import AssociationError, make_request
from hilum.doors.dimse_statuses import Status
from hilum.model.identity import SYSTEM
from hilum.model.lifecycle import Kind
from hilum.model.records import MemberState

MR = "1.2.840.10008.5.1.4.1.1.4"
EXPLICIT = "1.2.840.10008.1.2.1"
DEFLATED = "1.2.840.10008.1.2.1.99"
MEBIBYTE = 1 << 20
A_ABORT, A_ASSOCIATE_AC, A_ASSOCIATE_RJ, P_DATA_TF = 7, 2, 3, 4


@pytest.fixture(autouse=True)
def serves_others(site) -> Iterator[None]:
    """After each of them a C-ECHO of another peer is answered within 5 s, and memory stays bounded."""
    before = psutil.Process().memory_info().rss
    yield
    assert site.echo() < 5
    assert psutil.Process().memory_info().rss - before < 300 * MEBIBYTE


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


@pytest.mark.parametrize("rounds", [100])
def test_c_stores_broken_off_leave_nothing(site, make_data_set: Callable, rounds: int) -> None:  # 10
    octets = store_bytes(make_data_set("1.2.30.5", size=200_000), "1.2.30.5")
    before = set(site.members())
    for number in range(rounds):
        with site.connect() as peer:
            associate(peer)
            peer.sendall(octets[: 1000 + number * 1900])
            if number % 2:
                peer.sendall(struct.pack(">BBIBBBB", A_ABORT, 0, 4, 0, 0, 0, 0))
    assert set(site.members()) == before


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


def test_a_deflate_bomb_is_kept_as_it_is_and_set_aside(make_site: Callable, make_data_set: Callable) -> None:  # 16
    site = make_site()
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    bomb = compressor.compress(make_data_set("1.2.33.1")[:-520])
    header = struct.pack("<HH2sxxI", 9, 0x1001, b"OB", 300 * MEBIBYTE)
    bomb += compressor.compress(header)
    for _ in range(300):
        bomb += compressor.compress(bytes(MEBIBYTE))
    bomb += compressor.flush()
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


# --- limits ----------------------------------------------------------------------------------------------------------------------


def test_associations_of_one_peer_are_limited(make_site: Callable) -> None:
    site = make_site(dimse_associations_per_peer=3)
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(site.associate())
        with pytest.raises(AssociationError, match="too many associations"):
            stack.enter_context(site.associate())
    wait_until(lambda: _echoes(site))


def _echoes(site) -> bool:
    with suppress(AssociationError):
        return site.echo() >= 0
    return False


def test_an_idle_association_is_aborted(make_site: Callable) -> None:
    site = make_site(dimse_idle_seconds=0.3)
    with site.connect() as peer:
        associate(peer)
        assert receive_pdu(peer)[0] == A_ABORT


def test_many_senders_at_once_lose_nothing(make_site: Callable, make_data_set: Callable, ask: Callable) -> None:
    site = make_site()
    answers: list[int] = []

    def send(sender: int) -> None:
        with site.associate(calling=f"S{sender}") as peer:
            for number in range(20):
                uid = f"1.2.40.{sender}.{number}"
                answers.append(ask(peer, make_data_set(uid, size=10_000), uid).status)

    threads = [threading.Thread(target=send, args=(sender,)) for sender in range(1, 17)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers == [Status.SUCCESS] * 320
    assert len(site.members()) == 320
    intakes = {move.item_id for move in site.app.ledger.list_moves(SYSTEM, _every_move()) if move.kind is Kind.INTAKE}
    assert len(intakes) == 16


def _every_move():
    from hilum.stores.ledger import MoveFilter

    return MoveFilter()


def test_a_requestor_that_sends_everything_at_once_is_answered_in_full(site, make_data_set: Callable) -> None:
    """Asynchronous operations are not negotiated; a peer that does it all the same is slowed down, not failed."""
    count = 40
    octets = b"".join(store_bytes(make_data_set(f"1.2.41.{n}", size=50_000), f"1.2.41.{n}") for n in range(1, count + 1))
    with site.connect() as peer:
        associate(peer)
        sending = threading.Thread(target=peer.sendall, args=(octets,))
        sending.start()
        assert [status_of(receive_pdu(peer)[1]) for _ in range(count)] == [Status.SUCCESS] * count
        sending.join(10)
