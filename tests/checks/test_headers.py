"""What the headers of images show: pixels, values, dates, UIDs, character sets, conformance, burned-in text, patients."""

import pytest
from checked import MEMBERS, changed, check_files, kinds, the

from hilum.checks import Content
from hilum.dicom.part10 import recognise
from hilum.dicom.scanner import Source, scan_all
from hilum.model.outcomes import StoredBytes
from hilum.model.records import Instance, Series
from hilum.runtime.registry import find_members
from images import image

SERIES = "1.2.826.1.1"


def test_every_check_says_what_it_means_and_what_to_do():
    for member in find_members("hilum.checks").values():
        for text in (member.meaning, member.mend):
            assert text[0].isupper() or text[0] == "`", member.kind
            assert text.endswith("."), member.kind


def test_pixel_data_that_is_too_short_is_an_error_with_its_bytes():
    found = the(check_files([image(1), changed(image(2), PixelData=bytes(20))]), "pixel-data")
    assert found.sentence == 'In series 1 "T1": its Pixel Data has 20 of 32 bytes, in 1 of 2 images.'
    assert (found.severity, found.instances) == ("error", (f"{SERIES}.2",))


@pytest.mark.parametrize("sop_class", ["1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.2"], ids=["MR", "CT"])
def test_an_image_whose_header_has_no_size_is_an_error_with_what_lacks(sop_class):
    body = changed(image(1), SOPClassUID=sop_class, Rows=None, BitsAllocated=None)
    assert "its header has no Rows and BitsAllocated" in the(check_files([body]), "pixel-data").sentence
    without = changed(image(1), SOPClassUID=sop_class, Rows=None, Columns=None, BitsAllocated=None, PixelData=None)
    assert "its header has no Rows, Columns and BitsAllocated" in the(check_files([without]), "pixel-data").sentence


def test_what_is_no_image_needs_no_pixels():
    report = changed(image(1), SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11", Rows=None, Columns=None, BitsAllocated=None, PixelData=None)
    assert "pixel-data" not in kinds(check_files([report]))


def test_one_bit_a_pixel_and_several_frames_need_fewer_bytes():
    bits = {"BitsAllocated": 1, "BitsStored": 1, "HighBit": 0, "NumberOfFrames": 3}
    assert "pixel-data" not in kinds(check_files([image(1, **bits, PixelData=bytes(6))]))
    assert "pixel-data" in kinds(check_files([image(1, **bits, PixelData=bytes(4))]))


@pytest.mark.parametrize(
    ("attributes", "said"),
    [
        ({"BurnedInAnnotation": "YES"}, "BurnedInAnnotation says that text is burned in"),
        ({"SOPClassUID": "1.2.840.10008.5.1.4.1.1.7"}, "it is a secondary capture"),
        ({"Modality": "US"}, "it is an ultrasound image"),
        ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "it is a captured screen"),
        ({"ConversionType": "SD"}, "it is a scanned document"),
    ],
)
def test_text_may_be_burned_in_by_attribute_class_modality_and_capture(attributes, said):
    assert said in the(check_files([image(1, **attributes)]), "burned-in-annotation").sentence


@pytest.mark.parametrize("attributes", [{}, {"Modality": "US", "BurnedInAnnotation": "NO"}])
def test_nothing_is_said_of_images_that_are_not_at_risk_or_deny_it(attributes):
    assert "burned-in-annotation" not in kinds(check_files([image(1, **attributes)]))


@pytest.mark.parametrize("day", ["20230229", "2023-01-01", "00000000", "20231301"])
def test_a_day_that_never_was_is_told_without_its_value(day):
    found = the(check_files([changed(image(1), StudyDate=day)]), "real-dates")
    assert found.sentence.startswith('In series 1 "T1": StudyDate is not valid')
    assert day not in found.sentence


def test_a_leap_day_is_real():
    assert "real-dates" not in kinds(check_files([image(1, StudyDate="20240229", StudyTime="235960")]))


def test_a_value_that_breaks_its_representation_is_told_once_for_all_its_images():
    files = [changed(image(number), BodyPartExamined="brain") for number in (1, 2, 3)]
    found = the(check_files(files), "valid-values")
    assert "BodyPartExamined is not valid for its Value Representation CS" in found.sentence
    assert "in all of 3 images" in found.sentence
    assert found.instances == tuple(f"{SERIES}.{number}" for number in (1, 2, 3))


def test_an_invalid_uid_within_a_sequence_is_told_with_its_path():
    from pydicom.dataset import Dataset

    referenced = Dataset()
    referenced.ReferencedSOPClassUID, referenced.ReferencedSOPInstanceUID = "1.2.840.10008.5.1.4.1.1.4", "1.02.3"
    found = the(check_files([image(1, ReferencedImageSequence=[referenced])]), "valid-uids")
    assert "ReferencedImageSequence.ReferencedSOPInstanceUID is not valid" in found.sentence


