"""C-ECHO and C-STORE through a real socket: bit for bit, durable before 0x0000, and what is refused leaves nothing."""

from collections.abc import Callable
from pathlib import Path

import pydicom.data
import pytest
from pydicom import dcmread

from hilum.dicom.part10 import recognise
from hilum.dicom.uids import is_valid_uid
from hilum.dicom.upperlayer import Limits
from hilum.dicom.upperlayer.items import PresentationContextProposed
from hilum.dicom.upperlayer.messages import CStoreRequest
from hilum.doors.dimse_requestor import AssociationError, Requestor, make_request
from hilum.doors.dimse_statuses import Status

MR = "1.2.840.10008.5.1.4.1.1.4"
MEBIBYTE = 1 << 20


def sent_bytes(site, uid: str) -> bytes:
    """The data set of a kept member."""
    member = site.members()[f"{uid}.dcm"]
    recognition = recognise(member[:4096])
    assert recognition is not None
    assert recognition.has_preamble
    assert recognition.media_storage_sop_instance_uid == uid
    return member[recognition.data_set_offset :]


def test_an_echo_is_answered(site) -> None:
    assert site.echo() < 5


def test_an_object_is_kept_bit_for_bit(site, make_data_set: Callable) -> None:
    body = make_data_set("1.2.10.1", size=300_000)
    assert site.store(body, "1.2.10.1").status == Status.SUCCESS
    assert sent_bytes(site, "1.2.10.1") == body


def test_what_is_answered_with_success_is_indexed_before_it_is_imported(site, make_data_set: Callable) -> None:
    site.store(make_data_set("1.2.10.2"), "1.2.10.2")
    site.work()
    names = [row.file_name for row in _index_rows(site)]
    assert "1.2.10.2.dcm" in names


def _index_rows(site):
    from sqlalchemy import select

    from hilum.stores.schema import members

    with site.app.database.reading() as connection:
        return connection.execute(select(members)).all()


def test_an_object_larger_than_memory_streams(make_site: Callable, make_data_set: Callable) -> None:
    site = make_site(buffer_bytes=MEBIBYTE, dimse_pdu_bytes=65536)
    body = make_data_set("1.2.10.3", size=9 * MEBIBYTE)
    assert site.store(body, "1.2.10.3").status == Status.SUCCESS
    assert sent_bytes(site, "1.2.10.3") == body


def test_without_memory_all_objects_stream(make_site: Callable, make_data_set: Callable) -> None:
    site = make_site(dimse_memory_bytes=1000)
    body = make_data_set("1.2.10.4", size=400_000)
    assert site.store(body, "1.2.10.4").status == Status.SUCCESS
    assert sent_bytes(site, "1.2.10.4") == body


def test_many_objects_on_one_association(site, make_data_set: Callable, ask: Callable) -> None:
    bodies = {f"1.2.11.{number}": make_data_set(f"1.2.11.{number}", size=2 * number) for number in range(1, 101)}
    with site.associate() as peer:
        statuses = {ask(peer, body, uid, message_id=number).status for number, (uid, body) in enumerate(bodies.items(), 1)}
    assert statuses == {Status.SUCCESS}
    kept = site.members()
    for uid, body in bodies.items():
        assert kept[f"{uid}.dcm"].endswith(body)


def test_the_same_object_becomes_the_same_bytes(site, make_data_set: Callable) -> None:
    """So that a resend is recognised, whichever version of Hilum receives it."""
    site.store(make_data_set("1.2.10.5"), "1.2.10.5")
    first = site.members()["1.2.10.5.dcm"]
    site.store(make_data_set("1.2.10.5"), "1.2.10.5", calling="another")
    assert site.members()["1.2.10.5.dcm"] == first


@pytest.mark.parametrize(
    "syntax",
    ["1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.201", "1.2.840.113619.5.2", "1.2.3.4.5.6"],
)
def test_every_transfer_syntax_is_taken(site, syntax: str) -> None:
    with site.associate(syntaxes=(syntax,)) as peer:
        assert peer.association.contexts[1].transfer_syntax == syntax


def test_private_sop_classes_are_taken_and_unknown_ones_by_setting(site, make_site: Callable) -> None:
    private, unknown = "1.3.12.2.1107.5.9.1", "1.2.840.10008.999.1"
    with site.associate(sop_class=private) as peer:
        assert 1 in peer.association.contexts
    with site.associate(sop_class=unknown) as peer:
        assert 1 not in peer.association.contexts
    with make_site(dimse_unknown_sop_classes=True).associate(sop_class=unknown) as peer:
        assert 1 in peer.association.contexts


# --- what is refused ---------------------------------------------------------------------------------------------------------------


def test_another_sop_instance_uid_than_the_commands_is_refused_and_kept_nowhere(site, make_data_set: Callable) -> None:
    response = site.store(make_data_set("1.2.20.1"), "1.2.20.2")
    assert response.status == Status.DATA_SET_DOES_NOT_MATCH
    assert not {"1.2.20.1.dcm", "1.2.20.2.dcm"} & set(site.members())


def test_so_it_is_in_a_stream(make_site: Callable, make_data_set: Callable) -> None:
    site = make_site(buffer_bytes=MEBIBYTE)
    assert site.store(make_data_set("1.2.20.3", size=5 * MEBIBYTE), "1.2.20.4").status == Status.DATA_SET_DOES_NOT_MATCH
    assert site.members() == {}


