"""Storage commitment in the ledger: reports stay owed until a peer has heard them."""

from datetime import timedelta
from typing import Any

import pytest

from hilum.model.errors import ForbiddenError
from hilum.model.identity import ADMIN_PROJECT, SYSTEM, Role, Scope
from hilum.model.records import Commitment
from hilum.stores.committing import GRACE, Commitments

NAMES = ("CT1", "HILUM", "10.0.0.7")
CT = "1.2.840.10008.5.1.4.1.1.2"


@pytest.fixture
def commitments(site: Any) -> Commitments:
    return Commitments(site.database, site.clock)


def owe(commitments: Commitments, *failed: tuple[str, str]) -> Any:
    return commitments.owe(SYSTEM, ADMIN_PROJECT, NAMES, Commitment("1.2.3", ((CT, "1.2.4"),), failed))


def test_a_report_is_left_to_its_association_for_a_while_and_then_due_as_it_was(site: Any, commitments: Commitments) -> None:
    owed = owe(commitments, (CT, "1.2.5"))
    assert commitments.due(SYSTEM) == []
    site.clock.advance(seconds=GRACE.total_seconds())
    assert Commitments(site.database, site.clock).due(SYSTEM) == [owed]


def test_what_a_peer_has_heard_is_owed_no_more(site: Any, commitments: Commitments) -> None:
    commitments.settle(SYSTEM, owe(commitments).key)
    site.clock.advance(days=1)
    assert commitments.due(SYSTEM) == []


def test_only_what_was_tried_counts_as_an_attempt(commitments: Commitments) -> None:
    key = owe(commitments).key
    commitments.postpone(SYSTEM, key, timedelta(), in_vain=False)
    assert [one.attempt for one in commitments.due(SYSTEM)] == [0]
    commitments.postpone(SYSTEM, key, timedelta())
    assert [one.attempt for one in commitments.due(SYSTEM)] == [1]


def test_an_instance_is_held_from_its_yes_on_and_in_its_project_only(site: Any, image: Any, commitments: Commitments) -> None:
    site.access.create_project(SYSTEM, "ward")
    site.deliver(image("1.2.1.1.1"))
    assert commitments.held(SYSTEM, ADMIN_PROJECT, ["1.2.1.1.1", "1.2.1.1.2"]) == {"1.2.1.1.1"}
    assert commitments.held(SYSTEM, "ward", ["1.2.1.1.1"]) == set()


def test_reports_are_the_sites_business(commitments: Commitments) -> None:
    scope = Scope("somebody", {"ward": Role.ADMIN})
    for ask in (lambda: commitments.due(scope), lambda: commitments.settle(scope, 1), lambda: commitments.postpone(scope, 1, GRACE)):
        with pytest.raises(ForbiddenError):
            ask()
