import gzip
import io
import struct
import zipfile
from pathlib import Path

import pydicom
import pytest

from hilum.dicom.part10 import (
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    MEDIA_STORAGE_DIRECTORY,
    file_meta,
    read_sop_classes,
    recognise,
)

CT = "1.2.840.10008.5.1.4.1.1.2"
JPEG = "1.2.840.10008.1.2.4.50"
HEAD = file_meta(CT, "1.2.3.4", JPEG, implementation_class_uid="1.2.3")
DATA_SET = struct.pack("<HH2sH4s", 8, 0x60, b"CS", 4, b"CT  ")
PYDICOM_FILES = Path(pydicom.__file__).parent / "data" / "test_files"


def explicit(tag: int, vr: bytes, value: bytes) -> bytes:
    return struct.pack("<HH2sH", tag >> 16, tag & 0xFFFF, vr, len(value)) + value


def test_a_file_with_preamble_and_meta_is_recognised() -> None:
    found = recognise(HEAD + DATA_SET)
    assert found is not None
    assert (found.transfer_syntax_uid, found.media_storage_sop_class_uid, found.media_storage_sop_instance_uid) == (JPEG, CT, "1.2.3.4")
    assert (found.data_set_offset, found.has_preamble, found.has_meta) == (len(HEAD), True, True)
    assert not found.is_dicomdir
    assert not found.preamble_is_executable


def test_meta_without_preamble_is_recognised() -> None:
    found = recognise(HEAD[132:] + DATA_SET)
    assert found is not None
    assert (found.transfer_syntax_uid, found.data_set_offset, found.has_preamble) == (JPEG, len(HEAD) - 132, False)


@pytest.mark.parametrize(
    ("name", "syntax"),
    [
        ("rtstruct.dcm", IMPLICIT_VR_LITTLE_ENDIAN),
        ("ExplVR_LitEndNoMeta.dcm", EXPLICIT_VR_LITTLE_ENDIAN),
        ("ExplVR_BigEndNoMeta.dcm", EXPLICIT_VR_BIG_ENDIAN),
    ],
)
def test_a_bare_data_set_is_recognised_by_its_elements(name: str, syntax: str) -> None:
    found = recognise((PYDICOM_FILES / name).read_bytes()[:65536])
    assert found is not None
    assert (found.transfer_syntax_uid, found.data_set_offset, found.has_meta) == (syntax, 0, False)


@pytest.mark.parametrize("start", [b"MZ\x90\0", b"\x7fELF", b"#!/bin/sh\n", b"\xcf\xfa\xed\xfe"])
def test_an_executable_preamble_is_legal_and_told(start: bytes) -> None:
    found = recognise(start.ljust(128, b"\0") + HEAD[128:] + DATA_SET)
    assert found is not None
    assert found.preamble_is_executable
    assert found.transfer_syntax_uid == JPEG


def test_the_preamble_of_a_tiff_is_no_executable() -> None:
    found = recognise(b"II*\0".ljust(128, b"\1") + HEAD[128:] + DATA_SET)
    assert found is not None
    assert not found.preamble_is_executable


def test_a_dicomdir_is_told() -> None:
    found = recognise(file_meta(MEDIA_STORAGE_DIRECTORY, "1.2.3", EXPLICIT_VR_LITTLE_ENDIAN, implementation_class_uid="1.2"))
    assert found is not None
    assert found.is_dicomdir


@pytest.mark.parametrize("length", [0, 3, 40_000, 0xFFFFFFFF])
def test_a_wrong_group_length_does_not_count(length: int) -> None:
    found = recognise(HEAD[:140] + struct.pack("<I", length) + HEAD[144:] + DATA_SET)
    assert found is not None
    assert found.data_set_offset == len(HEAD)


def test_a_missing_group_length_does_not_count() -> None:
    found = recognise(HEAD[:132] + HEAD[144:] + DATA_SET)
    assert found is not None
    assert (found.transfer_syntax_uid, found.data_set_offset) == (JPEG, len(HEAD) - 12)


def test_the_group_length_says_where_a_meta_beyond_the_head_ends() -> None:
    private = struct.pack("<HH2sxxI", 2, 0x0102, b"OB", 100_000) + bytes(100_000)
    size = len(HEAD) - 144 + len(private)
    content = HEAD[:140] + struct.pack("<I", size) + HEAD[144:] + private + DATA_SET
    found = recognise(content[:4096])
    assert found is not None
    assert found.data_set_offset == len(content) - len(DATA_SET)


def test_meta_in_implicit_vr_is_understood() -> None:
    uid = b"1.2.840.10008.1.2\0"
    found = recognise(bytes(128) + b"DICM" + struct.pack("<HHI", 2, 0x0010, len(uid)) + uid + struct.pack("<HHI", 8, 0x60, 2) + b"CT")
    assert found is not None
    assert (found.transfer_syntax_uid, found.data_set_offset) == (IMPLICIT_VR_LITTLE_ENDIAN, 158)


def test_without_a_transfer_syntax_the_data_set_tells() -> None:
    meta = explicit(0x00020002, b"UI", CT.encode() + b"\0")
    big = struct.pack(">HH2sH4s", 8, 0x60, b"CS", 4, b"CT  ")
    for data_set, syntax in (
        (DATA_SET, EXPLICIT_VR_LITTLE_ENDIAN),
        (big, EXPLICIT_VR_BIG_ENDIAN),
        (b"\x08\0\x60\0\2\0\0\0CT", IMPLICIT_VR_LITTLE_ENDIAN),
    ):
        found = recognise(bytes(128) + b"DICM" + meta + data_set)
        assert found is not None
        assert found.transfer_syntax_uid == syntax


