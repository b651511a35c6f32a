"""Orthanc as sender: C-STORE asked for by its REST interface, storage commitment, and C-ECHO both ways."""

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom import Dataset, dcmread
from waiting import wait_until

from hilum.runtime.private_server import PrivateServer
from hilum.stores.packs import scan
from hilum_sdk import Hilum

PROGRAM = shutil.which("Orthanc") or shutil.which("Orthanc", path="/usr/sbin")


@dataclass
class Orthanc:
    """A running Orthanc."""

    http: httpx.Client
    dicom_port: int

    def call(self, method: str, path: str, body: Any = None) -> Any:
        reply = self.http.request(method, path, json=body, timeout=60)
        assert reply.status_code == 200, f"{path}: {reply.text}"
        return reply.json() if reply.content else None

    def put(self, image: Path) -> str:
        """Its id of an image that it now holds."""
        reply = self.http.post("/instances", content=image.read_bytes())
        assert reply.status_code == 200, reply.text
        return str(reply.json()["ID"])

    def know(self, name: str, ae_title: str, server: PrivateServer) -> None:
        """A modality that is our server, called by an AE title."""
        host, port = server.dimse.split(":")
        self.http.put(f"/modalities/{name}", json={"AET": ae_title, "Host": host, "Port": int(port), "AllowStorageCommitment": True})


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@pytest.fixture(scope="module")
def orthanc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orthanc]:
    if PROGRAM is None:
        why = "Orthanc is not installed"
        if os.environ.get("HILUM_REQUIRE_PEERS") == "1":
            pytest.fail(why)
        pytest.skip(why)
    folder, http_port, dicom_port = tmp_path_factory.mktemp("orthanc"), free_port(), free_port()
    storage = str(folder / "storage")
    configuration = {
        "StorageDirectory": storage,
        "IndexDirectory": storage,
        "AuthenticationEnabled": False,
        "RemoteAccessAllowed": False,
        "HttpPort": http_port,
        "DicomPort": dicom_port,
        "DicomAet": "ORTHANC",
        "DicomCheckCalledAet": False,
    }
    path = folder / "orthanc.json"
    path.write_text(json.dumps(configuration))
    with (folder / "log").open("w") as log, subprocess.Popen([PROGRAM, str(path)], stdout=log, stderr=log) as process:
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{http_port}") as http:
                wait_until(lambda: _answers(http), 60, 0.1)
                yield Orthanc(http, dicom_port)
        finally:
            process.terminate()


def _answers(http: httpx.Client) -> bool:
    try:
        return http.get("/system").status_code == 200
    except httpx.TransportError:
        return False


def test_what_orthanc_sends_is_found_again_value_by_value(
    orthanc: Orthanc, server: PrivateServer, hilum: Hilum, project: str, shared_data: Path
) -> None:
    """Not byte by byte: Orthanc itself encodes sequences and padding anew before it sends."""
    images = sorted((shared_data / "mr_t1_sagittal_160").rglob("*.dcm"))[:20]
    orthanc.know("hilum", f"kp-{project}", server)
    sent = orthanc.call("POST", "/modalities/hilum/store", {"Resources": [orthanc.put(image) for image in images], "Synchronous": True})
    assert (sent["InstancesCount"], sent["FailedInstancesCount"]) == (20, 0)
    wait_until(lambda: [study.number_of_instances for study in hilum.studies.list(project=project)] == [20], 60, 0.1)
    (study,) = hilum.studies.list(project=project)
    assert study.datasets == ["ORTHANC"]
    wanted = {image.SOPInstanceUID: image for image in map(dcmread, images)}
    assert {uid: image for uid, image in kept_in(server).items() if uid in wanted} == wanted


def kept_in(server: PrivateServer) -> dict[str, Dataset]:
    """What the packs hold of Orthanc's, by SOP Instance UID."""
    found = {}
    for path in (server.log.parent / "packs").glob("*.tar"):
        content = path.read_bytes()
        for one in scan(path):
            if one.member.note.calling_ae_title == "ORTHANC":
                image = dcmread(BytesIO(content[one.member.offset : one.member.offset + one.member.size]))
                found[str(image.SOPInstanceUID)] = image
    return found


def test_an_unknown_project_is_an_error_that_orthanc_tells(orthanc: Orthanc, server: PrivateServer, shared_data: Path) -> None:
    orthanc.know("nobody", "kp-nobody", server)
    image = min((shared_data / "mr_t1_sagittal_160").rglob("*.dcm"))
    reply = orthanc.http.post("/modalities/nobody/store", content=orthanc.put(image))
    assert reply.status_code >= 400


def test_orthanc_asks_for_storage_commitment_and_is_told_on_an_association_of_ours(
    orthanc: Orthanc, server: PrivateServer, hilum: Hilum, project: str, shared_data: Path
) -> None:
    """It leaves after its request and waits at its own port, as many modalities do."""
    images = sorted((shared_data / "mr_t1_sagittal_160").rglob("*.dcm"))[30:33]
    orthanc.know("hilum", f"kp-{project}", server)
    body = {"name": f"orthanc{project}", "ae_title": "ORTHANC", "host": "127.0.0.1", "port": orthanc.dicom_port}
    reply = httpx.post(f"{server.url}/api/v1/pacs", json=body, headers={"authorization": f"Bearer {server.token}"})
    assert reply.status_code == 201, reply.text
    ids = [orthanc.put(image) for image in images]
    sent = orthanc.call("POST", "/modalities/hilum/store", {"Resources": ids, "StorageCommitment": True, "Synchronous": True})
    transaction = sent["StorageCommitmentTransactionUID"]

    def report() -> Any:
        return orthanc.call("GET", f"/storage-commitment/{transaction}")

    wait_until(lambda: report()["Status"] != "Pending", 60, 0.1)
    assert report()["Status"] == "Success"
    assert len(report()["Success"]) == 3


def test_orthanc_and_we_echo_each_other(orthanc: Orthanc, server: PrivateServer, hilum: Hilum, project: str) -> None:
    orthanc.know("hilum", f"kp-{project}", server)
    orthanc.call("POST", "/modalities/hilum/echo", {})
    headers = {"authorization": f"Bearer {server.token}"}
    body = {
        "name": f"echoed{project}",
        "ae_title": "ORTHANC",
        "host": "127.0.0.1",
        "port": orthanc.dicom_port,
        "our_ae_title": f"kp-{project}",
    }
    assert httpx.post(f"{server.url}/api/v1/pacs", json=body, headers=headers).status_code == 201
    answer = httpx.post(f"{server.url}/api/v1/pacs/{body['name']}/echo", json={}, headers=headers).json()
    assert answer["answered"], answer["why"]
