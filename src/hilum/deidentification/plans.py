"""A profile for a SOP class as a plan: which rule each attribute follows, at every depth, and why.

The order in which rules are sought: the project's overrides; Table E.1-1; and for what the table does not name, the attribute's own VR,
if the IOD has it at that place. All else is left out.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from hilum.deidentification.pixel_rules import PixelJudge
from hilum.dicom import iods
from hilum.dicom.attributes import keyword_of, tag_of, vr_of
from hilum.dicom.blanking import IMAGE_KEYWORDS
from hilum.dicom.confidentiality import Demand, Need, Option, Row, code_of, resolve, row_of, table
from hilum.dicom.rewriting_rules import UNLISTED, Change, Occurrence, Plan, Rule, leave_out
from hilum.model.errors import InvalidError
from hilum.model.profiles import Override, Profile, SafePrivate

Actions = Mapping[str, Any]
"""The members of `hilum.actions` by kind."""

_TEXTS = frozenset({"LO", "SH", "LT", "ST", "UT", "UC"})
_DATES = frozenset({"DA", "DT", "TM"})
_DATE_OPTIONS = {Option.RETAIN_FULL_DATES: "K", Option.RETAIN_MODIFIED_DATES: "C"}
_MOVING = frozenset({"shift-date", "round-date", "set-value"})
_PATIENT_AGE, _CONTENT_SEQUENCE, _CODE_MEANING = 0x00101010, 0x0040A730, 0x00080104
_PATIENT_GROUP = 0x0010
_REPLACED_AT_TOP = frozenset({0x00100010, 0x00100020, 0x00120062, 0x00120063, 0x00120064, 0x00280303})
# Without Number of Frames, say, the frames of an object whose IOD has one only would be there, and nobody would see them.
_IMAGE_TAGS, _READS_PIXELS = frozenset(map(tag_of, IMAGE_KEYWORDS)), "it tells how the pixels are read"
# PS3.3 C.7.6.16.2.25: what a converted object took over from the CT, MR and PET images that it was made of.
_CONVERTED = frozenset({0x00209170, 0x00209171})
_CLASSIC = ("1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.128")
# UIDs that name a kind of thing, not a thing.
_KINDS_OF_UIDS = ("ClassUID", "CodingSchemeUID", "ContextUID", "MappingResourceUID", "CreatorUID", "TransferSyntaxUID")


class IodPlan(Plan):
    """The plan of one level of an IOD; rules are made when a tag is first met.

    Args:
        attributes: the tables that list the attributes of this level.
        dummy: whether its contents are replaced by dummies (code D of the sequence around it).
    """

    def __init__(self, compiler: "Compiler", attributes: Sequence[Mapping[str, iods.AttributeRule]], *, dummy: bool, is_top: bool) -> None:
        super().__init__()
        self._compiler, self._attributes, self._dummy, self._is_top = compiler, attributes, dummy, is_top
        self.has_private_rules = compiler.has_private_rules

    def __missing__(self, tag: int) -> Rule:
        rule = self._find(tag)
        if rule is not UNLISTED:
            self[tag] = rule
        return rule

    def private_rule(self, tag: int, creator: str) -> Rule | None:
        """From the project's overrides and safe list."""
        return self._compiler.private_rule(tag, creator)

    def _find(self, tag: int) -> Rule:
        keyword = keyword_of(tag)
        found = [table[keyword] for table in self._attributes if keyword in table] if keyword else []
        need = min((Need.of_type(rule.type or "3") for rule in found), key=lambda need: need.value, default=Need.NOTHING)
        if self._is_top and tag in _REPLACED_AT_TOP:
            return Rule(vr_of(tag), "replace", leave_out, None, "written anew by the profile")
        override = self._compiler.override_of(tag)
        if override is not None:
            return self._compiler.overriding(override, tag, need, self._below(tag, found, dummy=False))
        row = row_of(tag)
        if row is None and not found:
            return self._compiler.doing(Demand.KEEP, tag, need, _READS_PIXELS) if self._is_top and tag in _IMAGE_TAGS else UNLISTED
        return self._of_table(tag, row, need, found) if row is not None else self._of_vr(tag, keyword, need, found)

    def _of_table(self, tag: int, row: Row, need: Need, found: Sequence[iods.AttributeRule]) -> Rule:
        code = code_of(row, self._compiler.profile.options)
        if not found and code not in {"X", "K"} and row.basic.startswith("X"):
            code = "X"
        demand = resolve(code, need)
        if self._dummy and demand in {Demand.KEEP, Demand.CLEAN} and vr_of(tag) not in _DATES:  # dates move with all others
            demand = Demand.DUMMY
        reason = f"PS3.15 Table E.1-1: {code}"
        if demand is not Demand.REMOVE and vr_of(tag) == "SQ":
            return self._sequence(tag, demand, found, reason)
        return self._compiler.doing(demand, tag, need, reason)

    def _of_vr(self, tag: int, keyword: str, need: Need, found: Sequence[iods.AttributeRule]) -> Rule:
        """An attribute of the IOD that the table does not name."""
        vr, reason = vr_of(tag), "an attribute of the IOD that Table E.1-1 does not name"
        if vr == "SQ":
            return self._sequence(tag, Demand.DUMMY if self._dummy else Demand.KEEP, found, reason)
        if vr in _DATES:
            codes = [code for option, code in _DATE_OPTIONS.items() if option in self._compiler.profile.options]
            return self._compiler.doing(resolve(codes[0] if codes else "X/Z/D", need), tag, need, reason)
        if vr in {"PN", "AE", "UR", "UN"}:
            return self._compiler.doing(resolve("X/Z/D", need), tag, need, reason)
        if vr == "UI":
            names_a_kind = keyword.endswith(_KINDS_OF_UIDS) or Option.RETAIN_UIDS in self._compiler.profile.options
            return self._compiler.doing(Demand.KEEP if names_a_kind else Demand.REPLACE_UID, tag, need, reason)
        if vr in _TEXTS:
            if self._dummy and (vr not in {"SH"} or tag == _CODE_MEANING):
                return self._compiler.doing(Demand.DUMMY, tag, need, reason)
            return self._compiler.doing(Demand.CLEAN, tag, need, reason)
        return self._compiler.doing(Demand.KEEP, tag, need, reason)

    def _sequence(self, tag: int, demand: Demand, found: Sequence[iods.AttributeRule], reason: str) -> Rule:
        if demand is Demand.EMPTY:
            return self._compiler.rule("empty", {}, "SQ", Need.NOTHING, reason)
        below = self._below(tag, found, dummy=self._dummy or demand is Demand.DUMMY)
        if below is None:
            return self._compiler.rule("remove", {}, "SQ", Need.NOTHING, "nobody says what its items may hold")
        return Rule("SQ", {Demand.DUMMY: "dummy", Demand.CLEAN: "clean-text"}.get(demand, "keep"), None, below, reason)

    def _below(self, tag: int, found: Sequence[iods.AttributeRule], *, dummy: bool) -> Plan | None:
        tables = [iods.attributes_of_items(rule.node) for rule in found if rule.node is not None]
        if not tables and tag in _CONVERTED:
            tables = [iods.attributes_of(use.module) for sop_class in _CLASSIC for use in iods.modules_of(sop_class)]
        if not tables:
            return None
        if tag == _CONTENT_SEQUENCE:  # PS3.3 C.17.3: content items hold content items
            tables += [iods.attributes_of(module) for module in ("sr-document-content", "document-relationship-macro")]
            tables += [table for table in self._attributes if "ContentSequence" in table and not self._is_top]
        return IodPlan(self._compiler, tables, dummy=dummy, is_top=False)


