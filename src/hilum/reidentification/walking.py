"""The elements of a pydicom data set at every depth, by their VR: what nobody looks at is not decoded, and stays as it came."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from hilum.dicom.attributes import vr_of

if TYPE_CHECKING:
    from pydicom import Dataset

TEXT_VRS = frozenset({"PN", "LO", "SH", "ST", "LT", "UT", "UC"})
DATE_VRS = frozenset({"DA", "DT"})
UID_VR = "UI"
_READ = TEXT_VRS | DATE_VRS | {UID_VR}


class Place(NamedTuple):
    """One element and the data set, or item, that it stands in."""

    item: "Dataset"
    tag: int
    vr: str

    @property
    def values(self) -> list[str]:
        """Its values as text."""
        return texts_of(self.item[self.tag].value)


def texts_of(value: Any) -> list[str]:
    """The single values of an element as text."""
    if value is None or value == "":
        return []
    return [str(one) for one in value] if isinstance(value, (list, tuple)) or hasattr(value, "type_constructor") else [str(value)]


def walk(item: "Dataset") -> Iterator[Place]:
    """Every element of text, date or UID."""
    for tag in sorted(item.keys()):
        vr = _vr_of(item, int(tag))
        if vr == "SQ":
            for below in item[tag].value:
                yield from walk(below)
        elif vr in _READ:
            yield Place(item, int(tag), vr)


def _vr_of(item: "Dataset", tag: int) -> str:
    """As the element says; where it says nothing (implicit VR, UN), as PS3.6 does."""
    said = item.get_item(tag).VR
    if said not in (None, "UN"):
        return str(said)
    return vr_of(tag) if not tag >> 16 & 1 else str(item[tag].VR)