def test_uids_that_lead_elsewhere_are_shown_as_they_are() -> None:
    meta = explicit(0x00020002, b"UI", b"../../etc/x\0") + explicit(0x00020003, b"UI", b"1." + b"9" * 64) + explicit(0x00020010, b"UI", b"")
    found = recognise(bytes(128) + b"DICM" + meta + DATA_SET)
    assert found is not None
    assert (found.media_storage_sop_class_uid, len(found.media_storage_sop_instance_uid)) == ("../../etc/x", 66)


def zipped() -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("1.dcm", HEAD + DATA_SET)
    return stream.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 1000,
        b"D",
        b"DICMDICM" * 100,
        b"The quick brown fox jumps over the lazy dog.\n" * 40,
        b"\x08\0 text that begins like group 0008" * 10,
        b"\xff\xd8\xff\xe0\0\x10JFIF\0" + bytes(500),
        b"\x89PNG\r\n\x1a\n" + bytes(500),
        b"%PDF-1.7\n" + b"1 0 obj\n" * 100,
        struct.pack("<i", 348) + bytes(344),
        struct.pack("<i", 348) + bytes(340) + b"n+1\0" + bytes(1000),
        gzip.compress(HEAD + DATA_SET),
        zipped(),
        b"\x02\0\0\0" + bytes(range(256)),
        bytes(range(256)) * 4,
    ],
)
def test_other_formats_are_not_taken_for_dicom(content: bytes) -> None:
    assert recognise(content) is None


def test_every_file_that_is_no_dicom_stays_none(shared_data: Path) -> None:
    others = [path for path in shared_data.rglob("*") if path.suffix in {".gz", ".json", ".md", ".zip", ".txt", ".nii"}]
    assert others
    assert [path.name for path in others if recognise(path.read_bytes()[:65536])] == []


@pytest.mark.filterwarnings("ignore:Expected explicit VR")
def test_sop_classes_are_told_as_pydicom_reads_them(shared_data: Path) -> None:
    told = 0
    for path in (*sorted(PYDICOM_FILES.glob("*.dcm")), *sorted(shared_data.rglob("*.dcm"))[::50]):
        dataset = pydicom.dcmread(path, force=True, stop_before_pixels=True)
        found = read_sop_classes(path.read_bytes()[:4096])
        assert found <= {dataset.get("SOPClassUID"), dataset.file_meta.get("MediaStorageSOPClassUID")}, path
        told += bool(found)
    assert told > 50


MR = "1.2.840.10008.5.1.4.1.1.4"
LEADING = explicit(0x00080016, b"UI", MR.encode() + b"\0") + explicit(0x00080018, b"UI", b"1.2.3.4\0") + explicit(0x00080060, b"CS", b"MR")


@pytest.mark.parametrize(
    ("head", "classes"),
    [
        (
            file_meta(CT, "1.2.3.4", EXPLICIT_VR_LITTLE_ENDIAN, implementation_class_uid="1.2.3") + LEADING,
            {CT, MR},
        ),  # they contradict each other
        (HEAD + DATA_SET, {CT}),
        (file_meta("CT", "1.2.3.4", EXPLICIT_VR_LITTLE_ENDIAN, implementation_class_uid="1.2.3") + LEADING, {MR}),  # "CT" is no UID
        (LEADING, {MR}),
        (LEADING[:40], set()),  # cut off
        (bytes(4096), set()),
        (b"", set()),
    ],
)
def test_what_tells_no_sop_class_is_not_guessed(head: bytes, classes: set[str]) -> None:
    assert read_sop_classes(head) == classes


def test_file_meta_is_what_pydicom_reads_back() -> None:
    head = file_meta(
        CT,
        "1.2.3.4",
        EXPLICIT_VR_LITTLE_ENDIAN,
        implementation_class_uid="1.2.3",
        implementation_version_name="HILUM 0.1",
        source_application_entity_title="CT1",
    )
    dataset = pydicom.dcmread(io.BytesIO(head + DATA_SET))
    assert dataset.preamble == bytes(128)
    assert {element.keyword: element.value for element in dataset.file_meta} == {
        "FileMetaInformationGroupLength": len(head) - 144,
        "FileMetaInformationVersion": b"\0\1",
        "MediaStorageSOPClassUID": CT,
        "MediaStorageSOPInstanceUID": "1.2.3.4",
        "TransferSyntaxUID": EXPLICIT_VR_LITTLE_ENDIAN,
        "ImplementationClassUID": "1.2.3",
        "ImplementationVersionName": "HILUM 0.1",
        "SourceApplicationEntityTitle": "CT1",
    }
    assert dataset.Modality == "CT"


def test_file_meta_refuses_what_its_vr_does_not_allow() -> None:
    with pytest.raises(ValueError, match="65 characters"):
        file_meta(CT, "1." + "2" * 63, JPEG, implementation_class_uid="1.2")
    with pytest.raises(ValueError, match="AE allows 16"):
        file_meta(CT, "1.2", JPEG, implementation_class_uid="1.2", source_application_entity_title="A" * 17)
