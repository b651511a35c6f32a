from datetime import UTC, datetime

import pytest

from hilum_sdk.retrying import Backoff, retry_after

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def test_pauses_double_up_to_the_ceiling() -> None:
    backoff = Backoff(first=1.0, ceiling=5.0)
    assert [backoff.pause(attempt, chance=0.0) for attempt in (0, 1, 2, 3, 10_000)] == [1, 2, 4, 5, 5]


def test_chance_takes_at_most_half_of_a_pause() -> None:
    assert Backoff(first=1.0).pause(0, chance=0.999) == pytest.approx(0.5, abs=0.01)


def test_no_pause_is_shorter_than_the_server_asked_for() -> None:
    assert all(Backoff().pause(0, chance, least=7.0) >= 7.0 for chance in (0.0, 0.5, 0.99))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("3", 3.0),
        ("Thu, 01 Jan 2026 12:00:09 GMT", 9.0),
        ("Thu, 01 Jan 2026 12:00:09 -0000", 9.0),
        ("Thu, 01 Jan 2026 11:00:00 GMT", 0.0),
        ("soon", 0.0),
        ("", 0.0),
        ("²", 0.0),
        ("-1", 0.0),
    ],
)
def test_retry_after_is_read_in_both_forms_of_rfc_9110(value: str, seconds: float) -> None:
    assert retry_after({"retry-after": value}, NOON) == seconds
