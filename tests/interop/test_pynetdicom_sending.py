"""pynetdicom as sender."""

from pathlib import Path

from pydicom import dcmread
from pynetdicom import AE
from pynetdicom.presentation import build_context

from hilum.dicom.part10 import recognise
from hilum.runtime.private_server import PrivateServer
from hilum.stores.packs import scan


def test_pynetdicom_sends_what_is_found_again(server: PrivateServer, project: str, shared_data: Path) -> None:
    images = sorted((shared_data / "volumes").rglob("*.dcm"))[:40]
    headers = [dcmread(path) for path in images]
    contexts = {(header.SOPClassUID, header.file_meta.TransferSyntaxUID) for header in headers}
    sender = AE("PYNETDICOM")
    sender.dimse_timeout = 120  # a disk that others use may take longer than the 30 seconds that it waits by itself
    sender.requested_contexts = [build_context(sop_class, syntax) for sop_class, syntax in sorted(contexts)]
    host, port = server.dimse.split(":")
    association = sender.associate(host, int(port), ae_title=f"kp-{project}")
    assert association.is_established
    try:
        assert {association.send_c_store(header).Status for header in headers} == {0}
    finally:
        association.release()
    kept = set()
    for path in (server.log.parent / "packs").glob("*.tar"):
        content = path.read_bytes()
        for one in scan(path):
            member = content[one.member.offset : one.member.offset + one.member.size]
            recognition = recognise(member[:4096])
            if recognition is not None:  # packs of results lie beside
                kept.add(recognition.media_storage_sop_instance_uid)
    assert {str(header.SOPInstanceUID) for header in headers} <= kept
