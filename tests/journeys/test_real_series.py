"""Real series that look incomplete and are not, and real studies that are incomplete or mixed up: what `hilum why` says."""

import io
from collections.abc import Iterator
from pathlib import Path

import pydicom
import pytest
from counting import Counting
from line import Line, open_line, settings_in

from hilum.model.identity import SYSTEM
from hilum.model.lifecycle import Stage, Status
from hilum.model.records import Study
from hilum.model.why import explain_standing
from hilum_sdk import Hilum, UploadHeldError
from images import read_folder


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    with open_line(settings_in(tmp_path / "data"), processors={"counting": Counting()}) as opened:
        opened.save_template("count", active=False)
        yield opened


def why(line: Line, study: Study) -> str:
    """What `hilum why` prints first."""
    workitems = line.workitems(study)
    moves = line.app.ledger.history(SYSTEM, [study.id, *(one.id for one in workitems)])
    return "\n".join(explain_standing(study, workitems, moves).sentences)


@pytest.mark.parametrize(
    ("folder", "images"),
    [
        pytest.param("mr_pd_t2_interleaved", 70, id="two-interleaved-echoes"),
        pytest.param("mr_ge_siemens/20180918Si", 8, id="siemens-mosaics"),
        pytest.param("mr_ge_siemens/20180918GE/mr_0004", 150, id="ge-time-points"),
        pytest.param("volumes/philips_enhanced_anatomical_001", 1, id="enhanced-multi-frame"),
    ],
)
def test_what_only_looks_incomplete_goes_through(line: Line, shared_data: Path, folder: str, images: int) -> None:
    study = line.study(line.send(read_folder(shared_data / folder), report_type="count"))
    assert (study.number_of_instances, study.item.status) == (images, Status.FINISHED)
    assert [one.item.status for one in line.workitems(study)] == [Status.FINISHED]
    assert [found for found in line.findings(study) if found[1] in ("error", "warning")] == []


@pytest.mark.parametrize("taken", [1, 20, 39])
def test_a_real_t1_without_one_slice_is_held_with_its_number(line: Line, shared_data: Path, taken: int) -> None:
    headers = {name: (pydicom.dcmread(io.BytesIO(body)), body) for name, body in read_folder(shared_data / "ms_dicom/patient01/t1").items()}
    counts = {str(header.SeriesInstanceUID): len(headers) for header, _ in headers.values()}
    files = {name: body for name, (header, body) in headers.items() if header.InstanceNumber != taken}
    study = line.study(line.send(files, report_type="count", metadata={"expected_counts": counts}))
    assert (study.item.stage, study.item.status, len(files)) == (Stage.MATCHING, Status.HELD, 38)
    told = why(line, study)
    assert f'Slice {taken} is missing in series 2 "T1W 3D"' in told
    assert "hilum upload FOLDER --project admin" in told


def test_two_real_patients_under_one_study_are_held_and_why_says_what_to_do(line: Line, shared_data: Path) -> None:
    first = read_folder(shared_data / "ms_dicom/patient01")
    uid = str(pydicom.dcmread(io.BytesIO(next(iter(first.values())))).StudyInstanceUID)
    other = {f"other/{name}": of_study(body, uid) for name, body in read_folder(shared_data / "ms_dicom/patient04/t1").items()}
    study = line.study(line.send({**first, **other}, report_type="brain_ms"))
    assert (study.item.status, study.number_of_instances) == (Status.HELD, len(first))
    told = why(line, study)
    assert f"The study {uid} is held for another patient; two patients are never merged. So it is with {len(other)} files." in told
    assert "`hilum set-aside list`" in told
    assert "let it go on as it is: `hilum retry " in told
    assert not any(name in told for name in ("Vera", "Miha", "MS-0001", "MS-0004"))


def of_study(body: bytes, study_instance_uid: str) -> bytes:
    dataset = pydicom.dcmread(io.BytesIO(body))
    dataset.StudyInstanceUID = study_instance_uid
    written = io.BytesIO()
    dataset.save_as(written)
    return written.getvalue()


@pytest.mark.parametrize("said_at", ["start", "complete"])
def test_a_count_that_the_sdk_announces_lets_the_last_slice_be_missed(hilum: Hilum, project: str, patient01: Path, said_at: str) -> None:
    files = sorted((patient01 / "t1").iterdir(), key=lambda path: int(pydicom.dcmread(path, stop_before_pixels=True).InstanceNumber))
    counts = {str(pydicom.dcmread(files[0], stop_before_pixels=True).SeriesInstanceUID): len(files)}
    upload = hilum.uploads.start(project, report_type="nifti", expected_counts=counts if said_at == "start" else None)
    for path in files[:-1]:
        hilum.uploads.put_file(upload.id, path.name, path)
    hilum.uploads.complete(upload.id, expected_counts=counts if said_at == "complete" else None)
    with pytest.raises(UploadHeldError, match="Slice 39 is missing"):
        hilum.uploads.wait(upload.id, timeout=60)
