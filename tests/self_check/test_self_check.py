"""The self-check: whatever is planted in a copy is found, wherever and however it is written; what is no disclosure is not."""

import base64
import io
import struct
import time

import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from hilum.self_check import UnreadableError, check_copy, needles_of, read_values, search_text

SYNTAXES = [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian]


def dataset(**attributes):
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.4", "1.2.826.99.1"
    made.Modality, made.BodyPartExamined = "MR", "BRAIN"
    made.Rows = made.Columns = 4
    made.BitsAllocated = 16
    for keyword, value in attributes.items():
        setattr(made, keyword, value)
    return made


def encoded(made, syntax=ExplicitVRLittleEndian, preamble=bytes(128)):
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = syntax
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    made.preamble = preamble
    written = io.BytesIO()
    pydicom.dcmwrite(written, made, enforce_file_format=True)
    return written.getvalue()


@pytest.fixture
def original():
    return encoded(
        dataset(
            PatientName="Fischer^Ottilie",
            PatientID="MRN4711",
            PatientBirthDate="19531224",
            AccessionNumber="ACC-99001",
            ReferringPhysicianName="Quacksalber^Viktor",
            InstitutionName="Klinikum Musterstadt",
            PatientAddress="Hauptstrasse 12, 12345 Musterstadt",
            PatientTelephoneNumbers="+49 30 1234567",
        )
    )


def kinds(residues):
    return {residue.path: residue.kind for residue in residues}


@pytest.mark.parametrize("syntax", SYNTAXES)
@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("seen by Dr Fischer", "a part of the patient's name"),
        ("FISCHER_OTTILIE", "a part of the patient's name"),
        ("mrn4711", "an identifier"),
        ("no. ACC-99001.", "an identifier"),
        ("born 24.12.1953", "the birth date"),
        ("19531224", "the birth date"),
        ("at Klinikum Musterstadt", "the name of an institution"),
        ("Hauptstrasse 12", "an address"),
        ("call 49301234567", "a telephone number"),
        ("asked by Quacksalber", "a part of somebody's name"),
    ],
)
def test_every_kind_is_found_in_a_comment_in_every_encoding(original, text, kind, syntax):
    assert kind in {residue.kind for residue in check_copy(original, encoded(dataset(ImageComments=text), syntax))}


@pytest.mark.parametrize("codec", ["utf-8", "latin-1", "utf-16-le"])
@pytest.mark.parametrize("name", ["Müller", "MÜLLER"])
@pytest.mark.parametrize("charset", ["ISO_IR 100", "ISO_IR 192", ""])
def test_a_name_is_found_however_the_declared_character_set_lies(codec, name, charset):
    named = encoded(dataset(SpecificCharacterSet="ISO_IR 100", PatientName="Müller^Jörg"))
    copy = encoded(dataset(SpecificCharacterSet=charset, SeriesDescription="Knee of ##### "))
    text = f"Knee of {name} ".encode(codec)
    lying = copy.replace(struct.pack("<H", 14) + b"Knee of ##### ", struct.pack("<H", len(text)) + text)
    assert kinds(check_copy(named, lying)) == {"SeriesDescription": "a part of the patient's name"}


@pytest.mark.parametrize("text", ["U21pdGg=", "U21pdA=="])
def test_a_short_name_is_found_behind_base64(text):
    named = encoded(dataset(PatientName="Smith^Smit"))
    assert kinds(check_copy(named, encoded(dataset(ImageComments=f"ref {text} end"))))


def test_a_name_is_found_in_pixels_within_a_sequence(original):
    icon = dataset(PixelData=b"Ottilie ")
    icon["PixelData"].VR = "OB"
    assert kinds(check_copy(original, encoded(dataset(IconImageSequence=[icon]))))


def test_two_hundred_thousand_digits_are_read_in_time(original):
    began = time.process_time()
    assert not check_copy(original, encoded(dataset(TextValue="1" * 200_000)), ["1.2.3.4"])
    assert time.process_time() - began < 5


