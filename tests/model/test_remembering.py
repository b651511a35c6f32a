"""What judging remembers is bounded, and changes no verdict."""

from datetime import date

import pytest

from hilum.model import remembering
from hilum.model.judging import Operators
from hilum.model.records import Series
from hilum.model.remembering import Memory
from hilum.model.rules import Condition
from hilum.runtime.registry import find_members


def series(number, slices=3):
    others = {"EchoTime": [(float(place), 1) for place in range(1, slices)]}
    return Series(f"s{number}", number, "st", "admin", "1.2", "MR", "", slices, {"EchoTime": 0.0, "SeriesNumber": number}, others=others)


def test_the_oldest_series_go_when_their_slices_have_too_many_values(monkeypatch):
    monkeypatch.setattr(remembering, "MOST_SLICE_VALUES", 30)
    memory = Memory()
    known = [series(number, slices=11) for number in range(10)]
    for one in known:
        memory.answers_of(one)[0] = True
        assert memory.size <= 30
    assert [memory.answers_of(one) for one in known[-2:]] == [{0: True}, {0: True}]
    assert memory.answers_of(known[0]) == {}


def test_a_series_larger_than_all_that_is_remembered_is_not(monkeypatch):
    monkeypatch.setattr(remembering, "MOST_SLICE_VALUES", 30)
    memory, large = Memory(), series(1, slices=100)
    memory.answers_of(large)[0] = True
    assert memory.answers_of(large) == {}
    assert memory.size == 0


def test_verdicts_on_values_are_bounded_and_long_values_are_not_remembered(monkeypatch):
    monkeypatch.setattr(remembering, "MOST_VERDICTS", 10)
    memory = Memory()
    for number in range(100):
        memory.keep_verdict((number, "short"), True)
        assert len(memory.verdicts) <= 10
    memory.keep_verdict((0, "x" * 1000), True)
    assert (0, "x" * 1000) not in memory.verdicts


@pytest.mark.parametrize("limit", [1, 5, 1000])
def test_verdicts_are_the_same_however_little_is_remembered(monkeypatch, limit):
    for name in ("MOST_SLICE_VALUES", "MOST_VERDICTS"):
        monkeypatch.setattr(remembering, name, limit)
    operators = Operators(find_members("hilum.operators"), lambda: date(2026, 3, 10))
    at_least_one = {"attribute": "EchoTime", "operator": "at-least", "value": 1}
    every, some = (operators.compile(Condition(**at_least_one, quantifier=quantifier)) for quantifier in ("all", "any"))
    odd = operators.compile(Condition(attribute="SeriesNumber", operator="one-of", value=(1, 3, 5)))
    for _ in range(2):
        for number in range(6):
            one = series(number)
            assert (every.verdict(one), some.verdict(one), odd.verdict(one)) == (False, True, number % 2 == 1)
