"""importing: every received member becomes an instance of the catalogue, or is set aside with its reason.

What is DICOM is recognised by content, never by name. The bytes stay where they are, in their pack; here only headers are read.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hilum.dicom.elements import Source
from hilum.dicom.headers import Header
from hilum.dicom.part10 import UnreadableError, recognise
from hilum.dicom.sameness import is_same_data_set
from hilum.dicom.scanner import Wanted, scan, scan_all
from hilum.dicom.uids import is_valid_uid
from hilum.model.errors import HilumError
from hilum.model.kept import attributes_of
from hilum.model.lifecycle import Item
from hilum.model.outcomes import Defer, Done, Outcome, Refuse, StoredBytes, StudiesTouched
from hilum.model.ports import Tools, Vault
from hilum.model.reading import source_of
from hilum.model.records import QUARANTINE, Intake, MemberState, ReceivedMember, ScannedInstance, SetAside

_LOG = logging.getLogger(__name__)
BATCH = 500  # members a transaction
NOT_DICOM = "It is not DICOM: its content shows no DICOM file."
EMPTY = "The file has 0 bytes."
NO_PIXELS = "The file ends before its Pixel Data: it describes an image of {rows} x {columns} pixels and holds none."
# PS3.3 C.7.6.3: an image has these. A file cut between two elements before its pixels looks whole but for them.
IMAGE_ATTRIBUTES = ("Rows", "Columns", "BitsAllocated", "PixelDataProviderURL")
IDENTIFIERS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")


def run(item: Item, tools: Tools) -> Outcome:
    """Import what the intake brought, a batch a transaction; what was imported before is not looked at again."""
    intake = tools.intakes.find(tools.scope, item.id)
    until = _open_until(intake, tools)
    if until is not None and not intake.sender:
        return Defer(until, "Waiting for the sender to complete the upload.")
    began_at = tools.clock()
    _import(item, intake, tools)
    if until is not None:
        return Defer(until, "Waiting for more of the same sender.", (StudiesTouched(item.id, began_at),))
    return _answer(item, intake, tools, StudiesTouched(item.id, began_at))


def _open_until(intake: Intake, tools: Tools) -> datetime | None:
    """How long more may come; None: the sender is through, or taken to be."""
    if intake.completed_at is not None:
        return None
    until = tools.intakes.abandoned_until(tools.scope, intake.id)
    return until if until > tools.clock() else None


def _import(item: Item, intake: Intake, tools: Tools) -> None:
    keywords, generation = tools.templates.kept(tools.scope)
    reader = _Reader(tools.vault, tuple(sorted(keywords)), tools.private_vrs())
    quarantine = str(intake.metadata.get(QUARANTINE, "")) if intake.sender else ""
    while batch := tools.intakes.next_received(tools.scope, item.id, BATCH):
        tools.check_stop()
        read = [reader.read(member) for member in batch] if not quarantine else [SetAside(member, quarantine) for member in batch]
        scanned = [one for one in read if isinstance(one, ScannedInstance)]
        aside = [one for one in read if isinstance(one, SetAside)]
        tools.registrar.register(tools.scope, item.id, scanned, aside, reader.read_header, reader.has_same_data_set, generation)


def _answer(item: Item, intake: Intake, tools: Tools, touched: StudiesTouched) -> Outcome:
    counts = tools.intakes.counts(tools.scope, item.id)
    if counts["imported"] + counts["already_held"] + counts["conflicts"] == 0:
        why = "Nothing of it could be used: it is set aside." if intake.sender else "No DICOMs found in the upload."
        return Refuse(why, (touched,) if intake.sender else ())
    named = ((counts["imported"], "imported"), (counts["already_held"], "already held"), (counts["set_aside"], "set aside"))
    why = ", ".join(f"{number} {what}" for number, what in (*named, (counts["conflicts"], "in conflict")) if number)
    return Done(f"{why[0].upper()}{why[1:]}.{_interruption(intake)}", (touched,))


def _interruption(intake: Intake) -> str:
    if intake.interrupted:
        return " The sender broke off; what was acknowledged is here."
    if intake.completed_at is None and not intake.sender:
        return " The sender never completed the upload; it was taken as it was."
    return ""


@dataclass(frozen=True, slots=True)
class _Trouble:
    reason: str
    state: MemberState = MemberState.SET_ASIDE


@dataclass(frozen=True, slots=True)
class _DataSet:
    """What follows the File Meta group; `read_at` counts from there."""

    transfer_syntax: str
    source: Source


class _Reader:
    """Reads the headers of members out of their packs."""

    def __init__(self, vault: Vault, keywords: tuple[str, ...], private_vrs: Mapping[str, str]) -> None:
        self._vault = vault
        self._keywords = keywords
        self._private_vrs = private_vrs
        self._wanted = Wanted(*dict.fromkeys((*IDENTIFIERS, *IMAGE_ATTRIBUTES, *keywords)))

    def read(self, member: ReceivedMember) -> ScannedInstance | SetAside:
        """The instance, or why it is none."""
        try:
            answer = self._read(member)
        except UnreadableError as error:
            answer = _Trouble(str(error))
        except (HilumError, OSError):
            raise  # our disk's trouble and not the file's
        except Exception as error:  # noqa: BLE001 - a file that nobody thought of must not stop the others of its upload
            _LOG.warning("member %d met a surprise: %s", member.key, type(error).__name__)
            answer = _Trouble(f"Reading it met a surprise ({type(error).__name__}).")
        return SetAside(member, answer.reason, answer.state) if isinstance(answer, _Trouble) else answer

    def read_header(self, one: ScannedInstance) -> Mapping[str, Any]:
        """The whole header without bulk values; empty where only that of what is needed can be read."""
        try:
            return scan_all(source_of(self._vault, one.member.stored)).as_json()
        except (HilumError, OSError):
            raise
        except Exception as error:  # noqa: BLE001 - as above: what is needed of it was read
            _LOG.warning("the whole header of member %d cannot be read: %s", one.member.key, type(error).__name__)
            return {}

    def has_same_data_set(self, one: ScannedInstance, held: StoredBytes) -> bool:
        """Whether two members are one object. File Meta and preamble are the file's: each sender writes its own (PS3.10 7.1)."""
        this, other = self._data_set(one.member.stored), self._data_set(held)
        if this is None or other is None or this.transfer_syntax != other.transfer_syntax:
            return False
        return is_same_data_set(this.source, other.source, this.transfer_syntax)

    def _data_set(self, stored: StoredBytes) -> _DataSet | None:
        source = source_of(self._vault, stored)
        found = recognise(source.read_at(0, min(stored.size, 1 << 16)))
        if found is None:
            return None
        start = found.data_set_offset
        return _DataSet(found.transfer_syntax_uid, Source(lambda at, size: source.read_at(start + at, size), stored.size - start))

    def _read(self, member: ReceivedMember) -> ScannedInstance | _Trouble:
        if member.stored.size == 0:
            return _Trouble(EMPTY)
        source = source_of(self._vault, member.stored)
        recognition = recognise(source.read_at(0, min(member.stored.size, 1 << 16)))
        if recognition is None:
            return _Trouble(NOT_DICOM)
        if recognition.is_dicomdir:
            return _Trouble("A DICOMDIR lists the files of a medium and holds no image.", MemberState.SKIPPED)
        header = scan(source, self._wanted, recognition)
        trouble = header.trouble or _missing_pixels(header)
        if trouble:
            return _Trouble(trouble)
        uids = {keyword: header.text(keyword) or "" for keyword in IDENTIFIERS}
        for keyword, uid in uids.items():
            if not is_valid_uid(uid):
                return _Trouble(f"Its {keyword} is {'missing' if not uid else 'not a valid UID'} (PS3.5 9.1).")
        return ScannedInstance(
            member=member,
            study_instance_uid=uids["StudyInstanceUID"],
            series_instance_uid=uids["SeriesInstanceUID"],
            sop_instance_uid=uids["SOPInstanceUID"],
            sop_class_uid=uids["SOPClassUID"],
            transfer_syntax_uid=recognition.transfer_syntax_uid,
            attributes=attributes_of(header, self._keywords, self._private_vrs),
        )


def _missing_pixels(header: Header) -> str:
    """The sentence for an image without its pixels; empty where nothing is missing."""
    is_image = header.number("Rows") and header.number("Columns") and header.number("BitsAllocated")
    if not is_image or header.pixel_data is not None or header.holds("PixelDataProviderURL"):
        return ""
    return NO_PIXELS.format(rows=header.number("Rows"), columns=header.number("Columns"))
