"""Chores: nothing waits for a long one, trouble is told once, and one process keeps house."""

import logging
import threading
from contextlib import contextmanager

import pytest
from line import settings_in

from hilum.model.errors import StorageFullError
from hilum.runtime import housekeeping
from hilum.runtime.assembling import assemble
from hilum.runtime.housekeeping import Chore, Housekeeping
from hilum.runtime.preparing import prepare

PATIENCE = 20.0


@pytest.fixture
def app(tmp_path):
    settings = settings_in(tmp_path / "data")
    prepare(settings)
    app = assemble(settings)
    yield app
    app.close()


@contextmanager
def keeping_house(app, monkeypatch, *, brief=(), long=()):
    """Housekeeping with chores of the test."""
    idle = (Chore("nothing", 3600, lambda _app: None),)
    monkeypatch.setattr(housekeeping, "brief_chores", lambda _settings: brief or idle)
    monkeypatch.setattr(housekeeping, "long_chores", lambda: long or idle)
    monkeypatch.setattr(housekeeping, "asking_chores", lambda: idle)
    keeping = Housekeeping(app)
    keeping.start()
    try:
        yield keeping
    finally:
        keeping.stop()


def test_a_long_chore_does_not_delay_what_others_wait_for(app, monkeypatch):
    begun, woken, done = threading.Event(), threading.Semaphore(0), threading.Event()

    def take_long(_app):
        begun.set()
        assert done.wait(PATIENCE)

    brief, long = (Chore("wake", 0, lambda _app: woken.release()),), (Chore("erase", 0, take_long),)
    with keeping_house(app, monkeypatch, brief=brief, long=long):
        assert begun.wait(PATIENCE)
        assert all(woken.acquire(timeout=PATIENCE) for _ in range(3))
        done.set()


def test_the_same_trouble_is_logged_once(app, monkeypatch, caplog):
    tried = threading.Semaphore(0)

    def fail(_app):
        tried.release()
        raise StorageFullError("The vault's disk is full.", "Free some space.")

    with caplog.at_level(logging.WARNING), keeping_house(app, monkeypatch, long=(Chore("erase", 0, fail),)):
        assert all(tried.acquire(timeout=PATIENCE) for _ in range(4))
    assert caplog.text.count("The vault's disk is full.") == 1


def test_a_surprise_stops_no_other_chore(app, monkeypatch):
    done = threading.Event()
    with keeping_house(app, monkeypatch, long=(Chore("fail", 0, lambda _app: 1 / 0), Chore("erase", 0, lambda _app: done.set()))):
        assert done.wait(PATIENCE)


def test_a_second_keeper_begins_when_the_first_ends(app, monkeypatch):
    first_ran, second_ran = threading.Event(), threading.Event()
    with keeping_house(app, monkeypatch, brief=(Chore("first", 0, lambda _app: first_ran.set()),)) as first:
        assert first_ran.wait(PATIENCE)
        with keeping_house(app, monkeypatch, brief=(Chore("second", 0, lambda _app: second_ran.set()),)):
            assert not second_ran.wait(0.6)
            first.stop()
            assert second_ran.wait(PATIENCE)


def test_the_packs_of_killed_processes_are_looked_for_while_the_server_runs(app):
    assert housekeeping.recover in [chore.do for chore in housekeeping.long_chores()]
    killed = app.pack_index
    killed.open_pack("received", "7d444840-9dc0-11d1-b245-5ffdce74fad2")  # and never got a file
    assert housekeeping.recover(app) == []
    assert killed.list_packs() == []
