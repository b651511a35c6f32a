"""One object: what goes, what stays, and what is held."""

import struct
from pathlib import Path

import pytest
from deidentifying import KEY, RESEARCH, answer_of, deidentified, encoded, engine_of, read
from pydicom import Dataset, dcmread
from pydicom.sequence import Sequence

from hilum.deidentification.engine import Dropped, Held, Rewritten
from hilum.dicom.uids import is_valid_uid
from hilum.model.keys import ProjectKey
from images import image

IMPLICIT, EXPLICIT, BIG, DEFLATED = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
TOKEN = "Zq7Planted"


@pytest.mark.parametrize("syntax", [IMPLICIT, EXPLICIT, BIG, DEFLATED])
def test_every_native_encoding_is_rewritten_with_its_pixels(syntax: str) -> None:
    given = read(image(3, PatientName="Doe^Jane", StudyDescription="Jane's head", StudyDate="20200304"))
    given.PixelData = bytes(range(32))
    given.is_little_endian, given.is_implicit_VR = syntax != BIG, syntax == IMPLICIT
    made = deidentified(encoded(given, syntax))
    assert made.PixelData == given.PixelData
    assert (made.Rows, list(made.ImagePositionPatient)) == (given.Rows, [0, 0, 3])
    assert "StudyDescription" not in made
    assert made.PatientName == made.PatientID != "P1"


def test_what_was_done_is_said_in_the_object() -> None:
    made = deidentified(image(1), engine_of("retain-modified-dates"))
    assert made.PatientIdentityRemoved == "YES"
    assert made.LongitudinalTemporalInformationModified == "MODIFIED"
    assert [item.CodeValue for item in made.DeidentificationMethodCodeSequence] == ["113100", "113107"]
    assert {item.CodingSchemeDesignator for item in made.DeidentificationMethodCodeSequence} == {"DCM"}
    assert "profile tested version 1" in made.DeidentificationMethod
    assert deidentified(image(1)).LongitudinalTemporalInformationModified == "REMOVED"


def test_visual_features_are_flagged_and_not_claimed_to_be_cleaned() -> None:
    answer, written = answer_of(image(1, BodyPartExamined="HEAD"), engine_of("clean-recognizable-visual-features"))
    assert isinstance(answer, Rewritten)
    assert answer.flags == ("A face may be recognised in it.",)
    assert [item.CodeValue for item in read(written).DeidentificationMethodCodeSequence] == ["113100"]


def test_preamble_file_meta_private_overlay_padding_and_un_hold_nothing_of_it() -> None:
    given = read(image(1))
    given.file_meta.SourceApplicationEntityTitle = "ZQ7PLANTED"
    given.file_meta.PrivateInformationCreatorUID, given.file_meta.PrivateInformation = "1.2.3", TOKEN.encode()
    given.private_block(0x0029, "SOMEBODY", create=True).add_new(1, "LO", TOKEN)
    inner = Dataset()
    inner.add_new(0x00100010, "PN", TOKEN)
    given.private_block(0x0029, "SOMEBODY").add_new(2, "SQ", Sequence([inner]))
    given.add_new(0x60003000, "OW", TOKEN.encode())
    given.add_new(0x60020022, "LO", TOKEN)
    given.add_new(0x50003000, "OW", TOKEN.encode())
    given.add_new(0x00081030, "UN", TOKEN.encode())
    given.add_new(0x00089999, "UN", TOKEN.encode())
    given.add_new(0xFFFCFFFC, "OB", TOKEN.encode())
    icon = Dataset()
    icon.PixelData = TOKEN.encode()
    icon["PixelData"].VR = "OW"
    given.IconImageSequence = Sequence([icon])
    content = bytearray(encoded(given, EXPLICIT))
    content[:10] = TOKEN.encode()
    answer, written = answer_of(bytes(content))
    assert isinstance(answer, Rewritten)
    assert TOKEN.lower().encode() not in written.lower()
    assert written[:128] == bytes(128)


