"""Senders that never say they are through: one intake within the quiet time, importing and gathering while more may come."""

from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import func, select

from hilum.model.identity import SYSTEM
from hilum.model.lifecycle import Kind, Status
from hilum.model.outcomes import Defer, Done, StudiesTouched
from hilum.runtime.assembling import operators
from hilum.runtime.registry import find_members
from hilum.stages import gathering
from hilum.stores.database import Database
from hilum.stores.ledger import Ledger
from hilum.stores.schema import intakes, items, moves
from hilum.stores.senders import Senders


@pytest.fixture
def senders(site: Any) -> Senders:
    return Senders(site.database, site.clock, site.intakes, site._wake)


def join(senders: Senders, sender: str = "CT1 at 10.0.0.1 to HILUM", project: str = "admin") -> str:
    return senders.join(project, "dimse", sender)


def receive(site: Any, intake_id: str, *images: Any) -> None:
    """As the door does: what a C-STORE brings has no file name."""
    from dataclasses import replace

    intake = site.intakes.find(SYSTEM, intake_id)
    members = [site.member(intake, image) for image in images]
    site.intakes.index([replace(member, note=replace(member.note, file_name="", door="dimse")) for member in members])


def do_import(site: Any, intake_id: str) -> None:
    """As importing does while more may come."""
    item = site.claim(Kind.INTAKE)
    assert item.id == intake_id
    began_at = site.clock()
    site.register(site.intakes.find(SYSTEM, intake_id))
    site.ledger.finish(SYSTEM, item, Defer(began_at + timedelta(seconds=5), "More may come.", (StudiesTouched(intake_id, began_at),)))


def gather(site: Any) -> Any:
    """Gathering's answer for the study that stands there."""
    tools = SimpleNamespace(
        catalogue=site.catalogue, scope=SYSTEM, clock=site.clock, proofs=find_members("hilum.proofs"), operators=operators(site.clock)
    )
    return gathering.run(site.study().item, tools)


def test_a_rehearsal_leaves_nothing(site: Any, senders: Senders) -> None:
    senders.rehearse()
    with site.database.reading() as connection:
        assert [connection.scalar(select(func.count()).select_from(table)) for table in (intakes, items, moves)] == [0, 0, 0]


def test_within_the_quiet_time_a_sender_goes_on_with_its_intake(site: Any, senders: Senders) -> None:
    first = join(senders)
    site.clock.advance(seconds=4)
    assert join(senders) == first
    site.clock.advance(seconds=4)
    assert join(senders) == first
    site.clock.advance(seconds=6)
    assert join(senders) != first


def test_senders_and_projects_do_not_share_intakes(site: Any, senders: Senders) -> None:
    site.access.create_project(SYSTEM, "ward")
    assert len({join(senders), join(senders, "CT2 at 10.0.0.1 to HILUM"), join(senders, project="ward")}) == 3


def test_what_comes_by_c_store_has_no_file_name_and_never_clashes(site: Any, senders: Senders, image: Callable) -> None:
    intake_id = join(senders)
    receive(site, intake_id, image("1.2.1.1.1", content="a"), image("1.2.1.1.1", content="b"))
    assert [member.file_name for member in site.intakes.next_received(SYSTEM, intake_id, 10)] == ["1.2.1.1.1.dcm"] * 2
    assert site.intakes.list_files(SYSTEM, intake_id) == []


def test_the_end_of_an_association_hastens_importing(site: Any, senders: Senders, image: Callable) -> None:
    intake_id = join(senders)
    receive(site, intake_id, image("1.2.1.1.1"))
    assert site.ledger.find(SYSTEM, intake_id).status is Status.DEFERRED
    assert senders.hasten([intake_id]) == set()
    do_import(site, intake_id)
    assert site.study().number_of_instances == 1


def test_what_a_worker_has_just_claimed_is_to_be_hastened_again(site: Any, senders: Senders) -> None:
    intake_id = join(senders)
    senders.hasten([intake_id])
    site.claim(Kind.INTAKE)
    assert senders.hasten([intake_id]) == {intake_id}


def test_more_of_a_sender_does_not_take_its_intake_from_the_worker(site: Any, senders: Senders, image: Callable) -> None:
    intake_id = join(senders)
    receive(site, intake_id, image("1.2.1.1.1"))
    senders.hasten([intake_id])
    item = site.claim(Kind.INTAKE)
    site.register(site.intakes.find(SYSTEM, intake_id))
    receive(site, intake_id, image("1.2.1.1.2"))
    moved = site.ledger.finish(SYSTEM, item, Done("Imported.", (StudiesTouched(intake_id),)))
    assert moved.status is Status.FINISHED
    assert site.ledger.find(SYSTEM, intake_id).status is Status.READY, "the rest is imported, too"


def test_a_study_waits_for_what_arrived_within_its_quiet_time(site: Any, senders: Senders, image: Callable) -> None:
    intake_id = join(senders)
    receive(site, intake_id, image("1.2.1.1.1"))
    senders.hasten([intake_id])
    do_import(site, intake_id)
    site.clock.advance(seconds=4)
    receive(site, intake_id, image("1.2.1.1.2"))
    site.clock.advance(seconds=2)
    answer = gather(site)
    assert isinstance(answer, Defer)
    assert "imported" in answer.why
    senders.hasten([intake_id])
    do_import(site, intake_id)
    assert isinstance(gather(site), Defer), "its quiet time began anew"
    site.clock.advance(seconds=6)
    assert isinstance(gather(site), Done)
    assert site.study().revision == 1


def test_quiet_time_and_delivery_go_on_over_a_restart(site: Any, senders: Senders, image: Callable, database_url: str) -> None:
    intake_id = join(senders)
    receive(site, intake_id, image("1.2.1.1.1"))
    senders.hasten([intake_id])
    do_import(site, intake_id)
    answer = gather(site)
    assert isinstance(answer, Defer)
    site.ledger.finish(SYSTEM, site.claim(Kind.STUDY), answer)
    with closing(Database(database_url)) as reopened:
        ledger = Ledger(reopened, site.clock)
        site.clock.advance(seconds=3)
        assert join(Senders(reopened, site.clock, site.intakes, site._wake)) == intake_id, "the sender goes on with its delivery"
        assert site.study().item.status is Status.DEFERRED
        site.clock.advance(seconds=5)
        ledger.wake_due(SYSTEM)
    assert site.study().item.status is Status.READY


def test_a_study_does_not_wait_for_what_arrives_after_its_quiet_time(site: Any, senders: Senders, image: Callable) -> None:
    """Else a sender that goes on for hours would keep all of its studies waiting."""
    intake_id = join(senders)
    receive(site, intake_id, image("1.2.1.1.1"))
    senders.hasten([intake_id])
    do_import(site, intake_id)
    site.clock.advance(seconds=5)
    site.ledger.wake_due(SYSTEM)
    do_import(site, intake_id)
    site.clock.advance(seconds=1)
    receive(site, intake_id, image("1.2.9.1.1", study="1.2.9", series="1.2.9.1"))
    assert isinstance(gather(site), Done)


def test_an_interruption_is_remembered(site: Any, senders: Senders) -> None:
    intake_id = join(senders)
    senders.interrupt(intake_id)
    assert site.intakes.find(SYSTEM, intake_id).interrupted
