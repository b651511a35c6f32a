"""Who listens is told every move once, in the order of the commits."""

import pytest

from hilum.model.identity import SYSTEM
from hilum.model.lifecycle import Kind, Stage, Status
from hilum.stores.following import Cursor
from hilum.stores.ledger import MoveFilter
from hilum.stores.moving import create_item

EVERY = MoveFilter()


def _create(connection, site, name):
    create_item(connection, 1, name, Kind.INTAKE, Stage.IMPORTING, Status.HELD, "For a test.", "a test", site.clock())


def _heard(site, cursor):
    told = site.ledger.follow(SYSTEM, EVERY, cursor)
    return [move.item_id for _, move in told], told[-1][0] if told else cursor


def test_each_move_is_told_once(site):
    cursor = site.ledger.listen()
    with site.database.writing() as connection:
        for name in ("first", "second"):
            _create(connection, site, name)
    heard, cursor = _heard(site, cursor)
    assert heard == ["first", "second"]
    assert _heard(site, cursor) == ([], cursor)


def test_a_move_that_is_committed_late_is_told_all_the_same(site):
    if site.database.is_sqlite:
        pytest.skip("SQLite has one writer: its ids are in the order of the commits")
    cursor, heard = site.ledger.listen(), []
    with site.database.writing() as late:
        _create(late, site, "late")
        with site.database.writing() as early:
            _create(early, site, "early")
        told, cursor = _heard(site, cursor)
        heard += told
    heard += _heard(site, cursor)[0]
    assert sorted(heard) == ["early", "late"]


def test_a_move_that_took_its_number_first_and_its_transaction_last_is_told(site):
    """The transaction that is older has the younger number: the number alone tells no order."""
    if site.database.is_sqlite:
        pytest.skip("SQLite has one writer: its ids are in the order of the commits")
    cursor, heard = site.ledger.listen(), []
    with site.database.writing() as younger:
        with site.database.writing() as older:
            older.exec_driver_sql("SELECT pg_current_xact_id()")
            _create(younger, site, "younger")
            _create(older, site, "older")
        told, cursor = _heard(site, cursor)
        heard += told
    heard += _heard(site, cursor)[0]
    assert heard == ["older", "younger"]


def test_the_number_of_a_deleted_move_is_not_given_again(site):
    """Else who has heard of the deleted one would take the next for it."""
    with site.database.writing() as connection:
        _create(connection, site, "deleted")
    cursor = site.ledger.follow(SYSTEM, EVERY, Cursor(0, 0))[-1][0]
    with site.database.writing() as connection:
        connection.exec_driver_sql("DELETE FROM moves WHERE item_id = 'deleted'")
        _create(connection, site, "next")
    assert _heard(site, cursor)[0] == ["next"]


def test_a_cursor_of_the_cluster_before_a_restore_hears_what_happens_now(site):
    if site.database.is_sqlite:
        pytest.skip("SQLite has no transactions' numbers")
    cursor = Cursor(1 << 60, 1)
    with site.database.writing() as connection:
        connection.exec_driver_sql("SELECT 1")
    with site.database.writing() as running:
        _create(running, site, "now")
        assert _heard(site, cursor)[0] == []
        begun = site.ledger.listen()
    assert _heard(site, begun)[0] == ["now"]


@pytest.mark.parametrize("text", ["", "17", "a-1", "1-", "-1", "1-2-3", "1" * 30 + "-1"])
def test_what_is_no_cursor_is_none(text):
    assert Cursor.parse(text) is None


def test_a_cursor_is_read_as_it_was_written():
    assert Cursor.parse(str(Cursor(3, 17))) == Cursor(3, 17)
