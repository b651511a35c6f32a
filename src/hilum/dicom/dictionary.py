"""Searching the dictionary of PS3.6: attributes by keyword, name or tag."""

from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Entry:
    """One attribute.

    Args:
        path: how a rule names it: its keyword, or `(0019,100C) SIEMENS MR HEADER`.
        tag: eight hexadecimal digits.
        vm: Value Multiplicity, e.g. `1-n`.
    """

    path: str
    name: str
    tag: str
    vr: str
    vm: str
    is_retired: bool = False

    @property
    def words(self) -> str:
        """What a search looks through."""
        return f"{self.path} {self.name} {self.tag} ({self.tag[:4]},{self.tag[4:]})".lower()


@lru_cache(maxsize=1)
def standard_entries() -> tuple[Entry, ...]:
    """Every attribute of PS3.6 that has a keyword, by tag."""
    from pydicom._dicom_dict import DicomDictionary

    return tuple(
        Entry(keyword, name, f"{tag:08X}", vr, vm, is_retired == "Retired")
        for tag, (vr, vm, name, is_retired, keyword) in sorted(DicomDictionary.items())
        if keyword
    )


def search(text: str, entries: tuple[Entry, ...], limit: int) -> list[Entry]:
    """The entries that have every word of `text`, the likeliest first: begun with it, then short ones; retired ones last."""
    words = text.lower().split()
    found = [one for one in entries if all(word in one.words for word in words)]
    wanted = "".join(words)

    def likely(one: Entry) -> tuple[bool, bool, int, str]:
        return one.is_retired, not one.path.lower().startswith(wanted), len(one.path), one.path

    return sorted(found, key=likely)[:limit]
