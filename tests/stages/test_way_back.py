"""The way back on a whole line: results over pseudonymous images are delivered as their patient's, or held, and nothing else shows them."""

import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pydicom
import pytest
from counting import Counting
from line import Line, open_line, settings_in
from pydicom import Dataset
from results import encapsulated_pdf, encode, segmentation, structure_set

from hilum.model.identity import SYSTEM
from hilum.model.lifecycle import Stage, Status
from hilum.model.records import Workitem
from hilum.processors import Artifacts, Order, ProducedFile
from images import read_folder

NAME, NUMBER, ACCESSION = "Müller^Jörg", "ZQ7-0815", "ACC4711"


@dataclass
class Making(Counting):
    """Makes DICOM results of its inputs, and a text beside them."""

    kind = "making"
    makes: Callable[[list[Dataset]], dict[str, Dataset]] = field(default=lambda images: {})

    def count(self, order: Order, name: str = "summary.json") -> Artifacts:
        images = [pydicom.dcmread(path) for given in order.inputs for path in sorted(given.folder.iterdir())]
        files = []
        for made, dataset in self.makes(images).items():
            path = order.output / made
            path.write_bytes(encode(dataset))
            files.append(ProducedFile(path, made, "application/dicom"))
        summary = order.output / name
        summary.write_text("{}")
        return Artifacts((*files, ProducedFile(summary, name, "application/json")), {"tool": "making"})


def usual(images: list[Dataset]) -> dict[str, Dataset]:
    return {"seg.dcm": segmentation(images), "rtstruct.dcm": structure_set(images), "report.dcm": encapsulated_pdf(images)}


@pytest.fixture(scope="module")
def ct(shared_data: Path) -> dict[str, bytes]:
    files = {}
    for path in sorted((shared_data / "segmentations_dcmqi/segmentations/ct-3slice").glob("*.dcm")):
        one = pydicom.dcmread(path)
        one.SpecificCharacterSet, one.PatientName, one.PatientID, one.AccessionNumber = "ISO_IR 100", NAME, NUMBER, ACCESSION
        one.PatientBirthDate = "19510203"
        files[path.name] = encode(one)
    return files


@pytest.fixture
def making() -> Making:
    return Making(makes=usual)


@pytest.fixture
def line(tmp_path: Path, making: Making) -> Iterator[Line]:
    with open_line(settings_in(tmp_path / "data"), processors={"making": making}) as opened:
        save_template(opened)
        opened.app.access.direct_project(SYSTEM, "admin", "allowed")
        yield opened


def save_template(line: Line, name: str = "back", **options: object) -> None:
    asked = {"deidentification": "research", "reidentify": True, "destinations": [{"destination": "folder"}], **options}
    line.save_template(name, active=False, processing=[{"processor": "making"}], **asked)


def sent(line: Line, files: dict[str, bytes], template: str = "back") -> Workitem:
    (workitem,) = line.workitems(line.study(line.send(files, report_type=template)))
    return workitem


def again(line: Line, workitem: Workitem) -> Workitem:
    return line.app.catalogue.find_workitem(SYSTEM, workitem.id)


def delivered(line: Line) -> dict[str, bytes]:
    return {Path(name).name: body for name, body in read_folder(line.settings.delivered_folder).items()}


def opened(content: bytes) -> Dataset:
    return pydicom.dcmread(io.BytesIO(content))


