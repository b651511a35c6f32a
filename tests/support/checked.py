"""Checks without a ledger: files become a subject, and members are asked one by one or all together."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pydicom

from hilum.checks import CheckedSeries, Subject
from hilum.dicom.scanner import Source, Wanted, scan
from hilum.model.judging import Operators
from hilum.model.kept import KEPT_ATTRIBUTES, attributes_of
from hilum.model.lifecycle import Item, Kind, Stage, Status
from hilum.model.outcomes import Finding, StoredBytes
from hilum.model.records import Instance, Series, Study
from hilum.model.templates import Template
from hilum.runtime.registry import find_members
from hilum.stages.checking import look_at

NOW = datetime(2026, 3, 1, tzinfo=UTC)
OPERATORS = Operators(find_members("hilum.operators"), NOW.date)
MEMBERS = find_members("hilum.checks")
_KEYWORDS = tuple(sorted(KEPT_ATTRIBUTES))
_WANTED = Wanted("StudyInstanceUID", "SeriesInstanceUID", *_KEYWORDS)


class Memory:
    """A vault of files in memory: the pack's id is the file's number."""

    def __init__(self) -> None:
        self.files: list[bytes] = []

    def add(self, body: bytes) -> StoredBytes:
        self.files.append(body)
        return StoredBytes(str(len(self.files) - 1), 0, len(body), b"")

    def read_at(self, pack_id: str, offset: int, size: int) -> bytes:
        return self.files[int(pack_id)][offset : offset + size]

    def stream(self, stored: StoredBytes) -> Iterable[bytes]:
        return [self.files[int(stored.pack_id)]]


def check_files(files: Iterable[bytes], unread: Collection[str] = (), **options: Any) -> list[Finding]:
    """What all checks find in files that are taken for one study.

    Args:
        unread: attributes that were named only after the files came.
    """
    keywords = tuple(keyword for keyword in _KEYWORDS if keyword not in unread)
    vault = Memory()
    by_series: dict[str, list[Instance]] = {}
    for body in files:
        header = scan(Source.of_bytes(body), _WANTED)
        instance = Instance(header.text("SOPInstanceUID") or "", attributes_of(header, keywords, {}), vault.add(body))
        by_series.setdefault(header.text("SeriesInstanceUID") or "", []).append(instance)
    study = _study(sum(map(len, by_series.values())))
    series = [replace(_series(uid, key, instances), unread=unread) for key, (uid, instances) in enumerate(by_series.items())]
    return check_series(study, list(zip(series, by_series.values(), strict=True)), vault, **options)


def check_series(
    study: Study,
    held: Sequence[tuple[Series, Sequence[Instance]]],
    vault: Any,
    *,
    expected: Mapping[str, int] | None = None,
    decode: Any = None,
    ask: Any = None,
    members: Mapping[str, Any] = MEMBERS,
    template: Template | None = None,
) -> list[Finding]:
    """What all checks that need no template find, or all that need one."""
    found: list[Finding] = []
    checked = []
    for one, instances in held:
        seen = look_at(one, tuple(instances), members, vault)
        found += seen.findings(one, instances, members)
        announced = (expected or {}).get(one.series_instance_uid)
        checked.append(CheckedSeries(one, tuple(instances), announced, seen.reader, frozenset(seen.compressed)))
    subject = Subject(study, tuple(checked), (), OPERATORS, template, expected or {}, decode, ask)
    for member in members.values():
        if hasattr(member, "check") and member.for_template == (template is not None):
            found += member.check(subject)
    return found


def kinds(found: Iterable[Finding], *severities: str) -> list[str]:
    """The kinds of the findings, of some severities only where they are named."""
    return sorted(finding.check for finding in found if not severities or finding.severity in severities)


def the(found: Iterable[Finding], kind: str) -> Finding:
    """The one finding of a kind."""
    (one,) = [finding for finding in found if finding.check == kind]
    return one


def dicom_files(folder: Path) -> list[bytes]:
    """Every DICOM file below a folder."""
    bodies = [path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.startswith(".")]
    return [body for body in bodies if body[128:132] == b"DICM"]


def changed(body: bytes, **attributes: Any) -> bytes:
    """A file with other attributes; None deletes one. Values are written as they are, valid or not."""
    import io

    dataset = pydicom.dcmread(io.BytesIO(body))
    for keyword, value in attributes.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    written = io.BytesIO()
    dataset.save_as(written)
    return written.getvalue()


def _series(uid: str, key: int, instances: Sequence[Instance]) -> Series:
    first = instances[0].attributes
    return Series(
        id=str(key),
        key=key,
        study_id="study",
        project="admin",
        series_instance_uid=uid,
        modality=str(first.get("Modality", "")),
        description=str(first.get("SeriesDescription", "")),
        number_of_instances=len(instances),
        attributes=first,
    )


def _study(number_of_instances: int) -> Study:
    item = Item("study", Kind.STUDY, "admin", Stage.CHECKING, Status.CLAIMED, "", 1, 1, NOW)
    return Study("study", "admin", "1.2.826.1", "P1", "", "", "", "", 1, (), 1, number_of_instances, NOW, NOW, item)
