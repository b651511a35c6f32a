"""Real images through real processors to a folder: what arrives names nobody, and what refers to images still finds them."""

import gzip
import io
import json
from pathlib import Path
from typing import Any

import pydicom
import pytest
from line import Line, open_line, settings_in
from pypdf import PdfReader

from hilum.model.identity import SYSTEM
from hilum.model.lifecycle import Status
from hilum_sdk import Hilum
from images import read_folder

NAME, NUMBER, STAFF, PLACE = "Quixotella^Zephyrine", "PLANTED-4711", "Wunderlichter^Ottokar", "Sanatorium Nirgendheim"
MR = {"attribute": "Modality", "operator": "equals", "value": "MR"}
STEPS = [{"processor": "dcm2niix", "settings": {"sidecar": "all"}}, {"processor": "image_quality"}, {"processor": "study_report"}]


@pytest.fixture
def line(tmp_path: Path) -> Any:
    with open_line(settings_in(tmp_path / "data")) as opened:
        yield opened


def planted(body: bytes) -> tuple[bytes, set[str]]:
    """The image with a person in it, and its UIDs."""
    image = pydicom.dcmread(io.BytesIO(body))
    image.PatientName, image.PatientID, image.AccessionNumber = NAME, NUMBER, f"ACC-{NUMBER}"
    image.ReferringPhysicianName = image.OperatorsName = STAFF
    image.InstitutionName, image.StudyDescription, image.PatientComments = PLACE, f"for {STAFF}", f"{NAME} was restless"
    image.SeriesDescription = f"{image.SeriesDescription} {NAME.split('^', maxsplit=1)[0]}"
    image.ProtocolName = f"brain of {NAME.split('^')[1]}"
    image.save_as(written := io.BytesIO(), enforce_file_format=True)
    return written.getvalue(), {str(image.SOPInstanceUID), str(image.SeriesInstanceUID), str(image.StudyInstanceUID)}


def said_in(name: str, body: bytes) -> str:
    """All that a delivered file says."""
    if name.endswith(".gz"):
        return gzip.decompress(body)[:348].decode("latin-1")  # NIfTI-1: the header has 348 bytes
    if name.endswith(".pdf"):
        document = PdfReader(io.BytesIO(body))
        return repr(document.metadata) + "".join(page.extract_text() for page in document.pages)
    return body.decode("latin-1")


@pytest.mark.parametrize("profile", ["basic", "research"])
def test_nifti_figures_reports_and_manifest_name_nobody(line: Line, shared_data: Path, profile: str, caplog: Any) -> None:
    caplog.set_level("DEBUG")
    line.save_template("whole", deidentification=profile, active=False, rule=MR, processing=STEPS, destinations=[{"destination": "folder"}])
    made = {name: planted(body) for name, body in read_folder(shared_data / "ms_dicom" / "patient01").items() if body[128:132] == b"DICM"}
    study = line.study(line.send({name: body for name, (body, _) in made.items()}, report_type="whole"))
    (workitem,) = line.workitems(study)
    assert workitem.item.status is Status.FINISHED, workitem.item.why
    delivered = read_folder(line.settings.delivered_folder)
    assert {"manifest.json", "whole.pdf", "image_quality.json"} <= {Path(name).name for name in delivered}
    uids = set().union(*(uids for _, uids in made.values()))
    tokens = [*NAME.split("^"), NUMBER, *STAFF.split("^"), "Nirgendheim", *uids]
    told = {name: name + said_in(name, body) for name, body in delivered.items()} | {"log": caplog.text}
    assert [(name, token) for name, text in told.items() for token in tokens if token.lower() in text.lower()] == []
    manifest = json.loads(next(body for name, body in delivered.items() if name.endswith("manifest.json")))
    (one, *_) = line.app.catalogue.deidentified(SYSTEM, workitem.id)
    copy = pydicom.dcmread(io.BytesIO(b"".join(line.app.vault.stream(one[2]))), stop_before_pixels=True)
    assert manifest["study_instance_uid"] == copy.StudyInstanceUID
    assert copy.StudyInstanceUID in told[next(name for name in delivered if name.endswith("whole.pdf"))]


def test_a_segmentation_still_refers_to_its_images(line: Line, shared_data: Path) -> None:
    folder = shared_data / "segmentations_dcmqi" / "segmentations"
    line.save_template("copies", deidentification="basic", active=False, processing=[{"processor": "image_quality"}])
    line.send(dict(read_folder(folder / "ct-3slice")) | {"seg.dcm": (folder / "liver.dcm").read_bytes()}, report_type="copies")
    images, references = {}, set()
    for workitem in line.app.catalogue.list_workitems(SYSTEM):
        assert workitem.item.status is Status.FINISHED, workitem.item.why
        for _, _, stored in line.app.catalogue.deidentified(SYSTEM, workitem.id):
            copy = pydicom.dcmread(io.BytesIO(b"".join(line.app.vault.stream(stored))), stop_before_pixels=True)
            images[copy.SOPInstanceUID] = copy.FrameOfReferenceUID
            for series in copy.get("ReferencedSeriesSequence", []):
                references |= {one.ReferencedSOPInstanceUID for one in series.ReferencedInstanceSequence}
    assert len(references) == 3
    assert references < set(images)
    assert len(set(images.values())) == 1


def test_the_sdk_asks_what_was_done_and_what_a_profile_would_do(hilum: Hilum, project: str, patient01: Path) -> None:
    upload = hilum.uploads.upload_folder(patient01, project, "brain_ms", progress=False)
    (study,) = hilum.uploads.wait(upload.id, timeout=120).studies
    (workitem,) = hilum.workitems.list(study=study.id)
    done = hilum.workitems.deidentification(workitem.id)
    assert (done.profile, done.changed, done.instances) == ("keep", False, 75)
    series = next(iter(hilum.series.list(study=study.id)))
    shown = hilum.series.preview_deidentification(series.id, "research")
    assert (shown.outcome, shown.profile) == ("rewritten", "research")
    assert {"path": "PatientName", "changed": True}.items() <= next(one for one in shown.elements if one["path"] == "PatientName").items()
