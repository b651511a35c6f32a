"""The review policy of a template, its figures and its sample; ratings."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from hilum.model.ratings import Modification, ModificationType, Ratings
from hilum.model.review import QualityLimit, ReviewPolicy, place_in_sample
from hilum.model.templates import Template

RECORD = {"series": [{"signal_to_noise": 31.5, "coverage_mm": {"slices": 160}}, {"signal_to_noise": 12.0, "coverage_mm": None}], "n": 2}


@pytest.mark.parametrize(
    "review",
    [
        "never",
        "always",
        "on-warning",
        {"policy": "sample", "percent": 10.0},
        {"policy": "always", "four_eyes": True},
        {"policy": "on-quality", "quality": [{"value": "n", "at_least": 1.0}]},
    ],
)
def test_a_policy_survives_being_written_and_read(review: object) -> None:
    template = Template.model_validate({"name": "t", "processing": [{"processor": "p"}], "review": review})
    again = Template.model_validate(json.loads(template.model_dump_json()))
    assert again == template
    assert isinstance(template.model_dump(mode="json")["review"], str) == isinstance(review, str)


@pytest.mark.parametrize(
    "review",
    [
        "sometimes",
        "sample",
        "on-quality",
        {"policy": "sample", "percent": 0},
        {"policy": "sample", "percent": 101},
        {"policy": "always", "percent": 5},
        {"policy": "never", "quality": [{"value": "n", "at_least": 1}]},
        {"policy": "on-quality", "quality": [{"value": "n"}]},
        {"policy": "on-quality", "quality": [{"value": "a..b", "at_least": 1}]},
        {"policy": "on-quality", "quality": [{"file": "../n.json", "value": "n", "at_least": 1}]},
        {"policy": "always", "for_eyes": True},
    ],
)
def test_a_policy_that_says_nothing_clear_is_refused(review: object) -> None:
    with pytest.raises(ValidationError):
        ReviewPolicy.model_validate(review)


@pytest.mark.parametrize(
    ("limit", "trouble"),
    [
        ({"value": "n", "at_least": 2, "at_most": 2}, ""),
        ({"value": "series[0].signal_to_noise", "at_least": 30}, ""),
        ({"value": "series[*].signal_to_noise", "at_least": 30}, "series[*].signal_to_noise of q.json is 12, less than 30."),
        ({"value": "series[*].signal_to_noise", "at_most": 20}, "series[*].signal_to_noise of q.json is 31.5, more than 20."),
        ({"value": "series[*].coverage_mm.slices", "at_least": 100}, "series[*].coverage_mm.slices of q.json is no number."),
        ({"value": "series[7].signal_to_noise", "at_least": 1}, "series[7].signal_to_noise of q.json is no number."),
        ({"value": "nothing.here", "at_least": 1}, "nothing.here of q.json is no number."),
        ({"value": "series", "at_least": 1}, "series of q.json is no number."),
    ],
)
def test_a_figure_outside_its_limits_or_missing_asks_for_a_person(limit: dict[str, object], trouble: str) -> None:
    assert QualityLimit.model_validate({"file": "q.json", **limit}).trouble(RECORD) == trouble


def test_no_series_at_all_and_no_number_at_all_ask_for_a_person() -> None:
    limit = QualityLimit(value="series[*].snr", at_least=1)
    assert limit.trouble({"series": []}) == "image_quality.json has no series[*].snr."
    for no_figure in (math.nan, math.inf, -math.inf, 10**400):
        assert limit.trouble({"series": [{"snr": no_figure}]}) == "series[*].snr of image_quality.json is no number."


@given(st.binary(min_size=32, max_size=32), st.text(max_size=64))
def test_the_place_in_a_sample_is_the_same_each_time_and_below_100(key: bytes, name: str) -> None:
    place = place_in_sample(key, name)
    assert 0 <= place < 100
    assert place == place_in_sample(key, name)


def test_a_sample_of_ten_percent_is_about_a_tenth_and_another_key_draws_another() -> None:
    drawn = [{n for n in range(5000) if place_in_sample(key, str(n)) < 10} for key in (b"a" * 32, b"b" * 32)]
    assert all(440 < len(one) < 560 for one in drawn)
    assert len(drawn[0] & drawn[1]) < 100


def test_ratings_take_the_lists_of_an_autosegmentation_client() -> None:
    assert [str(one) for one in Modification] == ["NO_MODIFICATION", "MINOR_MODIFICATION", "MAJOR_MODIFICATION", "NOT_SEGMENTED"]
    assert len(ModificationType) == 11


def test_numbers_alone_rate_structures() -> None:
    assert Ratings.model_validate({"Parotid_L": 8}) == Ratings.model_validate({"structures": {"Parotid_L": {"rating": 8}}})


@pytest.mark.parametrize(
    "ratings",
    [
        {"overall": 11},
        {"overall": -1},
        {"minutes": math.inf},
        {"overall": 5, "patient": "Doe^Jane"},
        {"structures": {'=HYPERLINK("x")': 5}},
        {"structures": {"@cord": 5}},
        {"structures": {"x" * 65: 5}},
        {"structures": {"cord": {"types": ["ugly"]}}},
        {"structures": {"cord": {"modification": "SOME"}}},
    ],
)
def test_ratings_outside_the_lists_are_refused(ratings: object) -> None:
    with pytest.raises(ValidationError):
        Ratings.model_validate(ratings)