def test_the_same_patient_study_and_frame_of_reference_are_the_same_in_any_order() -> None:
    first = [deidentified(image(n, FrameOfReferenceUID="1.2.3.4")) for n in (1, 2)]
    again = [deidentified(image(n, FrameOfReferenceUID="1.2.3.4")) for n in (2, 1)]
    for keyword in ("PatientID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        assert len({str(getattr(one, keyword)) for one in first + again}) == 1
    assert first[0].SOPInstanceUID == again[1].SOPInstanceUID != first[1].SOPInstanceUID
    assert first[0].file_meta.MediaStorageSOPInstanceUID == first[0].SOPInstanceUID
    assert is_valid_uid(first[0].SOPInstanceUID)


def test_another_key_gives_other_pseudonyms() -> None:
    other = engine_of(key=ProjectKey.of_secret(bytes(32)))
    assert deidentified(image(1)).PatientID != deidentified(image(1), other).PatientID
    assert deidentified(image(1)).StudyInstanceUID != deidentified(image(1), other).StudyInstanceUID


def test_references_point_to_the_new_instances() -> None:
    reference = Dataset()
    reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.4", "1.2.826.1.1.2"
    made = deidentified(image(1, ReferencedImageSequence=Sequence([reference])))
    assert made.ReferencedImageSequence[0].ReferencedSOPInstanceUID == deidentified(image(2)).SOPInstanceUID
    assert made.ReferencedImageSequence[0].ReferencedSOPClassUID == "1.2.840.10008.5.1.4.1.1.4"


def test_a_root_of_the_site_is_used_for_new_uids() -> None:
    made = deidentified(image(1), engine_of(uid_root="1.2.826.0.1.3680043.10"))
    assert made.StudyInstanceUID.startswith("1.2.826.0.1.3680043.10.")
    assert is_valid_uid(made.StudyInstanceUID)


def test_intervals_between_dates_and_times_of_day_stay() -> None:
    engine = engine_of("retain-modified-dates")
    given = image(1, StudyDate="20200228", AcquisitionDate="20200301", StudyTime="101112.5", AcquisitionDateTime="20200301101500.25+0100")
    made = deidentified(given, engine)
    from datetime import date

    study, acquired = date.fromisoformat(made.StudyDate), date.fromisoformat(made.AcquisitionDate)
    assert (acquired - study).days == 2
    assert study != date(2020, 2, 28)
    assert made.StudyTime == "101112.5"
    assert made.AcquisitionDateTime == f"{made.AcquisitionDate}101500.25+0100"
    other = deidentified(image(1, study="1.2.999", StudyDate="20210228"), engine)
    assert (date.fromisoformat(other.StudyDate) - study).days == 366


def test_times_can_be_zeroed() -> None:
    made = deidentified(image(1, StudyDate="20200228", StudyTime="101112.5"), engine_of("retain-modified-dates", times="zero"))
    assert made.StudyTime == "000000"


def test_descriptions_lose_names_numbers_and_dates_and_keep_the_rest() -> None:
    made = deidentified(
        image(
            1,
            PatientName="Featherstone^Wilhelmina",
            PatientID="MRN-0815",
            OperatorsName="Quill^Ann",
            SeriesDescription="T1 FLAIR W. Featherstone, by Quill 12.03.2020",
            StudyDescription="MRN-0815 head, call +49 89 1234567, a@b.example",
        ),
        engine_of("clean-descriptors"),
    )
    assert made.SeriesDescription == "T1 FLAIR W. [removed], by [removed] [removed]"
    assert made.StudyDescription == "[removed] head, call [removed], [removed]"


def test_a_date_in_a_text_moves_with_the_others() -> None:
    given = image(1, StudyDate="20200312", SeriesDescription="as on 2020-03-12")
    made = deidentified(given, engine_of("clean-descriptors", "retain-modified-dates"))
    assert made.SeriesDescription == f"as on {made.StudyDate[:4]}-{made.StudyDate[4:6]}-{made.StudyDate[6:]}"


def test_an_age_over_90_is_capped() -> None:
    made = deidentified(image(1, PatientAge="101Y"), engine_of("retain-patient-characteristics"))
    assert made.PatientAge == "090Y"


def test_a_kept_text_about_the_patient_does_not_name_the_patient() -> None:
    given = image(1, PatientName="Featherstone^Wilhelmina", EthnicGroup="Featherstone")
    assert deidentified(given, engine_of("retain-patient-characteristics")).EthnicGroup == "[removed]"


def test_the_projects_overrides_come_first() -> None:
    overrides = [
        {"attribute": "StudyDescription", "action": "keep"},
        {"pattern": "0018xxxx", "action": "remove"},
        {"attribute": "PatientSex", "action": "set-value", "settings": {"value": "O"}},
        {"attribute": "AccessionNumber", "action": "hash"},
    ]
    made = deidentified(image(1, StudyDescription="Head", AccessionNumber="A1", PatientSex="F"), engine_of(overrides=overrides))
    assert (made.StudyDescription, made.PatientSex, len(made.AccessionNumber)) == ("Head", "O", 16)
    assert "SliceThickness" not in made


def test_only_safe_private_elements_stay() -> None:
    given = read(image(1))
    block = given.private_block(0x0019, "SAFE CREATOR", create=True)
    block.add_new(0x0C, "DS", "1000")
    block.add_new(0x0D, "LO", TOKEN)
    given.private_block(0x0019, "OTHER", create=True).add_new(0x0C, "DS", "1")
    safe = [{"private_creator": "SAFE CREATOR", "element": "(0019,xx0C)", "vr": "DS"}]
    made = deidentified(encoded(given, EXPLICIT), engine_of("retain-safe-private", safe_private=safe))
    private = [(str(one.tag), str(one.value)) for one in made if one.tag.is_private]
    assert private == [("(0019,0010)", "SAFE CREATOR"), ("(0019,100C)", "1000")]


def test_a_patient_without_an_id_gets_a_pseudonym_of_the_study() -> None:
    given = read(image(1))
    del given.PatientID, given.PatientName
    made = deidentified(encoded(given, EXPLICIT))
    assert len(made.PatientID) == 16


@pytest.mark.parametrize("options", [(), RESEARCH], ids=["basic", "research"])
def test_structured_reports_lose_names_in_every_content_item(options: tuple[str, ...], shared_data: Path) -> None:
    files = [file for file in sorted(shared_data.rglob("*.dcm")) if "sr" in file.name.lower()]
    assert files
    for file in files:
        given = dcmread(file)
        given.PatientName = "Featherstone^Wilhelmina"
        _plant_in_content(given)
        made = deidentified(encoded(given, EXPLICIT), engine_of(*options))
        assert "featherstone" not in str(made).lower()
        assert len(list(made.iterall())) > 20


def _plant_in_content(item: Dataset) -> None:
    for below in item.get("ContentSequence", ()):
        if "TextValue" in below:
            below.TextValue = "seen by Featherstone"
        if "PersonName" in below:
            below.PersonName = "Featherstone^W"
        _plant_in_content(below)


# --- wrong input ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("attributes", "says"),
    [
        ({"BurnedInAnnotation": "YES"}, "Burned In Annotation"),
        ({"Modality": "US"}, "modality"),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "captured screen"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "SOP Class"),
        ({"SOPClassUID": "1.2.3.4.5"}, "no table"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.104.1"}, "document"),
    ],
)
def test_what_nobody_can_judge_is_held(attributes: dict[str, object], says: str) -> None:
    answer, written = answer_of(image(1, **attributes))
    assert isinstance(answer, Held)
    assert says in answer.why
    assert written == b""


