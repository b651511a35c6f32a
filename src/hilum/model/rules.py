"""The language of rules: a tree of ALL / ANY / NONE over conditions on the attributes of a series.

    {"all": [{"attribute": "Modality", "operator": "equals", "value": "MR"},
             {"any": [{"attribute": "SeriesDescription", "operator": "contains", "value": "FLAIR"},
                      {"attribute": "InversionTime", "operator": "at-least", "value": 1600}]},
             {"none": [{"attribute": "ImageType", "operator": "one-of", "value": ["DERIVED", "LOCALIZER"], "quantifier": "any"}]}]}

Here is what a rule says; `judging.py` judges it. Nothing of a rule is ever run as code.
"""

from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal, Protocol

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

One = str | int | float
MOST_VALUES = 1000
LONGEST_PATH = 128  # characters; what the table of kept attributes holds
NUMBER_OF_INSTANCES = "NumberOfSeriesRelatedInstances"
"""PS3.4 C.3.4: no image has this attribute; it is how many instances of the series are held, and can be asked for like any other."""


class Takes(StrEnum):
    """What an operator compares with."""

    ONE = "one value"
    TWO = "two values, the lower first"
    SEVERAL = "a list of values"
    PATTERN = "a regular expression (RE2)"
    DAYS = "a number of days"
    NOTHING = "no value"


class Operator(Protocol):
    """A member of `operators/`; its `__init__.py` is the contract."""

    kind: str
    vrs: frozenset[str]
    reads_text: bool
    takes: Takes
    judge: Callable[..., bool]


def _no_truth(value: Any) -> Any:
    """No attribute is true or false: taken as 1 or 0 it would stand for something that nobody wrote."""
    if any(isinstance(one, bool) for one in (value if isinstance(value, (list, tuple)) else (value,))):
        raise ValueError("a value is text or a number, and neither true nor false: put it in quotes if it is text")
    return value


Values = Annotated[tuple[One, ...], Field(max_length=MOST_VALUES), BeforeValidator(_no_truth)]
Value = Annotated[One | Annotated[tuple[One, ...], Field(max_length=MOST_VALUES)] | None, BeforeValidator(_no_truth)]
PrivateVr = Annotated[str, Field(pattern=r"^([A-Z]{2})?$")]
"""Of an attribute that no dictionary knows: filled in from the name that the site has given it, since it is read as that."""


class Strict(BaseModel):
    """What nobody named is refused: a misspelt key never passes in silence."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Condition(Strict):
    """One comparison of an attribute.

    Args:
        attribute: a keyword, a tag, or a path into sequences: `RequestAttributesSequence[*].CodeValue` (`attributes.parse_path`).
        operator: an operator's kind.
        value: what it compares with; what the operator takes.
        quantifier: of which slices it must be so: the first that came (its header is the series'), any, or all.
        missing: what a slice without the attribute, or with an empty one, counts as.
        vr: of a private attribute that no dictionary knows; filled in from the name that the site has given it.
    """

    attribute: str = Field(min_length=1, max_length=LONGEST_PATH)
    operator: str
    value: Value = None
    quantifier: Literal["first", "any", "all"] = "first"
    missing: Literal["fails", "holds"] = "fails"
    vr: PrivateVr = ""


class AllOf(Strict):
    """Every part holds."""

    all: tuple["Rule", ...] = Field(min_length=1)


class AnyOf(Strict):
    """At least one part holds."""

    any: tuple["Rule", ...] = Field(min_length=1)


class NoneOf(Strict):
    """No part holds."""

    none: tuple["Rule", ...] = Field(min_length=1)


FORMS_OF_RULES = ("all", "any", "none", "condition")


def _form_of(rule: Any) -> str:
    """By its keys, so that what is wrong in a rule is told of the one form that was meant, and not of all four."""
    keys = rule if isinstance(rule, Mapping) else type(rule).model_fields if isinstance(rule, BaseModel) else ()
    return next((group for group in FORMS_OF_RULES if group in keys), "condition")


Rule = Annotated[
    Annotated[Condition, Tag("condition")] | Annotated[AllOf, Tag("all")] | Annotated[AnyOf, Tag("any")] | Annotated[NoneOf, Tag("none")],
    Discriminator(_form_of),
]
for _group in (AllOf, AnyOf, NoneOf):
    _group.model_rebuild()


def with_vrs(rule: Rule, vrs: Mapping[str, str]) -> Rule:
    """The rule with the VRs of attributes that no dictionary knows, and with no others.

    Args:
        vrs: path -> VR.
    """
    match rule:
        case Condition():
            return rule.model_copy(update={"vr": vrs.get(rule.attribute, "")})
        case AllOf(all=parts):
            return AllOf(all=tuple(with_vrs(part, vrs) for part in parts))
        case AnyOf(any=parts):
            return AnyOf(any=tuple(with_vrs(part, vrs) for part in parts))
        case NoneOf(none=parts):
            return NoneOf(none=tuple(with_vrs(part, vrs) for part in parts))


def depth_of(rule: Rule) -> int:
    """How many groups lie in each other."""
    match rule:
        case Condition():
            return 0
        case AllOf(all=parts) | AnyOf(any=parts) | NoneOf(none=parts):
            return 1 + max(map(depth_of, parts))


def conditions_of(rule: Rule) -> Iterator[Condition]:
    """Every condition of `rule`, in order."""
    match rule:
        case Condition():
            yield rule
        case AllOf(all=parts) | AnyOf(any=parts) | NoneOf(none=parts):
            for part in parts:
                yield from conditions_of(part)
