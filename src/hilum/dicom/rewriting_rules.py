"""What a data set that is written again is to look like: rules by tag, and elements that are added."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from hilum.dicom.encoding import Encoding


class Occurrence(NamedTuple):
    """One element before it is changed.

    Args:
        vr: as the object or, where that says none, as PS3.6 has it.
        value: its bytes, padding included.
        character_set: Specific Character Set that holds here, as stored.
        subject: whatever the caller of `rewrite` handed over.
    """

    tag: int
    vr: str
    value: bytes
    character_set: str
    big_endian: bool
    subject: Any


Change = Callable[[Occurrence], bytes | None]
"""The new value, or None: the element is left out."""


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """What becomes of an attribute.

    Args:
        vr: by PS3.6.
        action: for the record.
        change: None: its bytes are kept as they are.
        below: the plan for the items of a sequence that stays; None: `change` decides about it as a whole.
        reason: why, as a clause.
    """

    vr: str
    action: str
    change: Change | None = None
    below: "Plan | None" = None
    reason: str = ""


class Plan(dict[int, Rule]):
    """Rules by tag. A subclass may find rules when they are asked for; `self[tag]` always answers."""

    has_private_rules = False

    def __missing__(self, tag: int) -> Rule:
        return UNLISTED

    def private_rule(self, tag: int, creator: str) -> Rule | None:  # noqa: ARG002 - for subclasses that know some
        """The rule for an element of a private block, or for the creator's own element (gggg,0010-00FF); None: left out."""
        return None


def leave_out(occurrence: Occurrence) -> None:
    """The change that removes."""


UNLISTED = Rule("UN", "remove", leave_out, None, "neither the IOD nor the profile names it")
UNSAFE_PRIVATE = Rule("UN", "remove", leave_out, None, "a private attribute that is on no safe list")
WRONG_VR = Rule("UN", "remove", leave_out, None, "its VR or length is not the attribute's")


@dataclass(frozen=True, slots=True)
class Addition:
    """An element that the written data set has, whether or not the one read had it."""

    tag: int
    vr: str
    value: bytes = b""
    items: Sequence[Sequence["Addition"]] = ()

    def encoded(self, encoding: Encoding) -> bytes:
        """The element in an encoding."""
        if self.vr != "SQ":
            return encoding.element(self.tag, self.vr, self.value)
        items = (encoding.item(b"".join(one.encoded(encoding) for one in item)) for item in self.items)
        return encoding.element(self.tag, "SQ", b"".join(items))


class Touched(NamedTuple):
    """An element that did not stay as it was: the tags of the sequences around it and its own, and the rule that was followed."""

    path: tuple[int, ...]
    rule: Rule
