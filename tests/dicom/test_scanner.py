"""What the scan finds, what it makes of odd and damaged objects, and what it never does."""

import json
import math
import os
import random
import struct
import tracemalloc
import warnings
import zlib
from pathlib import Path

import pydicom
import pytest

from hilum.dicom.part10 import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    Recognition,
    UnreadableError,
    file_meta,
)
from hilum.dicom.scanner import Header, Limits, Source, Wanted, scan, scan_all, scan_prefix

pytestmark = pytest.mark.filterwarnings("ignore")

EVERYDAY = Wanted(
    "SOPInstanceUID",
    "StudyDate",
    "Modality",
    "StudyDescription",
    "PatientName",
    "PatientID",
    "InstanceNumber",
    "ImagePositionPatient",
    "Rows",
    "PixelSpacing",
    "SharedFunctionalGroupsSequence.PixelMeasuresSequence.PixelSpacing",
)


def part10(dataset: bytes, syntax: str = EXPLICIT_VR_LITTLE_ENDIAN) -> bytes:
    return file_meta("1.2.840.10008.5.1.4.1.1.2", "1.2.3", syntax, implementation_class_uid="1.2.3.4") + dataset


def test_importing_needs_one_read_of_64_kib(shared_data: Path) -> None:
    for path in sorted((shared_data / "mr_t1_sagittal_160").iterdir()):
        content, reads = path.read_bytes(), []

        def read_at(offset: int, size: int, content: bytes = content, reads: list[tuple[int, int]] = reads) -> bytes:
            reads.append((offset, size))
            return content[offset : offset + size]

        assert scan(Source(read_at, len(content)), EVERYDAY).trouble is None
        assert [size for _, size in reads if size > 12] == [65536]


def test_a_prefix_gives_the_wanted_attributes_as_soon_as_they_are_there(shared_data: Path) -> None:
    content = next(iter(sorted((shared_data / "mr_t1_sagittal_160").iterdir()))).read_bytes()
    whole = scan(Source.of_bytes(content), EVERYDAY)
    sizes = [size for size in range(0, 65536, 512) if scan_prefix(content[:size], EVERYDAY) is None]
    assert sizes == list(range(0, max(sizes) + 1, 512))
    header = scan_prefix(content[: max(sizes) + 512], EVERYDAY)
    assert header is not None
    assert [header.each(name) for name in EVERYDAY.paths] == [whole.each(name) for name in EVERYDAY.paths]


# --- values ----------------------------------------------------------------------------------------------------------------------


def element(tag: int, vr: str, value: bytes, length: int | None = None) -> bytes:
    length = len(value) if length is None else length
    head = struct.pack("<HH2s", tag >> 16, tag & 0xFFFF, vr.encode())
    return head + (struct.pack("<xxI", length) if vr in {"OB", "OW", "SQ", "UN", "UT"} else struct.pack("<H", length)) + value


def implicit(tag: int, value: bytes, length: int | None = None) -> bytes:
    return struct.pack("<HHI", tag >> 16, tag & 0xFFFF, len(value) if length is None else length) + value


def header_of(*elements: bytes, syntax: str = EXPLICIT_VR_LITTLE_ENDIAN) -> Header:
    return scan_all(Source.of_bytes(part10(b"".join(elements), syntax)))


ITEM, ITEM_END, SEQUENCE_END = (
    struct.pack("<HHI", 0xFFFE, code, length) for code, length in ((0xE000, 0xFFFFFFFF), (0xE00D, 0), (0xE0DD, 0))
)
NAME = element(0x00100010, "PN", b"Doe^John")


def test_a_missing_attribute_is_none_and_an_empty_one_is_empty() -> None:
    header = header_of(element(0x00100010, "PN", b""), element(0x00100020, "LO", b"A1"))
    assert (header.values("PatientName"), header.text("PatientName"), header.number("PatientName")) == ((), "", None)
    assert (header.values("StudyDate"), header.text("StudyDate"), header.date("StudyDate")) == (None, None, None)
    assert (header.holds("PatientName"), header.holds("StudyDate")) == (True, False)


