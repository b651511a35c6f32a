"""Every operator, as what it says: a sentence a case, on values as the catalogue has them."""

from datetime import date

import pytest

from hilum.model.judging import Operators
from hilum.model.records import Series
from hilum.model.rules import Condition
from hilum.runtime.checking_templates import condition_troubles
from hilum.runtime.registry import find_members

MEMBERS = find_members("hilum.operators")
TODAY = date(2026, 3, 10)
OPERATORS = Operators(MEMBERS, lambda: TODAY)


def series(**attributes):
    return Series("s", 1, "st", "admin", "1.2", "MR", "", 1, attributes)


def holds(operator, attribute, actual, value=None):
    found = {} if actual is None else {attribute: actual}
    rule = OPERATORS.compile(Condition(attribute=attribute, operator=operator, value=value))
    verdict = rule.verdict(series(**found))
    assert rule.explain(series(**found)).holds is verdict
    return verdict


# operator, attribute, its value in the series, the wanted value, whether it holds, and why
CASES = [
    ("equals", "Modality", "MR", "mr", True, "text is equal without regard to case"),
    ("equals", "Modality", "MR", "CT", False, "other text is not equal"),
    ("equals", "SliceThickness", 1, "1.0", True, "numbers are compared as numbers, not as text"),
    ("equals", "SliceThickness", 10, 1, False, "10 is not 1"),
    ("equals", "StudyDate", "20260131", "2026-01-31", True, "dates are compared as dates"),
    ("equals", "ImageType", ["ORIGINAL", "PRIMARY", "M"], "primary", True, "one of several values is enough"),
    ("equals", "PatientAge", "024M", "002Y", True, "ages are compared as ages"),
    ("equals", "FrameIncrementPointer", "00181063", "00181063", True, "tags are compared as tags"),
    ("not-equals", "Modality", "MR", "CT", True, "other text is not equal"),
    ("not-equals", "ImageType", ["ORIGINAL", "PRIMARY"], "primary", False, "no value of several may be equal"),
    ("not-equals", "Modality", None, "CT", False, "a missing attribute is nothing, and that is an outcome of its own"),
    ("greater-than", "EchoTime", 90.5, 90, True, "90.5 ms are more than 90"),
    ("greater-than", "EchoTime", 90, 90, False, "90 ms are not more than 90"),
    ("greater-than", "SeriesTime", "133000", "13:00", True, "half past one is later than one"),
    ("less-than", "EchoTime", 9, 10, True, "9 is less than 10, though as text it is not"),
    ("less-than", "EchoTime", 10, 10, False, "10 is not less than 10"),
    ("at-least", "InversionTime", 1600, 1600, True, "the value itself counts"),
    ("at-least", "PatientAge", "017Y", "018Y", False, "seventeen is under age"),
    ("at-least", "AcquisitionDateTime", "20260131120000+0200", "2026-01-31T10:00Z", True, "noon at +2 is ten in UTC"),
    ("at-most", "SliceThickness", 5, 5, True, "the value itself counts"),
    ("at-most", "SliceThickness", 5.1, 5, False, "5.1 mm are more than 5"),
    ("between", "EchoTime", 15, [15, 20], True, "the lower end counts"),
    ("between", "EchoTime", 20, [15, 20], True, "the upper end counts"),
    ("between", "EchoTime", 21, [15, 20], False, "21 lies outside"),
    ("between", "StudyDate", "20260228", ["2026-01-01", "20260301"], True, "dates lie between dates"),
    ("one-of", "Modality", "PT", ["CT", "pt"], True, "it is in the list without regard to case"),
    ("one-of", "Modality", "MR", ["CT", "PT"], False, "it is not in the list"),
    ("one-of", "EchoNumbers", 2, [1, "2"], True, "numbers in a list are numbers"),
    ("contains", "SeriesDescription", "sag T2 FLAIR", "flair", True, "case does not count"),
    ("contains", "SeriesDescription", "sag T2", "flair", False, "the text is not there"),
    ("contains", "StudyDate", "20260131", "2026", True, "of a date the written digits can be asked"),
    ("contains-case-sensitive", "SeriesDescription", "T2 FLAIR", "FLAIR", True, "letter by letter"),
    ("contains-case-sensitive", "SeriesDescription", "T2 FLAIR", "flair", False, "case counts"),
    ("does-not-contain", "SeriesDescription", "T1", "localizer", True, "the text is not there"),
    ("does-not-contain", "SeriesDescription", "LOCALIZER", "localizer", False, "case does not count"),
    ("does-not-contain-case-sensitive", "SeriesDescription", "LOCALIZER", "localizer", True, "case counts"),
    ("does-not-contain-case-sensitive", "SeriesDescription", "localizer", "localizer", False, "letter by letter"),
    ("matches-exactly", "ImageType", ["ORIGINAL", "PRIMARY"], r"original\primary", True, "all values as they are stored"),
    ("matches-exactly", "ImageType", ["ORIGINAL", "PRIMARY", "M"], r"original\primary", False, "nothing may be left over"),
    ("matches-exactly-case-sensitive", "ProtocolName", "T1", "T1", True, "letter by letter"),
    ("matches-exactly-case-sensitive", "ProtocolName", "T1", "t1", False, "case counts"),
    ("starts-with", "SeriesDescription", "T1 mprage", "t1", True, "case does not count"),
    ("starts-with", "SeriesDescription", "sag T1", "t1", False, "it begins otherwise"),
    ("matches", "SeriesDescription", "sag T1 3D MPRAGE", r"(?i)\bt1\b.*mprage$", True, "the expression is found"),
    ("matches", "SeriesDescription", "sag T1", r"\bt1\b", False, "case counts unless the expression says otherwise"),
    ("is-present", "ContrastBolusAgent", "Gd", None, True, "it is there with a value"),
    ("is-present", "ContrastBolusAgent", "", None, False, "it is there without a value"),
    ("is-present", "ContrastBolusAgent", None, None, False, "it is not there"),
    ("is-present", "ReferencedImageSequence", 2, None, True, "a sequence has items"),
    ("is-empty", "ContrastBolusAgent", "", None, True, "it is there without a value"),
    ("is-empty", "ContrastBolusAgent", None, None, False, "a missing attribute is not empty"),
    ("is-empty", "ContrastBolusAgent", "Gd", None, False, "it has a value"),
    ("date-within", "StudyDate", "20260310", 0, True, "today is within no day"),
    ("date-within", "StudyDate", "20260208", 30, True, "thirty days back, in days of the calendar"),
    ("date-within", "StudyDate", "20260207", 30, False, "thirty-one days back"),
    ("date-within", "StudyDate", "20260311", 30, True, "half the world is ahead of UTC"),
    ("date-within", "StudyDate", "20270101", 30, False, "next year is not in the past"),
    ("date-within", "AcquisitionDateTime", "20260309235959", 1, True, "of a date with a time the date counts"),
]


