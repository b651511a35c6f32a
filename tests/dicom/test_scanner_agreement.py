"""The scan against pydicom: the two always agree, on real and on generated data sets."""

import io
import itertools
import json
import logging
import math
import random
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_dataset
from pydicom.multival import MultiValue

from hilum.dicom.part10 import (
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
    EXPLICIT_VR_BIG_ENDIAN,
    EXPLICIT_VR_LITTLE_ENDIAN,
    IMPLICIT_VR_LITTLE_ENDIAN,
    file_meta,
    recognise,
)
from hilum.dicom.scanner import Source, Wanted, scan, scan_all

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True, scope="module")
def quiet_pydicom() -> Iterator[None]:
    """It warns of every value that PS3.5 does not allow, twice."""
    logging.disable(logging.WARNING)
    mode, pydicom.config.settings.writing_validation_mode = pydicom.config.settings.writing_validation_mode, pydicom.config.IGNORE
    yield
    pydicom.config.settings.writing_validation_mode = mode
    logging.disable(logging.NOTSET)


EVERYDAY = Wanted(
    *[
        "SpecificCharacterSet",
        "ImageType",
        "SOPClassUID",
        "SOPInstanceUID",
        "StudyDate",
        "SeriesDate",
        "StudyTime",
        "AccessionNumber",
        "Modality",
        "Manufacturer",
        "InstitutionName",
        "StudyDescription",
        "SeriesDescription",
        "ManufacturerModelName",
        "PatientName",
        "PatientID",
        "IssuerOfPatientID",
        "PatientBirthDate",
        "PatientSex",
        "SliceThickness",
        "EchoTime",
        "StudyInstanceUID",
        "SeriesInstanceUID",
        "SeriesNumber",
        "InstanceNumber",
        "ImagePositionPatient",
        "ImageOrientationPatient",
        "FrameOfReferenceUID",
        "Rows",
        "Columns",
        "PixelSpacing",
        "NumberOfFrames",
        "BitsAllocated",
        "RescaleSlope",
    ],
    "SharedFunctionalGroupsSequence.PixelMeasuresSequence.PixelSpacing",
)
BULK = {"OB", "OD", "OF", "OL", "OV", "OW", "UN"}
PIXELS = {0x7FE00008, 0x7FE00009, 0x7FE00010}
UNREADABLE = object()


# --- pydicom as the judge --------------------------------------------------------------------------------------------------------


def as_pydicom_sees_it(content: bytes) -> dict[int, Any]:
    """The header by tag: (VR, values), items for sequences, UNREADABLE where pydicom raises for an element."""
    return expected(pydicom.dcmread(io.BytesIO(content), stop_before_pixels=True, force=True))


def expected(dataset: Dataset) -> dict[int, Any]:
    found = {}
    for tag in dataset.keys():  # noqa: SIM118 (pydicom iterates over elements)
        if tag >> 16 == 0 or (tag.is_private and tag.element == 0):
            continue  # pydicom reads padding zeros as elements of group 0, and private group lengths (PS3.5 7.2) as UN
        try:
            element = dataset[tag]
            found[int(tag)] = expected_element(element)
        except Exception:  # noqa: BLE001 (whatever pydicom raises)
            found[int(tag)] = UNREADABLE
    return found


def expected_element(element: Any) -> tuple[str, Any]:
    if element.VR == "SQ":
        return "SQ", [expected(item) for item in element.value or []]
    if element.VR in BULK or " or " in element.VR:
        return element.VR, None
    values = element.value
    if values is None or values == "" or (isinstance(values, MultiValue | list) and not values):
        return element.VR, []
    many = values if isinstance(values, MultiValue | list) else [values]
    return element.VR, [plain(element.VR, value) for value in many]


def plain(vr: str, value: Any) -> Any:
    if vr == "AT":
        return f"{int(value):08X}"
    if vr in {"DS", "IS"} and isinstance(value, str) and not value.strip():
        return ""
    if isinstance(value, bytes):
        return UNREADABLE  # pydicom gave up decoding
    if vr in {"DS", "FD", "FL"} and not isinstance(value, str):
        return float(value)
    if vr in {"IS", "US", "SS", "UL", "SL", "UV", "SV"} and not isinstance(value, str):
        return int(value)
    return str(value).strip(" \0")


