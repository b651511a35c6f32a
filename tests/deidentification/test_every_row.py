"""Every row of Table E.1-1 with every option: a planted token at the top level and three sequences deep, explicit and implicit."""

import io
import json
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pytest
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from hilum.deidentification.engine import Engine, Rewritten
from hilum.dicom import iods
from hilum.dicom.attributes import keyword_of, vr_of
from hilum.dicom.confidentiality import Demand, Need, Option, Row, code_of, resolve, table
from hilum.dicom.elements import Source
from hilum.model.keys import ProjectKey
from hilum.model.profiles import Profile
from hilum.runtime.registry import find_members

KEY = ProjectKey.of_secret(b"a test's secret, not a real one.")
MR = "1.2.840.10008.5.1.4.1.1.4"
TOKEN = "Zq7Planted"
DATE = "19630917"
OPTIONS = [option for option in Option if option is not Option.CLEAN_PIXEL_DATA]
CHOICES = [frozenset(), *(frozenset({option}) for option in OPTIONS)]
NESTING = ("ReferencedPerformedProcedureStepSequence", "SourceImageSequence", "ReferencedImageSequence")

# A value of each VR in which the token, or the date, can be found again.
PLANTED: Mapping[str, Any] = {
    **dict.fromkeys(("LO", "SH", "ST", "LT", "UT", "UC", "PN", "AE"), TOKEN),
    **dict.fromkeys(("CS",), TOKEN.upper()),
    **dict.fromkeys(("DA",), DATE),
    **dict.fromkeys(("DT",), f"{DATE}101112"),
    **dict.fromkeys(("TM",), "010203"),
    **dict.fromkeys(("UI",), "1.2.826.0.1.99.1963.9.17.7777"),
    **dict.fromkeys(("AS",), "077Y"),
    **dict.fromkeys(("DS", "IS"), "77191"),
    **dict.fromkeys(("US", "UL", "SL", "SS"), 31917),
    **dict.fromkeys(("FL", "FD"), 77191.0),
    **dict.fromkeys(("OB", "OW", "UN"), TOKEN.encode()),
    "UR": f"http://{TOKEN}.example",
}


@cache
def actions() -> Mapping[str, Any]:
    return find_members("hilum.actions")


def tags_of(row: Row) -> list[int]:
    """A pattern stands for several tags."""
    if row.tag == "private":
        return [0x00291001]
    if "x" in row.tag:
        return [int(row.tag.replace("xx", group, 1).replace("xxxx", "3000"), 16) for group in ("00", "02", "1e")]
    return [int(row.tag, 16)]


def plantable() -> Iterator[tuple[Row, int]]:
    """Rows whose attributes stand in data sets: not of groups 0000 (commands), 0002 (File Meta) and 0004 (directories)."""
    for row in table().rows:
        for tag in tags_of(row):
            if tag >> 16 > 4 and tag < 0x7FE00000 and not 0x50000000 <= tag < 0x51000000:
                yield row, tag


def base(sop_class: str = MR) -> Dataset:
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.SOPClassUID, made.SOPInstanceUID = sop_class, "1.2.826.0.1.1.1"
    made.StudyInstanceUID, made.SeriesInstanceUID = "1.2.826.0.1.1", "1.2.826.0.1.1.2"
    made.PatientID, made.PatientName, made.Modality = "P1", "Nobody^Known", "MR"
    made.Rows = made.Columns = 1
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation, made.SamplesPerPixel = 16, 16, 15, 0, 1
    made.PixelData = bytes(2)
    made["PixelData"].VR = "OW"
    return made


def plant(target: Dataset, tag: int) -> None:
    vr = vr_of(tag).split(" or ")[0]
    if tag >> 16 & 1:
        target.add_new(tag & 0xFFFF0000 | 0x10, "LO", f"{TOKEN} creator")
        target.add_new(tag, "LO", TOKEN)
    elif vr == "SQ":
        item = Dataset()
        item.add_new(0x00080104, "LO", TOKEN)
        item.add_new(0x00081155, "UI", PLANTED["UI"])
        target.add_new(tag, "SQ", Sequence([item]))
    else:
        target.add_new(tag, vr, PLANTED[vr])


def planted_everywhere(tags: list[int]) -> Dataset:
    """All of them at the top level, and three sequences deep."""
    made = base()
    for tag in tags:
        if keyword_of(tag) not in {"SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"}:
            plant(made, tag)
    below = made
    for keyword in NESTING:
        item = Dataset()
        setattr(below, keyword, Sequence([item]))
        below = item
    for tag in tags:
        if not any(keyword_of(tag) == keyword for keyword in NESTING):
            plant(below, tag)
    return made


