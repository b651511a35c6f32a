"""A real DIMSE door on a loopback socket over a new data directory, with a worker that runs when a test says so."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hilum.dicom.upperlayer.items import PresentationContextProposed
from hilum.dicom.upperlayer.messages import CStoreRequest, Response
from hilum.doors.dimse_requestor import Address, Requestor, echo, make_request
from hilum.model.identity import SYSTEM
from hilum.model.records import SetAsideMember, Study
from hilum.runtime.assembling import Application, assemble, make_tools, open_pool, ship
from hilum.runtime.serving_dimse import serve_dimse
from hilum.runtime.settings import Settings
from hilum.runtime.stepping import Stop, Worker
from hilum.runtime.supervising import listen
from hilum.stores.catalogue import Page, StudyFilter
from hilum.stores.migrations import upgrade
from hilum.stores.packs import scan

EXPLICIT = "1.2.840.10008.1.2.1"
MR = "1.2.840.10008.5.1.4.1.1.4"
PATIENT = "NOBODY-MAY-LOG-ME"


def element(group: int, number: int, vr: str, value: bytes) -> bytes:
    """One element in explicit VR little endian, with a short VR."""
    value += b"\0" * (len(value) % 2)
    return struct.pack("<HH2sH", group, number, vr.encode(), len(value)) + value


def data_set(uid: str, study: str = "1.2.3", size: int = 512, *, sop_class: str = MR, patient: str = PATIENT) -> bytes:
    """A small MR image."""
    head = element(8, 0x16, "UI", sop_class.encode()) + element(8, 0x18, "UI", uid.encode()) + element(8, 0x60, "CS", b"MR")
    head += element(0x10, 0x20, "LO", patient.encode())
    head += element(0x20, 0x0D, "UI", study.encode()) + element(0x20, 0x0E, "UI", f"{study}.1".encode())
    head += element(0x20, 0x13, "IS", uid.rsplit(".", 1)[-1].encode())
    return head + struct.pack("<HH2sxxI", 0x7FE0, 0x10, b"OW", size) + bytes(size)


@dataclass
class DimseSite:
    """A door, its stores, and a worker in this process."""

    app: Application
    port: int
    worker: Worker

    @property
    def address(self) -> Address:
        return Address("127.0.0.1", self.port)

    def project(self, name: str, quiet_seconds: int = 5, **options: Any) -> str:
        self.app.access.create_project(SYSTEM, name, quiet_seconds=quiet_seconds, **options)
        return name

    def echo(self, called: str = "HILUM", calling: str = "TEST") -> float:
        return echo(self.address, called, calling)

    def associate(
        self, called: str = "HILUM", calling: str = "kp-tests", sop_class: str = MR, syntaxes: tuple[str, ...] = (EXPLICIT,)
    ) -> Requestor:
        return Requestor(self.address, make_request(called, calling, [PresentationContextProposed(1, sop_class, syntaxes)]))

    def store(self, body: bytes, uid: str, called: str = "HILUM", **options: Any) -> Response:
        """One C-STORE in an association of its own."""
        with self.associate(called, **options) as peer:
            return ask_to_store(peer, body, uid, options.get("sop_class", MR))

    def connect(self) -> socket.socket:
        """A bare connection."""
        return socket.create_connection(self.address[:2], 10)

    def members(self) -> dict[str, bytes]:
        """What the packs hold: member name -> its bytes."""
        found = {}
        for path in sorted(self.app.settings.packs.glob("*.tar")):
            content = path.read_bytes()
            for one in scan(path):
                member = one.member
                found[member.name] = content[member.offset : member.offset + member.size]
        return found

    def studies(self) -> list[Study]:
        return self.app.catalogue.list_studies(SYSTEM, StudyFilter(), Page())

    def set_aside(self) -> list[SetAsideMember]:
        return self.app.catalogue.list_set_aside(SYSTEM, Page())

    def work(self, seconds: float = 60) -> None:
        """Do all that is ready, and what becomes ready by itself, until every item is at rest."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if self.worker.step() or self.app.ledger.wake_due(SYSTEM):
                continue
            # What was deferred may have become ready since: only a second look is sure.
            if self.app.ledger.next_due_at(SYSTEM) is None and not self.worker.step():
                return
            time.sleep(0.01)  # the door tells the ledger soon that an association ended
        raise AssertionError("there is work without end")


def ask_to_store(peer: Requestor, body: bytes, uid: str, sop_class: str = MR, message_id: int = 1) -> Response:
    return peer.ask(1, CStoreRequest(message_id=message_id, affected_sop_class_uid=sop_class, affected_sop_instance_uid=uid), body)


def run_site(folder: Path, **options: Any) -> Iterator[DimseSite]:
    """A door over `folder`, for as long as the generator lives."""
    settings = Settings(data=folder, **{"free_disk_bytes": 0, "dimse_project": "inbox", "dimse_processes": 1, **options})
    settings.packs.mkdir(parents=True, exist_ok=True)
    app = assemble(settings)
    upgrade(app.database)
    ship(app)
    app.access.create_project(SYSTEM, "inbox", quiet_seconds=0)
    listening, ready = listen("127.0.0.1", 0), threading.Event()
    port = listening.getsockname()[1]
    stops: list[Callable[[], object]] = []
    server = threading.Thread(target=serve_dimse, args=(app, listening), kwargs={"ready": ready.set, "ask_stop": stops.append})
    with ExitStack() as stack:
        pools = [stack.enter_context(open_pool(app, kind)) for kind in ("deidentified", "results")]
        worker = Worker("tests", app.ledger, make_tools(app, *pools), Stop(), lease=timedelta(60), attempts=3, wait=lambda _: None)
        server.start()
        assert ready.wait(30)
        yield DimseSite(app, port, worker)
        stops[0]()
        server.join(30)
    assert not server.is_alive()
    app.close()


@pytest.fixture
def made_sites() -> list[DimseSite]:
    """What `make_site` made for this test."""
    return []


@pytest.fixture
def make_site(tmp_path: Path, made_sites: list[DimseSite]) -> Iterator[Callable[..., DimseSite]]:
    """Makes a door with settings of its own: `make_site(dimse_artim_seconds=1)`, perhaps over a folder of the test's."""
    running: list[Iterator[DimseSite]] = []

    def make(folder: Path | None = None, **options: Any) -> DimseSite:
        running.append(run_site(folder or tmp_path / f"site{len(running)}", **options))
        made_sites.append(next(running[-1]))
        return made_sites[-1]

    yield make
    for site in running:
        next(site, None)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DimseSite]:
    """One door for all tests of a module; each test uses UIDs of its own."""
    yield from run_site(tmp_path_factory.mktemp("site") / "data")


@pytest.fixture(scope="session")
def make_data_set() -> Callable[..., bytes]:
    return data_set


@pytest.fixture(scope="session")
def make_element() -> Callable[..., bytes]:
    return element


@pytest.fixture(scope="session")
def ask() -> Callable[..., Response]:
    """One C-STORE on an open association."""
    return ask_to_store
