"""Storage commitment in the ledger: reports stay owed until a peer has heard them."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import update

from hilum.model.errors import ForbiddenError
from hilum.model.identity import ADMIN_PROJECT, SYSTEM, Role, Scope
from hilum.model.records import Commitment, FailedReference, FailureReason
from hilum.stores.committing import GRACE, Commitments
from hilum.stores.inserting import CHUNK
from hilum.stores.schema import commitment_reports

NAMES = ("CT1", "HILUM", "10.0.0.7")
CT = "1.2.840.10008.5.1.4.1.1.2"


@pytest.fixture
def commitments(site: Any) -> Commitments:
    return Commitments(site.database, site.clock)


def owe(commitments: Commitments, *failed: FailedReference) -> Any:
    return commitments.owe(SYSTEM, ADMIN_PROJECT, NAMES, Commitment("1.2.3", ((CT, "1.2.4"),), failed))


def test_a_report_is_left_to_its_association_for_a_while_and_then_due_as_it_was(site: Any, commitments: Commitments) -> None:
    owed = owe(commitments, FailedReference(CT, "1.2.5", FailureReason.CLASS_INSTANCE_CONFLICT), FailedReference(CT, "1.2.6"))
    assert commitments.due(SYSTEM) == []
    site.clock.advance(seconds=GRACE.total_seconds())
    assert Commitments(site.database, site.clock).due(SYSTEM) == [owed]


def test_what_was_owed_before_other_reasons_were_told_is_not_held(site: Any, commitments: Commitments) -> None:
    owe(commitments)
    with site.database.writing() as connection:
        connection.execute(update(commitment_reports).values(failed=[[CT, "1.2.5"]]))
    site.clock.advance(days=1)
    ((reference,),) = (one.commitment.failed for one in commitments.due(SYSTEM))
    assert reference == (CT, "1.2.5", FailureReason.NO_SUCH_OBJECT_INSTANCE)


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
    delivered = image("1.2.1.1.1")
    site.deliver(delivered)
    ((uid, stored),) = commitments.held(SYSTEM, ADMIN_PROJECT, ["1.2.1.1.1", "1.2.1.1.2"])
    assert (uid, stored.sha256) == ("1.2.1.1.1", delivered.sha256)
    assert list(commitments.held(SYSTEM, "ward", ["1.2.1.1.1"])) == []


def test_thousands_are_asked_for_in_parts(site: Any, image: Any, commitments: Commitments) -> None:
    site.deliver(image("1.2.1.1.1"), image("1.2.1.1.9"))
    asked = ["1.2.1.1.1", *(f"1.2.1.1.5.{number}" for number in range(2 * CHUNK)), "1.2.1.1.9"]
    assert {uid for uid, _ in commitments.held(SYSTEM, ADMIN_PROJECT, asked)} == {"1.2.1.1.1", "1.2.1.1.9"}


def test_reports_are_the_sites_business(commitments: Commitments) -> None:
    scope = Scope("somebody", {"ward": Role.ADMIN})
    for ask in (lambda: commitments.due(scope), lambda: commitments.settle(scope, 1), lambda: commitments.postpone(scope, 1, GRACE)):
        with pytest.raises(ForbiddenError):
            ask()
