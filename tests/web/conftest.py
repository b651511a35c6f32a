"""A gateway without processes: real stores, real stages, two phantom studies brought through the whole line."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from hilum.model.identity import SYSTEM, Scope
from hilum.model.members import MemberNote
from hilum.phantoms import PhantomStudy, make_phantom_study
from hilum.runtime.assembling import Application, assemble, make_worker, open_pool
from hilum.runtime.preparing import prepare
from hilum.runtime.settings import Settings
from hilum.runtime.stepping import Stop
from hilum.stores.intakes import NewIntake
from hilum.web import routes


@dataclass
class Gateway:
    """An application with its pages, as one reader sees them."""

    app: Application
    reader: Scope = SYSTEM

    @property
    def pages(self) -> TestClient:
        return TestClient(Starlette(routes=routes(self.app, lambda _: self.reader)))

    def bring(self, files: tuple[Path, ...], report_type: str = "") -> str:
        """Receive files as one completed upload. Returns the intake's id."""
        intake_id = self.app.intakes.start(SYSTEM, NewIntake("admin", "uploads", report_type)).id
        with open_pool(self.app, "received") as pool, pool.batch() as batch:
            for path in files:
                writer = batch.add(MemberNote("admin", "uploads", self.app.clock(), intake_id, file_name=f"{path.parent.name}/{path.name}"))
                writer.write(path.read_bytes())
                writer.commit()
            batch.commit()
        self.app.intakes.complete(SYSTEM, intake_id)
        return intake_id

    def work(self) -> None:
        """Run stages until nothing is ready."""
        with open_pool(self.app, "deidentified") as deidentified, open_pool(self.app, "results") as results:
            worker = make_worker(self.app, "worker 1", Stop(), lambda _: None, deidentified, results)
            while worker.step():
                pass


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    folder = tmp_path_factory.mktemp("gateway")
    settings = Settings(data=folder / "data")
    prepare(settings)
    app = assemble(settings)
    yield Gateway(app)
    app.close()


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> tuple[PhantomStudy, PhantomStudy]:
    """A whole study, and one whose FLAIR lacks slice 17."""
    folder = tmp_path_factory.mktemp("phantoms")
    whole = make_phantom_study(folder / "whole", patient_id="PHANTOM-1")
    return whole, make_phantom_study(folder / "short", patient_id="PHANTOM-2", seed=1, without_slice=17)
