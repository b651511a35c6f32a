"""When the ledger hears that associations ended."""

import asyncio
from collections.abc import Callable

from hilum.doors.dimse_deliveries import Deliveries, Delivery, Sender

SENDER = Sender("inbox", "ward", "CT1", "HILUM", "10.0.0.7")


class Ledger:
    """One intake for all."""

    def join(self, *_: object) -> str:
        return "intake"

    def hasten(self, intake_ids: object) -> set[str]:
        return set()

    def interrupt(self, intake_id: str) -> None: ...


def make_deliveries(now: list[float]) -> Deliveries:
    return Deliveries(Ledger(), lambda: None, lambda: now[0])


def end_one(deliveries: Deliveries) -> None:
    delivery = Delivery(SENDER)
    deliveries.intake_of(delivery)
    deliveries.end(delivery, interrupted=False)


def seconds_until_calm(goes_on: Callable[[float], bool]) -> float:
    """How long the ledger waits for an association that ended, where others end with each tenth of a second."""
    now = [100.0]
    deliveries = make_deliveries(now)

    async def sleep(seconds: float) -> None:
        now[0] += seconds
        if goes_on(now[0] - 100.0):
            end_one(deliveries)

    end_one(deliveries)
    asyncio.run(deliveries.calm(sleep))
    return now[0] - 100.0


def test_one_association_is_told_a_moment_after_its_end() -> None:
    assert round(seconds_until_calm(lambda _: False), 3) == 0.1


def test_associations_that_go_on_ending_are_told_together_when_they_pause() -> None:
    assert round(seconds_until_calm(lambda passed: passed < 0.55), 3) == 0.6


def test_a_sender_that_never_pauses_is_told_of_all_the_same() -> None:
    assert round(seconds_until_calm(lambda _: True), 3) in (2.0, 2.1)


def test_what_has_ended_is_unsettled_until_it_is_told() -> None:
    deliveries = make_deliveries([0.0])
    assert not deliveries.is_unsettled
    end_one(deliveries)
    assert deliveries.is_unsettled
    deliveries.settle()
    assert not deliveries.is_unsettled
