"""Everything that was received becomes an instance of the catalogue, or is set aside with its reason; nothing stops the rest."""

import io
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian

from hilum.dicom.part10 import Recognition
from hilum.dicom.scanner import Source, Wanted, scan
from hilum.model.identity import SYSTEM
from hilum.model.kept import attributes_of
from hilum.model.lifecycle import Status
from hilum.model.records import MemberState
from images import EXPLICIT_LITTLE_ENDIAN, image, series_of


def _aside(line, intake):
    return {one.file_name: one.reason for one in line.app.catalogue.set_aside_of_intake(SYSTEM, intake.id)}


def _item(line, intake):
    return line.app.ledger.find(SYSTEM, intake.id)


def test_images_become_a_study_with_their_bytes_as_they_came(line):
    files = series_of(range(1, 4))
    intake = line.send(files)
    assert (_item(line, intake).status, _item(line, intake).why) == (Status.FINISHED, "3 imported.")
    study = line.study(intake)
    assert (study.patient_id, study.number_of_series, study.number_of_instances) == ("P1", 1, 3)
    assert sorted(line.held_bytes().values()) == sorted(files.values())


def test_what_cannot_be_used_is_set_aside_with_its_bytes_and_reason_and_the_rest_goes_on(line):
    whole = image(1)
    long_uid = "1.2." + "9" * 61
    files = {
        "whole.dcm": whole,
        "cut in its pixels.dcm": image(2)[:-20],
        "cut in its header.dcm": image(3)[:200],
        "empty.dcm": b"",
        "letter.dcm": b"Dear colleague, here is the scan.",
        "long uid.dcm": image(4, SOPInstanceUID=long_uid),
        "no study.dcm": image(5, StudyInstanceUID=""),
    }
    intake = line.send(files)
    aside = _aside(line, intake)
    assert set(aside) == set(files) - {"whole.dcm"}
    assert aside["empty.dcm"] == "The file has 0 bytes."
    assert aside["letter.dcm"] == "It is not DICOM: its content shows no DICOM file."
    assert aside["long uid.dcm"] == "Its SOPInstanceUID is not a valid UID (PS3.5 9.1)."
    assert aside["no study.dcm"] == "Its StudyInstanceUID is missing (PS3.5 9.1)."
    kept = line.app.catalogue.set_aside_of_intake(SYSTEM, intake.id)
    assert {one.file_name: b"".join(line.app.vault.stream(one.stored)) for one in kept} == {
        name: body for name, body in files.items() if name != "whole.dcm"
    }
    assert line.study(intake).number_of_instances == 1
    assert _item(line, intake).why == "1 imported, 6 set aside."


def test_a_dicomdir_is_skipped_and_not_set_aside(line):
    from pydicom.data import get_testdata_file

    with Path(get_testdata_file("DICOMDIR")).open("rb") as file:
        intake = line.send({"DICOMDIR": file.read(), "1.dcm": image(1)})
    counts = line.app.intakes.counts(SYSTEM, intake.id)
    assert (counts["received"], counts["imported"], counts["skipped"], counts["set_aside"]) == (2, 1, 1, 0)
    assert _aside(line, intake) == {}


@pytest.mark.parametrize("files", [{}, {"a.txt": b"Hello.", "b.txt": b""}, {"cut.dcm": image(1)[:150]}])
def test_an_upload_without_dicom_is_refused_with_that_sentence(line, files):
    intake = line.send(files)
    assert (_item(line, intake).status, _item(line, intake).why) == (Status.REFUSED, "No DICOMs found in the upload.")
    assert line.app.catalogue.studies_of_intake(SYSTEM, intake.id) == []


def test_dicom_is_recognised_by_content_and_never_by_name(line):
    intake = line.send({"holiday.jpg": image(1), "no name": image(2)})
    assert line.app.intakes.counts(SYSTEM, intake.id)["imported"] == 2


