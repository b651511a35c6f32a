"""A real server on a loopback socket over a new data directory, with workers that run when a test says so."""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from hilum.api.serving import listen, serve_web
from hilum.model.identity import SYSTEM, Role
from hilum.runtime.assembling import Application, assemble, make_tools, open_pool, ship
from hilum.runtime.settings import Settings
from hilum.runtime.stepping import Stop, Worker
from hilum.stores.access import Grant
from hilum.stores.migrations import upgrade

ADMIN = "the-administrators-token"


@dataclass
class Site:
    """A server, its stores, and a worker in this process."""

    app: Application
    url: str
    worker: Worker
    clients: list[httpx.Client] = field(default_factory=list)

    def client(self, token: str | None = ADMIN, **options: Any) -> httpx.Client:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        client = httpx.Client(base_url=f"{self.url}/api/v1", headers=headers, timeout=60, **options)
        self.clients.append(client)
        return client

    def project(self) -> str:
        """A new project."""
        name = f"p{uuid.uuid4().hex[:10]}"
        self.app.access.create_project(SYSTEM, name, quiet_seconds=0)
        return name

    def token(self, project: str, role: Role, *, may_see_identity: bool = False) -> str:
        grant = Grant(project, role, may_see_identity)
        return self.app.access.create_token(SYSTEM, f"{role} of {project}", [grant]).secret

    def work(self, seconds: float = 120) -> None:
        """Do all that is ready, deferred items included, until nothing moves any more."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if not self.worker.step() and not self.app.ledger.wake_due(SYSTEM):
                return
        raise AssertionError("there is work without end")


class Uploading:
    """One upload, as a sender makes it."""

    def __init__(self, site: Site, project: str, client: httpx.Client | None = None, **asked: Any) -> None:
        self.site = site
        self.client = client or site.client()
        reply = self.client.post("/uploads", json={"project": project, **asked})
        assert reply.status_code == 201, reply.text
        self.id = reply.json()["id"]

    def put(self, name: str, body: bytes, **options: Any) -> httpx.Response:
        return self.client.put(f"/uploads/{self.id}/files/{name}", content=body, **options)

    def complete(self, **body: Any) -> httpx.Response:
        return self.client.post(f"/uploads/{self.id}/complete", json=body)

    def look(self) -> dict[str, Any]:
        return self.client.get(f"/uploads/{self.id}").json()

    def finish(self) -> dict[str, Any]:
        """Complete it, do the work, and look."""
        assert self.complete().status_code == 202
        self.site.work()
        return self.look()


@pytest.fixture(scope="session")
def uploading(site: Site) -> Callable[..., Uploading]:
    """Starts uploads: `uploading(project, report_type=...)`."""
    return partial(Uploading, site)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    yield from run_site(tmp_path_factory.mktemp("site"))


def run_site(folder: Path, **options: Any) -> Iterator[Site]:
    """A site over `folder`, for as long as the generator lives."""
    settings = Settings(**{"data": folder, "admin_token": ADMIN, "free_disk_bytes": 0, **options})
    app = assemble(settings)
    upgrade(app.database)
    ship(app)
    settings.packs.mkdir(parents=True, exist_ok=True)
    listening, stop, ready = listen("127.0.0.1", 0), Stop(), threading.Event()
    server = threading.Thread(target=serve_web, args=(app, listening), kwargs={"ready": ready.set, "stop": stop})
    with ExitStack() as stack:
        pools = [stack.enter_context(open_pool(app, kind)) for kind in ("deidentified", "results")]
        worker = Worker("tests", app.ledger, make_tools(app, *pools), Stop(), lease=timedelta(60), attempts=3, wait=lambda _: None)
        server.start()
        assert ready.wait(30)
        site = Site(app, f"http://127.0.0.1:{listening.getsockname()[1]}", worker)
        yield site
        for client in site.clients:
            client.close()
        stop.ask()
        server.join(30)
    assert not server.is_alive()
    app.close()
