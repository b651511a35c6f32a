"""What a profile would do to one instance, attribute by attribute, with the project's own key; nothing is kept of it."""

import logging
import mmap
import tempfile
from dataclasses import dataclass, field

from hilum.deidentification.checking_again import SelfCheck
from hilum.deidentification.engine import Answer, Engine, Rewritten
from hilum.deidentification.reports import name_path
from hilum.dicom.attributes import decode, vr_of
from hilum.dicom.elements import Source
from hilum.dicom.rewriting_rules import Rule
from hilum.model.errors import ConflictError, NotFoundError
from hilum.model.identity import Scope
from hilum.model.profiles import Profile
from hilum.model.records import Instance
from hilum.runtime.assembling import Application
from hilum.runtime.deidentifying import make_engine
from hilum.runtime.keys import open_keys
from hilum.runtime.profiles import find_profile

_LOG = logging.getLogger(__name__)

MOST_ELEMENTS = 20_000
MOST_CHARACTERS = 200  # of a value
_CHARACTER_SET = 0x00080005


@dataclass(frozen=True, slots=True)
class PreviewedElement:
    """One element.

    Args:
        path: keywords, or tags where there is none, joined by points.
        action, reason: the rule that was followed.
        before, after: as text; None: not there, or no text. Shown to those only who may see identities.
        is_changed: whether `after` is another value than `before`.
    """

    path: str
    tag: str
    vr: str
    action: str
    reason: str
    is_changed: bool
    before: str | None = field(repr=False)
    after: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Preview:
    """What would become of an instance.

    Args:
        outcome: rewritten, held or dropped; `why` says why it is not rewritten.
        elements: in the order of the object, and up to where it was held.
        more: elements beyond those that are listed.
        flags: what a person should look at.
    """

    profile: Profile
    key_id: str
    outcome: str
    why: str
    flags: tuple[str, ...]
    elements: tuple[PreviewedElement, ...]
    more: int


def preview(app: Application, scope: Scope, series_id: str, profile_name: str, sop_instance_uid: str = "") -> Preview:
    """Try a profile on an instance of a series, the first unless named.

    Raises:
        NotFoundError: there is no such series, instance or profile. ConflictError: the project has no key.
    """
    series = app.catalogue.find_series(scope, series_id)
    instances = app.catalogue.instances_of(scope, series)
    wanted = [one for one in instances if not sop_instance_uid or one.sop_instance_uid == sop_instance_uid]
    if not wanted:
        raise NotFoundError("The series has no such instance.", "Leave it out: then the first one is looked at.")
    profile = find_profile(app.settings, profile_name)
    if profile.changes_nothing:
        return Preview(profile, "", "rewritten", "", (), (), 0)
    known = open_keys(app.settings).find(series.project)
    if not known:
        raise ConflictError(f"Project {series.project} has no key.", f"Make one with `hilum key create {series.project}`.")
    _LOG.info("%s tries profile %s on an instance of series %s", scope.who, profile.name, series.id)
    engine, seen = make_engine(profile, known[-1], app.settings.scratch), _Seen()
    answer = _try(app, engine, wanted[0], seen)
    why = "" if isinstance(answer, Rewritten) else answer.why
    flags = answer.flags if isinstance(answer, Rewritten) else ()
    return Preview(profile, known[-1].id, type(answer).__name__.lower(), why, flags, tuple(seen.elements), seen.more)


def _try(app: Application, engine: Engine, instance: Instance, seen: "_Seen") -> Answer:
    """De-identify it into a file that has no name, and read that again."""
    original = app.vault.mapped(instance.stored)
    source = Source(lambda offset, size: bytes(original[offset : offset + size]), len(original))
    with tempfile.TemporaryFile(dir=app.settings.scratch) as file:
        answer = engine.deidentify(source, file.write, seen.note)
        if not isinstance(answer, Rewritten):
            return answer
        file.flush()
        copy = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
        return SelfCheck(engine.profile).check(0, original, copy, answer)


class _Seen:
    """Collects what the engine tells of each element."""

    def __init__(self) -> None:
        self.elements: list[PreviewedElement] = []
        self.more = 0
        self._character_set = ""

    def note(self, path: tuple[int, ...], rule: Rule, vr: str, before: bytes, after: bytes | None) -> None:
        """One element."""
        if path == (_CHARACTER_SET,):
            self._character_set = _text("CS", before, "") or ""
        if len(self.elements) >= MOST_ELEMENTS:
            self.more += 1
            return
        tag = path[-1]
        spelled = f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
        shown = vr or vr_of(tag)
        texts = _text(shown, before, self._character_set), None if after is None else _text(shown, after, self._character_set)
        self.elements.append(PreviewedElement(name_path(path), spelled, shown, rule.action, rule.reason, after != before, *texts))


def _text(vr: str, raw: bytes, character_set: str) -> str | None:
    values = decode(vr, raw[:4096], character_set)
    return "\\".join(map(str, values))[:MOST_CHARACTERS] if values or not raw else None