def test_a_surprise_in_one_file_does_not_stop_the_others(line, monkeypatch):
    """Any file may raise something nobody thought of; here one does for certain."""
    from hilum.stages import importing

    scan = importing.scan

    def fragile(source, wanted, recognition):
        if source.read_at(0, source.size) == image(2):
            raise RecursionError("Invented^Patient")
        return scan(source, wanted, recognition)

    monkeypatch.setattr(importing, "scan", fragile)
    intake = line.send({"1.dcm": image(1), "2.dcm": image(2), "3.dcm": image(3)})
    assert _aside(line, intake) == {"2.dcm": "Reading it met a surprise (RecursionError)."}
    assert line.study(intake).number_of_instances == 2


def test_the_same_bytes_are_already_held_and_other_bytes_are_a_conflict_with_a_finding(line):
    first = line.send(series_of([1, 2, 3]))
    again = line.send({"1.dcm": image(1), "2.dcm": image(2, PatientName="Somebody^Else"), "4.dcm": image(4)})
    counts = line.app.intakes.counts(SYSTEM, again.id)
    assert (counts["imported"], counts["already_held"], counts["conflicts"]) == (1, 1, 1)
    study = line.study(first)
    assert (study.revision, study.number_of_instances) == (2, 4)
    (finding,) = [one for one in line.findings(study) if one[0] == "conflicting-instances"]
    assert finding[1] == "error"
    assert finding[2].startswith("The instance 1.2.826.1.1.2 is held already with another data set; the one held is kept.")
    assert line.held_bytes()["1.2.826.1.1.2"] == image(2)


def _rewritten(body: bytes, transfer_syntax: str = EXPLICIT_LITTLE_ENDIAN) -> bytes:
    """The same object in another file: with another preamble and another File Meta group."""
    read = pydicom.dcmread(io.BytesIO(body))
    read.preamble = b"II*" + bytes(125)
    read.file_meta.ImplementationVersionName = "ANOTHER DOOR"
    read.file_meta.TransferSyntaxUID = transfer_syntax
    written = io.BytesIO()
    pydicom.dcmwrite(written, read, implicit_vr=transfer_syntax == ImplicitVRLittleEndian, little_endian=True)
    return written.getvalue()


def test_the_same_object_in_another_file_is_already_held(line):
    """File Meta and preamble differ by sender and door (PS3.10 7.1); the object is what follows them."""
    line.send({"1.dcm": image(1)})
    again = line.send({"1.dcm": _rewritten(image(1))})
    counts = line.app.intakes.counts(SYSTEM, again.id)
    assert (counts["already_held"], counts["conflicts"]) == (1, 0)
    assert line.held_bytes()["1.2.826.1.1.1"] == image(1)


@pytest.mark.parametrize("other", [_rewritten(image(1), ImplicitVRLittleEndian), _rewritten(image(1, PixelData=bytes(31) + b"1"))])
def test_another_encoding_and_another_last_byte_are_conflicts(line, other):
    line.send({"1.dcm": image(1)})
    again = line.send({"1.dcm": other})
    assert line.app.intakes.counts(SYSTEM, again.id)["conflicts"] == 1


def test_a_conflict_that_comes_when_all_is_done_leaves_its_finding_all_the_same(line):
    first = line.send(series_of([1, 2, 3]), report_type="count")
    before = line.workitems(line.study(first))
    line.send({"2.dcm": image(2, PatientName="Somebody^Else")})
    study = line.study(first)
    assert "conflicting-instances" in [check for check, _, _ in line.findings(study)]
    assert (study.revision, study.item.status) == (1, Status.FINISHED)
    assert line.workitems(study) == before


def test_another_patient_s_image_is_never_merged_into_a_study(line):
    intake = line.send({"1.dcm": image(1), "2.dcm": image(2, PatientID="P2")})
    (aside,) = line.app.catalogue.set_aside_of_intake(SYSTEM, intake.id)
    assert aside.state is MemberState.CONFLICT
    assert aside.reason.endswith("is held for another patient; two patients are never merged.")


