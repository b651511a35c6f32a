"""Rules over the attributes of a series: a tree of ALL / ANY over conditions, and the explanation of its verdict.

    {"all": [{"attribute": "Modality", "operator": "equals", "value": "MR"},
             {"any": [{"attribute": "SeriesDescription", "operator": "contains", "value": "FLAIR"},
                      {"attribute": "InversionTime", "operator": "at-least", "value": 1600}]}]}

A missing attribute is an outcome ("is not present"), never an exception. Operators are handed in: this module knows none.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from hilum.model.kept import IDENTITY_ATTRIBUTES

NOT_TOLD = frozenset(IDENTITY_ATTRIBUTES) - {"StudyDate", "StudyDescription"}
"""Sentences about rules are kept and shown to every reader of a study, who sees its date and description anyway."""

Judge = Callable[[Any, Any], bool]
"""An operator's test: (actual value, wanted value) -> verdict. The actual value is never None."""


class Condition(BaseModel):
    """One comparison: a DICOM keyword, an operator's kind, and the wanted value."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    attribute: str
    operator: str
    value: str | int | float


class AllOf(BaseModel):
    """Every part holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    all: tuple["Rule", ...] = Field(min_length=1)


class AnyOf(BaseModel):
    """At least one part holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    any: tuple["Rule", ...] = Field(min_length=1)


Rule = Annotated[Condition | AllOf | AnyOf, Field(union_mode="smart")]
AllOf.model_rebuild()
AnyOf.model_rebuild()


@dataclass(frozen=True, slots=True)
class Explanation:
    """A node's verdict with its reason; `parts` mirror the rule's own."""

    holds: bool
    sentence: str
    kind: Literal["condition", "all", "any"]
    parts: tuple["Explanation", ...] = ()

    def failing(self) -> list["Explanation"]:
        """The conditions that stand in the way, in order; of alternatives, those of the nearest one (fewest failing)."""
        if self.holds:
            return []
        if self.kind == "condition":
            return [self]
        failing = [part.failing() for part in self.parts if not part.holds]
        if self.kind == "any":
            return min(failing, key=len)
        return [condition for part in failing for condition in part]

    def as_dict(self) -> dict[str, Any]:
        return {"holds": self.holds, "kind": self.kind, "sentence": self.sentence, "parts": [part.as_dict() for part in self.parts]}


def explain(rule: Rule, attributes: Mapping[str, Any], operators: Mapping[str, Judge]) -> Explanation:
    """Judge `rule` against a series' attributes (DICOM keyword -> value or list of values)."""
    match rule:
        case Condition():
            return _explain_condition(rule, attributes, operators[rule.operator])
        case AllOf(all=parts):
            judged = tuple(explain(part, attributes, operators) for part in parts)
            holds = all(part.holds for part in judged)
            return Explanation(holds, _summary("All hold", "Not all hold", holds, judged), "all", judged)
        case AnyOf(any=parts):
            judged = tuple(explain(part, attributes, operators) for part in parts)
            holds = any(part.holds for part in judged)
            return Explanation(holds, _summary("At least one holds", "None holds", holds, judged), "any", judged)


def _explain_condition(condition: Condition, attributes: Mapping[str, Any], judge: Judge) -> Explanation:
    actual = attributes.get(condition.attribute)
    wanted = f"{condition.operator.replace('-', ' ')} {condition.value!r}"
    if actual is None or actual in ("", []):
        return Explanation(False, f"{condition.attribute} is not present; wanted: {wanted}.", "condition")
    holds = judge(actual, condition.value)
    return Explanation(holds, f"{condition.attribute} is {shown(condition.attribute, actual)}; wanted: {wanted}.", "condition")


def _summary(good: str, bad: str, holds: bool, parts: Sequence[Explanation]) -> str:
    if holds:
        return f"{good}."
    return f"{bad}: " + " ".join(part.sentence for part in parts if not part.holds)


def shown(attribute: str, value: Any) -> str:
    """A value as a person reads it: 'T1W 3D', 2.9, GR\\IR; what identifies a patient is not told, whoever reads."""
    if attribute in NOT_TOLD:
        return "a value that identifies a patient"
    if isinstance(value, (list, tuple)):
        return repr("\\".join(str(part) for part in value))
    return repr(value)


def attributes_of(rule: Rule) -> Iterator[str]:
    """Every DICOM keyword that `rule` looks at."""
    match rule:
        case Condition(attribute=keyword):
            yield keyword
        case AllOf(all=parts) | AnyOf(any=parts):
            for part in parts:
                yield from attributes_of(part)


def operators_of(rule: Rule) -> Iterator[str]:
    """Every operator that `rule` uses."""
    match rule:
        case Condition(operator=kind):
            yield kind
        case AllOf(all=parts) | AnyOf(any=parts):
            for part in parts:
                yield from operators_of(part)
