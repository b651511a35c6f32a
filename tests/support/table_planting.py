"""Objects with everything planted that Table E.1-1 names, where the IODs have it."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from deidentifying import encoded
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from table_places import Place, places

from hilum.dicom.attributes import keyword_of, vr_of

TOKEN, NAME = "Zq7", "Mubwick"
DATE = "19630917"
UID = "1.2.826.0.1.99.1963.9.17.7777"

# A value of each VR in which the token and a name, or the date, can be found again.
PLANTED: Mapping[str, Any] = {
    "PN": f"{NAME}^{NAME}",
    "AE": f"{TOKEN} {NAME}",
    "CS": f"{TOKEN} {NAME}".upper(),
    "DA": DATE,
    "DT": f"{DATE}101112",
    "TM": "010203",
    "UI": UID,
    "AS": "077Y",
    **dict.fromkeys(("DS", "IS"), "77191"),
    **dict.fromkeys(("US", "UL", "SL", "SS"), 31917),
    **dict.fromkeys(("FL", "FD"), 77191.0),
    **dict.fromkeys(("OB", "OW", "UN"), f"{TOKEN} {NAME}".encode()),
    "UR": f"http://{TOKEN}.example/{NAME}",
}
# Written anew in every copy, or asked for by the walk itself.
APART = frozenset({"PatientName", "PatientID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "SOPClassUID"})


def base(sop_class: str) -> Dataset:
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.SOPClassUID, made.SOPInstanceUID = sop_class, "1.2.826.0.1.1.1"
    made.StudyInstanceUID, made.SeriesInstanceUID = "1.2.826.0.1.1", "1.2.826.0.1.1.2"
    made.PatientID, made.PatientName, made.Modality = "MRN-4711-0815", f"{NAME}^Wilhelmina", "OT"
    made.Rows = made.Columns = 1
    made.BitsAllocated, made.BitsStored, made.HighBit, made.PixelRepresentation, made.SamplesPerPixel = 16, 16, 15, 0, 1
    made.PixelData = bytes(2)
    made["PixelData"].VR = "OW"
    return made


def plant(target: Dataset, tag: int) -> None:
    if tag in target:
        return
    vr = vr_of(tag).split(" or ")[0]
    if tag >> 16 & 1:
        target.add_new(tag & 0xFFFF0000 | (tag & 0xFF00) >> 8, "LO", f"{TOKEN} creator")
        target.add_new(tag, "LO", f"{TOKEN} {NAME}")
    elif vr == "SQ":
        item = Dataset()
        item.add_new(0x00080104, "LO", f"{TOKEN} {NAME}")
        item.add_new(0x00081155, "UI", UID)
        target.add_new(tag, "SQ", Sequence([item]))
    else:
        target.add_new(tag, vr, PLANTED.get(vr) or text_of(tag))


def text_of(tag: int) -> str:
    """Another one for each attribute: what an identifying attribute holds is taken out of the others as a whole."""
    return f"{TOKEN} {tag % 65521:04x} {NAME}"


def item_at(dataset: Dataset, path: tuple[str, ...]) -> Dataset:
    """The first item there, made where it is missing."""
    for keyword in path:
        if keyword not in dataset:
            setattr(dataset, keyword, Sequence([Dataset()]))
        dataset = dataset[keyword].value[0]
    return dataset


def places_of(sop_class: str) -> list[Place]:
    return [place for place in places() if place.sop_class_uid == sop_class and not (keyword_of(place.tag) in APART and not place.path)]


@cache
def planted(sop_class: str, syntax: str) -> bytes:
    """An object of a SOP class with all that is to be planted in one: sequences first, so that what lies in them is not hidden."""
    made = base(sop_class)
    for place in sorted(places_of(sop_class), key=lambda place: -len(place.path)):
        plant(item_at(made, place.path), place.tag)
    return encoded(made, syntax)