def test_the_first_header_of_a_series_can_be_read_from_the_catalogue(line):
    intake = line.send({"1.dcm": image(1, ProtocolName="t1_mprage")})
    (series,) = line.app.catalogue.list_series(SYSTEM, line.study(intake).id)
    header = line.app.catalogue.find_series(SYSTEM, series.id).header
    assert header["ProtocolName"]["Value"] == ["t1_mprage"]
    assert "PixelData" not in header


def test_an_upload_that_is_never_completed_is_taken_as_it_is_after_a_day(line):
    intake = line.start()
    line.put(intake, series_of([1, 2]))
    line.clock.advance(hours=23)
    line.app.ledger.wake_due(SYSTEM)
    assert line.run() == 0
    line.clock.advance(hours=2)
    line.app.ledger.wake_due(SYSTEM)
    line.run()
    assert _item(line, intake).why == "2 imported. The sender never completed the upload; it was taken as it was."


def test_every_file_of_the_shared_images_is_accounted_for(line, shared_data):
    files = {
        str(path.relative_to(shared_data)): path.read_bytes()
        for folder in ("volumes", "segmentations_dcmqi", "segmentations_highdicom")
        for path in sorted((shared_data / folder).rglob("*"))
        if path.is_file()
    }
    intake = line.upload(files)
    assert line.worker.step()
    counts = line.app.intakes.counts(SYSTEM, intake.id)
    assert counts["received"] == len(files) == sum(number for name, number in counts.items() if name != "received")
    readable = {name for name, body in files.items() if _is_dicom(body)}
    assert counts["imported"] + counts["already_held"] + counts["conflicts"] == len(readable)


def _is_dicom(body):
    import io

    try:
        return "SOPInstanceUID" in pydicom.dcmread(io.BytesIO(body), stop_before_pixels=True)
    except (pydicom.errors.InvalidDicomError, EOFError):
        return False


# --- what rules ask of a header ------------------------------------------------------------------------------------------------------


def _asked(dataset, *paths, implicit, private_vrs=None):
    written = io.BytesIO()
    pydicom.dcmwrite(written, dataset, implicit_vr=implicit, little_endian=True)
    body = written.getvalue()  # the data set alone
    syntax = "1.2.840.10008.1.2" if implicit else "1.2.840.10008.1.2.1"
    header = scan(Source.of_bytes(body), Wanted(*paths), Recognition(syntax, 0), to_the_end=False)
    return attributes_of(header, paths, private_vrs or {})


@pytest.mark.parametrize("implicit", [True, False])
def test_values_of_all_items_of_a_sequence_are_kept_and_those_of_one(implicit):
    dataset = Dataset()
    dataset.RequestAttributesSequence = [Dataset(), Dataset(), Dataset()]
    for number, item in enumerate(dataset.RequestAttributesSequence[:2]):
        item.RequestedProcedureID = f"R{number}"
    every, second = (f"RequestAttributesSequence[{which}].RequestedProcedureID" for which in "*1")
    asked = _asked(dataset, every, second, "RequestAttributesSequence", "ReferencedImageSequence", implicit=implicit)
    assert asked == {every: ["R0", "R1"], second: "R1", "RequestAttributesSequence": True}


@pytest.mark.parametrize("implicit", [True, False])
def test_an_empty_attribute_is_told_from_a_missing_one(implicit):
    dataset = Dataset()
    dataset.ContrastBolusAgent = ""
    dataset.ReferencedImageSequence = []
    asked = _asked(dataset, "ContrastBolusAgent", "BodyPartExamined", "ReferencedImageSequence", implicit=implicit)
    assert asked == {"ContrastBolusAgent": "", "ReferencedImageSequence": ""}


@pytest.mark.parametrize("implicit", [True, False])
def test_a_private_attribute_of_unknown_form_is_read_as_the_site_has_named_it(implicit):
    dataset, path = Dataset(), "(0019,100C) ACME"
    block = dataset.private_block(0x0019, "ACME", create=True)
    block.add_new(0x0C, "IS", "7")
    assert _asked(dataset, path, implicit=implicit) == {path: True if implicit else 7}
    assert _asked(dataset, path, implicit=implicit, private_vrs={path: "IS"}) == {path: 7}
