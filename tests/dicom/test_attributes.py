import struct
import subprocess
import sys
from datetime import date, time

import pytest
from pydicom._dicom_dict import DicomDictionary

from hilum.dicom.attributes import (
    Step,
    UnknownAttributeError,
    as_date,
    as_number,
    as_numbers,
    as_text,
    as_time,
    decode,
    keyword_of,
    name_of,
    parse_path,
    tag_of,
    vr_of,
)
from hilum.dicom.everyday import EVERYDAY


def test_the_everyday_table_says_what_the_dictionary_of_pydicom_says() -> None:
    for tag, (vr, keyword) in EVERYDAY.items():
        assert DicomDictionary[tag][4] == keyword
        assert vr in DicomDictionary[tag][0], keyword


def test_everyday_attributes_do_not_load_pydicom() -> None:
    program = (
        "import sys; from hilum.dicom import scanner, attributes, part10, uids;"
        "attributes.keyword_of(attributes.tag_of('PatientName')); attributes.decode('PN', 'Müller'.encode(), 'ISO_IR 192');"
        "scanner.Wanted('PatientName', 'Rows', '(0028,0010)');"
        "sys.exit('pydicom' in sys.modules or 'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("name", ["PatientName", "00100010", "(0010,0010)"])
def test_a_tag_is_written_in_three_ways(name: str) -> None:
    assert tag_of(name) == 0x00100010


def test_attributes_that_are_not_everyday_come_from_the_dictionary() -> None:
    assert (tag_of("DiffusionBValue"), keyword_of(0x00189087), vr_of(0x00189087)) == (0x00189087, "DiffusionBValue", "FD")
    assert (keyword_of(0x00091001), vr_of(0x00091001), vr_of(0x00090010), vr_of(0x00090000)) == ("", "UN", "LO", "UL")
    assert vr_of(0x0019100C, "SIEMENS MR HEADER") == "IS"
    assert (keyword_of(0x60003000), vr_of(0x60023000)) == ("", "OB or OW")


def test_people_read_names_with_spaces() -> None:
    assert [name_of(tag) for tag in (0x7FE00010, 0x00080018, 0x0019100C)] == ["Pixel Data", "SOP Instance UID", "(0019,100C)"]


@pytest.mark.parametrize(
    ("path", "steps"),
    [
        ("PatientName", (Step(0x00100010),)),
        ("ReferencedImageSequence[*].SOPInstanceUID", (Step(0x00081140, "", None), Step(0x00080018))),
        ("00081140[2].(0008,0018)", (Step(0x00081140, "", 2), Step(0x00080018))),
        ("ReferencedImageSequence.SOPInstanceUID", (Step(0x00081140), Step(0x00080018))),
        ("(0019,100C) SIEMENS MR HEADER", (Step(0x0019100C, "SIEMENS MR HEADER"),)),
        ("(2005,140F) Philips MR v1.2[0].Rows", (Step(0x2005140F, "Philips MR v1.2"), Step(0x00280010))),
    ],
)
def test_paths_are_steps(path: str, steps: tuple[Step, ...]) -> None:
    assert parse_path(path) == steps


@pytest.mark.parametrize(
    "path", ["", ".", "NoSuchKeyword", "PatientName.", ".PatientName", "A[x].B", "(0010,001)", "Rows[-1]", "../etc", "Rows\n"]
)
def test_what_is_no_path_is_refused_with_a_sentence(path: str) -> None:
    with pytest.raises(UnknownAttributeError, match=r"is not a keyword"):
        parse_path(path)


@pytest.mark.parametrize(
    ("vr", "raw", "values"),
    [
        ("CS", b"ORIGINAL\\ PRIMARY \\M ", ("ORIGINAL", "PRIMARY", "M")),
        ("LO", b" lead\\trail ", (" lead", "trail")),
        ("LT", b"one\\value ", ("one\\value",)),
        ("UI", b"1.2.3\0", ("1.2.3",)),
        ("UI", b"\0\0", ()),
        ("DS", b" 1.5\\-2e3\\ ", (1.5, -2000.0, "")),
        ("DS", b"1,5", ("1,5",)),
        ("IS", b"12\\1.0\\1.5\\x", (12, 1, "1.5", "x")),
        ("IS", b"9" * 40, ("9" * 40,)),
        ("US", b"\1\0\2\0", (1, 2)),
        ("US", b"\1\0\2", ()),
        ("SS", b"\xff\xff", (-1,)),
        ("FD", struct.pack("<d", 0.25), (0.25,)),
        ("AT", b"\x10\0\x20\0\x08", ("00100020",)),
        ("OB", b"ab", ()),
        ("PN", b"", ()),
    ],
)
def test_values_by_their_vr(vr: str, raw: bytes, values: tuple[object, ...]) -> None:
    assert decode(vr, raw) == values


def test_big_endian_numbers_and_tags() -> None:
    assert decode("US", b"\0\1", big_endian=True) == (1,)
    assert decode("AT", b"\0\x10\0\x20", big_endian=True) == ("00100020",)


def test_missing_and_empty_are_different() -> None:
    assert [as_text(None), as_text(()), as_text(("a", "b")), as_text((1.5,))] == [None, "", "a\\b", "1.5"]
    assert [as_number(None), as_number(()), as_number(("x",)), as_number((3,)), as_number((" 2.5 ",))] == [None, None, None, 3, 2.5]
    assert [as_numbers(None), as_numbers((1, "x")), as_numbers((1, 2.5))] == [None, None, (1, 2.5)]


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("20240229", date(2024, 2, 29)),
        ("2024.02.29", date(2024, 2, 29)),
        ("20240229101112.5+0100", date(2024, 2, 29)),
        ("20230229", None),
        ("2024", None),
        ("", None),
        ("00000000", None),
        ("2024022x", None),
    ],
)
def test_dates(text: str, day: date | None) -> None:
    assert as_date((text,)) == day


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("10", time(10)),
        ("1011", time(10, 11)),
        ("101112.5", time(10, 11, 12, 500000)),
        ("10:11:12", time(10, 11, 12)),
        ("235960", time(23, 59, 59)),
        ("246000", None),
        ("1", None),
        ("", None),
        ("noon", None),
    ],
)
def test_times(text: str, moment: time | None) -> None:
    assert as_time((text,)) == moment


def test_a_missing_date_or_time_is_none() -> None:
    assert (as_date(None), as_time(None), as_date(()), as_time(())) == (None, None, None, None)