# --- ours in the same form -------------------------------------------------------------------------------------------------------


def tags_of(document: dict[str, Any]) -> dict[int, Any]:
    tags = {tag_of_member(name): (member["vr"], values_of(member)) for name, member in document.items()}
    return {tag: element for tag, element in tags.items() if tag >> 16 and not (tag >> 16 & 1 and tag & 0xFFFF == 0)}


def tag_of_member(name: str) -> int:
    tag = pydicom.datadict.tag_for_keyword(name)
    return tag if tag is not None else int(name, 16)


def values_of(member: dict[str, Any]) -> Any:
    if member["vr"] == "SQ":
        return [tags_of(item) for item in member.get("Value", [])]
    return [unwrapped(member["vr"], value) for value in member.get("Value", [])]


def unwrapped(vr: str, value: Any) -> Any:
    if value is None:
        return ""
    if vr == "PN":
        return "=".join(value.get(group, "") for group in ("Alphabetic", "Ideographic", "Phonetic")).rstrip("=")
    if vr in {"FL", "FD"} and isinstance(value, str):
        return float(value.replace("Infinity", "inf"))
    return value.strip(" \0") if isinstance(value, str) else value


def differences(ours: dict[int, Any], theirs: dict[int, Any], where: str = "") -> Iterator[str]:
    for tag in sorted(ours.keys() | theirs.keys()):
        here = f"{where}/{tag:08X}"
        if theirs.get(tag) is UNREADABLE:
            continue
        if tag not in ours or tag not in theirs:
            yield f"{here} only with {'pydicom' if tag in theirs else 'us'}: {theirs.get(tag, ours.get(tag))!r}"[:200]
            continue
        (our_vr, our_values), (their_vr, their_values) = ours[tag], theirs[tag]
        if their_vr == "SQ" and our_vr == "SQ":
            if len(our_values) != len(their_values):
                yield f"{here} has {len(our_values)} items, pydicom {len(their_values)}"
            for n, (our_item, their_item) in enumerate(zip(our_values, their_values, strict=False)):
                yield from differences(our_item, their_item, f"{here}[{n}]")
        elif our_vr != their_vr and not (our_vr in BULK and their_vr in BULK):
            yield f"{here} is {our_vr}, with pydicom {their_vr}"
        elif their_values is not None and not same(our_vr, our_values, their_values):
            yield f"{here} {our_vr} is {our_values!r}, with pydicom {their_values!r}"[:300]


def same(vr: str, ours: list[Any], theirs: list[Any]) -> bool:
    if vr == "PN":
        return [str(value).rstrip("=^ ") for value in ours] == [str(value).rstrip("=^ ") for value in theirs]
    if any(value is UNREADABLE for value in theirs):
        return True
    if vr in {"DS", "IS"} and any(isinstance(value, str) and value for value in theirs):
        return len(ours) == len(theirs)  # one that is no number makes pydicom give all as text
    return len(ours) == len(theirs) and all(
        a == b or (isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b))
        for a, b in zip(ours, theirs, strict=True)
    )


def disagreements(content: bytes) -> list[str]:
    header = scan_all(Source.of_bytes(content))
    document = json.loads(json.dumps(header.as_json(), allow_nan=False))
    return list(differences(tags_of(document), without_bulk(as_pydicom_sees_it(content), document)))


def without_bulk(theirs: dict[int, Any], document: dict[str, Any]) -> dict[int, Any]:
    """Pydicom's header without the values that ours leaves out for their length."""
    ours = {tag_of_member(name): member for name, member in document.items()}
    kept = {}
    for tag, element in theirs.items():
        member = ours.get(tag, {})
        if element is not UNREADABLE and element[0] == "SQ" and "Value" in member:
            items = itertools.zip_longest(element[1], member["Value"], fillvalue={})
            kept[tag] = ("SQ", [without_bulk(item, ours_item) for item, ours_item in itertools.islice(items, len(element[1]))])
        elif element is not UNREADABLE and "length" in member:
            kept[tag] = (element[0], None)
        else:
            kept[tag] = element
    return kept


# --- every file there is ---------------------------------------------------------------------------------------------------------


