"""What a de-identified copy says of itself: all that processors and destinations may know of where it comes from."""

from dataclasses import dataclass

from hilum.dicom.scanner import Source, Wanted, scan
from hilum.model.ports import Tools
from hilum.model.reading import source_of
from hilum.model.records import Workitem

_WANTED = Wanted("StudyInstanceUID", "SeriesInstanceUID", "Modality", "SeriesDescription")


@dataclass(frozen=True, slots=True)
class CopyHeader:
    """Texts of the copy's header; empty where it lacks them."""

    study_instance_uid: str
    series_instance_uid: str
    modality: str
    description: str


def read_copy(source: Source) -> CopyHeader:
    """Read them.

    Raises:
        UnreadableError: the copy is no DICOM any more.
    """
    header = scan(source, _WANTED)
    texts = (header.text(path) for path in _WANTED.paths)
    return CopyHeader(*((text or "").strip() for text in texts))


def study_uid_of_copies(workitem: Workitem, tools: Tools) -> str:
    """The Study Instance UID by which processors and receivers know the workitem's study; "" where nothing was copied."""
    _, _, stored = next(tools.catalogue.deidentified(tools.scope, workitem.id), ("", "", None))
    return read_copy(source_of(tools.vault, stored)).study_instance_uid if stored else ""
