"""Do 10 million instances stay quick? The same questions to a small ledger and to a large one, side by side; and importing into both.

python bench/many_rows.py [--studies 20000] [--runs 20] [--folder DIR]

Rows are written straight into the tables (no bytes lie behind them): a study has 5 series of 100 images. 20,000 studies take some
10 GB of disk for the time of the run.
"""

import argparse
import hashlib
import shutil
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Table, insert, select

from hilum.model.identity import SYSTEM
from hilum.runtime.assembling import Application, assemble
from hilum.runtime.preparing import prepare
from hilum.runtime.settings import load_settings
from hilum.stores.catalogue import Page, StudyFilter
from hilum.stores.intakes import NewIntake
from hilum.stores.ledger import MoveFilter
from hilum.stores.offering import SentFile
from hilum.stores.schema import instances, intake_studies, intakes, items, members, moves, packs, patients, projects, series, studies
from images import CT
from importing import import_all, receive

SERIES, IMAGES = 5, 100  # of a study, of a series
SMALL = 20  # studies
MOST_SECONDS = 0.1  # for a question to the large ledger
LEAST_OF_RATE = 0.7  # importing into the large ledger, to that into the small one
ATTRIBUTES = {
    "Modality": "CT",
    "SeriesDescription": "Routine",
    "Rows": 512,
    "Columns": 512,
    "PixelSpacing": [0.5, 0.5],
    "SliceThickness": 1.25,
}


@contextmanager
def filled(parent: Path, number: int) -> Iterator[Application]:
    """An application whose ledger holds `number` studies."""
    folder = Path(tempfile.mkdtemp(prefix="hilum-bench-", dir=parent))
    settings = load_settings(data=folder, free_disk_bytes=0)
    prepare(settings)
    app = assemble(settings)
    try:
        for first in range(0, number, 100):
            _fill(app, range(first, min(first + 100, number)))
            app.database.checkpoint()  # as `serve` does every few seconds
        yield app
    finally:
        app.close()
        shutil.rmtree(folder)


def _fill(app: Application, numbers: range) -> None:
    rows: dict[Table, list[Mapping[str, Any]]] = {
        table: [] for table in (patients, items, moves, intakes, packs, studies, intake_studies, series, members, instances)
    }
    with app.database.writing() as connection:
        project_id = connection.execute(select(projects.c.id).where(projects.c.name == "admin")).scalar_one()
        for number in numbers:
            for table, row in _study_rows(number, project_id, app):
                rows[table].append(row)
        for table, made in rows.items():
            connection.execute(insert(table), made)


def name_of(what: str, number: int) -> str:
    """The id of the `number`th one; spread as random ids are."""
    return str(uuid.uuid5(uuid.NAMESPACE_OID, f"{what} {number}"))


def digest_of(number: int) -> bytes:
    """Of the `number`th instance."""
    return hashlib.sha256(str(number).encode()).digest()


def _study_rows(number: int, project_id: int, app: Application) -> Iterator[tuple[Table, Mapping[str, Any]]]:
    at = app.clock() - timedelta(minutes=number + 60)
    study, intake, pack = name_of("study", number), name_of("intake", number), name_of("pack", number)
    of_project = {"project_id": project_id}
    finished = {"status": "finished", "why": "", "version": 3, "attempt": 1, "since_at": at}
    person = {"patient_id": f"P{number}", "patient_name": f"Person^{number}", "patient_birth_date": "19600101", "patient_sex": "O"}
    yield patients, {"key": number + 1, **of_project, "issuer_of_patient_id": "", **person}
    yield items, {"id": study, "kind": "study", **of_project, "stage": "matching", **finished}
    yield items, {"id": intake, "kind": "intake", **of_project, "stage": "importing", **finished}
    move = {"at": at, "who": "bench", "verb": "finish", "from_status": "claimed", "to_status": "finished", "why": "", "attempt": 1}
    yield moves, {"item_id": study, **of_project, "kind": "study", "from_stage": "matching", "to_stage": "matching", **move}
    yield moves, {"item_id": intake, **of_project, "kind": "intake", "from_stage": "importing", "to_stage": "importing", **move}
    asked = {"report_type": "", "dataset": "", "force_reprocessing": False, "metadata": {}, "who": "bench", "imported": True}
    yield intakes, {"id": intake, **of_project, "door": "uploads", **asked, "started_at": at, "completed_at": at}
    yield packs, {"id": pack, "kind": "received", "state": "sealed", "size": 1 << 30, "seal_wanted": False, "created_at": at}
    said = {"accession_number": f"A{number}", "study_date": "20240131", "description": "Bench", "revision": 1}
    counted = {"number_of_series": SERIES, "number_of_instances": SERIES * IMAGES, "created_at": at, "last_received_at": at}
    yield studies, {"id": study, **of_project, "patient_key": number + 1, "study_instance_uid": f"2.25.{number}", **said, **counted}
    yield intake_studies, {"intake_id": intake, "study_id": study, "new_instances": SERIES * IMAGES, "told": True, "answered": True}
    for place in range(SERIES):
        yield from _series_rows(number * SERIES + place, study, intake, pack, project_id)


