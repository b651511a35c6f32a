"""A series takes one role only; as many roles as can be are filled, always in the same way; what cannot be is explained."""

from datetime import date
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.model.choosing import judge_template
from hilum.model.distinct import share_out
from hilum.model.judging import Operators
from hilum.model.records import Series
from hilum.model.templates import Template
from hilum.runtime.registry import find_members

OPERATORS = Operators(find_members("hilum.operators"), lambda: date(2026, 3, 10))

wishes = st.lists(st.lists(st.sampled_from("abcd"), unique=True, max_size=4), max_size=5)


def most_that_can_have_one(wanted):
    """By trying every order in which things could be given out."""
    return max(
        sum(thing in things for thing, things in zip(order, wanted, strict=False)) for order in permutations("abcd-----", len(wanted))
    )


@given(wishes)
def test_as_many_as_can_have_one_thing_each_of_those_they_want(wanted):
    takes, contests = share_out(wanted)
    assert len(set(takes.values())) == len(takes) == most_that_can_have_one(wanted)
    assert all(thing in wanted[asker] for asker, thing in takes.items())
    assert contests.keys() == {asker for asker, things in enumerate(wanted) if things} - takes.keys()


@given(wishes)
def test_who_goes_without_is_one_of_more_askers_than_things(wanted):
    for asker, contest in share_out(wanted)[1].items():
        assert asker in contest.askers
        assert len(contest.askers) == len(contest.things) + 1
        assert {thing for one in contest.askers for thing in wanted[one]} == set(contest.things)


def series(number, description, instances=10):
    attributes = {"SeriesDescription": description, "SeriesNumber": number}
    return Series(f"s{number}", number, "st", "admin", f"1.{number}", "MR", description, instances, attributes)


def judged(roles, *found):
    required = [
        {"role": role, "name": role.upper(), "rule": {"attribute": "SeriesDescription", "operator": "contains", "value": wanted}}
        for role, wanted in roles.items()
    ]
    template = Template.model_validate({"name": "t", "processing": [{"processor": "p"}], "required_series": required})
    return judge_template(template, 1, found, OPERATORS)


def roles_of(one):
    return {given.role: given.series_id for inputs in one.inputs for given in inputs}


def test_one_series_never_fills_two_roles_and_the_reason_names_both():
    one = judged({"t1": "brain", "flair": "brain"}, series(3, "Brain"))
    assert not one.fits
    assert one.why() == 'T1 and FLAIR would have to share series 3 "Brain": a series takes one role only.'
    assert one.distance == 1


def test_a_role_with_a_choice_leaves_the_other_role_its_only_series():
    one = judged({"t1": "brain", "flair": "flair"}, series(1, "Brain FLAIR", 200), series(2, "Brain", 10))
    assert roles_of(one) == {"t1": "s2", "flair": "s1"}


def test_without_need_every_role_has_the_series_that_suits_it_best():
    one = judged({"t1": "brain", "flair": "flair"}, series(1, "Brain", 200), series(2, "FLAIR", 10), series(3, "Brain FLAIR", 100))
    assert roles_of(one) == {"t1": "s1", "flair": "s3"}


def test_three_roles_for_two_series_are_told_together_and_other_roles_keep_their_own_reason():
    one = judged({"a": "x", "b": "x", "c": "x", "d": "y"}, series(1, "x"), series(2, "x"))
    assert one.why() == (
        """No series is D; nearest is series 1 "x": SeriesDescription is 'x'; wanted: contains 'y'. """
        'A, B and C would have to share series 1 "x" and series 2 "x": a series takes one role only.'
    )
    assert one.distance == 2


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_order_in_which_series_are_told_changes_nothing(order):
    known = [series(1, "x y"), series(2, "x"), series(3, "x y")]
    assert roles_of(judged({"a": "x", "b": "y", "c": "x"}, *(known[place] for place in order))) == {"a": "s1", "b": "s3", "c": "s2"}
