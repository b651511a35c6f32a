"""Which series a segmentation or a structure set lies on, by its header as `Header.as_json` gives it."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Header = Mapping[str, Any]

# PS3.3 C.8.20.2 and C.12.2.1: Referenced Series Sequence of the Common Instance Reference module, Series Instance UID.
_OF_INSTANCES = ("ReferencedSeriesSequence", "SeriesInstanceUID")
# PS3.3 C.12.2.1: the same, of series in other studies (Studies Containing Other Referenced Instances Sequence).
_OF_OTHER_STUDIES = ("StudiesContainingOtherReferencedInstancesSequence", "ReferencedSeriesSequence", "SeriesInstanceUID")
# PS3.3 C.8.8.5: Referenced Frame of Reference, RT Referenced Study, RT Referenced Series Sequence, Series Instance UID.
_OF_STRUCTURES = (
    "ReferencedFrameOfReferenceSequence",
    "RTReferencedStudySequence",
    "RTReferencedSeriesSequence",
    "SeriesInstanceUID",
)


def referenced_series(header: Header) -> str:
    """SeriesInstanceUID of the first series that it names; empty where it names none."""
    for path in (_OF_INSTANCES, _OF_STRUCTURES, _OF_OTHER_STUDIES):
        for uid in _values(header, path):
            if isinstance(uid, str) and uid:
                return uid
    return ""


def _values(item: Any, path: Sequence[str]) -> Iterator[Any]:
    element = item.get(path[0]) if isinstance(item, Mapping) else None
    found = element.get("Value") if isinstance(element, Mapping) else None
    for value in found if isinstance(found, list) else ():
        if len(path) == 1:
            yield value
        else:
            yield from _values(value, path[1:])
