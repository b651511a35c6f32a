"""The way back over a real CT: results over its de-identified copies get its identity back, or are held with the reason."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from deidentifying import KEY, RESEARCH, answer_of, engine_of
from pydicom import Dataset, dcmread
from pydicom.uid import generate_uid
from results import derived_image, encapsulated_pdf, encode, report, segmentation, structure_set

from hilum.deidentification.engine import Rewritten
from hilum.deidentification.originals import Originals
from hilum.dicom.part10 import UnreadableError
from hilum.model.crosswalk import Sealer, digest_of, open_row
from hilum.reidentification.known import Known
from hilum.reidentification.results import bring_back, read_mentions

SAID = {
    "SpecificCharacterSet": "ISO_IR 100",
    "PatientName": "Müller^Jörg",
    "PatientID": "ZQ7-0815",
    "IssuerOfPatientID": "WARD",
    "PatientBirthDate": "19510203",
    "PatientSex": "M",
    "AccessionNumber": "ACC4711",
    "StudyID": "S12",
    "StudyDescription": "Abdomen für alle",
    "ReferringPhysicianName": "Österreich^Ulla",
}
STUDY_ID = "0b9d9d3e-0000-4000-8000-000000000001"
RESTORED = (*(keyword for keyword in SAID if keyword != "SpecificCharacterSet"), "StudyInstanceUID", "StudyDate", "StudyTime")


class Ward:
    """A CT series, its de-identified copies, and what the crosswalk knows of them."""

    def __init__(self, originals: list[Dataset], *options: str) -> None:
        self.originals = originals
        engine, gathered = engine_of(*options), Originals()
        self.copies = []
        for one in originals:
            answer, content = answer_of(encode(one), engine)
            assert isinstance(answer, Rewritten), answer
            gathered.add(answer)
            self.copies.append(dcmread(io.BytesIO(content)))
        rows = {row.digest: row for row in gathered.seal(Sealer(KEY, "ward", STUDY_ID))}
        opened = {one: open_row([KEY], "ward", one, rows[digest_of(one)]) for one in gathered.pseudonyms}
        self.known = Known(
            study_instance_uid=str(originals[0].StudyInstanceUID),
            originals=opened,
            frames={str(one.SOPInstanceUID): str(one.FrameOfReferenceUID) for one in originals},
            made=frozenset(),
            dates_moved="retain-modified-dates" in options,
            made_since="20260101",
        )


@pytest.fixture(scope="module")
def ct(shared_data: Path) -> list[Dataset]:
    images = [dcmread(path) for path in sorted((shared_data / "segmentations_dcmqi/segmentations/ct-3slice").glob("*.dcm"))]
    for one in images:
        one.update(Dataset())
        for keyword, value in SAID.items():
            setattr(one, keyword, value)
    return images


@pytest.fixture(scope="module", params=["basic", "research"])
def ward(request: pytest.FixtureRequest, ct: list[Dataset]) -> Ward:
    return Ward(ct, *(RESEARCH if request.param == "research" else ()))


@pytest.fixture
def research(ct: list[Dataset]) -> Ward:
    return Ward(ct, *RESEARCH)


def back(result: Dataset | bytes, known: Known, folder: Path) -> Dataset:
    why, restored = attempt(result, known, folder)
    assert why == ""
    assert restored is not None
    return restored


def attempt(result: Dataset | bytes, known: Known, folder: Path) -> tuple[str, Dataset | None]:
    path, out = folder / "given", folder / "restored"
    path.write_bytes(result if isinstance(result, bytes) else encode(result))
    mentions = read_mentions(path)
    known = replace(
        known,
        originals={one: known.originals[one] for one in mentions.pseudonyms if one in known.originals},
        made=known.made | {mentions.sop_instance_uid},
    )
    why = bring_back(path, out, known)
    return why, None if why else dcmread(out)


def check_identity(restored: Dataset, original: Dataset) -> None:
    for keyword in RESTORED:
        assert restored.get(keyword) == original.get(keyword), keyword
    assert restored.get("PatientIdentityRemoved") in (None, "NO")
    for keyword in ("DeidentificationMethod", "DeidentificationMethodCodeSequence", "LongitudinalTemporalInformationModified"):
        assert keyword not in restored


def every_uid(result: Dataset) -> set[str]:
    return {str(uid) for element in result.iterall() if element.VR == "UI" and element.value for uid in _many(element.value)}


def _many(value):
    return [value] if isinstance(value, str) else list(value)


MADE: dict[str, Callable[[Ward], Dataset]] = {
    "SEG": lambda ward: segmentation(ward.copies),
    "RTSTRUCT": lambda ward: structure_set(ward.copies),
    "PDF": lambda ward: encapsulated_pdf(ward.copies),
    "image": lambda ward: derived_image(ward.copies[1]),
}


@pytest.mark.parametrize("kind", MADE)
def test_a_result_gets_patient_study_and_references_of_the_originals(ward: Ward, kind: str, tmp_path: Path) -> None:
    made = MADE[kind](ward)
    restored = back(made, ward.known, tmp_path)
    check_identity(restored, ward.originals[0])
    assert restored.SOPInstanceUID == made.SOPInstanceUID  # a new object keeps its own UIDs
    assert restored.SeriesInstanceUID == made.SeriesInstanceUID
    assert every_uid(restored).isdisjoint({one for one in ward.known.originals if "." in one})
    referenced = {str(one.ReferencedSOPInstanceUID) for one in _items(restored) if "ReferencedSOPInstanceUID" in one}
    wanted = {ward.originals[1].SOPInstanceUID} if kind == "image" else {one.SOPInstanceUID for one in ward.originals}
    assert referenced - {ward.originals[0].StudyInstanceUID} == wanted


def _items(item: Dataset):
    yield item
    for element in item:
        if element.VR == "SQ":
            for below in element.value:
                yield from _items(below)


def test_a_report_refers_to_the_originals_and_to_the_result_beside_it(ward: Ward, tmp_path: Path) -> None:
    seg = segmentation(ward.copies)
    made = report(ward.copies, seg)
    known = replace(ward.known, made=frozenset({str(seg.SOPInstanceUID)}))
    restored = back(made, known, tmp_path)
    check_identity(restored, ward.originals[0])
    evidence = {
        str(one.ReferencedSOPInstanceUID): str(series.SeriesInstanceUID)
        for study in restored.CurrentRequestedProcedureEvidenceSequence
        for series in study.ReferencedSeriesSequence
        for one in series.ReferencedSOPSequence
    }
    assert evidence == {str(seg.SOPInstanceUID): str(seg.SeriesInstanceUID)} | {
        str(one.SOPInstanceUID): str(one.SeriesInstanceUID) for one in ward.originals
    }
    assert attempt(made, ward.known, tmp_path)[0].startswith("It refers to 1 instance that the study does not hold")


def test_the_grid_pixels_and_words_of_a_segmentation_stay(ward: Ward, tmp_path: Path) -> None:
    made = dcmread(io.BytesIO(encode(segmentation(ward.copies))))
    restored = back(made, ward.known, tmp_path)
    assert restored.PixelData == made.PixelData
    assert restored.FrameOfReferenceUID == ward.originals[0].FrameOfReferenceUID
    assert restored.SegmentSequence[0].SegmentLabel == "half"
    assert restored.SharedFunctionalGroupsSequence == made.SharedFunctionalGroupsSequence


def test_dates_of_the_images_come_back_and_the_processors_own_stay(research: Ward, tmp_path: Path) -> None:
    image, copy = research.originals[0], research.copies[0]
    assert copy.AcquisitionDate != image.AcquisitionDate
    made = derived_image(copy)
    own = made.ContentDate
    item = Dataset()
    item.AcquisitionDateTime = f"{copy.AcquisitionDate}101112.5"
    made.SourceIrradiationEventSequence = [item]
    restored = back(made, research.known, tmp_path)
    assert (restored.AcquisitionDate, restored.SeriesDate, restored.ContentDate) == (image.AcquisitionDate, image.SeriesDate, own)
    assert restored.SourceIrradiationEventSequence[0].AcquisitionDateTime == f"{image.AcquisitionDate}101112.5"


def test_pseudonyms_in_text_and_in_names_at_any_depth_come_back(research: Ward, tmp_path: Path) -> None:
    made = structure_set(research.copies)
    copy, image = research.copies[0], research.originals[0]
    made.StructureSetDescription = f"Of {copy.PatientID}, study {copy.StudyInstanceUID}."
    item = Dataset()
    item.PatientName, item.PatientID = copy.PatientName, copy.PatientID
    made.OtherPatientIDsSequence = [item]
    made.OperatorsName = "Reader^Second"
    restored = back(made, research.known, tmp_path)
    assert restored.StructureSetDescription == f"Of {image.PatientID}, study {image.StudyInstanceUID}."
    assert (restored.OtherPatientIDsSequence[0].PatientName, restored.OtherPatientIDsSequence[0].PatientID) == (
        SAID["PatientName"],
        "ZQ7-0815",
    )
    assert restored.OperatorsName == "Reader^Second"


def test_a_name_that_the_results_character_set_lacks_makes_it_utf_8_without_a_loss(research: Ward, tmp_path: Path) -> None:
    made = structure_set(research.copies)
    made.SpecificCharacterSet = "ISO_IR 144"  # Cyrillic
    made.StructureSetLabel = "Печень"
    restored = back(made, research.known, tmp_path)
    assert (restored.SpecificCharacterSet, restored.StructureSetLabel, restored.PatientName) == ("ISO_IR 192", "Печень", "Müller^Jörg")


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"PatientID": "SOMEBODY"}, "It is about another patient: its PatientID"),
        ({"PatientName": "Somebody^Else"}, "It is about another patient: its PatientName"),
        ({"StudyInstanceUID": "1.2.3"}, "It does not belong to the study that it was made of"),
        ({"StudyInstanceUID": ""}, "It does not belong to the study that it was made of"),
        ({"FrameOfReferenceUID": "1.2.3"}, "Its frame of reference 1.2.3 is not that of the images"),
    ],
)
def test_a_result_about_something_else_is_held(research: Ward, wrong: dict[str, str], sentence: str, tmp_path: Path) -> None:
    made = segmentation(research.copies)
    for keyword, value in wrong.items():
        setattr(made, keyword, value)
    why, restored = attempt(made, research.known, tmp_path)
    assert why.startswith(sentence)
    assert restored is None
    assert not (tmp_path / "restored").exists()


def test_a_reference_to_what_nobody_knows_is_held(research: Ward, tmp_path: Path) -> None:
    made = segmentation(research.copies)
    made.ReferencedSeriesSequence[0].ReferencedInstanceSequence[0].ReferencedSOPInstanceUID = "1.2.3.4"
    why, _ = attempt(made, research.known, tmp_path)
    assert why == "It refers to 1 instance that the study does not hold, such as 1.2.3.4."


def test_a_reference_to_an_image_that_was_deleted_meanwhile_is_held(research: Ward, tmp_path: Path) -> None:
    gone = str(research.originals[2].SOPInstanceUID)
    known = replace(research.known, frames={uid: frame for uid, frame in research.known.frames.items() if uid != gone})
    why, _ = attempt(segmentation(research.copies), known, tmp_path)
    assert why == f"It refers to 1 instance that the study does not hold, such as {research.copies[2].SOPInstanceUID}."


def test_the_frame_of_reference_of_another_series_of_the_study_is_held(research: Ward, tmp_path: Path) -> None:
    other = dict.fromkeys(research.known.frames, "1.2.840.99")
    why, _ = attempt(structure_set(research.copies), replace(research.known, frames=other), tmp_path)
    assert why.startswith("Its frame of reference")


def test_a_result_that_would_take_the_place_of_its_image_is_held(research: Ward, tmp_path: Path) -> None:
    why, _ = attempt(research.copies[0], research.known, tmp_path)
    assert why.startswith("It has the SOP Instance UID of an image")


def test_a_result_without_a_patient_gets_the_one_of_its_study(research: Ward, tmp_path: Path) -> None:
    made = encapsulated_pdf(research.copies)
    made.PatientID = made.PatientName = ""
    check_identity(back(made, research.known, tmp_path), research.originals[0])


def test_what_cannot_be_read_to_its_end_is_told(research: Ward, tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match="98204 are there"):
        attempt(encode(segmentation(research.copies))[:-100], research.known, tmp_path)


@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.5"])
def test_other_transfer_syntaxes_come_back_as_they_were(research: Ward, syntax: str, tmp_path: Path) -> None:
    made = derived_image(research.copies[1])
    made.file_meta = type(made.file_meta)()
    made.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    if syntax.endswith(".5"):
        made.compress(syntax, generate_instance_uid=False)
    else:
        made.file_meta.TransferSyntaxUID = syntax
    restored = back(made, research.known, tmp_path)
    check_identity(restored, research.originals[1])
    assert restored.file_meta.TransferSyntaxUID == syntax
    assert restored.PixelData == made.PixelData


def test_twice_the_same_result_is_twice_the_same_file(research: Ward, tmp_path: Path) -> None:
    made = encode(segmentation(research.copies))
    first = back(made, research.known, tmp_path), (tmp_path / "restored").read_bytes()
    assert (back(made, research.known, tmp_path), (tmp_path / "restored").read_bytes()) == first


def test_a_key_of_another_time_gives_other_pseudonyms_that_say_nothing_here(research: Ward, tmp_path: Path) -> None:
    made = segmentation(research.copies)
    made.StudyInstanceUID = generate_uid()
    assert attempt(made, research.known, tmp_path)[0].startswith("It does not belong to the study")
