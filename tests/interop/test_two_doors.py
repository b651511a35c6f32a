"""The same images by HTTP and by C-STORE are held once; and limits that hold for two DIMSE processes together."""

from collections.abc import Callable
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from waiting import wait_until

from hilum.dicom.upperlayer.items import PresentationContextProposed
from hilum.doors.dimse_requestor import Address, AssociationError, Requestor, make_request
from hilum.model.identity import SYSTEM
from hilum.runtime.assembling import assemble
from hilum.runtime.private_server import PrivateServer
from hilum.runtime.settings import Settings
from hilum_sdk import Hilum

VERIFICATION, IMPLICIT = "1.2.840.10008.1.1", "1.2.840.10008.1.2"


def test_what_came_by_http_is_already_held_when_it_comes_by_c_store(
    server: PrivateServer, hilum: Hilum, project: str, run_peer: Callable, shared_data: Path
) -> None:
    images = sorted((shared_data / "ms_dicom" / "patient01" / "t1").rglob("*.dcm"))[:5]
    upload = hilum.uploads.start(project=project)
    for image in images:
        hilum.uploads.put_file(upload.id, image.name, image)
    hilum.uploads.complete(upload.id)
    wait_until(lambda: [study.number_of_instances for study in hilum.studies.list(project=project)] == [5], 60, 0.1)
    (study,) = hilum.studies.list(project=project)
    ran = run_peer("storescu", "-aec", f"kp-{project}", *server.dimse.split(":"), *images)
    assert ran.returncode == 0, ran.stderr
    with closing(assemble(Settings(data=server.log.parent))) as app:

        def counts(name: str) -> list[int]:
            return sorted(app.intakes.counts(SYSTEM, intake_id)[name] for intake_id in app.catalogue.intakes_of_study(SYSTEM, study.id))

        wait_until(lambda: counts("already_held") == [0, 5], 60, 0.1)
        assert counts("conflicts") == [0, 0]
    (study,) = hilum.studies.list(project=project)
    assert (study.revision, study.number_of_instances) == (1, 5)


def test_two_processes_share_the_limits(tmp_path: Path) -> None:
    config = tmp_path / "hilum.toml"
    config.write_text("dimse_processes = 2\ndimse_associations_per_peer = 4\n")
    request = make_request("HILUM", "CT1", [PresentationContextProposed(1, VERIFICATION, (IMPLICIT,))])
    options = ["--dimse", "127.0.0.1:0", "--workers", "1", "--config", str(config)]
    with PrivateServer(tmp_path / "data", options) as running, ExitStack() as stack:
        host, port = running.dimse.split(":")
        for _ in range(4):
            stack.enter_context(Requestor(Address(host, int(port)), request))
        for _ in range(6):  # whichever process the kernel gives it to
            with pytest.raises(AssociationError, match="too many associations"):
                Requestor(Address(host, int(port)), request).__enter__()
