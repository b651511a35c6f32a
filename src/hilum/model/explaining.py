"""Why a rule holds for a series, or does not: a tree like the rule's own, with the actual value and the reason at each leaf."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from hilum.dicom.attributes import parse_path, tag_of, vr_of
from hilum.model.kept import IDENTITY_ATTRIBUTES
from hilum.model.rules import Condition

NOT_TOLD = frozenset(tag_of(keyword) for keyword in IDENTITY_ATTRIBUTES if keyword not in ("StudyDate", "StudyDescription"))
"""Sentences about rules are kept and shown to every reader of a study, who sees its date and description anyway."""
PATIENT_GROUP = 0x0010
HIDDEN = "a value that identifies a patient"
MOST_SHOWN = 4  # values of one attribute

Reason = Literal["value", "missing", "empty", "unreadable", "not-read"]
"""What was found at a leaf: a value, no attribute, one without a value, one that is no value of its VR, or an attribute that was not
kept when the series came and has not been read from the packs since."""


@dataclass(frozen=True, slots=True)
class Sight:
    """What a condition saw of a series.

    Args:
        actual: the value, or the values of several slices.
        so_in: in how many slices the condition holds, of how many; None where one slice was asked.
    """

    reason: Reason
    actual: tuple[Any, ...]
    so_in: tuple[int, int] | None = None


@dataclass(frozen=True)
class Leaf:
    """A condition before a series; `look` is asked when somebody reads it, since of most leaves nobody does."""

    condition: Condition
    look: Callable[[], Sight]

    @cached_property
    def sight(self) -> Sight:
        return self.look()

    @property
    def reason(self) -> Reason:
        """What was found."""
        return self.sight.reason

    def sentence(self, wanted: bool) -> str:
        """The actual value, and what was wanted of it."""
        condition = self.condition
        wish = f"{'wanted' if wanted else 'not wanted'}{_where(condition)}: {told(condition)}"
        so_in = self.sight.so_in
        spread = "" if so_in is None else f" (so in {so_in[0]} of {so_in[1]} slices)"
        return f"{condition.attribute} {self._found()}; {wish}{spread}."

    def _found(self) -> str:
        match self.reason:
            case "missing":
                return "is not present"
            case "empty":
                return "is empty"
            case "unreadable":
                return f"is {self.shown()}, which is no value of its VR"
            case "not-read":
                return "is not known yet: it was not kept when the series came"
            case "value":
                return f"is {self.shown()}"

    def shown(self) -> str:
        """The values as a person reads them; what identifies a patient is not told, whoever reads."""
        if identifies(self.condition.attribute):
            return HIDDEN
        actual = self.sight.actual
        return " or ".join(map(_shown, actual[:MOST_SHOWN])) + (" ..." if len(actual) > MOST_SHOWN else "")


@dataclass(frozen=True, slots=True)
class Explanation:
    """A node's verdict with its reason; `parts` mirror the rule's own.

    Args:
        holds: None where it hangs on an attribute that is not known yet.
        wanted: False within NONE: the node should not hold.
    """

    holds: bool | None
    kind: Literal["condition", "all", "any", "none"]
    parts: tuple["Explanation", ...] = ()
    leaf: Leaf | None = None
    wanted: bool = True

    @property
    def sentence(self) -> str:
        """The reason."""
        if self.leaf is not None:
            return self.leaf.sentence(self.wanted)
        if self.is_met:
            return _GOOD[self.kind, self.wanted]
        return f"{_BAD[self.kind, self.wanted]}: " + " ".join(part.sentence for part in self.parts if not part.is_met)

    @property
    def is_met(self) -> bool:
        """Whether it is as it should be."""
        return self.holds is self.wanted

    def failing(self) -> list["Explanation"]:
        """The conditions that stand in the way, in order; of alternatives, those of the nearest one (fewest failing)."""
        if self.is_met:
            return []
        if self.kind == "condition":
            return [self]
        failing = [part.failing() for part in self.parts if not part.is_met]
        # Every part must be as it should: of ALL and NONE that are to hold, and of ANY that is not to.
        if self.wanted == (self.kind != "any"):
            return [condition for part in failing for condition in part]
        return min(failing, key=len)

    def as_dict(self) -> dict[str, Any]:
        """As JSON."""
        node: dict[str, Any] = {"holds": self.holds, "kind": self.kind, "sentence": self.sentence}
        if self.leaf is not None:
            condition = self.leaf.condition
            node |= condition.model_dump(mode="json", exclude_defaults=True) | {"reason": self.leaf.reason}
            node["actual"] = None if self.leaf.reason in ("missing", "not-read") else self.leaf.shown()
        return node | {"parts": [part.as_dict() for part in self.parts]}


NOTHING_ASKED = Explanation(True, "all")
"""A template without a rule: every series fits."""

_GOOD = {
    ("all", True): "All hold.",
    ("any", True): "At least one holds.",
    ("none", True): "None holds.",
    ("all", False): "Not all hold.",
    ("any", False): "None holds.",
    ("none", False): "At least one holds.",
}
_BAD = {
    ("all", True): "Not all hold",
    ("any", True): "None holds",
    ("none", True): "Some hold that should not",
    ("all", False): "All hold, and should not",
    ("any", False): "Some hold that should not",
    ("none", False): "None holds, and one should",
}


def told(condition: Condition) -> str:
    """A condition's wish in words: `equals 'MR'`, `between 1 and 3`, `is present`."""
    words = condition.operator.replace("-", " ")
    value = condition.value
    if value is None:
        return words
    if isinstance(value, tuple):
        return f"{words} {(' and ' if condition.operator == 'between' else ', ').join(map(repr, value))}"
    return f"{words} {value!r}"


def identifies(path: str) -> bool:
    """Whether what stands there may tell who the patient is: names, everything of the patient's group, accession numbers."""
    last = parse_path(path)[-1]
    return last.tag in NOT_TOLD or last.tag >> 16 == PATIENT_GROUP or vr_of(last.tag, last.creator) == "PN"


def _where(condition: Condition) -> str:
    return {"first": "", "any": " in any slice", "all": " in every slice"}[condition.quantifier]


def _shown(value: Any) -> str:
    """'T1W 3D', 2.9, 'GR\\IR'."""
    if value is True:
        return "there"
    if value in (None, ""):
        return "nothing"
    return repr("\\".join(map(str, value))) if isinstance(value, (list, tuple)) else repr(value)
