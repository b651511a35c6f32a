"""Faults under the upload door (39: a full disk, 40: kill -9): what was acknowledged stays, what was not is refused, and it goes on."""

import hashlib
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil
import pytest
from tests.api.conftest import Site, Uploading, run_site

from hilum.runtime.private_server import PrivateServer

running_site = contextmanager(run_site)
MIB = 1 << 20


@pytest.fixture
def image(shared_data: Path) -> bytes:
    return sorted((shared_data / "ms_dicom/patient01/flair").glob("*.dcm"))[0].read_bytes()


def test_39_a_disk_below_its_watermark_takes_nothing_more_and_goes_on_when_there_is_room(tmp_path, image):
    with running_site(tmp_path) as site:
        upload = Uploading(site, "admin")
        assert upload.put("image.dcm", image).status_code == 201
    with running_site(tmp_path, free_disk_bytes=1 << 62) as site:
        client = site.client()
        again = Uploading(site, "admin", client)
        for size in (10, 6 * MIB):
            reply = again.put(f"{size}", bytes(size))
            assert (reply.status_code, reply.json()["type"]) == (507, "/problems/storage-full")
        assert client.get("/ready").status_code == 503
        assert client.get("/health").status_code == 200
        # What is durable can be completed, imported and seen all the same.
        assert client.post(f"/uploads/{upload.id}/complete", json={"expected_files": 1}).status_code == 202
        site.work()
        assert client.get(f"/uploads/{upload.id}").json()["counts"]["imported"] == 1
    with running_site(tmp_path) as site:
        client = site.client()
        assert client.get("/ready").status_code == 200
        assert client.put(f"/uploads/{again.id}/files/image.dcm", content=image).status_code == 201


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 48 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "tmpfs", str(folder)], capture_output=True, check=False)
    if sys.platform != "linux" or mounted.returncode != 0:
        pytest.skip("a small disk can be mounted by root on Linux only")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(site: Site, upload: Uploading, size: int) -> dict[str, bytes]:
    """Send files until the disk is full: those that were acknowledged."""
    kept: dict[str, bytes] = {}
    for number in range(200):
        body = random.Random(number).randbytes(size)
        reply = upload.put(f"{size}-{number}", body)
        if reply.status_code != 201:
            assert (reply.status_code, reply.json()["type"]) == (507, "/problems/storage-full"), reply.text
            return kept
        kept[f"{size}-{number}"] = body
    raise AssertionError("the disk was never full")


def test_39_a_disk_that_is_really_full_loses_nothing_that_was_acknowledged(small_disk, image):
    """Real ENOSPC, in the middle of small and of streamed bodies."""
    with running_site(small_disk) as site:
        project = site.project()
        complete = Uploading(site, project)
        assert complete.put("image.dcm", image).status_code == 201
        upload = Uploading(site, project)
        ballast = small_disk / "ballast"
        ballast.write_bytes(bytes(16 * MIB))
        kept = fill(site, upload, 5 * MIB) | fill(site, upload, 300_000)
        assert site.client().get("/health").status_code == 200
        ballast.unlink()
        assert upload.put("after", b"there is room again").status_code == 201
        assert complete.finish()["counts"]["imported"] == 1
        listed = {file["name"]: file["sha256"] for file in upload.client.get(f"/uploads/{upload.id}/files").json()["items"]}
        assert listed.keys() == {*kept, "after"}
        upload.finish()
        for one in upload.client.get(f"/set-aside?project={project}").json()["items"]:
            body = upload.client.get(f"/set-aside/{one['id']}/content").content
            assert hashlib.sha256(body).hexdigest() == listed[one["file_name"]]


class Senders:
    """Threads that send numbered images until they are stopped, and remember what was acknowledged."""

    def __init__(self, url: str, token: str, upload: str, image: bytes) -> None:
        self.acknowledged: dict[str, str] = {}
        self._url, self._upload, self._image = f"{url}/api/v1/uploads/{upload}/files/", upload, image
        self._headers = {"authorization": f"Bearer {token}"}
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._send, args=(number,)) for number in range(4)]
        for thread in self._threads:
            thread.start()

    def _send(self, thread: int) -> None:
        with httpx.Client(headers=self._headers, timeout=10) as client:
            number = thread
            while not self._stop.is_set():
                body = numbered(self._image, number)
                try:
                    reply = client.put(f"{self._url}{number}.dcm", content=body)
                except httpx.TransportError:
                    time.sleep(0.05)  # the process is down; the same file again, as every sender does
                    continue
                assert reply.status_code == 201, reply.text
                self.acknowledged[f"{number}.dcm"] = hashlib.sha256(body).hexdigest()
                number += 4

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()


def numbered(image: bytes, number: int) -> bytes:
    """The image as another instance: the last digits of its SOP Instance UID count."""
    at = image.index(b"\x08\x00\x18\x00UI")
    length = int.from_bytes(image[at + 6 : at + 8], "little")
    uid = image[at + 8 : at + 8 + length].rstrip(b"\0")
    return image.replace(uid, uid[:-6] + b"%06d" % (900_000 + number))


def test_40_a_killed_web_process_keeps_every_acknowledged_image(tmp_path, image):
    """kill -9 at random moments while four senders are at it; the long version is in bench/."""
    with PrivateServer(tmp_path / "data", ["--workers", "1"]) as server, client_of(server) as client:
        upload = client.post("/uploads", json={"project": "admin"}).json()["id"]
        senders = Senders(server.url, server.token, upload, image)
        try:
            for _ in range(3):
                wait_for_more(senders)
                time.sleep(random.uniform(0, 0.2))
                os.kill(web_process(), signal.SIGKILL)
            wait_for_more(senders)
        finally:
            senders.stop()
        assert client.post(f"/uploads/{upload}/complete", json={}).status_code == 202
        wait_until(lambda: client.get(f"/uploads/{upload}").json()["step"] not in ("Uploading", "Importing"))
        found = client.get(f"/uploads/{upload}").json()
        assert found["studies"][0]["number_of_instances"] == found["counts"]["imported"] >= len(senders.acknowledged)
        assert found["counts"]["set_aside"] == found["counts"]["conflicts"] == 0
        # What is held in the project is not wanted again: each acknowledged image is there, bit-equal.
        offered = [{"name": name, "size": len(image), "sha256": sha256} for name, sha256 in senders.acknowledged.items()]
        another = client.post("/uploads", json={"project": "admin"}).json()["id"]
        assert client.post(f"/uploads/{another}/offer", json={"files": offered}).json() == {"wanted": []}


def client_of(server: PrivateServer) -> httpx.Client:
    return httpx.Client(base_url=f"{server.url}/api/v1", headers={"authorization": f"Bearer {server.token}"}, timeout=30)


def wait_for_more(senders: Senders) -> None:
    before = len(senders.acknowledged)
    wait_until(lambda: len(senders.acknowledged) > before + 20)


def web_process() -> int:
    """The one of our server's processes that serves HTTP."""
    return next(process.pid for process in psutil.Process().children(recursive=True) if "web" in process.cmdline()[3:4])


def wait_until(is_so, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it does not become so"
        time.sleep(0.02)