class Compiler:
    """Makes rules of a profile and the actions there are."""

    def __init__(self, profile: Profile, actions: Actions) -> None:
        self.profile, self._actions = profile, actions
        self._safe = {(one.group, one.private_creator, one.low_byte): one for one in profile.safe_private}
        self._creators = {one.private_creator for one in profile.safe_private}
        self._of_creator = {one.private_creator: one for one in profile.overrides if one.private_creator}
        self._overrides = [(_judge(one), one) for one in profile.overrides if not one.private_creator]
        self.has_private_rules = bool(self._safe or self._of_creator)

    def plan(self, sop_class_uid: str) -> IodPlan | None:
        """The plan for a SOP class; None where PS3.3's tables do not know it."""
        modules = iods.modules_of(sop_class_uid)
        tables = [iods.attributes_of(use.module) for use in modules]
        return IodPlan(self, tables, dummy=False, is_top=True) if tables else None

    def override_of(self, tag: int) -> Override | None:
        """The first of the project's overrides that means this attribute."""
        return next((override for means, override in self._overrides if means(tag)), None)

    def overriding(self, override: Override, tag: int, need: Need, below: Plan | None) -> Rule:
        """The rule of an override; a sequence that is kept is gone through."""
        vr, reason = vr_of(tag), "the profile's override"
        if vr == "SQ" and override.action not in {"remove", "empty"}:
            return UNLISTED if below is None else Rule("SQ", override.action, None, below, reason)
        # PS3.5 7.4: what the profile says goes before validity, but for a value that could not be read.
        return self.rule(override.action, override.settings, vr, Need.NOTHING if override.action == "remove" else need, reason)

    def private_rule(self, tag: int, creator: str) -> Rule | None:
        """What is done with a private element."""
        override = self._of_creator.get(creator)
        is_creator = 0x10 <= tag & 0xFFFF <= 0xFF
        if is_creator:
            known = creator in self._creators or (override is not None and override.action != "remove")
            return Rule("LO", "keep", None, None, "a creator that the profile names") if known else None
        if override is not None:
            vr = vr_of(tag, creator)
            return None if vr in {"UN", "SQ"} else self.rule(override.action, override.settings, vr, Need.NOTHING, "the profile's override")
        safe: SafePrivate | None = self._safe.get((tag >> 16, creator, tag & 0xFF))
        if safe is None:
            return None
        return self.rule("clean-text" if safe.vr in _TEXTS else "keep", {}, safe.vr, Need.NOTHING, "on the safe list")

    def doing(self, demand: Demand, tag: int, need: Need, reason: str) -> Rule:
        """The rule for a demand of the table on an attribute that is no sequence."""
        vr = vr_of(tag)
        kind, settings = self._kind_of(demand, tag, vr)
        return self.rule(kind, settings, vr, Need.NOTHING if demand is Demand.REMOVE else need, reason)

    def _kind_of(self, demand: Demand, tag: int, vr: str) -> tuple[str, dict[str, Any]]:
        match demand:
            case Demand.REMOVE:
                return "remove", {}
            case Demand.EMPTY:
                return "empty", {}
            case Demand.DUMMY:
                return "dummy", {}
            case Demand.REPLACE_UID:
                return ("keep", {}) if Option.RETAIN_UIDS in self.profile.options else ("replace-uid", {})
            case Demand.KEEP if vr in _TEXTS and tag >> 16 == _PATIENT_GROUP:
                return "clean-text", {}  # free text about the patient may name the patient
            case Demand.KEEP:
                return ("cap-age", {}) if tag == _PATIENT_AGE else ("keep", {})
            case Demand.CLEAN:
                return self._cleaning(vr)

    def _cleaning(self, vr: str) -> tuple[str, dict[str, Any]]:
        if vr in _DATES:
            return "shift-date", {"times": self.profile.times}
        if vr in _TEXTS or vr in {"PN", "CS", "AE", "UR"}:
            return "clean-text", {}
        if vr in {"OB", "OW", "UN", "UI"} or " or " in vr:
            return "remove", {}  # nobody can say what graphics and bytes show
        return "keep", {}

    def rule(self, kind: str, settings: Mapping[str, Any], vr: str, need: Need, reason: str) -> Rule:
        """A rule that does an action, and falls back where the action has no answer and the IOD needs one."""
        if kind == "remove":
            return Rule(vr, kind, leave_out, None, reason)
        if kind == "keep" and vr not in _CHECKED_VRS:
            return Rule(vr, kind, None, None, reason)
        member = self._member(kind)
        change: Change = partial(_change, member.act, member.Settings.model_validate(settings))
        if need is Need.VALUE:
            dummy = self._member("dummy")
            return Rule(vr, kind, partial(_or_dummy, change, partial(_change, dummy.act, dummy.Settings())), None, reason)
        return Rule(vr, kind, change if need is Need.NOTHING else partial(_or_empty, change), None, reason)

    def _member(self, kind: str) -> Any:
        if kind not in self._actions:
            raise InvalidError(f"There is no action {kind!r}.", f"Known are {', '.join(self._actions)}.")
        return self._actions[kind]


