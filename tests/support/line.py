"""The whole line in one process, without a server: what is uploaded goes through its stages step by step, when a test says so."""

import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hilum.model.identity import ADMIN_PROJECT, SYSTEM
from hilum.model.lifecycle import Kind, Status
from hilum.model.members import MemberNote
from hilum.model.records import Intake, Study, Workitem
from hilum.model.templates import Template
from hilum.runtime.assembling import Application, assemble, make_worker, open_pool
from hilum.runtime.keys import open_keys
from hilum.runtime.preparing import prepare
from hilum.runtime.settings import Settings, load_settings
from hilum.runtime.stepping import Stop, Worker
from hilum.stores.intakes import NewIntake
from hilum.stores.keys import KeyFiles
from hilum.stores.packs import PackPool


class Clock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **by: float) -> None:
        self.now += timedelta(**by)


class Line:
    """An application with its pools, a worker, and another that only imports."""

    def __init__(self, settings: Settings, app: Application, clock: Clock, received: PackPool, worker: Worker, importer: Worker) -> None:
        self.settings = settings
        self.app = app
        self.clock = clock
        self.received = received
        self.worker = worker
        self.importer = importer

    # --- the door ---

    def start(self, project: str = ADMIN_PROJECT, **asked: Any) -> Intake:
        return self.app.intakes.start(SYSTEM, NewIntake(project, "uploads", **asked))

    def put(self, intake: Intake, files: Mapping[str, bytes]) -> None:
        for name, body in files.items():
            self.received.store(
                body, MemberNote(intake.project, "uploads", self.clock(), intake.id, dataset=intake.dataset, file_name=name)
            )

    def upload(self, files: Mapping[str, bytes], project: str = ADMIN_PROJECT, **asked: Any) -> Intake:
        """A whole upload, completed; nothing is imported yet."""
        self.clock.advance(seconds=1)
        intake = self.start(project, **asked)
        self.put(intake, files)
        return self.app.intakes.complete(SYSTEM, intake.id)

    # --- the stages ---

    def run(self) -> int:
        """Step until nothing is ready; returns how many steps it took."""
        steps = 0
        while self.worker.step():
            steps += 1
        return steps

    def run_until(self, stage: str, kind: Kind = Kind.WORKITEM) -> None:
        """Step until an item of the kind is ready at a stage."""
        while not any(row[:3] == (kind, stage, Status.READY) for row in self.app.catalogue.standing(SYSTEM)):
            assert self.worker.step(), f"nothing is ready, and no {kind} came to {stage}"

    def send(self, files: Mapping[str, bytes], **asked: Any) -> Intake:
        """Upload, and step until nothing is ready."""
        intake = self.upload(files, **asked)
        self.run()
        return intake

    # --- what became of it ---

    def study(self, intake: Intake) -> Study:
        (study,) = self.app.catalogue.studies_of_intake(SYSTEM, intake.id)
        return study

    def workitems(self, study: Study) -> list[Workitem]:
        return self.app.catalogue.list_workitems(SYSTEM, study_id=study.id)

    def findings(self, study: Study) -> list[tuple[str, str, str]]:
        return [(one.check, one.severity, one.sentence) for one in self.app.catalogue.findings(SYSTEM, study)]

    def held_bytes(self) -> dict[str, bytes]:
        """SOP Instance UID -> bytes of everything in the catalogue."""
        return {
            instance.sop_instance_uid: b"".join(self.app.vault.stream(instance.stored))
            for one in self.app.catalogue.list_series(SYSTEM)
            for instance in self.app.catalogue.instances_of(SYSTEM, one)
        }

    def keys(self) -> KeyFiles:
        return open_keys(self.settings)

    def save_template(self, name: str, *, new: bool = True, **options: Any) -> None:
        template = Template.model_validate({"name": name, "deidentification": "keep", "processing": [{"processor": "counting"}], **options})
        self.app.templates.save(SYSTEM, template, new=new)


def settings_in(folder: Path, **options: Any) -> Settings:
    return load_settings(data=folder, free_disk_bytes=0, admin_token="a test's", **options)


@contextmanager
def open_line(settings: Settings, *, prepared: bool = True, processors: Mapping[str, Any] | None = None) -> Iterator[Line]:
    """Prepare (what a start does) and open a line.

    Args:
        processors: that a test brings; their kinds can stand in templates.
    """
    if prepared:
        prepare(settings)
    clock, stop = Clock(), Stop()
    app = assemble(settings, clock=clock)
    with ExitStack() as stack:
        stack.callback(app.close)
        # Nobody tends them: a test that wants a pack sealed seals it, and no thread is half-way through it meanwhile.
        received, deidentified, results = (stack.enter_context(open_pool(app, kind)) for kind in ("received", "deidentified", "results"))
        worker, importer = (
            make_worker(app, f"worker {uuid.uuid4()}", stop, lambda _: None, deidentified, results, kinds=kinds)
            for kinds in (tuple(Kind), (Kind.INTAKE,))
        )
        worker._tools.processors.update(processors or {})
        yield Line(settings, app, clock, received, worker, importer)