@pytest.mark.parametrize("vr", ["AE", "SH", "LO", "ST", "LT", "UT", "UC", "PN", "OB", "UN"])
@pytest.mark.parametrize("syntax", SYNTAXES)
def test_a_name_is_found_in_a_private_value_of_every_vr_that_holds_text(original, vr, syntax):
    copy = dataset()
    block = copy.private_block(0x0029, "SOMEBODY", create=True)
    block.add_new(0x10, vr, b"x Ottilie " if vr in ("OB", "UN") else "x Ottilie")
    assert kinds(check_copy(original, encoded(copy, syntax))) == {"(0029,1010)": "a part of the patient's name"}


@pytest.mark.parametrize("syntax", SYNTAXES)
def test_it_is_found_three_sequences_deep_and_the_path_says_where(original, syntax):
    inner = dataset(TextValue="Ottilie")
    for keyword in ("ContentSequence", "ContentSequence", "ReferencedImageSequence"):
        outer = dataset()
        setattr(outer, keyword, Sequence([inner]))
        inner = outer
    found = kinds(check_copy(original, encoded(inner, syntax)))
    assert list(found) == ["ReferencedImageSequence.ContentSequence.ContentSequence.TextValue"]


def test_it_is_found_in_the_preamble_and_in_group_two(original):
    copy = dataset()
    body = bytearray(encoded(copy))
    body[10:17] = b"Ottilie"
    assert kinds(check_copy(original, bytes(body))) == {"preamble": "a part of the patient's name"}
    copy.file_meta.SourceApplicationEntityTitle = "OTTILIE"
    written = io.BytesIO()
    pydicom.dcmwrite(written, copy)
    assert "SourceApplicationEntityTitle" in kinds(check_copy(original, written.getvalue()))


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be", "latin-1"])
@pytest.mark.parametrize("lead", [b"", b"\x01", b"\x01\x02"])
def test_it_is_found_in_disguise(original, codec, lead):
    hidden = lead + " Ottilie ".encode(codec)
    copy = dataset()
    block = copy.private_block(0x0029, "SOMEBODY", create=True)
    block.add_new(0x10, "OB", hidden + bytes(len(hidden) % 2))
    block.add_new(0x11, "LT", base64.b64encode(hidden).decode())
    found = kinds(check_copy(original, encoded(copy)))
    assert set(found) == {"(0029,1010)", "(0029,1011)"}


@pytest.mark.parametrize(
    ("name", "charset"),
    [("Müller^Jörg", "ISO_IR 100"), ("Müller^Jörg", "ISO_IR 192"), ("山田^太郎太郎", "ISO_IR 192"), ("Люкceмбypг", "ISO_IR 144")],
)
@pytest.mark.parametrize("copied", ["ISO_IR 192", "ISO_IR 100", "ISO_IR 144"])
def test_names_are_found_in_another_character_set_than_they_were_written_in(name, charset, copied):
    original = encoded(dataset(SpecificCharacterSet=charset, PatientName=name))
    family = max(name.split("^"), key=len)
    try:
        family.encode({"ISO_IR 192": "utf-8", "ISO_IR 100": "latin-1", "ISO_IR 144": "iso8859-5"}[copied])
    except UnicodeEncodeError:
        pytest.skip("the character set has no such letters")
    copy = encoded(dataset(SpecificCharacterSet=copied, ImageComments=f"of {family.upper()} here"))
    if len(family) >= 4:
        assert kinds(check_copy(original, copy)) == {"ImageComments": "a part of the patient's name"}


