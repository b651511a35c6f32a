"""A template (report type): what a study must have, and what is done with it. Versions are immutable once saved."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import Field

from hilum.model.outcomes import Severity
from hilum.model.review import ReviewPolicy
from hilum.model.rules import LONGEST_PATH, NUMBER_OF_INSTANCES, Condition, PrivateVr, Rule, Strict, Values, conditions_of, with_vrs

NAME_PATTERN = r"^[A-Za-z0-9_-]{1,64}$"


class RequiredSeries(Strict):
    """A series that must be there, in a role, found by a rule over its attributes."""

    role: str = Field(pattern=r"^[a-z0-9_]{1,32}$")
    name: str  # as a person says it: "T1", "FLAIR"
    rule: Rule


class RequiredAttribute(Strict):
    """An attribute that every input series must have, with a value that is valid for its VR.

    Args:
        values: the only ones that will do, compared as the operator `one-of` does; of several values each must be one of them.
        vr: of a private attribute, as for a condition.
    """

    attribute: str = Field(min_length=1, max_length=LONGEST_PATH)
    severity: Severity = Severity.ERROR
    values: Values = ()
    vr: PrivateVr = ""


class ProcessingStep(Strict):
    """One processor with its settings; a template runs its steps in order."""

    processor: str
    settings: dict[str, Any] = Field(default_factory=dict)


class Delivery(Strict):
    """One destination with its settings."""

    destination: str
    settings: dict[str, Any] = Field(default_factory=dict)


class Template(Strict):
    """See docs/templates.md for an example."""

    name: str = Field(pattern=NAME_PATTERN)
    title: str = ""
    description: str = ""
    notice: str = "Research use, not for diagnosis."
    unit: Literal["study", "series"] = "study"
    active: bool = True  # whether its rules take part in matching; an explicit report type always may name it
    rule: Rule | None = None  # which series it is for; None: only by explicit report type
    required_series: tuple[RequiredSeries, ...] = ()
    required_attributes: tuple[RequiredAttribute, ...] = ()
    severities: dict[str, Severity] = Field(default_factory=dict)  # check kind -> severity, where it differs from the check's own
    deidentification: str = "basic"  # PS3.15's Basic Profile: what names nobody is the rule, and to keep identities is said
    reidentify: bool = False  # what is delivered gets the identity of its images back, where the project allows that
    processing: tuple[ProcessingStep, ...] = Field(min_length=1)
    review: ReviewPolicy = ReviewPolicy()
    destinations: tuple[Delivery, ...] = ()
    priority: int = 0  # smaller goes first

    @property
    def has_rules(self) -> bool:
        """Whether it can be found by rules at all."""
        return self.rule is not None or bool(self.required_series)

    def rules(self) -> Iterator[Rule]:
        """Every rule the template holds."""
        if self.rule is not None:
            yield self.rule
        yield from (series.rule for series in self.required_series)

    def with_vrs(self, vrs: Mapping[str, str]) -> "Template":
        """The template with the VRs of private attributes that the site has named (path -> VR), and with no others."""
        rule = None if self.rule is None else with_vrs(self.rule, vrs)
        series = tuple(one.model_copy(update={"rule": with_vrs(one.rule, vrs)}) for one in self.required_series)
        attributes = tuple(one.model_copy(update={"vr": vrs.get(one.attribute, "")}) for one in self.required_attributes)
        return self.model_copy(update={"rule": rule, "required_series": series, "required_attributes": attributes})

    def conditions(self) -> Iterator[Condition]:
        """Every condition of its rules."""
        for rule in self.rules():
            yield from conditions_of(rule)

    def attributes(self) -> frozenset[str]:
        """Every attribute the template looks at: the catalogue keeps these for each instance."""
        return self.asked() | {required.attribute for required in self.required_attributes}

    def asked(self) -> frozenset[str]:
        """Every attribute that its rules ask for."""
        return frozenset(condition.attribute for condition in self.conditions()) - {NUMBER_OF_INSTANCES}

    def varying(self) -> frozenset[str]:
        """The attributes that are asked of other slices than the first."""
        return frozenset(condition.attribute for condition in self.conditions() if condition.quantifier != "first")
