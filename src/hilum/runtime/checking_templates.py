"""Whether a template can work: its parts exist and take their settings, its attributes are DICOM's, its operators fit their VRs."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from hilum.dicom.attributes import UnknownAttributeError, parse_path, vr_of
from hilum.dicom.comparing import Kind, comparable, form_of
from hilum.dicom.validity import invalidity
from hilum.model.errors import InvalidError
from hilum.model.rules import NUMBER_OF_INSTANCES, Condition, Operator, depth_of
from hilum.model.templates import RequiredAttribute, RequiredSeries, Template
from hilum.model.wanted_values import prepare, vr_at
from hilum.model.words import suggest
from hilum.runtime.registry import find_classes, find_members

DEEPEST = 20  # groups within groups
MOST_ROLES = 100


def check_template(template: Template, profiles: Collection[str]) -> None:
    """Raise InvalidError where the template could not work, with the mend; `profiles` are the names of those that there are."""
    for trouble in _troubles(template, profiles):
        raise trouble


def _troubles(template: Template, profiles: Collection[str]) -> Iterator[InvalidError]:
    processors, destinations = find_classes("hilum.processors"), find_classes("hilum.destinations")
    for named in template.attributes():
        yield from _attribute_troubles(named)
    yield from _series_troubles(template.required_series)
    for required in template.required_attributes:
        yield from _value_troubles(required)
    yield from _unknown("check", template.severities, find_members("hilum.checks"))
    yield from _unknown("processor", [step.processor for step in template.processing], processors)
    yield from _unknown("destination", [delivery.destination for delivery in template.destinations], destinations)
    yield from _unknown("de-identification profile", [template.deidentification], sorted(profiles))
    for rule in template.rules():
        if depth_of(rule) > DEEPEST:
            yield InvalidError(f"Groups lie more than {DEEPEST} deep in each other.", "Say it with fewer.")
    operators = find_members("hilum.operators")
    for condition in template.conditions():
        yield from condition_troubles(condition, operators)
    for step in template.processing:
        yield from _setting_troubles(step.processor, processors[step.processor].Settings, step.settings)
    for delivery in template.destinations:
        yield from _setting_troubles(delivery.destination, destinations[delivery.destination].Settings, delivery.settings)


def condition_troubles(condition: Condition, operators: Mapping[str, Operator]) -> Iterator[InvalidError]:
    """Why a condition cannot be asked: no such operator, one that does not fit the VR, or a value that is none of the VR's."""
    if condition.operator not in operators:
        yield from _unknown("operator", [condition.operator], operators)
        return
    operator, vr = operators[condition.operator], vr_at(condition.attribute, condition.vr)
    form = form_of(vr)
    if not operator.vrs & {vr, *vr.split(" or ")}:
        fitting = ", ".join(kind for kind, one in operators.items() if vr in one.vrs)
        yield InvalidError(
            f"{condition.operator} cannot be asked of {condition.attribute}, which is {form.kind} (VR {vr}). {form.hint}",
            f"Use {fitting}.",
        )
    if condition.attribute == NUMBER_OF_INSTANCES and condition.quantifier != "first":
        yield InvalidError(f"{NUMBER_OF_INSTANCES} is the series' and no slice's.", "Leave the quantifier out.")
    try:
        prepare(condition, operator)
    except ValueError as error:
        example = f" Example: {form.example}." if form.example else ""
        yield InvalidError(f"{condition.attribute} {condition.operator}: {error}", f"{form.hint}{example}")


def _series_troubles(required: Sequence[RequiredSeries]) -> Iterator[InvalidError]:
    if len(required) > MOST_ROLES:
        yield InvalidError(f"A template has at most {MOST_ROLES} required series.", "Say it with fewer.")
    for what, named in (("role", [one.role for one in required]), ("name", [one.name for one in required])):
        twice = next((one for place, one in enumerate(named) if one in named[:place]), None)
        if twice is not None:
            yield InvalidError(f"Two required series have the {what} {twice!r}.", f"Give each a {what} of its own.")


def _value_troubles(required: RequiredAttribute) -> Iterator[InvalidError]:
    """Why an attribute can never have one of the values that are wanted of it: they are none of its VR's."""
    vr = vr_at(required.attribute, required.vr)
    form = form_of(vr)
    if required.values and form.kind in (Kind.SEQUENCE, Kind.OPAQUE):
        yield InvalidError(f"{required.attribute} is {form.kind} (VR {vr}): no values can be required of it.", form.hint)
        return
    for value in required.values:
        trouble = f"is not {form.kind}" if comparable(form.kind, value) is None else ""
        if form.kind is Kind.TEXT:
            trouble = invalidity(vr, value)
        if trouble:
            yield InvalidError(
                f"{required.attribute} is required to be {value!r}, which {trouble}.", f"{form.hint} Example: {form.example}."
            )


def _attribute_troubles(path: str) -> Iterator[InvalidError]:
    try:
        *sequences, _ = parse_path(path)
    except UnknownAttributeError as error:
        yield InvalidError(f"There is no attribute {path!r}: {error}", "Search for it with `hilum template tags WORDS`.")
        return
    for step in sequences:
        if vr_of(step.tag, step.creator) not in ("SQ", "UN"):
            yield InvalidError(
                f"{path!r} leads through ({step.tag >> 16:04X},{step.tag & 0xFFFF:04X}), which is no sequence.", "Mend the path."
            )


def _unknown(noun: str, named: Collection[str], known: Collection[str]) -> Iterator[InvalidError]:
    for name in named:
        if name not in known:
            yield InvalidError(f"There is no {noun} {name!r}.", suggest(name, list(known)))


def _setting_troubles(kind: str, model: Any, settings: dict[str, Any]) -> Iterator[InvalidError]:
    from pydantic import ValidationError

    try:
        model.model_validate(settings)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        yield InvalidError(f"The settings of {kind} are wrong at {where!r}: {first['msg']}.", "Look at its page in docs/.")
