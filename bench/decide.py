"""What deciding costs: checking a large study, matching it to many templates, and a dry-run over many series.

    python bench/decide.py [--instances 5000] [--templates 200] [--series 100000]

Prints each figure beside its target. Everything runs in this process on a SQLite ledger in a temporary folder, read from disk as a
worker and the web process read it.
"""

import argparse
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, insert

from hilum.checks import CheckedSeries, Subject
from hilum.dicom.scanner import Source, Wanted, scan
from hilum.model.identity import ADMIN_PROJECT, SYSTEM
from hilum.model.kept import KEPT_ATTRIBUTES, attributes_of
from hilum.model.lifecycle import Item, Kind, Stage, Status
from hilum.model.outcomes import StoredBytes
from hilum.model.records import Instance, Series, Study
from hilum.model.templates import Template
from hilum.runtime.assembling import Application, assemble, make_tools, open_pool
from hilum.runtime.dry_running import dry_run
from hilum.runtime.preparing import prepare
from hilum.runtime.registry import find_members
from hilum.runtime.settings import load_settings
from hilum.stages import matching
from hilum.stages.checking import look_at
from hilum.stores.schema import instances, items, patients, series, studies
from images import MR, make_images

NOW = datetime.now(UTC)
MATCHING_TARGET = 0.2  # seconds
DRY_RUN_TARGET = 5.0
CHECKING_TARGET = 10.0
SERIES_OF_A_STUDY = 4
SLICES_OF_A_SERIES = 25
DESCRIPTIONS = ("T1 MPRAGE", "T2 FLAIR", "ep2d DWI", "localizer", "SWI", "T2 TSE", "PD", "TOF")


def main() -> int:
    arguments = _arguments()
    with tempfile.TemporaryDirectory(prefix="hilum-decide-") as folder:
        app = _application(Path(folder))
        met = [*_matching(app, arguments), *_dry_run(app, arguments), *_checking(arguments)]
        app.close()
    return 0 if all(met) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--instances", type=int, default=5_000)
    parser.add_argument("--templates", type=int, default=200)
    parser.add_argument("--series", type=int, default=100_000)
    return parser.parse_args()


def _application(folder: Path) -> Application:
    settings = load_settings(data=folder / "data", free_disk_bytes=0, admin_token="a benchmark's")
    prepare(settings)
    app = assemble(settings)
    for template, _ in app.templates.newest(SYSTEM):
        app.templates.save(SYSTEM, template.model_copy(update={"active": False}), new=False)
    return app


# --- checking ------------------------------------------------------------------------------------------------------------------


class _Memory:
    """The vault's reading side over images in memory: what is measured is the checks, not the disk."""

    def __init__(self, images: Iterator[bytes]) -> None:
        self.images = list(images)

    def read_at(self, pack_id: str, offset: int, size: int) -> bytes:
        return self.images[int(pack_id)][offset : offset + size]


def _checking(arguments: argparse.Namespace) -> Iterator[bool]:
    vault = _Memory(make_images(MR, arguments.instances))
    keywords = tuple(sorted(KEPT_ATTRIBUTES))
    wanted, held = Wanted(*keywords), []
    for number, image in enumerate(vault.images):
        attributes = attributes_of(scan(Source.of_bytes(image), wanted), keywords, {})
        held.append(Instance(attributes["SOPInstanceUID"], attributes, StoredBytes(str(number), 0, len(image), b"")))
    one = Series("series", 1, "study", ADMIN_PROJECT, "1.2", "MR", "", len(held), held[0].attributes)
    yield _tell(f"checking, {arguments.instances} instances of one series", lambda: _check(one, held, vault), CHECKING_TARGET)


def _check(one: Series, held: list[Instance], vault: Any) -> None:
    members = find_members("hilum.checks")
    seen = look_at(one, held, members, vault)
    item = Item("study", Kind.STUDY, ADMIN_PROJECT, Stage.CHECKING, Status.CLAIMED, "", 1, 1, NOW)
    study = Study("study", ADMIN_PROJECT, "1.1", "P", "", "", "", "", 1, (), 1, len(held), NOW, NOW, item)
    subject = Subject(study, (CheckedSeries(one, tuple(held), None, seen.reader, frozenset(seen.compressed)),), (), {})
    found = [*seen.findings(one, held, members)]
    for member in members.values():
        if hasattr(member, "check") and not member.for_template:
            found += member.check(subject)
    print(f"{len(found)} findings: {', '.join(finding.check for finding in found)}")


# --- matching ------------------------------------------------------------------------------------------------------------------