def test_another_sop_class_than_the_contexts_is_refused(site, make_data_set: Callable, ask: Callable) -> None:
    with site.associate() as peer:
        assert ask(peer, make_data_set("1.2.20.5"), "1.2.20.5", "1.2.840.10008.5.1.4.1.1.2").status == Status.SOP_CLASS_NOT_SUPPORTED


@pytest.mark.parametrize("uid", ["../../etc/x", "C:\\x", "1." * 33 + "1", "1.02.3", "1.2..3", "1.2.x", "1"])
def test_an_invalid_uid_is_refused(site, make_data_set: Callable, uid: str) -> None:
    before = set(site.members())
    with site.associate() as peer:
        command = CStoreRequest(message_id=1, affected_sop_class_uid=MR, affected_sop_instance_uid=uid)
        assert peer.ask(1, command, make_data_set("1.2.20.6")).status == Status.INVALID_SOP_INSTANCE
    assert set(site.members()) == before


def test_garbage_for_a_data_set_is_refused(site) -> None:
    assert site.store(b"GIF89a not an image of ours" * 100, "1.2.20.7").status == Status.CANNOT_UNDERSTAND


def test_a_full_disk_is_said_and_recovers(make_site: Callable, make_data_set: Callable) -> None:
    site = make_site(free_disk_bytes=1 << 60)
    assert site.store(make_data_set("1.2.20.8"), "1.2.20.8").status == Status.OUT_OF_RESOURCES
    assert site.echo() < 5
    assert site.members() == {}


def test_an_object_that_is_too_large_is_refused(make_site: Callable, make_data_set: Callable) -> None:
    site = make_site(dimse_instance_bytes=2 * MEBIBYTE, buffer_bytes=MEBIBYTE)
    assert site.store(make_data_set("1.2.20.9", size=3 * MEBIBYTE), "1.2.20.9").status == Status.TOO_LARGE
    assert site.store(make_data_set("1.2.20.10"), "1.2.20.10").status == Status.SUCCESS
    assert set(site.members()) == {"1.2.20.10.dcm"}


# --- everything real -----------------------------------------------------------------------------------------------------------------


def part10_files(folders: list[Path]) -> list[Path]:
    found = [path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file() and path.stat().st_size < 64 * MEBIBYTE]
    return [path for path in found if _may_be_sent(path)]


def _may_be_sent(path: Path) -> bool:
    """Whether a peer could send it as it is: with a preamble, and UIDs that a C-STORE-RQ may name."""
    with path.open("rb") as file:
        recognition = recognise(file.read(1 << 16))
    return (
        recognition is not None
        and recognition.has_preamble
        and recognition.has_meta
        and not recognition.is_dicomdir
        and is_valid_uid(recognition.media_storage_sop_instance_uid)
        and is_valid_uid(recognition.media_storage_sop_class_uid)
        and is_valid_uid(recognition.transfer_syntax_uid)
    )


@pytest.mark.slow
def test_all_real_files_are_found_again_bit_equal(make_site: Callable, shared_data: Path) -> None:
    """Those of pydicom's test data and of ../shared/data, broken ones too."""
    site = make_site(dimse_unknown_sop_classes=True)
    pydicom_data = Path(pydicom.data.__file__).parent / "test_files"
    paths = part10_files([pydicom_data, shared_data])
    assert len(paths) > 500
    refused, wanted = set(), {}
    for path in paths:
        body = path.read_bytes()
        recognition = recognise(body[: 1 << 16])
        sop_class, uid = _identifiers(path)
        data_set = body[recognition.data_set_offset :]
        request = make_request("HILUM", "kp-real", [PresentationContextProposed(1, sop_class, (recognition.transfer_syntax_uid,))])
        with Requestor(site.address, request, Limits(response_seconds=60)) as peer:
            command = CStoreRequest(message_id=1, affected_sop_class_uid=sop_class, affected_sop_instance_uid=uid)
            status = peer.ask(1, command, data_set).status
        if status == Status.SUCCESS:
            wanted.setdefault(uid, set()).add(data_set)
        else:
            refused.add((path.name, status))
    kept: dict[str, set[bytes]] = {}
    for member in _all_members(site):
        recognition = recognise(member[:4096])
        kept.setdefault(recognition.media_storage_sop_instance_uid, set()).add(member[recognition.data_set_offset :])
    assert kept == wanted
    without_uid = {"UN_sequence.dcm", "no_meta_group_length.dcm", "priv_SQ.dcm"}
    assert refused == {(name, Status.CANNOT_UNDERSTAND) for name in without_uid}


def _identifiers(path: Path) -> tuple[str, str]:
    """SOP class and instance as a sender takes them: from the data set, which may say otherwise than the File Meta."""
    header = dcmread(path, stop_before_pixels=True)
    meta = header.file_meta
    return (
        str(header.get("SOPClassUID") or meta.MediaStorageSOPClassUID),
        str(header.get("SOPInstanceUID") or meta.MediaStorageSOPInstanceUID),
    )


def _all_members(site) -> list[bytes]:
    from hilum.stores.packs import scan

    found = []
    for path in site.app.settings.packs.glob("*.tar"):
        content = path.read_bytes()
        found += [content[one.member.offset : one.member.offset + one.member.size] for one in scan(path)]
    return found


def test_an_unreachable_peer_is_a_sentence() -> None:
    from hilum.doors.dimse_requestor import Address, echo

    with pytest.raises(AssociationError, match="cannot be reached"):
        echo(Address("127.0.0.1", 1), "ANY", "HILUM")
