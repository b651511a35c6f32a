"""How fast one worker imports: headers read out of packs, instances written into the catalogue. In one process, without HTTP.

python bench/importing.py [--number 2000] [--runs 3] [--folder DIR] [--profile]
"""

import argparse
import cProfile
import pstats
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hilum.model.identity import SYSTEM
from hilum.model.lifecycle import Kind as ItemKind
from hilum.model.members import MemberNote
from hilum.runtime.assembling import Application, assemble, make_worker
from hilum.runtime.preparing import prepare
from hilum.runtime.settings import load_settings
from hilum.runtime.stepping import Stop, Worker
from hilum.runtime.tending import tended_pool
from hilum.stores.intakes import NewIntake
from images import CT, MR, Kind, make_images

LEAST_RATE = 2000.0
KINDS = (CT, MR)


@contextmanager
def _application(parent: Path) -> Iterator[Application]:
    folder = Path(tempfile.mkdtemp(prefix="hilum-bench-", dir=parent))
    settings = load_settings(data=folder, free_disk_bytes=0)
    prepare(settings)
    app = assemble(settings)
    try:
        yield app
    finally:
        app.close()
        shutil.rmtree(folder)


@contextmanager
def _worker(app: Application) -> Iterator[Worker]:
    with tended_pool(app, "deidentified") as deidentified, tended_pool(app, "results") as results:
        yield make_worker(app, "bench", Stop(), lambda _: None, deidentified, results, kinds=(ItemKind.INTAKE,))


def receive(app: Application, kind: Kind, number: int) -> str:
    """One completed intake with `number` images; its id."""
    intake = app.intakes.start(SYSTEM, NewIntake("admin", "uploads"))
    with tended_pool(app, "received") as pool, pool.batch() as batch:
        for at, image in enumerate(make_images(kind, number)):
            note = MemberNote(project="admin", door="uploads", received_at=app.clock(), intake_id=intake.id, file_name=f"image{at:05d}.dcm")
            with batch.add(note) as member:
                member.write(image)
                member.commit()
        batch.commit()
    app.intakes.complete(SYSTEM, intake.id)
    return intake.id


def import_all(app: Application, intake_id: str, number: int, profile: cProfile.Profile | None = None) -> float:
    """Seconds from the claim to the last commit of an intake with `number` images."""
    with _worker(app) as worker:
        if profile is not None:
            profile.enable()
        begun = time.perf_counter()
        worker.step()
        took = time.perf_counter() - begun
        if profile is not None:
            profile.disable()
    imported = app.intakes.counts(SYSTEM, intake_id)["imported"]
    if imported != number:
        raise RuntimeError(f"{imported} of {number} were imported")
    return took


def measure(kind: Kind, number: int, parent: Path, profile: cProfile.Profile | None) -> float:
    """Instances a second."""
    with _application(parent) as app:
        return number / import_all(app, receive(app, kind, number), number, profile)


def main() -> int:
    """Print a line a kind of image; 0 where the goal is met."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--number", type=int, default=2000, help="instances")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    profile = cProfile.Profile() if given.profile else None
    is_met = True
    for kind in KINDS:
        rates = sorted(measure(kind, given.number, given.folder, profile) for _ in range(given.runs))
        median = statistics.median(rates)
        is_met &= median >= LEAST_RATE
        print(f"importing {kind.size}: {median:.0f} instances/s ({rates[0]:.0f}-{rates[-1]:.0f}), goal {LEAST_RATE:.0f}", flush=True)
    if profile is not None:
        pstats.Stats(profile).sort_stats("cumulative").print_stats(40)
    return 0 if is_met else 1


if __name__ == "__main__":
    raise SystemExit(main())
