"""Every row of the table of moves, and the compare-and-set under it."""

import subprocess
import sys
import threading
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from hilum.model.errors import ConflictError, LeaseLostError, NotFoundError
from hilum.model.identity import SYSTEM
from hilum.model.lifecycle import MOVES, STAGES, Kind, Stage, Status, place_after
from hilum.stores.ledger import Ledger
from hilum.stores.moving import create_item, find_item, move_item
from hilum.stores.schema import items, moves

LINES = [(kind, stage) for kind, line in STAGES.items() for stage in line]


def _place(site, item_id, stage, status):
    with site.database.writing() as connection:
        connection.execute(update(items).where(items.c.id == item_id).values(stage=stage, status=status))


def _new_item(site, kind=Kind.STUDY, stage=Stage.GATHERING, status=Status.READY, item_id="the-item", at=None):
    with site.database.writing() as connection:
        create_item(connection, 1, item_id, kind, stage, status, "It is here.", "a test", at or site.clock())
    return site.ledger.find(SYSTEM, item_id)


def _move(site, item, verb, to_stage=None):
    with site.database.writing() as connection:
        return move_item(connection, item, verb, "somebody", "Because.", site.clock(), to_stage=to_stage)


@pytest.mark.parametrize("verb", MOVES)
def test_a_move_goes_from_the_statuses_of_its_row_and_no_others(site, verb):
    _new_item(site)
    to_stage = Stage.GATHERING if MOVES[verb].to_stage == "named" else None
    for status in Status:
        _place(site, "the-item", Stage.CHECKING, status)
        item = site.ledger.find(SYSTEM, "the-item")
        if status in MOVES[verb].before:
            moved = _move(site, item, verb, to_stage)
            assert site.ledger.find(SYSTEM, "the-item") == moved
            assert (moved.stage, moved.status) == place_after(Kind.STUDY, Stage.CHECKING, verb, to_stage)
            assert moved.version == item.version + 1
        else:
            with pytest.raises(ConflictError, match=f"stands at checking / {status}"):
                _move(site, item, verb, to_stage)
            assert site.ledger.find(SYSTEM, "the-item") == item


def test_every_move_leaves_a_row_that_tells_who_from_where_to_where_and_why(site):
    item = _new_item(site)
    _move(site, item, "claim")
    row = site.ledger.history(SYSTEM, ["the-item"])[-1]
    assert (row.who, row.verb, row.why) == ("somebody", "claim", "Because.")
    assert (row.from_stage, row.from_status, row.to_stage, row.to_status) == ("gathering", "ready", "gathering", "claimed")


@pytest.mark.parametrize(("kind", "stage"), LINES)
def test_advancing_goes_to_the_next_stage_and_out_of_the_last_one_is_finished(kind, stage):
    line = STAGES[kind]
    expected = (stage, Status.FINISHED) if stage is line[-1] else (line[line.index(stage) + 1], Status.READY)
    assert place_after(kind, stage, "advance") == expected


def test_an_item_is_sent_back_and_never_ahead():
    with pytest.raises(ConflictError, match="matching comes after checking"):
        place_after(Kind.STUDY, Stage.CHECKING, "send-back", Stage.MATCHING)
    with pytest.raises(ConflictError, match="A study has no stage delivering"):
        place_after(Kind.STUDY, Stage.CHECKING, "send-back", Stage.DELIVERING)


def test_a_move_on_an_outdated_view_writes_nothing(site):
    seen = _new_item(site)
    _move(site, seen, "claim")
    with pytest.raises(LeaseLostError):
        _move(site, seen, "claim")
    assert [move.verb for move in site.ledger.history(SYSTEM, ["the-item"])] == ["create", "claim"]


def test_a_failed_transaction_leaves_neither_the_move_nor_its_row(site):
    item = _new_item(site)
    with pytest.raises(ZeroDivisionError), site.database.writing() as connection:
        move_item(connection, item, "claim", "somebody", "Because.", site.clock())
        raise ZeroDivisionError
    assert site.ledger.find(SYSTEM, "the-item") == item
    with site.database.reading() as connection:
        assert len(connection.execute(select(moves)).all()) == 1


def test_of_two_threads_that_move_an_item_one_wins(site):
    item = _new_item(site)
    together, answers = threading.Barrier(2), []

    def try_it():
        together.wait()
        try:
            answers.append(_move(site, item, "claim").version)
        except LeaseLostError:
            answers.append(None)

    threads = [threading.Thread(target=try_it) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers, key=str) == [2, None]


def test_an_unknown_item_is_not_found(site):
    with site.database.reading() as connection, pytest.raises(NotFoundError):
        find_item(connection, SYSTEM, "nobody")


# --- claims, leases, deferrals -----------------------------------------------------------------------------------------------------

LEASE = timedelta(seconds=60)


def test_the_most_urgent_item_is_claimed_first_then_the_oldest(site):
    for item_id, priority in (("older", 0), ("newer", 0), ("urgent", -5)):
        with site.database.writing() as connection:
            create_item(connection, 1, item_id, Kind.STUDY, Stage.GATHERING, Status.READY, "", "a test", site.clock(), priority=priority)
        site.clock.advance(seconds=1)
    assert [site.claim().id for _ in range(3)] == ["urgent", "older", "newer"]
    assert site.ledger.claim(SYSTEM, "worker", LEASE) is None


