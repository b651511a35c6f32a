"""Times, durations and sizes as a person reads them."""

from datetime import timedelta

import pytest

from hilum.model.words import count
from hilum.web import words


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "under 0.1 s"),
        (0.34, "0.3 s"),
        (22.4, "22 s"),
        (59.9, "1 min"),
        (252, "4 min 12 s"),
        (11_520, "3 h 12 min"),
        (187_200, "2 days 4 h"),
    ],
)
def test_a_duration_has_at_most_two_units(seconds: float, said: str) -> None:
    assert words.duration(timedelta(seconds=seconds)) == said


@pytest.mark.parametrize(("number", "said"), [(12, "12 bytes"), (412_000, "412 KB"), (1_240_000, "1.2 MB"), (2_000_000_000, "2.0 GB")])
def test_a_size_has_one_unit(number: int, said: str) -> None:
    assert words.size(number) == said


def test_a_date_that_is_none_is_shown_as_it_is() -> None:
    assert words.date("20261013") == "13 Oct 2026"
    assert words.date("1.4.99") == "1.4.99"


def test_counts_are_words() -> None:
    assert [count(1, "study"), count(2, "study"), count(2, "series"), count(1000, "image")] == [
        "1 study",
        "2 studies",
        "2 series",
        "1,000 images",
    ]