def test_a_study_and_a_series_of_the_same_uid_are_told():
    found = the(check_files([image(1, series="1.2.826.1")]), "valid-uids")
    assert "StudyInstanceUID and SeriesInstanceUID are the same UID" in found.sentence


@pytest.mark.parametrize(
    ("character_set", "name", "said"),
    [
        (None, b"M\xfcller", "no SpecificCharacterSet says which they are"),
        ("ISO_IR 192", b"M\xfcller", "cannot be read in the character set"),
        ("ISO_IR 999", b"Mueller", "names 'ISO_IR 999'"),
    ],
)
def test_text_that_cannot_be_read_is_told_without_its_value(character_set, name, said):
    attributes = {} if character_set is None else {"SpecificCharacterSet": character_set}
    body = image(1, StudyDescription="M?ller", **attributes).replace(b"M?ller", name[:6])
    found = the(check_files([body]), "character-sets")
    assert said in found.sentence
    assert "ller" not in found.sentence


@pytest.mark.parametrize(("character_set", "raw"), [("ISO_IR 100", b"M\xfcller"), ("ISO_IR 192", "Mü11r".encode())])
def test_text_in_its_character_set_is_not_told(character_set, raw):
    body = image(1, StudyDescription="M?ller", SpecificCharacterSet=character_set).replace(b"M?ller", raw)
    assert "character-sets" not in kinds(check_files([body]))


def test_attributes_that_the_modules_ask_for_are_missed_by_type_and_module():
    found = the(check_files([image(1)]), "module-conformance")
    assert found.severity == "info"
    assert "ImageType of type 1 is missing (mr-image, module mr-image)" in found.sentence


def test_two_patients_under_one_id_are_an_error_that_names_the_images_and_no_name():
    files = [image(1), image(2), image(3, PatientName="Somebody^Else", PatientBirthDate="19500101")]
    found = the(check_files(files), "patient-consistency")
    assert found.severity == "error"
    assert "Somebody" not in found.sentence
    assert found.instances == (f"{SERIES}.3",)


def test_one_name_written_in_two_ways_is_one_patient():
    assert "patient-consistency" not in kinds(check_files([image(1), image(2, PatientName="INVENTED^PATIENT^^")]))


def test_an_image_without_a_patient_id_is_told():
    assert the(check_files([image(1, PatientID="")]), "patient-consistency").severity == "warning"


def conformance(**attributes):
    """All troubles; a finding names the most frequent ones."""
    body = changed(image(1), **attributes)
    series = Series("s", 1, "st", "admin", "1.2", "MR", "", 1, {})
    content = Content(series, Instance("1.2", {}, StoredBytes("0", 0, len(body), b"")), scan_all(Source.of_bytes(body), recognise(body)))
    return "; ".join(MEMBERS["module-conformance"].judge(content))


@pytest.mark.parametrize(
    ("attributes", "trouble"),
    [
        ({"SamplesPerPixel": 3}, "PlanarConfiguration of type 1C is missing, which SamplesPerPixel asks for"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "RedPaletteColorLookupTableDescriptor of type 1C is missing"),
        ({"ScanningSequence": ["GR", "IR"]}, "InversionTime of type 2C is missing, which ScanningSequence asks for"),
        ({"WindowCenter": 40}, "WindowWidth of type 1C is missing, which WindowCenter asks for"),
        ({}, "PatientPosition of type 2C is missing, which SOPClassUID asks for"),
        ({"PixelAspectRatio": ""}, "PixelAspectRatio of type 1C is empty"),
        ({"ContrastBolusRoute": "IV"}, "ContrastBolusAgent of type 2 is missing (mr-image, module contrast-bolus)"),
    ],
)
def test_what_a_condition_asks_for_is_missed(attributes, trouble):
    assert trouble in conformance(**attributes)


@pytest.mark.parametrize(
    ("attributes", "absent"),
    [
        ({"SamplesPerPixel": 1}, "PlanarConfiguration"),
        ({"ScanningSequence": "GR"}, "InversionTime"),
        ({"ScanningSequence": "IR", "InversionTime": ""}, "InversionTime"),  # type 2C: may be empty
        ({"WindowCenter": 40, "WindowWidth": 80}, "WindowWidth"),
        ({"PatientPosition": "HFS"}, "PatientPosition"),
        ({}, "contrast-bolus"),
    ],
)
def test_what_no_condition_asks_for_is_not_missed(attributes, absent):
    assert absent not in conformance(**attributes)