_CHECKED_VRS = frozenset({"AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI"})


def _change(act: Callable[..., bytes | None], settings: Any, occurrence: Occurrence) -> bytes | None:
    return act(occurrence, occurrence.subject, settings)


def _or_dummy(change: Change, dummy: Change, occurrence: Occurrence) -> bytes | None:
    new = change(occurrence)
    return new if new is not None else dummy(occurrence)


def _or_empty(change: Change, occurrence: Occurrence) -> bytes | None:
    new = change(occurrence)
    return new if new is not None else b""


def _judge(override: Override) -> Callable[[int], bool]:
    if override.attribute:
        wanted = tag_of(override.attribute)
        return lambda tag: tag == wanted
    if override.group:
        group = int(override.group, 16)
        return lambda tag: tag >> 16 == group
    pattern = override.pattern.lower()
    mask = int("".join("0" if digit == "x" else "f" for digit in pattern), 16)
    value = int(pattern.replace("x", "0"), 16)
    return lambda tag: tag & mask == value


def dates_said(profile: Profile) -> str:
    """What is true of the dates, for Longitudinal Temporal Information Modified (PS3.3 C.12.1): the profile's overrides count, too."""
    dates = [tag for tag in table().by_tag if vr_of(tag) in _DATES]
    done = {one.action for one in profile.overrides if not one.private_creator and any(map(_judge(one), dates))}
    if Option.RETAIN_MODIFIED_DATES in profile.options or done & _MOVING:
        return "MODIFIED"
    return "UNMODIFIED" if Option.RETAIN_FULL_DATES in profile.options or "keep" in done else "REMOVED"


def check_profile(profile: Profile, actions: Actions) -> None:
    """Raise InvalidError where a profile names actions or attributes that do not exist, or values and settings that they do not take."""
    from pydantic import ValidationError

    from hilum.dicom.attributes import UnknownAttributeError

    PixelJudge(profile)
    try:
        compiler = Compiler(profile, actions)
        for override in profile.overrides:
            compiler.rule(override.action, override.settings, "LO", Need.NOTHING, "")
    except (ValidationError, UnknownAttributeError) as error:
        raise InvalidError(f"An override of the profile {profile.name} is wrong: {error}", "Mend its file.") from error
