"""Kitware's dicom-anonymizer as oracle: whatever it takes away or changes and we keep has a reason that stands here."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from deidentifying import answer_of, read, shipped_engine
from dicomanonymizer import anonymize_dataset
from table_places import CLASSES
from table_planting import planted
from unharmed import real_files, values_of

from hilum.deidentification.engine import Engine, Rewritten
from hilum.dicom.attributes import tag_of
from hilum.dicom.confidentiality import row_of

_CODED = "a code of a scheme says what it means for everybody (PS3.3 8.8); dicom-anonymizer deletes the whole sequence"
_STRUCTURE = "what an SR is built of (PS3.3 C.17.3): an enumerated value; dicom-anonymizer empties the whole content"
_MEASURED = "a number that was measured, or where in an image: of a finding, not of a person"
_REFERENCE = "which part of an image is meant, by number; its UIDs are replaced, so that references resolve (X/Z/U*)"

REASONS = {
    "CodeValue": _CODED,
    "CodingSchemeDesignator": _CODED,
    "CodingSchemeVersion": _CODED,
    "CodeMeaning": f"{_CODED}; names of the object's people are cleaned out, and where the sequence is D it is replaced",
    "MappingResource": _CODED,
    "TemplateIdentifier": _CODED,
    "ValueType": _STRUCTURE,
    "RelationshipType": _STRUCTURE,
    "ContinuityOfContent": _STRUCTURE,
    "ReferencedContentItemIdentifier": _STRUCTURE,
    "TextValue": "Clean Structured Content: cleaned, here nothing was found to clean",
    "NumericValue": _MEASURED,
    "FloatingPointValue": _MEASURED,
    "GraphicData": _MEASURED,
    "GraphicType": _MEASURED,
    "PixelOriginInterpretation": _MEASURED,
    "TemporalRangeType": _MEASURED,
    "ReferencedTimeOffsets": _MEASURED,
    "ReferencedSOPClassUID": "names a kind of object (PS3.6 A), not one",
    "ReferencedFrameNumber": _REFERENCE,
    "ReferencedSegmentNumber": _REFERENCE,
    "ReferencedWaveformChannels": _REFERENCE,
}
"""Why we keep what it does not, for attributes of which Table E.1-1 says nothing with the profile's options."""


def objects(shared_data: Path) -> Iterator[bytes]:
    """One of each SOP class with everything that the table names, and real files."""
    yield from (planted(sop_class, "1.2.840.10008.1.2.1") for sop_class in CLASSES)
    for folder, files in real_files(shared_data).items():
        chosen = files if "segm" in folder or ("test_files" in folder and "dicomdir" not in folder) else files[:1]
        yield from (file.read_bytes() for file in chosen)


def kept_by_us_only(content: bytes, engine: Engine) -> set[str]:
    answer, written = answer_of(content, engine)
    if not isinstance(answer, Rewritten):
        return set()
    theirs = read(content)
    anonymize_dataset(theirs)
    before, ours, others = values_of(read(content)), values_of(read(written)), values_of(theirs)
    return {path[-1] for path, value in before.items() if value not in (None, "") and others.get(path) != value and ours.get(path) == value}


@pytest.mark.parametrize("name", ["basic", "research"])
@pytest.mark.filterwarnings("ignore")
def test_what_dicom_anonymizer_does_not_keep_and_we_do_has_a_reason(name: str, shared_data: Path) -> None:
    engine = shipped_engine(name)
    kept = {keyword for content in objects(shared_data) for keyword in kept_by_us_only(content, engine)}
    assert len(kept) > 10
    assert {keyword for keyword in kept if not is_kept_by_an_option(keyword, engine)} - set(REASONS) == set()


def is_kept_by_an_option(keyword: str, engine: Engine) -> bool:
    """Table E.1-1 itself says K or C with one of the profile's options."""
    row = row_of(tag_of(keyword))
    return row is not None and bool(row.options.keys() & engine.profile.options)