def _series_rows(number: int, study: str, intake: str, pack: str, project_id: int) -> Iterator[tuple[Table, Mapping[str, Any]]]:
    uid, described = f"2.25.7{number:09d}", {"modality": "CT", "description": "Routine", "number_of_instances": IMAGES}
    owned = {"project_id": project_id, "study_id": study, "series_instance_uid": uid}
    yield series, {"key": number + 1, "id": name_of("series", number), **owned, **described, "attributes": ATTRIBUTES, "kept_generation": 1}
    for image in range(number * IMAGES, (number + 1) * IMAGES):
        place = {"pack_id": pack, "offset": image * 600_000, "size": 530_000, "sha256": digest_of(image)}
        yield members, {"key": image + 1, **place, "intake_id": intake, "file_name": f"{image}.dcm", "state": "imported", "study_id": study}
        keys = {"key": image + 1, "project_id": project_id, "series_key": number + 1, "member_key": image + 1}
        yield instances, {**keys, "sop_instance_uid": f"{uid}.{image}", "differs": {"InstanceNumber": image % IMAGES}}


def questions(app: Application, number: int) -> dict[str, Callable[[], object]]:
    """What doors, workers and pages ask of a ledger of `number` studies, about the one in the middle."""
    middle = number // 2
    study, ask = name_of("study", middle), app.catalogue
    known = [SentFile(f"{at}.dcm", 530_000, digest_of(at)) for at in range(middle, middle + 1000)]
    return {
        "a study by its UID": lambda: ask.find_study(SYSTEM, f"2.25.{middle}"),
        "a study by its accession number": lambda: ask.find_study(SYSTEM, f"A{middle}"),
        "the newest 100 studies": lambda: ask.list_studies(SYSTEM, StudyFilter(), Page()),
        "a patient's studies": lambda: ask.list_studies(SYSTEM, StudyFilter(patient_id=f"P{middle}"), Page()),
        "the series of a study": lambda: ask.list_series(SYSTEM, study),
        "the instances of a series": lambda: ask.instances_of(SYSTEM, ask.list_series(SYSTEM, study)[0]),
        "how many items stand where": lambda: ask.standing(SYSTEM),
        "what is held": lambda: ask.waiting(SYSTEM),
        "what was set aside": lambda: ask.list_set_aside(SYSTEM, Page()),
        "the newest 100 moves": lambda: app.ledger.list_moves(SYSTEM, MoveFilter()),
        "an offer of 1,000 files that are held": lambda: _offer(app, known),
        "is anything to do": lambda: app.ledger.claim(SYSTEM, "bench", timedelta(seconds=60)),
        "is anything to be erased": app.eraser.erase_next,
    }


def _offer(app: Application, files: list[SentFile]) -> None:
    intake = app.intakes.start(SYSTEM, NewIntake("admin", "uploads"))
    if app.intakes.offer(SYSTEM, intake.id, files):
        raise RuntimeError("something was wanted that is held")


def measure(app: Application, number: int, runs: int) -> dict[str, float]:
    """Seconds, the median of `runs`."""
    return {name: statistics.median(_seconds(ask) for _ in range(runs)) for name, ask in questions(app, number).items()}


def _seconds(ask: Callable[[], object]) -> float:
    begun = time.perf_counter()
    ask()
    return time.perf_counter() - begun


def import_rate(app: Application) -> float:
    """Images a second, of an upload of 2,000 CT."""
    return 2000 / import_all(app, receive(app, CT, 2000), 2000)


def main() -> int:
    """Print a line a question; 0 where the large ledger is quick."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--studies", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    given = parser.parse_args()
    found: list[tuple[dict[str, float], float]] = []
    for number in (SMALL, given.studies):
        begun = time.perf_counter()
        with filled(given.folder, number) as app:
            print(f"{number * SERIES * IMAGES:,} instances written in {time.perf_counter() - begun:.0f} s", flush=True)
            found.append((measure(app, number, given.runs), import_rate(app)))
    (small, small_rate), (large, large_rate) = found
    for name, seconds in large.items():
        print(f"{name:40} {small[name] * 1000:8.2f} ms {seconds * 1000:8.2f} ms")
    print(f"{'importing 2,000 CT, images a second':40} {small_rate:8.0f}    {large_rate:8.0f}")
    return 0 if max(large.values()) <= MOST_SECONDS and large_rate >= LEAST_OF_RATE * small_rate else 1


if __name__ == "__main__":
    raise SystemExit(main())
