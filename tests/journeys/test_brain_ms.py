"""A real T1 + FLAIR study through `brain_ms`, by every door there is."""

import json
import subprocess
import zipfile
from io import BytesIO
from pathlib import Path

import dcm2niix
import nibabel
import numpy
import pydicom
import pytest
from pypdf import PdfReader

from hilum_sdk import Hilum, UploadHeldError

from .conftest import run_hilum

RESULTS = {
    "brain_ms.pdf",
    "flair.json",
    "flair.nii.gz",
    "flair_montage.png",
    "image_quality.json",
    "image_quality.pdf",
    "t1.json",
    "t1.nii.gz",
    "t1_montage.png",
}


def convert_by_hand(folder: Path, target: Path) -> "numpy.ndarray":
    target.mkdir()
    subprocess.run([dcm2niix.bin, "-b", "n", "-z", "n", "-f", "by_hand", "-o", str(target), str(folder)], check=True, capture_output=True)
    return numpy.asarray(nibabel.load(target / "by_hand.nii").dataobj)


def check_results(folder: Path, study: Path, tmp_path: Path) -> None:
    assert {path.name for path in folder.iterdir()} == RESULTS
    for role in ("t1", "flair"):
        made = numpy.asarray(nibabel.load(folder / f"{role}.nii.gz").dataobj)
        assert numpy.array_equal(made, convert_by_hand(study / role, tmp_path / f"by-hand-{role}"))
    for name in ("brain_ms.pdf", "image_quality.pdf"):
        pages = PdfReader(folder / name).pages
        assert "not for diagnosis" in pages[0].extract_text()
    quality = json.loads((folder / "image_quality.json").read_text())
    assert len(quality["series"]) == 2


def test_a_study_goes_through_brain_ms_by_the_sdk(hilum: Hilum, project: str, patient01: Path, tmp_path: Path) -> None:
    upload = hilum.uploads.upload_folder(patient01, project=project, report_type="brain_ms", progress=False)
    upload = hilum.uploads.wait(upload.id, timeout=180)
    assert (upload.step, upload.outcome) == ("Finished", "succeeded")
    assert upload.counts.model_dump(include={"received", "imported", "set_aside", "conflicts"}) == {
        "received": 75,
        "imported": 75,
        "set_aside": 0,
        "conflicts": 0,
    }
    for result in hilum.results.for_upload(upload.id):
        result.download(tmp_path / "results")
    check_results(tmp_path / "results", patient01, tmp_path)
    (study,) = upload.studies
    (workitem,) = hilum.workitems.list(study=study.id)
    assert workitem.provenance["deidentification"]["profile"] == "keep"
    assert [step["processor"] for step in workitem.provenance["processing"]] == ["dcm2niix", "image_quality", "study_report"]
    assert {given.role for given in workitem.inputs} == {"t1", "flair"}


def test_a_study_goes_through_brain_ms_by_one_command(patient01: Path, tmp_path: Path) -> None:
    done = run_hilum("process", patient01, "--report-type", "brain_ms", "--out", tmp_path / "results")
    assert done.returncode == 0, done.stderr
    check_results(tmp_path / "results", patient01, tmp_path)


def test_a_study_goes_through_brain_ms_by_zip(hilum: Hilum, project: str, patient01: Path, tmp_path: Path) -> None:
    archive = tmp_path / "study.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writer:
        for path in sorted(patient01.rglob("*.dcm")):
            writer.write(path, path.relative_to(patient01))
    upload = hilum.uploads.upload_zip(archive, project=project, report_type="brain_ms")
    upload = hilum.uploads.wait(upload.id, timeout=180)
    assert upload.counts.imported == 75
    for result in hilum.results.for_upload(upload.id):
        result.download(tmp_path / "results")
    check_results(tmp_path / "results", patient01, tmp_path)


def test_a_study_without_flair_is_held_with_the_nearest_candidate(hilum: Hilum, project: str, patient01: Path) -> None:
    for path in (patient01 / "flair").iterdir():
        path.unlink()
    upload = hilum.uploads.upload_folder(patient01, project=project, report_type="brain_ms", progress=False)
    with pytest.raises(UploadHeldError) as held:
        hilum.uploads.wait(upload.id, timeout=60)
    sentence = str(held.value)
    assert "brain_ms needs a FLAIR series, and the study has none." in sentence
    assert "Series 2 \"T1W 3D\" was refused: SeriesDescription is 'T1W 3D'" in sentence