def _matching(app: Application, arguments: argparse.Namespace) -> Iterator[bool]:
    study_id = _large_study(app, arguments.instances)
    for number in range(arguments.templates):
        app.templates.save(SYSTEM, _template(number), new=True)
    pools = open_pool(app, "deidentified"), open_pool(app, "results")
    tools = make_tools(app, *pools)
    item = Item(study_id, Kind.STUDY, ADMIN_PROJECT, Stage.MATCHING, Status.CLAIMED, "", 1, 1, NOW)
    what = f"matching, {arguments.instances} instances, {arguments.templates} templates"
    yield _tell(f"{what}, none matches, two conditions over all slices", lambda: matching.run(item, tools), MATCHING_TARGET, times=6)
    app.templates.save(SYSTEM, _template(0, wanted="T1"), new=False)
    yield _tell(f"{what}, one matches", lambda: matching.run(item, tools), MATCHING_TARGET, times=6)


def _tell(what: str, act: Callable[[], object], target: float, times: int = 1) -> bool:
    """Print the median of all runs but the first (which parses the templates); whether it is within the target."""
    taken = []
    for _ in range(times):
        began, began_cpu = time.perf_counter(), time.process_time()
        act()
        taken.append((time.perf_counter() - began, time.process_time() - began_cpu))
    seconds, cpu = (statistics.median(column) for column in zip(*(taken[1:] or taken), strict=True))
    first = f", first {taken[0][0]:.2f} s" if times > 1 else ""
    print(f"{what}: {seconds:.2f} s, {cpu:.2f} s of it CPU{first} (target {target:g} s)", flush=True)
    return seconds < target


def _template(number: int, wanted: str = "") -> Template:
    """Ten conditions: typed, over slices, in groups; no two templates ask for the same description."""
    rule = {
        "all": [
            {"attribute": "Modality", "operator": "equals", "value": "MR"},
            {"attribute": "SeriesDescription", "operator": "contains", "value": wanted or f"protocol {number}"},
            {"attribute": "RepetitionTime", "operator": "between", "value": [number, 9000]},
            {"attribute": "ImagePositionPatient", "operator": "is-present", "quantifier": "all"},
            {"attribute": "EchoTime", "operator": "at-most", "value": 200 + number, "quantifier": "any"},
            {
                "any": [
                    {"attribute": "ProtocolName", "operator": "matches", "value": rf"(?i)\bt1\b|{number}"},
                    {"attribute": "ScanningSequence", "operator": "one-of", "value": ["GR", "SE", "IR"]},
                ]
            },
            {
                "none": [
                    {"attribute": "SeriesDescription", "operator": "starts-with", "value": "localizer"},
                    {"attribute": "ImageType", "operator": "equals", "value": "DERIVED", "quantifier": "any"},
                    {"attribute": "BodyPartExamined", "operator": "equals", "value": f"PART{number}"},
                ]
            },
        ]
    }
    return Template.model_validate({"name": f"bench_{number}", "rule": rule, "processing": [{"processor": "dcm2niix"}]})


# --- dry-run -------------------------------------------------------------------------------------------------------------------


def _dry_run(app: Application, arguments: argparse.Namespace) -> Iterator[bool]:
    _many_studies(app, arguments.series)
    drafts = {
        "a changed template": _template(7, wanted="FLAIR"),
        "a new template over first slices": _with_rule(_first_slices()),
        "an attribute that was never kept": _with_rule(_never_kept()),
    }
    for what, draft in drafts.items():
        yield _tell(f"dry-run, {arguments.series} series, {what}", partial(_try, app, draft), DRY_RUN_TARGET)


def _try(app: Application, draft: Template) -> None:
    print(asdict(dry_run(app, SYSTEM, draft, days=30).series))


def _with_rule(rule: dict[str, Any]) -> Template:
    return Template.model_validate({"name": "bench_draft", "rule": rule, "processing": [{"processor": "dcm2niix"}]})


def _first_slices() -> dict[str, Any]:
    return {
        "all": [
            part
            for part in _template(7, wanted="FLAIR").model_dump(mode="json")["rule"]["all"]
            if part.get("quantifier", "first") == "first"
        ]
    }


def _never_kept() -> dict[str, Any]:
    flair = {"attribute": "SeriesDescription", "operator": "contains", "value": "FLAIR"}
    return {"all": [flair, {"attribute": "PercentSampling", "operator": "at-least", "value": 80}]}


# --- rows ----------------------------------------------------------------------------------------------------------------------