def test_documents_can_be_left_out_instead() -> None:
    answer, _ = answer_of(image(1, SOPClassUID="1.2.840.10008.5.1.4.1.1.104.1"), engine_of(encapsulated_documents="remove"))
    assert isinstance(answer, Dropped)


@pytest.mark.parametrize("cut", [10, 200, 400, -50, -8])
def test_a_cut_object_is_held_and_never_passed_on(cut: int) -> None:
    answer, _ = answer_of(image(1)[:cut])
    assert isinstance(answer, Held)


def test_text_in_an_unknown_character_set_is_removed() -> None:
    given = image(1, SpecificCharacterSet="ISO_IR 100", SeriesDescription="Häupt").replace(b"ISO_IR 100", b"ISO_IR 999")
    assert "SeriesDescription" not in deidentified(given, engine_of("clean-descriptors"))


def test_a_value_of_the_wrong_vr_is_removed() -> None:
    given = read(image(1))
    given.add_new(0x00180080, "LO", TOKEN)  # Repetition Time is DS
    _, written = answer_of(encoded(given, EXPLICIT))
    assert TOKEN.encode() not in written


def test_text_where_a_number_belongs_is_removed() -> None:
    given = image(1, RepetitionTime="12345678").replace(b"12345678", b"Doe^Jane")
    _, written = answer_of(given)
    assert b"Doe^Jane" not in written