@pytest.mark.parametrize("profile", ["research", "basic"])
def test_results_are_delivered_with_patient_study_dates_and_references_of_the_originals(
    line: Line, ct: dict[str, bytes], profile: str
) -> None:
    save_template(line, profile, deidentification=profile)
    workitem = sent(line, ct, profile)
    assert workitem.item.status is Status.FINISHED, workitem.item.why
    files, originals = delivered(line), [opened(content) for content in ct.values()]
    assert set(files) == {"seg.dcm", "rtstruct.dcm", "report.dcm", "summary.json", "manifest.json"}
    for name in ("seg.dcm", "rtstruct.dcm", "report.dcm"):
        restored = opened(files[name])
        assert (restored.PatientName, restored.PatientID, restored.AccessionNumber) == (NAME, NUMBER, ACCESSION)
        assert (restored.PatientBirthDate, restored.StudyDate) == ("19510203", originals[0].StudyDate)
        assert restored.StudyInstanceUID == originals[0].StudyInstanceUID
    frames = opened(files["seg.dcm"])
    assert frames.FrameOfReferenceUID == originals[0].FrameOfReferenceUID
    referenced = frames.ReferencedSeriesSequence[0]
    assert referenced.SeriesInstanceUID == originals[0].SeriesInstanceUID
    assert {one.ReferencedSOPInstanceUID for one in referenced.ReferencedInstanceSequence} == {one.SOPInstanceUID for one in originals}
    manifest = json.loads(files["manifest.json"])
    assert manifest["study_instance_uid"] == originals[0].StudyInstanceUID
    assert manifest["provenance"]["reidentification"] == {
        "as_they_are": ["summary.json"],
        "restored": ["report.dcm", "rtstruct.dcm", "seg.dcm"],
    }


def test_what_is_kept_and_downloaded_stays_pseudonymous(line: Line, ct: dict[str, bytes]) -> None:
    workitem = sent(line, ct)
    for artifact in line.app.catalogue.artifacts(SYSTEM, workitem.id):
        content = b"".join(line.app.vault.stream(artifact.stored))
        assert not [token for token in (NAME, NUMBER, ACCESSION) if token.encode("latin-1") in content]
    assert list(line.settings.scratch.iterdir()) == []
    told = repr(line.app.ledger.history(SYSTEM, [workitem.id]))
    assert not [token for token in ("Müller", NUMBER, ACCESSION) if token in told]


def test_without_asking_for_it_nothing_is_brought_back(line: Line, ct: dict[str, bytes]) -> None:
    save_template(line, "plain", reidentify=False)
    sent(line, ct, "plain")
    assert opened(delivered(line)["seg.dcm"]).PatientID != NUMBER


def held(line: Line, workitem: Workitem) -> str:
    item = again(line, workitem).item
    assert (item.stage, item.status) == (Stage.DELIVERING, Status.HELD), item
    assert delivered(line) == {}
    return item.why


def test_a_project_that_says_never_holds_them_and_lets_them_go_when_it_is_directed_otherwise(line: Line, ct: dict[str, bytes]) -> None:
    line.app.access.direct_project(SYSTEM, "admin", "never")
    workitem = sent(line, ct)
    assert "nothing of project admin may ever be re-identified" in held(line, workitem)
    line.app.access.direct_project(SYSTEM, "admin", "allowed")
    line.app.decisions.retry(SYSTEM, workitem.id)
    line.run()
    assert again(line, workitem).item.status is Status.FINISHED
    assert opened(delivered(line)["seg.dcm"]).PatientID == NUMBER


def about_another(images: list[Dataset]) -> dict[str, Dataset]:
    made = segmentation(images)
    made.PatientID = "SOMEBODY"
    return {"summary.dcm": encapsulated_pdf(images), "seg.dcm": made}


def in_another_frame(images: list[Dataset]) -> dict[str, Dataset]:
    made = segmentation(images)
    made.FrameOfReferenceUID = "1.2.3"
    return {"seg.dcm": made}


def of_something_unknown(images: list[Dataset]) -> dict[str, Dataset]:
    made = encapsulated_pdf(images)
    made.SourceInstanceSequence[0].ReferencedSOPInstanceUID = "1.2.3.4"
    return {"report.dcm": made}


def itself(images: list[Dataset]) -> dict[str, Dataset]:
    return {"copy.dcm": images[0]}