def test_a_japanese_name_is_found_through_its_escapes():
    name = b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:B@O:\x1b(B"
    place = "X" * len(name)
    original = encoded(dataset(SpecificCharacterSet=["", "ISO 2022 IR 87"], PatientName=place)).replace(place.encode(), name)
    copy = encoded(dataset(SpecificCharacterSet="ISO_IR 192", ImageComments="太郎太郎"))
    assert "太郎太郎" in needles_of(read_values(original)).words
    assert kinds(check_copy(original, copy)) == {"ImageComments": "a part of the patient's name"}


def test_an_original_uid_that_was_replaced_is_found_anywhere(original):
    inner = dataset(ReferencedSOPInstanceUID="1.2.826.5.6.7")
    copy = encoded(dataset(ReferencedImageSequence=Sequence([inner]), ImageComments="see 1.2.826.5.6.7 there"))
    assert set(kinds(check_copy(original, copy, ["1.2.826.5.6.7"]))) == {
        "ReferencedImageSequence.ReferencedSOPInstanceUID",
        "ImageComments",
    }
    assert not check_copy(original, copy, ["1.2.826.5.6"])


def test_what_the_profile_keeps_on_purpose_is_no_residue(original):
    copy = encoded(dataset(InstitutionName="Klinikum Musterstadt"))
    assert kinds(check_copy(original, copy)) == {"InstitutionName": "the name of an institution"}
    assert not check_copy(original, copy, retained=[0x00080080])


def test_a_birthday_among_dates_that_stay_tells_nothing(original):
    copy = encoded(dataset(StudyDate="19531224", ImageComments="19531224"))
    assert set(kinds(check_copy(original, copy))) == {"StudyDate", "ImageComments"}
    assert set(kinds(check_copy(original, copy, retained=[0x00080020]))) == {"ImageComments"}


@pytest.mark.parametrize("name", ["***", "DEV", "^", "Anonymous", "", "000000", "- -"])
def test_a_name_that_names_nobody_or_is_short_hits_nothing_in_a_description(name):
    original = encoded(dataset(PatientName=name, PatientID="0"))
    copy = encoded(dataset(SeriesDescription=f"T1 {name} DEV TEST anonymous", PatientName="P-1", PatientID="P-1"))
    assert check_copy(original, copy) == []


def test_a_short_name_is_found_as_the_whole_value_of_an_identifying_attribute():
    original = encoded(dataset(PatientName="DEV", PatientID="7"))
    assert kinds(check_copy(original, encoded(dataset(PatientName="DEV", PatientID="8")))) == {
        "PatientName": "a part of the patient's name"
    }


def test_the_standard_s_own_words_are_no_disclosure():
    original = encoded(dataset(PatientName="Brain^Test"))
    assert check_copy(original, encoded(dataset(BodyPartExamined="BRAIN", ImageType=["ORIGINAL", "PRIMARY", "TEST"]))) == []
    assert check_copy(original, encoded(dataset(Manufacturer="Test Manufacturer"))) == []
    assert kinds(check_copy(original, encoded(dataset(ImageComments="Brain called")))) == {"ImageComments": "a part of the patient's name"}


def test_a_maker_that_is_the_institution_is_no_disclosure():
    original = encoded(dataset(InstitutionName="ACME Imaging", Manufacturer="ACME Imaging"))
    assert check_copy(original, encoded(dataset(Manufacturer="ACME Imaging"))) == []
    assert check_copy(original, encoded(dataset(StudyDescription="at ACME Imaging")))


def test_a_person_s_name_in_a_code_string_is_found(original):
    assert "BodyPartExamined" in kinds(check_copy(original, encoded(dataset(BodyPartExamined="OTTILIE"))))


def test_a_part_of_a_longer_word_is_none(original):
    assert check_copy(original, encoded(dataset(ImageComments="Kingfischers and Ottilienberg"))) == []


@pytest.mark.parametrize("cut", [1, 5, 9, 200])
def test_a_copy_that_cannot_be_read_to_its_end_is_not_called_clean(original, cut):
    copy = encoded(dataset(ImageComments="nothing at all", PixelData=bytes(32)))
    with pytest.raises(UnreadableError):
        check_copy(original, copy[:-cut])


def test_a_file_s_name_is_searched_too(original):
    needles = needles_of(read_values(original))
    assert search_text(needles, "export/Fischer_Ottilie/0001.dcm")
    assert not search_text(needles, "export/1.2.826.1/0001.dcm")


def test_no_residue_says_what_it_found(original):
    for residue in check_copy(original, encoded(dataset(ImageComments="Ottilie Fischer MRN4711"))):
        assert not {"ottilie", "fischer", "mrn4711"} & set(residue.sentence.lower().split())