@pytest.mark.parametrize(("operator", "attribute", "actual", "value", "verdict", "why"), CASES, ids=lambda one: str(one)[:60])
def test_an_operator_does_what_it_says(operator, attribute, actual, value, verdict, why):
    assert holds(operator, attribute, actual, value) is verdict, why


def test_every_operator_has_a_case_that_holds_and_one_that_does_not():
    verdicts = {kind: {verdict for operator, _, _, _, verdict, _ in CASES if operator == kind} for kind in MEMBERS}
    assert all(seen == {True, False} for seen in verdicts.values()), verdicts


@pytest.mark.parametrize("kind", MEMBERS)
def test_the_example_of_an_operator_can_be_used_and_names_it(kind):
    example = MEMBERS[kind].example
    assert example["operator"] == kind
    assert list(condition_troubles(Condition(**example), MEMBERS)) == []


@pytest.mark.parametrize("kind", [kind for kind in MEMBERS if not hasattr(MEMBERS[kind], "asks_presence")])
def test_a_missing_attribute_holds_for_no_operator_unless_the_condition_says_so(kind):
    example = MEMBERS[kind].example
    for missing, verdict in (("fails", False), ("holds", True)):
        rule = OPERATORS.compile(Condition(**example, missing=missing))
        for nothing in ({}, {example["attribute"]: ""}):
            assert rule.verdict(series(**nothing)) is verdict
            assert rule.explain(series(**nothing)).leaf.reason in ("missing", "empty")


def test_a_value_that_is_none_of_its_vr_is_said_to_be_unreadable_and_does_not_hold():
    rule = OPERATORS.compile(Condition(attribute="EchoTime", operator="not-equals", value=5))
    explanation = rule.explain(series(EchoTime="abc"))
    assert (explanation.holds, explanation.leaf.reason) == (False, "unreadable")
    assert explanation.sentence == "EchoTime is 'abc', which is no value of its VR; wanted: not equals 5."


def test_an_expression_that_would_stop_a_backtracking_engine_is_answered_at_once():
    assert holds("matches", "SeriesDescription", "a" * 5000 + "!", "^(a+)+$") is False


@pytest.mark.parametrize(
    ("condition", "sentence"),
    [
        (
            {"attribute": "SliceThickness", "operator": "contains", "value": "1"},
            "contains cannot be asked of SliceThickness, which is a number",
        ),
        (
            {"attribute": "SeriesDescription", "operator": "at-least", "value": "a"},
            "at-least cannot be asked of SeriesDescription, which is text",
        ),
        ({"attribute": "ReferencedImageSequence", "operator": "equals", "value": "a"}, "ask an attribute of its items"),
        ({"attribute": "PixelData", "operator": "equals", "value": "a"}, "only whether they are there"),
        ({"attribute": "(0019,100C) NOBODY", "operator": "equals", "value": 1}, "give the private attribute a name and a VR first"),
        ({"attribute": "SliceThickness", "operator": "equals", "value": "thin"}, "'thin' is not a number."),
        ({"attribute": "StudyDate", "operator": "equals", "value": "20260230"}, "'20260230' is not a date."),
        ({"attribute": "StudyDate", "operator": "date-within", "value": -1}, "a number of days, zero or more"),
        ({"attribute": "EchoTime", "operator": "between", "value": [2, 1]}, "The first value is greater than the second."),
        ({"attribute": "EchoTime", "operator": "between", "value": [2]}, "two values, the lower first"),
        ({"attribute": "Modality", "operator": "one-of", "value": []}, "a list of values"),
        ({"attribute": "Modality", "operator": "equals"}, "It needs text as its value."),
        ({"attribute": "Modality", "operator": "is-present", "value": "MR"}, "It takes no value."),
        ({"attribute": "Modality", "operator": "matches", "value": "("}, "RE2 cannot read the expression"),
        ({"attribute": "Modality", "operator": "matches", "value": "(?=a)"}, "RE2 cannot read the expression"),
        ({"attribute": "Modality", "operator": "is", "value": "MR"}, "There is no operator 'is'."),
    ],
)
def test_a_condition_that_cannot_be_asked_is_refused_with_a_hint(condition, sentence):
    assert sentence in " ".join(map(str, condition_troubles(Condition(**condition), MEMBERS)))