@pytest.mark.parametrize("tag", [0x00280006, 0x00280120])  # Planar Configuration (US), Pixel Padding Value (US or SS)
@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_text_in_place_of_a_number_is_removed(tag: int, syntax: str) -> None:
    given = read(image(1))
    given.add_new(tag, "US", list(struct.unpack("<4H", b"Schmidt ")))
    content = encoded(given, syntax)
    as_unknown = content.replace(b"US\x08\0Schmidt ", b"UN\0\0\x08\0\0\0Schmidt ")
    for one in {content, as_unknown}:
        answer, written = answer_of(one)
        assert isinstance(answer, Rewritten)
        assert b"Schmidt" in one
        assert b"Schmidt" not in written


def test_as_many_numbers_as_the_standard_has_stay() -> None:
    given = read(image(1, AcquisitionMatrix=[0, 256, 192, 0]))
    given.add_new(0x00281101, "US", [256, 0, 16])  # Red Palette Color Lookup Table Descriptor
    made = deidentified(encoded(given, EXPLICIT))
    assert list(made.RedPaletteColorLookupTableDescriptor) == [256, 0, 16]
    assert list(made.AcquisitionMatrix) == [0, 256, 192, 0]


def test_every_byte_of_a_header_may_be_wrong() -> None:
    """Never a crash: a result, or held."""
    content = image(1, PatientName="Featherstone^Wilhelmina")
    engine = engine_of()
    for at in range(132, 900, 3):
        for value in (0, 0xFF):
            answer, _ = answer_of(content[:at] + bytes([value]) + content[at + 1 :], engine)
            assert isinstance(answer, (Rewritten, Held, Dropped))


def test_a_dicomdir_is_not_delivered() -> None:
    import pydicom.data

    answer, _ = answer_of(Path(pydicom.data.get_testdata_file("DICOMDIR")).read_bytes())
    assert isinstance(answer, Dropped)


def test_the_key_is_not_shown() -> None:
    assert "secret" not in repr(KEY)


@pytest.mark.parametrize(
    ("options", "override", "said"),
    [
        ((), {}, "REMOVED"),
        ((), {"attribute": "StudyDescription", "action": "keep"}, "REMOVED"),
        ((), {"attribute": "StudyDate", "action": "remove"}, "REMOVED"),
        ((), {"attribute": "StudyDate", "action": "keep"}, "UNMODIFIED"),
        ((), {"group": "0008", "action": "keep"}, "UNMODIFIED"),
        ((), {"attribute": "PatientBirthDate", "action": "round-date"}, "MODIFIED"),
        (("retain-full-dates",), {"attribute": "PatientBirthDate", "action": "round-date"}, "MODIFIED"),
        (("retain-modified-dates",), {"attribute": "StudyDate", "action": "keep"}, "MODIFIED"),
    ],
)
def test_what_is_said_of_the_dates_is_true_with_overrides(options: tuple[str, ...], override: dict[str, str], said: str) -> None:
    overrides = [override] if override else []
    assert deidentified(image(1), engine_of(*options, overrides=overrides)).LongitudinalTemporalInformationModified == said
