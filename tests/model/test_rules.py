"""Rule trees: the quick verdict, the explanation and a plain reading of the language agree, whatever the rule and the series."""

from collections import Counter
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from hilum.model.judging import Operators
from hilum.model.records import Series
from hilum.model.rules import AllOf, AnyOf, Condition, NoneOf, Rule
from hilum.runtime.registry import find_members

OPERATORS = Operators(find_members("hilum.operators"), lambda: date(2026, 3, 10))
RULE = TypeAdapter(Rule)


def series_from(slices, unread=()):
    """A series as the catalogue gives it: the first slice, and what differs from it in the others."""
    first = slices[0]
    others: dict[str, Counter] = {}
    for one in slices[1:]:
        for name in first.keys() | one.keys():
            if one.get(name) != first.get(name):
                others.setdefault(name, Counter())[one.get(name)] += 1
    counted = {name: list(values.items()) for name, values in others.items()}
    return Series("s", 1, "st", "admin", "1.2", "MR", "", len(slices), first, others=counted, unread=unread)


def judge(rule, *slices, **options):
    series = series_from(slices or [{}], **options)
    return OPERATORS.compile(RULE.validate_python(rule)).explain(series)


# --- a plain reading of the language ---------------------------------------------------------------------------------------------


def plain_condition(condition, value):
    actual = "" if value is None else value
    if condition.operator == "is-present":
        return actual != ""
    if actual == "":
        return condition.missing == "holds"
    match condition.operator:
        case "equals":
            return actual == condition.value
        case "not-equals":
            return actual != condition.value
        case "at-least":
            return actual >= condition.value


def plain(rule, slices, unread):
    """True, False, or None for what hangs on an attribute that is not read yet."""
    if isinstance(rule, Condition):
        if rule.attribute in unread and slices[0].get(rule.attribute) is None:
            return None
        asked = slices[:1] if rule.quantifier == "first" else slices
        verdicts = [plain_condition(rule, one.get(rule.attribute)) for one in asked]
        return any(verdicts) if rule.quantifier == "any" else all(verdicts)
    if isinstance(rule, AllOf):
        verdicts = [plain(part, slices, unread) for part in rule.all]
        return False if False in verdicts else None if None in verdicts else True
    verdicts = [plain(part, slices, unread) for part in (rule.any if isinstance(rule, AnyOf) else rule.none)]
    found = True if True in verdicts else None if None in verdicts else False
    return found if isinstance(rule, AnyOf) or found is None else not found


NAMES = ("EchoTime", "InversionTime", "FlipAngle")
NUMBERS = st.integers(0, 2)


@st.composite
def conditions(draw):
    operator = draw(st.sampled_from(["equals", "not-equals", "at-least", "is-present"]))
    return Condition(
        attribute=draw(st.sampled_from(NAMES)),
        operator=operator,
        value=None if operator == "is-present" else draw(NUMBERS),
        quantifier=draw(st.sampled_from(["first", "any", "all"])),
        missing=draw(st.sampled_from(["fails", "holds"])),
    )


def groups(parts):
    some = st.lists(parts, min_size=1, max_size=3).map(tuple)
    return st.one_of(some.map(lambda one: AllOf(all=one)), some.map(lambda one: AnyOf(any=one)), some.map(lambda one: NoneOf(none=one)))


rules = st.recursive(conditions(), groups, max_leaves=10)
slices = st.lists(st.dictionaries(st.sampled_from(NAMES), st.one_of(NUMBERS, st.just(""))), min_size=1, max_size=4)
unread = st.sets(st.sampled_from(NAMES))


@settings(max_examples=500, deadline=None)
@given(rules, slices, unread)
def test_verdict_explanation_and_a_plain_reading_agree(rule, slices, unread):
    series, compiled = series_from(slices, unread), OPERATORS.compile(rule)
    explanation = compiled.explain(series)
    assert compiled.verdict(series) is explanation.holds is plain(rule, slices, unread)
    assert explanation.is_met is (explanation.holds is True)


@settings(max_examples=300, deadline=None)
@given(rules, slices, unread)
def test_what_stands_in_the_way_is_named_exactly_where_a_rule_does_not_hold(rule, slices, unread):
    series, compiled = series_from(slices, unread), OPERATORS.compile(rule)
    explanation = compiled.explain(series)
    failing = explanation.failing()
    assert len(failing) == compiled.distance(series)
    assert bool(failing) is (explanation.holds is not True)
    assert all(one.kind == "condition" and not one.is_met for one in failing)
    assert all(one.sentence.endswith(".") for one in failing)


