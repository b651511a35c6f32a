"""The self-check of de-identification: a copy is read again by code that had no part in making it.

    for residue in check_copy(original, copy, replaced_uids=...): ...

Nothing here imports the engine (`deidentification/`, `actions/`, `dicom/rewriting.py`), nor the reader that it uses. Image pixels are not
looked at; they are judged before they are copied.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from hilum.self_check.needles import Needles, needles_of, needles_of_patient
from hilum.self_check.reading import PREAMBLE, UnreadableError, read_values
from hilum.self_check.searching import Hit, search

Buffer = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Residue:
    """Something of the original that is still in the copy.

    Args:
        path: where: `PatientComments`, `RequestAttributesSequence.(0040,A730)`; `preamble` for the bytes before DICM.
        kind: what: `a part of the patient's name`. What it says is not repeated.
    """

    path: str
    kind: str

    @property
    def sentence(self) -> str:
        return f"{self.path} of the copy holds {self.kind}."


def check_copy(original: Buffer, copy: Buffer, replaced_uids: Iterable[str] = (), retained: Collection[int] = ()) -> list[Residue]:
    """What is left of an original in its de-identified copy; empty when it is clean.

    Args:
        original, copy: complete Part 10 objects; memory maps are as good as bytes.
        replaced_uids: UIDs of the original that stand for something else in the copy.
        retained: tags whose values the profile keeps on purpose.

    Raises:
        UnreadableError: one of them cannot be read to its end, so nobody can say what it holds.
    """
    return check_against(needles_of(read_values(original), replaced_uids, retained), copy)


def check_against(needles: Needles, copy: Buffer) -> list[Residue]:
    """As `check_copy`, with needles of several originals: those of a whole study, say."""
    return [Residue(_spell(hit.path), hit.kind) for hit in search(list(read_values(copy)), needles)]


def search_text(needles: Needles, text: str) -> list[Residue]:
    """What is left in a text that is no object: a file's name, a line of a log."""
    from hilum.self_check.reading import Value

    value = Value((PREAMBLE,), "UT", memoryview(text.encode("utf-8", "surrogateescape")), "ISO_IR 192")
    return [Residue("the text", hit.kind) for hit in search([value], needles)]


def _spell(path: tuple[int, ...]) -> str:
    from pydicom.datadict import keyword_for_tag

    if path == (PREAMBLE,):
        return "preamble"
    return ".".join(keyword_for_tag(tag) or f"({tag >> 16:04X},{tag & 0xFFFF:04X})" for tag in path)


__all__ = [
    "Buffer",
    "Hit",
    "Needles",
    "Residue",
    "UnreadableError",
    "check_against",
    "check_copy",
    "needles_of",
    "needles_of_patient",
    "read_values",
    "search_text",
]