@pytest.mark.parametrize(
    ("makes", "why"),
    [
        (about_another, "The result seg.dcm cannot be brought back. It is about another patient"),
        (in_another_frame, "The result seg.dcm cannot be brought back. Its frame of reference 1.2.3"),
        (of_something_unknown, "The result report.dcm cannot be brought back. It refers to 1 instance that the study does not hold"),
        (itself, "The result copy.dcm cannot be brought back. It has the SOP Instance UID of an image"),
    ],
)
def test_one_wrong_result_holds_all_of_them_with_a_sentence(
    line: Line, making: Making, ct: dict[str, bytes], makes: Callable[[list[Dataset]], dict[str, Dataset]], why: str
) -> None:
    making.makes = makes
    assert held(line, sent(line, ct)).startswith(why)


def test_a_key_that_was_rotated_since_still_brings_back_what_the_old_one_hid(line: Line, ct: dict[str, bytes]) -> None:
    line.upload(ct, report_type="back")
    line.run_until("processing")
    line.keys().rotate("admin")
    line.run()
    assert opened(delivered(line)["seg.dcm"]).PatientID == NUMBER


def test_a_missing_key_holds_with_the_mend_and_goes_on_when_it_is_back(line: Line, ct: dict[str, bytes]) -> None:
    line.upload(ct, report_type="back")
    line.run_until("processing")
    kept = line.settings.keys_folder / "admin.keys"
    kept.rename(kept.with_suffix(".away"))
    line.run()
    (workitem,) = line.workitems(line.app.catalogue.find_study(SYSTEM, str(opened(next(iter(ct.values()))).StudyInstanceUID)))
    assert "Bring admin.keys back from a copy" in held(line, workitem)
    kept.with_suffix(".away").rename(kept)
    line.app.decisions.retry(SYSTEM, workitem.id)
    line.run()
    assert again(line, workitem).item.status is Status.FINISHED


def test_a_worker_that_is_killed_after_it_delivered_delivers_the_same_once_more_and_leaves_one(line: Line, ct: dict[str, bytes]) -> None:
    class Killed(BaseException):
        pass

    def finish(*_: object) -> None:
        raise Killed

    line.upload(ct, report_type="back")
    line.run_until("delivering")
    ledger = line.app.ledger
    whole = ledger.finish
    object.__setattr__(ledger, "finish", finish)
    with pytest.raises(Killed):
        line.worker.step()
    object.__setattr__(ledger, "finish", whole)
    before = delivered(line)
    line.clock.advance(seconds=line.settings.lease.total_seconds() + 1)
    ledger.wake_due(SYSTEM)
    line.run()
    (folder,) = line.settings.delivered_folder.iterdir()
    assert delivered(line) == before
    assert (folder / "seg.dcm").is_file()


def test_images_that_came_before_frames_of_reference_were_kept_are_waited_for(line: Line, ct: dict[str, bytes]) -> None:
    from sqlalchemy import update

    from hilum.stores.schema import series

    def set_generation(generation: int) -> None:
        with line.app.database.writing() as connection:
            connection.execute(update(series).values(kept_generation=generation))

    line.upload(ct, report_type="back")
    line.run_until("delivering")
    _, kept = line.app.templates.kept(SYSTEM)
    set_generation(0)
    line.run()
    (row,) = [row for row in line.app.catalogue.standing(SYSTEM) if row[1] == Stage.DELIVERING]
    assert row[2] == Status.DEFERRED
    set_generation(kept)
    line.clock.advance(seconds=60)
    line.app.ledger.wake_due(SYSTEM)
    line.run()
    assert opened(delivered(line)["seg.dcm"]).PatientID == NUMBER


def test_a_deleted_study_leaves_nothing_in_the_crosswalk(line: Line, ct: dict[str, bytes]) -> None:
    from sqlalchemy import func, select

    from hilum.stores.schema import crosswalk

    def rows() -> int:
        with line.app.database.reading() as connection:
            return connection.scalar(select(func.count()).select_from(crosswalk)) or 0

    workitem = sent(line, ct)
    assert rows() >= 7  # patient, study, series, frame of reference, three instances
    line.app.eraser.delete_study(SYSTEM, workitem.study_id, "A wish of the patient.")
    assert rows() == 0