@settings(max_examples=300, deadline=None)
@given(rules, slices)
def test_without_the_other_slices_nothing_is_said_that_they_would_take_back(rule, slices):
    whole = series_from(slices)
    alone = Series("s", 1, "st", "admin", "1.2", "MR", "", len(slices), slices[0])
    verdict = OPERATORS.compile(rule).verdict(alone)
    assert verdict in (None, OPERATORS.compile(rule).verdict(whole))


@given(rules)
def test_a_rule_survives_json_both_ways(rule):
    assert RULE.validate_json(RULE.dump_json(rule)) == rule
    assert RULE.validate_json(RULE.dump_json(rule, exclude_defaults=True)) == rule


# --- sentences -------------------------------------------------------------------------------------------------------------------


T1 = {"attribute": "SeriesDescription", "operator": "contains", "value": "t1"}
LOCALIZER = {"attribute": "SeriesDescription", "operator": "contains", "value": "localizer"}


def test_a_leaf_tells_the_actual_value_and_what_was_wanted():
    assert judge(T1, {"SeriesDescription": "T2"}).sentence == "SeriesDescription is 'T2'; wanted: contains 't1'."
    assert judge(T1).sentence == "SeriesDescription is not present; wanted: contains 't1'."
    assert judge(T1, {"SeriesDescription": ""}).sentence == "SeriesDescription is empty; wanted: contains 't1'."


def test_within_none_the_leaf_says_that_it_is_not_wanted():
    explanation = judge({"all": [T1, {"none": [LOCALIZER]}]}, {"SeriesDescription": "T1 localizer"})
    assert [one.sentence for one in explanation.failing()] == ["SeriesDescription is 'T1 localizer'; not wanted: contains 'localizer'."]
    assert explanation.sentence.startswith("Not all hold: Some hold that should not: ")


def test_of_alternatives_the_nearest_is_told():
    far = {
        "all": [{"attribute": "EchoTime", "operator": "equals", "value": 1}, {"attribute": "FlipAngle", "operator": "equals", "value": 1}]
    }
    explanation = judge({"any": [far, T1]}, {"SeriesDescription": "T2"})
    assert [one.leaf.condition.attribute for one in explanation.failing()] == ["SeriesDescription"]


def test_over_slices_it_is_told_in_how_many_it_is_so():
    condition = {"attribute": "EchoTime", "operator": "at-most", "value": 20, "quantifier": "all"}
    explanation = judge(condition, {"EchoTime": 10}, {"EchoTime": 90}, {"EchoTime": 90}, {"EchoTime": 10})
    assert explanation.holds is False
    assert explanation.sentence == "EchoTime is 10 or 90; wanted in every slice: at most 20 (so in 2 of 4 slices)."


def test_what_was_never_kept_leaves_the_verdict_open_and_says_so():
    explanation = judge({"attribute": "FlipAngle", "operator": "equals", "value": 8}, {}, unread={"FlipAngle"})
    assert explanation.holds is None
    assert explanation.sentence == "FlipAngle is not known yet: it was not kept when the series came; wanted: equals 8."


def test_what_decides_without_the_unknown_attribute_decides():
    rule = {"all": [T1, {"attribute": "FlipAngle", "operator": "equals", "value": 8}]}
    assert judge(rule, {"SeriesDescription": "T2"}, unread={"FlipAngle"}).holds is False
    assert judge(rule, {"SeriesDescription": "T1"}, unread={"FlipAngle"}).holds is None


@pytest.mark.parametrize(
    "attribute", ["PatientName", "00100010", "(0010,0020)", "AccessionNumber", "OtherPatientIDs", "ReferringPhysicianName"]
)
def test_a_value_that_identifies_a_patient_is_never_told_however_the_attribute_is_written(attribute):
    explanation = judge({"attribute": attribute, "operator": "equals", "value": "nobody"}, {attribute: "Doe^Jane"})
    assert "Doe" not in str(explanation.as_dict())
    assert "a value that identifies a patient" in explanation.sentence


def test_how_many_instances_a_series_has_can_be_asked():
    rule = {"attribute": "NumberOfSeriesRelatedInstances", "operator": "at-least", "value": 3}
    assert judge(rule, {}, {}).holds is False
    assert judge(rule, {}, {}, {}).holds is True


@pytest.mark.parametrize(
    "wrong",
    [{"all": []}, {"all": [T1], "any": [T1]}, T1 | {"valeu": 1}, T1 | {"quantifier": "some"}, {"not": [T1]}, T1 | {"attribute": "A" * 129}],
)
def test_what_is_no_rule_is_refused(wrong):
    with pytest.raises(ValidationError):
        RULE.validate_python(wrong)