def real_files(folder: Path, of_each_folder: int = 10_000) -> Iterator[tuple[Path, bytes]]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    for _, siblings in itertools.groupby(paths, key=lambda path: path.parent):
        for path in itertools.islice(siblings, of_each_folder):
            content = path.read_bytes()
            if recognise(content[:65536]):
                yield path, content


def assert_agreement_with_pydicom(folder: Path, of_each_folder: int = 10_000) -> int:
    agreed = 0
    for path, content in real_files(folder, of_each_folder):
        header = scan_all(Source.of_bytes(content))
        found = disagreements(content)
        # The element the file ends in is not whole: pydicom shows what is left of it, the scan says so instead.
        assert found == [] or (header.trouble and len(found) == 1), (path.name, found[:5])
        agreed += 1
    return agreed


def test_the_scan_and_pydicom_agree_on_every_test_file_of_pydicom() -> None:
    assert assert_agreement_with_pydicom(Path(pydicom.__file__).parent / "data") > 170


def test_the_scan_and_pydicom_agree_on_real_images(shared_data: Path) -> None:
    assert assert_agreement_with_pydicom(shared_data, of_each_folder=3) > 50


@pytest.mark.slow
def test_the_scan_and_pydicom_agree_on_all_real_images(shared_data: Path) -> None:
    assert assert_agreement_with_pydicom(shared_data) > 1000


def test_a_scan_for_some_attributes_finds_what_the_whole_header_has(shared_data: Path) -> None:
    for folder in (shared_data, Path(pydicom.__file__).parent / "data"):
        for path, content in real_files(folder):
            source = Source.of_bytes(content)
            some, every, early = scan(source, EVERYDAY), scan_all(source), scan(source, EVERYDAY, to_the_end=False)
            for name in EVERYDAY.paths:
                assert some.each(name) == every.each(name) == early.each(name), (path, name)
            # Inside a sequence nobody asked for, damage goes unseen.
            assert some.trouble in {None, every.trouble}, path
            assert some.pixel_data == every.pixel_data, path


# --- generated data sets ---------------------------------------------------------------------------------------------------------

TEXT = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E, exclude_characters="\\\\=^"), max_size=12)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "AE": TEXT, "CS": TEXT, "LO": TEXT, "SH": TEXT, "UC": TEXT, "LT": TEXT, "ST": TEXT, "UT": TEXT, "UR": TEXT,
    "PN": st.lists(TEXT.map(str.strip), min_size=1, max_size=3).map("^".join),
    "AS": st.from_regex(r"\A[0-9]{3}[DWMY]\Z"),
    "DA": st.dates().map(lambda day: day.strftime("%Y%m%d").zfill(8)),
    "TM": st.times().map(lambda time: time.strftime("%H%M%S")),
    "DT": st.datetimes().map(lambda moment: moment.strftime("%Y%m%d%H%M%S").zfill(14)),
    "DS": st.floats(-1e6, 1e6, width=32).map(lambda number: f"{number:.6g}"),
    "IS": st.integers(-(2**31), 2**31 - 1).map(str),
    "UI": st.from_regex(r"\A1\.2(\.[1-9][0-9]{0,5}){1,6}\Z"),
    "AT": st.integers(0, 2**32 - 1), "US": st.integers(0, 2**16 - 1), "SS": st.integers(-(2**15), 2**15 - 1),
    "UL": st.integers(0, 2**32 - 1), "SL": st.integers(-(2**31), 2**31 - 1),
    "UV": st.integers(0, 2**64 - 1), "SV": st.integers(-(2**63), 2**63 - 1),
    "FL": st.floats(width=32), "FD": st.floats(),
    "OB": st.binary(max_size=20).map(lambda b: b + b[: len(b) % 2]), "OW": st.binary(max_size=10).map(lambda b: b + b),
    "UN": st.binary(max_size=10).map(lambda b: b + b),
}  # fmt: skip
MANY = {"AE", "CS", "LO", "SH", "PN", "DS", "IS", "UI", "US", "SL", "FL", "FD", "AT", "DA"}
# One attribute of PS3.6 for each VR, so that implicit VR knows it too; private ones are UN there.
KNOWN = {
    "AE": 0x00080054, "CS": 0x00080060, "LO": 0x00081030, "SH": 0x00080050, "LT": 0x00104000, "ST": 0x00080081, "UT": 0x0018A003,
    "UR": 0x00081190, "UC": 0x00080119, "PN": 0x00100010, "AS": 0x00101010, "DA": 0x00080020, "TM": 0x00080030, "DT": 0x0008002A,
    "DS": 0x00181050, "IS": 0x00200013, "UI": 0x0020000D, "AT": 0x00209165, "US": 0x00280010, "SS": 0x00189219, "UL": 0x00081161,
    "SL": 0x00186020, "FL": 0x00089459, "FD": 0x00189073, "OB": 0x00420011, "OW": 0x60003000,
}  # fmt: skip
SEQUENCES = [0x00081140, 0x00081115, 0x00400275, 0x52009229]