def test_a_study_without_a_slice_is_held_with_its_number(hilum: Hilum, project: str, patient01: Path) -> None:
    files = sorted((patient01 / "t1").iterdir(), key=lambda path: int(pydicom.dcmread(path, stop_before_pixels=True).InstanceNumber))
    files[16].unlink()
    upload = hilum.uploads.upload_folder(patient01, project=project, report_type="brain_ms", progress=False)
    with pytest.raises(UploadHeldError, match='Slice 17 is missing in series 2 "T1W 3D"'):
        hilum.uploads.wait(upload.id, timeout=60)


def test_a_missing_slice_that_comes_later_makes_the_second_revision_go_through(
    hilum: Hilum, project: str, patient01: Path, tmp_path: Path
) -> None:
    files = sorted((patient01 / "t1").iterdir())
    late = files[20].rename(tmp_path / "late.dcm")
    first = hilum.uploads.upload_folder(patient01, project=project, report_type="brain_ms", progress=False)
    with pytest.raises(UploadHeldError):
        hilum.uploads.wait(first.id, timeout=60)
    second = hilum.uploads.start(project, report_type="brain_ms")
    hilum.uploads.put_file(second.id, "late.dcm", late)
    hilum.uploads.complete(second.id, expected_files=1)
    upload = hilum.uploads.wait(second.id, timeout=180)
    (study,) = upload.studies
    assert study.revision == 2
    old, new = hilum.workitems.list(study=study.id)
    assert (old.status, old.why) == ("cancelled", "Superseded by revision 2.")
    assert (new.status, new.revision, new.supersedes) == ("finished", 2, old.id)


def test_the_same_study_again_is_already_held_and_asks_for_nothing_new(hilum: Hilum, project: str, patient01: Path) -> None:
    first = hilum.uploads.upload_folder(patient01, project=project, report_type="image_quality", progress=False)
    hilum.uploads.wait(first.id, timeout=180)
    again = hilum.uploads.upload_folder(patient01, project=project, report_type="image_quality", progress=False)
    upload = hilum.uploads.wait(again.id, timeout=60)
    assert upload.counts.already_held == 75
    assert upload.outcome == "succeeded"
    (study,) = upload.studies
    assert study.revision == 1
    assert len(list(hilum.workitems.list(study=study.id))) == 1


def test_another_report_type_on_held_images_makes_a_workitem_on_the_same_revision(hilum: Hilum, project: str, patient01: Path) -> None:
    first = hilum.uploads.upload_folder(patient01, project=project, report_type="image_quality", progress=False)
    hilum.uploads.wait(first.id, timeout=180)
    other = hilum.uploads.upload_folder(patient01, project=project, report_type="nifti", progress=False)
    upload = hilum.uploads.wait(other.id, timeout=180)
    (study,) = upload.studies
    assert study.revision == 1
    assert {workitem.template for workitem in hilum.workitems.list(study=study.id)} == {"image_quality", "nifti"}


def test_every_file_of_all_real_data_is_accounted_for(hilum: Hilum, project: str, shared_data: Path, tmp_path: Path) -> None:
    upload = hilum.uploads.upload_folder(shared_data, project=project, report_type="image_quality", progress=False)
    sent = sum(path.is_file() and not path.name.startswith(".") for path in shared_data.rglob("*"))
    with pytest.raises(UploadHeldError):  # studies without pictures are held, with their sentence
        hilum.uploads.wait(upload.id, timeout=280)
    upload = hilum.uploads.get(upload.id)
    counts = upload.counts
    entries = _count_entries(shared_data)
    assert counts.received == sent - entries["archives"] + entries["members"]
    assert counts.imported + counts.already_held + counts.set_aside + counts.conflicts + counts.skipped == counts.received
    assert len(upload.held) + len(list(hilum.results.for_upload(upload.id))) > 0
    assert any("README.md" in error for error in upload.errors)


def _count_entries(folder: Path) -> dict[str, int]:
    archives = [path for path in folder.rglob("*") if path.is_file() and zipfile.is_zipfile(path)]
    return {"archives": len(archives), "members": sum(_members(path.read_bytes()) for path in archives)}


def _members(content: bytes) -> int:
    with zipfile.ZipFile(BytesIO(content)) as archive:
        names = [entry.filename for entry in archive.infolist() if not entry.is_dir() and not _is_dropping(entry.filename)]
        return sum(_members(archive.read(name)) if archive.read(name)[:4] == b"PK\x03\x04" else 1 for name in names)


def _is_dropping(name: str) -> bool:
    return name.startswith("__MACOSX/") or Path(name).name in (".DS_Store", "Thumbs.db") or Path(name).name.startswith("._")