def test_a_worker_claims_only_the_kinds_it_was_asked_for(site):
    _new_item(site)
    assert site.ledger.claim(SYSTEM, "worker", LEASE, (Kind.INTAKE,)) is None
    assert site.claim(Kind.STUDY).id == "the-item"


def test_a_long_worker_name_is_kept_in_the_history(site):
    _new_item(site)
    name = "h" * 100 + ":4711"
    site.ledger.claim(SYSTEM, name, LEASE)
    assert site.ledger.history(SYSTEM, ["the-item"])[-1].who == name


def test_a_lease_that_ran_out_gives_the_item_back_and_the_attempt_counts(site):
    _new_item(site)
    first = site.claim()
    site.clock.advance(seconds=59)
    assert site.ledger.wake_due(SYSTEM) == 0
    site.clock.advance(seconds=1)
    assert site.ledger.wake_due(SYSTEM) == 1
    second = site.claim()
    assert (first.attempt, second.attempt) == (1, 2)
    with pytest.raises(LeaseLostError):
        site.ledger.give_back(SYSTEM, first, "Too late.")


def test_a_renewed_lease_keeps_the_item(site):
    _new_item(site)
    item = site.claim()
    site.clock.advance(seconds=50)
    assert site.ledger.renew(SYSTEM, item, LEASE)
    site.clock.advance(seconds=50)
    assert site.ledger.wake_due(SYSTEM) == 0
    _move(site, site.ledger.find(SYSTEM, "the-item"), "cancel")
    assert not site.ledger.renew(SYSTEM, item, LEASE)


def test_a_given_back_item_does_not_count_the_attempt(site):
    _new_item(site)
    site.ledger.give_back(SYSTEM, site.claim(), "The worker stops.")
    assert site.claim().attempt == 1


def test_a_deferred_item_wakes_when_its_time_has_come_whoever_looks(site, database_url):
    from hilum.model.outcomes import Defer
    from hilum.stores.database import Database

    _new_item(site)
    until = site.clock() + timedelta(hours=3)
    site.ledger.finish(SYSTEM, site.claim(), Defer(until, "Later."))
    assert site.ledger.next_due_at(SYSTEM) == until
    after_restart = Database(database_url)
    ledger = Ledger(after_restart, site.clock)
    assert ledger.wake_due(SYSTEM) == 0
    site.clock.advance(hours=3)
    assert ledger.wake_due(SYSTEM) == 1
    assert ledger.find(SYSTEM, "the-item").status is Status.READY
    after_restart.close()


def test_a_stage_that_raises_is_tried_again_ever_later_and_then_failed(site):
    _new_item(site)
    waited = []
    for _ in range(2):
        moved = site.ledger.fail(SYSTEM, site.claim(), "A surprise.", "Traceback ...")
        assert moved.status is Status.DEFERRED
        waited.append((moved.not_before_at - site.clock()).total_seconds())
        site.clock.now = moved.not_before_at
        site.ledger.wake_due(SYSTEM)
    moved = site.ledger.fail(SYSTEM, site.claim(), "A surprise.", "Traceback ...")
    assert waited == [2, 4]
    assert (moved.status, moved.why) == (Status.FAILED, "A surprise. (given up after 3 attempts)")
    with site.database.reading() as connection:
        assert set(connection.scalars(select(moves.c.traceback).where(moves.c.verb == "fail"))) == {"Traceback ..."}


def test_a_person_who_retries_a_failed_item_gives_it_all_its_attempts_again(site):
    _new_item(site)
    for _ in range(3):
        moved = site.ledger.fail(SYSTEM, site.claim(), "A surprise.", "")
        site.clock.advance(minutes=1)
        site.ledger.wake_due(SYSTEM)
    assert moved.status is Status.FAILED
    site.decisions.retry(SYSTEM, "the-item")
    assert site.claim().attempt == 1


CLAIMER = """
import sys
from datetime import UTC, datetime, timedelta
from hilum.model.identity import SYSTEM
from hilum.stores.database import Database
from hilum.stores.ledger import Ledger

database = Database(sys.argv[1])
ledger = Ledger(database, lambda: datetime.now(UTC))
print("ready", flush=True)
sys.stdin.readline()
while (item := ledger.claim(SYSTEM, "worker " + sys.argv[2], timedelta(seconds=60))) is not None:
    print(item.id, flush=True)
"""


def test_four_processes_that_claim_at_once_take_each_item_once(site, database_url):
    for number in range(60):
        _new_item(site, item_id=f"item-{number}")
    command = [sys.executable, "-c", CLAIMER, database_url]
    claimers = [subprocess.Popen([*command, str(number)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for number in range(4)]
    for claimer in claimers:
        assert claimer.stdout.readline() == "ready\n"
    for claimer in claimers:
        claimer.stdin.write("go\n")
        claimer.stdin.flush()
    taken = [line for claimer in claimers for line in claimer.communicate(timeout=60)[0].split()]
    assert sorted(taken) == sorted(f"item-{number}" for number in range(60))
    assert [move.verb for move in site.ledger.history(SYSTEM, taken)].count("claim") == 60