def written(dataset: Dataset, *, implicit: bool) -> bytes:
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    out = io.BytesIO()
    dcmwrite(out, dataset, enforce_file_format=True)
    return out.getvalue()


def deidentified(content: bytes, options: frozenset[Option] = frozenset(), **said: Any) -> tuple[Dataset, bytes]:
    profile = Profile.model_validate({"name": "tested", "options": options, **said})
    out = io.BytesIO()
    answer = Engine(profile, KEY, actions()).deidentify(Source.of_bytes(content), out.write)
    assert isinstance(answer, Rewritten), answer
    return dcmread(io.BytesIO(out.getvalue())), out.getvalue()


def need_at_top(tag: int) -> Need:
    type_ = iods.type_of(MR, keyword_of(tag))
    return Need.of_type(type_ or "3") if type_ is not None else Need.NOTHING


@pytest.mark.parametrize("implicit", [False, True], ids=["explicit", "implicit"])
@pytest.mark.parametrize("options", CHOICES, ids=lambda options: next(iter(options), "basic"))
def test_every_row_gets_what_the_table_says(options: frozenset[Option], implicit: bool) -> None:
    rows = list(plantable())
    read, _ = deidentified(written(planted_everywhere([tag for _, tag in rows]), implicit=implicit), options)
    wrong = []
    for row, tag in rows:
        keyword = keyword_of(tag)
        if keyword in {"PatientName", "PatientID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", *NESTING}:
            continue
        code = code_of(row, options)
        is_listed = iods.type_of(MR, keyword) is not None if keyword else False
        demand = resolve(code, need_at_top(tag))
        vr = vr_of(tag).split(" or ")[0]
        what = read.get(tag)
        text = str(what.to_json_dict(None, 0)) if what is not None else ""
        was = str(PLANTED.get(vr, TOKEN))
        if demand is Demand.REMOVE and what is not None:
            wrong.append((row.tag, row.name, code, "is there"))
        elif demand is Demand.EMPTY and is_listed and (what is None or not what.is_empty):
            wrong.append((row.tag, row.name, code, "is not empty"))
        elif demand is Demand.DUMMY and is_listed and vr != "SQ" and (what is None or what.is_empty or was in text):
            wrong.append((row.tag, row.name, code, "is no dummy"))
        elif demand is Demand.KEEP and is_listed and vr not in {"SQ", "AS"} and was not in text:
            wrong.append((row.tag, row.name, code, "is not kept"))
        elif demand is Demand.REPLACE_UID and Option.RETAIN_UIDS not in options and is_listed and vr == "UI" and (not text or was in text):
            wrong.append((row.tag, row.name, code, "is not replaced"))
    assert wrong == []


@pytest.mark.parametrize("implicit", [False, True], ids=["explicit", "implicit"])
def test_the_basic_profile_leaves_no_planted_value_at_any_depth(implicit: bool) -> None:
    tags = [tag for _, tag in plantable()]
    _, content = deidentified(written(planted_everywhere(tags), implicit=implicit))
    assert TOKEN.lower().encode() not in content.lower()
    assert DATE.encode() not in content
    assert PLANTED["UI"].encode() not in content
    assert b"P1" not in content
    assert b"Nobody" not in content


@pytest.mark.parametrize("options", CHOICES, ids=lambda options: next(iter(options), "basic"))
def test_no_option_leaves_a_known_name_in_any_text(options: frozenset[Option]) -> None:
    made = base()
    made.PatientName, made.PatientID = "Featherstone^Wilhelmina", "MRN-4711-0815"
    for _, tag in plantable():
        vr = vr_of(tag)
        if vr in {"LO", "SH", "ST", "LT", "UT"} and not tag >> 16 & 1 and keyword_of(tag) not in {"PatientID", "InstitutionName"}:
            made.add_new(tag, vr, "W. FEATHERSTONE")
    read, content = deidentified(written(made, implicit=False), options)
    kept = {keyword_of(tag) for row, tag in plantable() if code_of(row, options) == "K"}
    leaking = [one.keyword for one in read.iterall() if one.keyword not in kept and "FEATHERSTONE" in str(one.value).upper()]
    assert leaking == []
    assert b"4711" not in content


def test_the_editions_differ_only_by_rows_that_are_new() -> None:
    new = [row for row in table().rows if row.edition != table().edition]
    assert len(new) == 35
    assert all(not row.options for row in new)
    assert json.dumps([row.tag for row in new]).isascii()