@st.composite
def values_for(draw: st.DrawFn, vr: str) -> Any:
    if draw(st.integers(0, 9)) == 0:
        return None
    if vr in MANY and draw(st.booleans()):
        return draw(st.lists(VALUES[vr], min_size=2, max_size=4))
    return draw(VALUES[vr])


@st.composite
def data_sets(draw: st.DrawFn, depth: int = 3) -> Dataset:
    dataset = Dataset()
    for vr in draw(st.lists(st.sampled_from(sorted(KNOWN)), unique=True, max_size=8)):
        dataset.add_new(KNOWN[vr], vr, draw(values_for(vr)))
    if draw(st.booleans()):
        dataset.add_new(0x00090010, "LO", "A CREATOR")
        for n, vr in enumerate(draw(st.lists(st.sampled_from(sorted(VALUES)), max_size=4))):
            dataset.add_new(0x00091001 + n, vr, draw(values_for(vr)))
    if depth:
        for tag in draw(st.lists(st.sampled_from([*SEQUENCES, 0x000910F0]), unique=True, max_size=2)):
            items = draw(st.lists(data_sets(depth=depth - 1), max_size=3))
            for item in items:
                item.is_undefined_length_sequence_item = draw(st.booleans())
            dataset.add_new(tag, "SQ", items)
            dataset[tag].is_undefined_length = draw(st.booleans())
    return dataset


def encoded(dataset: Dataset, syntax: str) -> bytes:
    stream = DicomBytesIO()
    stream.is_implicit_VR, stream.is_little_endian = syntax == IMPLICIT_VR_LITTLE_ENDIAN, syntax != EXPLICIT_VR_BIG_ENDIAN
    write_dataset(stream, dataset)
    return stream.getvalue()


def part10(dataset: bytes, syntax: str = EXPLICIT_VR_LITTLE_ENDIAN) -> bytes:
    return file_meta("1.2.840.10008.5.1.4.1.1.2", "1.2.3", syntax, implementation_class_uid="1.2.3.4") + dataset


NATIVE = [IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_BIG_ENDIAN]


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(data_sets(), st.sampled_from(NATIVE), st.booleans())
def test_the_scan_and_pydicom_always_agree(dataset: Dataset, syntax: str, deflate: bool) -> None:
    body = encoded(dataset, syntax)
    if deflate and syntax == EXPLICIT_VR_LITTLE_ENDIAN:
        deflater = zlib.compressobj(wbits=-15)
        body, syntax = deflater.compress(body) + deflater.flush(), DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN
    content = part10(body, syntax)
    assert disagreements(content) == []
    if len(dataset):
        assert scan_all(Source.of_bytes(content)).trouble is None


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(data_sets(), st.sampled_from(NATIVE), st.randoms(use_true_random=False))
def test_a_scan_for_some_attributes_agrees_with_pydicom_too(dataset: Dataset, syntax: str, chance: random.Random) -> None:
    content = part10(encoded(dataset, syntax), syntax)
    tags = [f"{int(element.tag):08X}" for element in dataset] + ["PatientID"]
    asked = Wanted(*chance.sample(tags, chance.randint(1, len(tags))))
    some, every = scan(Source.of_bytes(content), asked), scan_all(Source.of_bytes(content))
    assert [some.each(path) for path in asked.paths] == [every.each(path) for path in asked.paths]