def test_padding_with_nul_and_space_does_not_count() -> None:
    header = header_of(element(0x00080016, "UI", b"1.2.3\0"), element(0x00080060, "CS", b" MR \0"), element(0x0020000D, "UI", b"1.2.3   "))
    assert [header.text(name) for name in ("SOPClassUID", "Modality", "StudyInstanceUID")] == ["1.2.3", "MR", "1.2.3"]


@pytest.mark.parametrize("uid", [b"../../etc/x\0", b"1." + b"2" * 63 + b"\0", b"", b"C:\\x"])
def test_an_invalid_uid_is_shown_as_it_is(uid: bytes) -> None:
    assert header_of(element(0x00080018, "UI", uid), NAME).text("SOPInstanceUID") == uid.strip(b"\0").decode()


@pytest.mark.parametrize(
    ("character_set", "raw", "name"),
    [
        (b"", b"M\xfcller", "Müller"),
        (b"ISO_IR 100", b"M\xfcller", "Müller"),
        (b"ISO_IR 192", "Müller^山田".encode(), "Müller^山田"),
        (b"ISO_IR 144", b"\xbb\xee\xda", "Люк"),
        (b"\\ISO 2022 IR 87", b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B", "Yamada^Tarou=山田^太郎"),
        (b"GB18030", "王^小东".encode("gb18030"), "王^小东"),
        (b"NO SUCH SET", b"Doe\xe9", "Doeé"),
    ],
)
def test_names_are_read_in_the_character_set_of_the_object(character_set: bytes, raw: bytes, name: str) -> None:
    assert header_of(element(0x00080005, "CS", character_set), element(0x00100010, "PN", raw)).text("PatientName") == name


def test_an_item_has_its_own_character_set_or_that_around_it() -> None:
    inherits = ITEM + element(0x00100010, "PN", "Müller".encode()) + ITEM_END
    own = ITEM + element(0x00080005, "CS", b"ISO_IR 100") + element(0x00100010, "PN", b"M\xfcller") + ITEM_END
    header = header_of(element(0x00080005, "CS", b"ISO_IR 192"), element(0x00081140, "SQ", inherits + own + SEQUENCE_END, 0xFFFFFFFF))
    assert header.each("ReferencedImageSequence[*].PatientName") == [("Müller",), ("Müller",)]


def test_paths_lead_into_items() -> None:
    items = b"".join(ITEM + element(0x00200013, "IS", text) + ITEM_END for text in (b"1 ", b"22", b""))
    header = header_of(element(0x00081140, "SQ", items + ITEM + ITEM_END + SEQUENCE_END, 0xFFFFFFFF))
    assert header.each("ReferencedImageSequence[*].InstanceNumber") == [(1,), (22,), (), None]
    assert header.values("ReferencedImageSequence[1].InstanceNumber") == (22,)
    assert header.values("ReferencedImageSequence[9].InstanceNumber") is None
    assert header.count_items("ReferencedImageSequence") == 4


@pytest.mark.parametrize("block", [0x10, 0x11, 0xFF])
def test_a_private_element_is_found_in_whatever_block_its_creator_reserved(block: int) -> None:
    elements = [element(0x00190000 | block, "LO", b"SIEMENS MR HEADER "), element(0x00190000 | block << 8 | 0x0C, "IS", b"1000")]
    path = "(0019,100C) SIEMENS MR HEADER"
    for syntax in (EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN):
        written = (
            elements
            if syntax == EXPLICIT_VR_LITTLE_ENDIAN
            else [implicit(0x00190000 | block, b"SIEMENS MR HEADER "), implicit(0x00190000 | block << 8 | 0x0C, b"1000")]
        )
        header = scan(Source.of_bytes(part10(b"".join(written), syntax)), Wanted(path))
        assert header.values(path) == (1000,)
    assert header.values("(0019,100C) SOMEBODY ELSE") is None


def test_bulk_is_listed_without_its_value() -> None:
    document = header_of(
        element(0x00081030, "LO", b"x" * 2000),
        element(0x00420011, "OB", b"ab"),
        element(0x60003000, "OW", bytes(5000)),
        element(0x60020010, "US", b"\1\0"),
    ).as_json()
    assert document == {
        "StudyDescription": {"vr": "LO", "length": 2000},
        "EncapsulatedDocument": {"vr": "OB", "length": 2},
        "60003000": {"vr": "OW", "length": 5000},
        "60020010": {"vr": "US", "Value": [1]},
    }


def test_numbers_json_does_not_have_are_strings() -> None:
    header = header_of(
        element(0x00181050, "DS", b"nan\\1e999\\1_0\\2.5 "), element(0x00189073, "FD", struct.pack("<3d", math.nan, -math.inf, 1))
    )
    document = json.loads(json.dumps(header.as_json(), allow_nan=False))
    assert document["SpatialResolution"]["Value"] == ["nan", "1e999", "1_0", 2.5]
    assert document["AcquisitionDuration"]["Value"] == ["NaN", "-Infinity", 1.0]


def test_us_or_ss_follows_pixel_representation_in_implicit_vr() -> None:
    for sign, value in ((0, 65535), (1, -1)):
        header = header_of(implicit(0x00280103, bytes([sign, 0])), implicit(0x00280106, b"\xff\xff"), syntax=IMPLICIT_VR_LITTLE_ENDIAN)
        assert header.values("SmallestImagePixelValue") == (value,)


# --- structure as it is met in the wild ------------------------------------------------------------------------------------------


def test_un_of_undefined_length_is_a_sequence_in_implicit_vr() -> None:
    inner = (
        ITEM
        + implicit(0x00100010, b"Inner")
        + implicit(0x00081140, ITEM + implicit(0x00100020, b"P1") + ITEM_END + SEQUENCE_END, 0xFFFFFFFF)
    )
    content = part10(element(0x00091001, "UN", inner + ITEM_END + SEQUENCE_END, 0xFFFFFFFF) + NAME)
    header = scan_all(Source.of_bytes(content))
    assert header.text("00091001[0].PatientName") == "Inner"
    assert header.text("00091001[0].ReferencedImageSequence[0].PatientID") == "P1"
    assert (header.text("PatientName"), header.trouble) == ("Doe^John", None)
    assert scan(Source.of_bytes(content), Wanted("PatientName")).text("PatientName") == "Doe^John"


def test_implicit_vr_in_an_object_that_declares_explicit_is_read_as_it_is() -> None:
    body = implicit(0x00080060, b"MR") + implicit(0x00100010, b"Doe^John")
    for syntax in (EXPLICIT_VR_LITTLE_ENDIAN, "1.2.840.10008.1.2.4.50"):
        assert header_of(body, syntax=syntax).text("PatientName") == "Doe^John"
    assert header_of(element(0x00080060, "CS", b"MR"), NAME, syntax=IMPLICIT_VR_LITTLE_ENDIAN).text("PatientName") == "Doe^John"


def test_a_vr_that_does_not_exist_is_left_to_pydicom() -> None:
    content = part10(element(0x00080060, "CS", b"MR") + element(0x00090001, "XX", b"ab") + NAME)
    for header in (scan_all(Source.of_bytes(content)), scan(Source.of_bytes(content), EVERYDAY)):
        assert (header.text("PatientName"), header.read_leniently) == ("Doe^John", True)


def test_a_change_to_implicit_vr_amid_the_data_set_is_left_to_pydicom() -> None:
    content = part10(element(0x00080060, "CS", b"MR") + implicit(0x00081030, b"Head") + NAME + element(0x7FE00010, "OW", bytes(4), 8))
    header = scan(Source.of_bytes(content), EVERYDAY)
    assert (header.text("StudyDescription"), header.text("PatientName"), header.read_leniently) == ("Head", "Doe^John", True)
    assert header.trouble == "The file ends inside Pixel Data: 8 bytes were announced, 4 are there."


@pytest.mark.parametrize("tail", [b"\0", bytes(511), element(0xFFFCFFFC, "OB", bytes(64))])
@pytest.mark.parametrize("pixels", [b"", element(0x7FE00010, "OW", bytes(8))])
def test_padding_behind_the_data_set_is_no_trouble(tail: bytes, pixels: bytes) -> None:
    for wanted in (EVERYDAY, None):
        source = Source.of_bytes(part10(NAME + pixels + tail))
        header = scan(source, wanted) if wanted else scan_all(source)
        assert (header.trouble, header.text("PatientName")) == (None, "Doe^John")


def test_odd_lengths_are_read() -> None:
    header = header_of(element(0x00080060, "CS", b"MRX"), element(0x00100020, "LO", b"abc"), NAME)
    assert [header.text(name) for name in ("Modality", "PatientID", "PatientName")] == ["MRX", "abc", "Doe^John"]


def test_a_data_set_without_file_meta_is_read_in_its_negotiated_syntax() -> None:
    recognition = Recognition(IMPLICIT_VR_LITTLE_ENDIAN, 0)
    body = implicit(0x00100010, b"Doe^John") + implicit(0x00100020, b"P1")
    assert scan(Source.of_bytes(body), EVERYDAY, recognition).text("PatientID") == "P1"


# --- what is not whole -----------------------------------------------------------------------------------------------------------


def test_pixel_data_that_is_cut_off_is_told_with_both_numbers() -> None:
    content = part10(NAME + element(0x7FE00010, "OW", bytes(100000), 206284))
    for header in (scan(Source.of_bytes(content), EVERYDAY), scan_all(Source.of_bytes(content))):
        assert header.trouble == "The file ends inside Pixel Data: 206284 bytes were announced, 100000 are there."
        assert header.text("PatientName") == "Doe^John"


FRAGMENTS = struct.pack("<HHI", 0xFFFE, 0xE000, 0) + struct.pack("<HHI", 0xFFFE, 0xE000, 10) + bytes(10)


@pytest.mark.parametrize(
    ("value", "trouble"),
    [
        (FRAGMENTS + SEQUENCE_END, None),
        (FRAGMENTS, "The file ends inside Pixel Data, whose last fragment or end is missing."),
        (FRAGMENTS[:-4], "The file ends inside a fragment of Pixel Data: 10 bytes were announced, 6 are there."),
        (FRAGMENTS + b"rubbish!", "Pixel Data is broken: no fragment begins at byte"),
    ],
)
def test_encapsulated_pixel_data_must_have_its_end(value: bytes, trouble: str | None) -> None:
    content = part10(NAME + element(0x7FE00010, "OB", value, 0xFFFFFFFF), "1.2.840.10008.1.2.4.50")
    found = scan(Source.of_bytes(content), EVERYDAY).trouble
    assert found is None if trouble is None else (found or "").startswith(trouble)


def test_a_sequence_without_its_end_is_trouble() -> None:
    header = header_of(NAME, element(0x00081140, "SQ", ITEM + element(0x00100020, "LO", b"ab"), 0xFFFFFFFF))
    assert header.trouble == "The file ends inside Referenced Image Sequence, whose end is missing."
    assert header.text("PatientName") == "Doe^John"


@pytest.mark.parametrize("vr", ["OB", "UN", "SQ", "UT"])
def test_a_length_beyond_the_file_allocates_nothing(vr: str) -> None:
    content = part10(NAME + element(0x00420011, vr, b"abcd", 0xFFFFFFFE))
    tracemalloc.start()
    headers = [scan_all(Source.of_bytes(content)), scan(Source.of_bytes(content), Wanted("00420011"))]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000
    assert all("4294967294 bytes were announced, 4 are there" in (header.trouble or "") for header in headers)


def test_sequences_nested_thousands_deep_harm_nobody() -> None:
    """One real 3.6 MB file of this kind makes pydicom raise RecursionError and Orthanc and DCMTK crash."""
    levels = 180_000
    nested = (element(0x00081140, "SQ", b"", 0xFFFFFFFF) + ITEM) * levels + (ITEM_END + SEQUENCE_END) * levels
    content = part10(nested + NAME + element(0x7FE00010, "OW", bytes(8)))
    assert len(content) > 3_600_000
    for header in (
        scan_all(Source.of_bytes(content)),
        scan(Source.of_bytes(content), Wanted("ReferencedImageSequence.PatientID", "PatientName")),
    ):
        assert header.text("PatientName") == "Doe^John"
        assert header.pixel_data is not None
        assert header.trouble == "Sequences are nested deeper than 64 levels."
        json.dumps(header.as_json())


def deflated(body: bytes) -> bytes:
    deflater = zlib.compressobj(9, wbits=-15)
    return part10(deflater.compress(body) + deflater.flush(), DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN)


def test_a_deflate_bomb_costs_no_more_than_the_limit() -> None:
    pixels = deflated(NAME + element(0x7FE00010, "OW", bytes(60_000_000)))
    padding = deflated(element(0x00081030, "LO", b"ab") + element(0x00420011, "OB", bytes(60_000_000)) + NAME)
    limits = Limits(header_bytes=2_000_000)
    tracemalloc.start()
    assert scan(Source.of_bytes(pixels), EVERYDAY, limits=limits).text("PatientName") == "Doe^John"
    with pytest.raises(UnreadableError, match="inflates to more than the limit"):
        scan(Source.of_bytes(padding), EVERYDAY, limits=limits)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000


def test_a_deflated_object_that_is_cut_off_is_trouble() -> None:
    content = deflated(NAME + element(0x7FE00010, "OW", random.Random(1).randbytes(50_000)))
    header = scan(Source.of_bytes(content[:-1000]), EVERYDAY)
    assert (header.trouble, header.text("PatientName")) == ("The file ends inside the deflated data set.", "Doe^John")


def test_a_header_without_end_is_refused() -> None:
    endless = part10(b"")
    filler = element(0x00091001, "LO", b"x" * 56)

    def read_at(offset: int, size: int) -> bytes:
        stream = (endless + filler * (size // len(filler) + 2)) if offset == 0 else filler * (size // len(filler) + 2)
        return stream[(0 if offset == 0 else (offset - len(endless)) % len(filler)) :][:size]

    for read in (
        lambda source: scan(source, EVERYDAY, limits=Limits(header_bytes=1_000_000)),
        lambda source: scan_all(source, limits=Limits(elements=5000)),
    ):
        with pytest.raises(UnreadableError):
            read(Source(read_at, 1 << 50))


@pytest.mark.parametrize("content", [b"", b"DICM", b"plain text " * 100, bytes(1000), b"\x1f\x8b" + bytes(200), b"%PDF-1.7\n" * 30])
def test_what_is_no_dicom_is_refused_with_a_sentence(content: bytes) -> None:
    with pytest.raises(UnreadableError, match="not DICOM"):
        scan(Source.of_bytes(content), EVERYDAY)


# --- fuzzing ---------------------------------------------------------------------------------------------------------------------


def assert_survives(content: bytes) -> list[Header]:
    headers = []
    for read in (lambda source: scan(source, EVERYDAY), scan_all, lambda _: scan_prefix(content, EVERYDAY)):
        try:
            header = read(Source.of_bytes(content))
        except UnreadableError:
            continue
        if header is not None:
            json.dumps(header.as_json(), allow_nan=False)
            for path in EVERYDAY.paths:
                header.each(path)
            headers.append(header)
    return headers


def victims() -> list[bytes]:
    folder = Path(pydicom.__file__).parent / "data" / "test_files"
    names = [
        "CT_small.dcm",
        "rtplan.dcm",
        "MR_small_bigendian.dcm",
        "image_dfl.dcm",
        "nested_priv_SQ.dcm",
        "JPEG2000.dcm",
        "UN_sequence.dcm",
        "reportsi.dcm",
        "priv_SQ.dcm",
    ]
    return [(folder / name).read_bytes() for name in names]


def test_a_file_cut_at_any_kilobyte_is_never_complete() -> None:
    for content in victims():
        for size in (*range(0, min(len(content), 4096), 61), *range(1024, len(content), 1024)):
            for header in assert_survives(content[:size])[:2]:
                if header.recognition.transfer_syntax_uid != DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN and header.pixel_data:
                    assert header.trouble, size


def test_flipped_bytes_raise_nothing_else(seed: int = 20240131) -> None:
    chance = random.Random(seed)
    for content in victims():
        for _ in range(int(os.environ.get("HILUM_FUZZ_ROUNDS", "60"))):
            damaged = bytearray(content)
            for _ in range(chance.choice((1, 3, 30))):
                damaged[chance.randrange(132, min(len(content), 6000))] = chance.choice((0, 0xFF, 0xFE, chance.randrange(256)))
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                assert_survives(bytes(damaged))