def _large_study(app: Application, number: int) -> str:
    """Twenty series, each slice with a place and an echo of its own."""
    with app.database.writing() as connection:
        (study_id,) = _studies(connection, 1, number_of_instances=number)
        for place in range(20):
            key = 1_000_000 + place
            connection.execute(insert(series), [_series_row(key, study_id, place, number // 20)])
            rows = [
                {
                    "project_id": 1,
                    "series_key": key,
                    "member_key": 0,
                    "sop_instance_uid": f"1.2.9.{place}.{slice_number}",
                    "differs": {
                        "InstanceNumber": slice_number,
                        "ImagePositionPatient": [0.0, 0.0, float(slice_number)],
                        "SliceLocation": float(slice_number),
                        "EchoTime": 10.0 + slice_number % 5,
                    },
                }
                for slice_number in range(1, number // 20)
            ]
            connection.execute(insert(instances), [{**rows[0], "differs": None, "sop_instance_uid": f"1.2.9.{place}.0"}, *rows])
    return study_id


def _many_studies(app: Application, number: int) -> None:
    with app.database.writing() as connection:
        study_ids = _studies(connection, number // SERIES_OF_A_STUDY, number_of_instances=100)
        rows = [
            _series_row(2_000_000 + place * SERIES_OF_A_STUDY + one, study_id, place + one, SLICES_OF_A_SERIES)
            for place, study_id in enumerate(study_ids)
            for one in range(SERIES_OF_A_STUDY)
        ]
        for start in range(0, len(rows), 5_000):
            connection.execute(insert(series), rows[start : start + 5_000])
        hanging = [row["key"] for row in rows if row["description"] == "T2 FLAIR"]  # the others the first slice decides
        for start in range(0, len(hanging), 500):
            connection.execute(insert(instances), [row for key in hanging[start : start + 500] for row in _slice_rows(key)])


def _slice_rows(key: int) -> Iterator[dict[str, Any]]:
    for number in range(1, SLICES_OF_A_SERIES):
        differs = {"InstanceNumber": number, "ImagePositionPatient": [0.0, 0.0, float(number)], "SliceLocation": float(number)}
        yield {"project_id": 1, "series_key": key, "member_key": 0, "sop_instance_uid": f"1.2.7.{key}.{number}", "differs": differs}


def _studies(connection: Connection, number: int, number_of_instances: int) -> list[str]:
    patient = {"project_id": 1, "issuer_of_patient_id": "", "patient_name": "", "patient_birth_date": "", "patient_sex": ""}
    key = connection.execute(insert(patients).values(**patient, patient_id=str(uuid.uuid4()))).inserted_primary_key[0]
    ids = [str(uuid.uuid4()) for _ in range(number)]
    standing = {"project_id": 1, "kind": "study", "stage": "matching", "status": "held", "why": "", "version": 1, "attempt": 0}
    connection.execute(insert(items), [{**standing, "id": one, "since_at": NOW, "priority": 0} for one in ids])
    fixed = {"project_id": 1, "patient_key": key, "accession_number": "", "study_date": "", "description": "", "revision": 1}
    counted = {"number_of_series": SERIES_OF_A_STUDY, "number_of_instances": number_of_instances}
    fixed |= counted | {"created_at": NOW, "last_received_at": NOW}
    connection.execute(insert(studies), [{**fixed, "id": one, "study_instance_uid": f"2.25.{uuid.UUID(one).int}"} for one in ids])
    return ids


def _series_row(key: int, study_id: str, place: int, number_of_instances: int) -> dict[str, Any]:
    description = DESCRIPTIONS[place % len(DESCRIPTIONS)]
    attributes = {
        "Modality": "MR",
        "SeriesDescription": description,
        "SeriesNumber": place % 40,
        "ProtocolName": description,
        "Manufacturer": "SIEMENS",
        "ManufacturerModelName": "Prisma",
        "BodyPartExamined": "BRAIN",
        "StudyDate": "20260301",
        "PatientID": f"P{key}",
        "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"],
        "ScanningSequence": ["GR", "IR"],
        "RepetitionTime": 2300.0 + place % 7,
        "EchoTime": 2.98 + place % 90,
        "InversionTime": 900.0,
        "ImagePositionPatient": [-90.0, -120.5, 60.25],
        "ImageOrientationPatient": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
        "PixelSpacing": [1.0, 1.0],
        "SliceThickness": 1.0,
        "Rows": 256,
        "Columns": 256,
        "InstanceNumber": 1,
        "FrameOfReferenceUID": f"1.2.826.0.1.{key}",
    }
    return {
        "key": key,
        "id": str(uuid.uuid4()),
        "project_id": 1,
        "study_id": study_id,
        "series_instance_uid": f"1.2.8.{key}",
        "modality": "MR",
        "description": description,
        "number_of_instances": number_of_instances,
        "attributes": attributes,
        "kept_generation": 1_000,
    }


if __name__ == "__main__":
    sys.exit(main())
