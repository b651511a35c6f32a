"""0x0000 means durable: the reply comes after the sync, and does not wait for the index, which a start completes."""

import errno
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from sqlalchemy import select

from hilum.doors.dimse_statuses import Status
from hilum.stores.intakes import Intakes
from hilum.stores.schema import members

LONG_ENOUGH_TO_REPLY = 0.5


class Gate:
    """In front of a function: lets calls through, holds them, or fails them."""

    def __init__(self, call: Callable) -> None:
        self._call = call
        self.arrived = threading.Event()
        self.is_open = threading.Event()
        self.is_open.set()
        self.error: Exception | None = None

    def __call__(self, *arguments: object) -> object:
        self.arrived.set()
        assert self.is_open.wait(30)
        if self.error is not None:
            raise self.error
        return self._call(*arguments)

    def hold(self) -> None:
        self.arrived.clear()
        self.is_open.clear()


@pytest.fixture
def sync(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    if not hasattr(os, "fdatasync"):
        pytest.skip("this system makes files durable in another way")
    gate = Gate(os.fdatasync)
    monkeypatch.setattr(os, "fdatasync", gate)
    yield gate
    gate.is_open.set()


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate(Intakes.index)

    def index(*arguments: object) -> object:  # a function becomes a method, an object does not
        return gate(*arguments)

    monkeypatch.setattr(Intakes, "index", index)
    yield gate
    gate.is_open.set()
    gate.error = None


@pytest.fixture
def ask_later() -> Iterator[Callable[..., Future]]:
    with ThreadPoolExecutor(4) as threads:
        yield threads.submit


def indexed_names(site) -> list[str]:
    with site.app.database.reading() as connection:
        return list(connection.scalars(select(members.c.file_name)))


def test_no_reply_comes_before_the_sync_returns(make_site, make_data_set, sync, ask_later) -> None:
    site = make_site()
    assert site.store(make_data_set("1.2.60.1"), "1.2.60.1").status == Status.SUCCESS
    sync.hold()
    reply = ask_later(site.store, make_data_set("1.2.60.2"), "1.2.60.2")
    assert sync.arrived.wait(10)
    with pytest.raises(TimeoutError):
        reply.result(LONG_ENOUGH_TO_REPLY)
    assert site.echo() < 5, "the disk keeps nobody else waiting"
    sync.is_open.set()
    assert reply.result(10).status == Status.SUCCESS


def test_what_comes_while_the_disk_works_shares_the_next_sync(make_site, make_data_set, sync, ask_later) -> None:
    site = make_site()
    site.store(make_data_set("1.2.61.1"), "1.2.61.1")
    sync.hold()
    uids = [f"1.2.61.{number}" for number in range(2, 6)]
    replies = [ask_later(site.store, make_data_set(uid), uid) for uid in uids]
    assert sync.arrived.wait(10)
    assert not any(reply.done() for reply in replies)
    sync.is_open.set()
    assert {reply.result(10).status for reply in replies} == {Status.SUCCESS}


def test_a_sync_that_fails_is_no_success(make_site, make_data_set, sync) -> None:
    site = make_site()
    site.store(make_data_set("1.2.62.1"), "1.2.62.1")
    sync.error = OSError(errno.EIO, "Input/output error")
    assert site.store(make_data_set("1.2.62.2"), "1.2.62.2").status == Status.DISK_FAILED
    sync.error = None
    assert site.store(make_data_set("1.2.62.3"), "1.2.62.3").status == Status.SUCCESS


def test_the_reply_does_not_wait_for_the_index(make_site, make_data_set, index) -> None:
    site = make_site()
    index.hold()
    assert site.store(make_data_set("1.2.63.1"), "1.2.63.1").status == Status.SUCCESS
    assert indexed_names(site) == []
    index.is_open.set()
    site.work()
    assert indexed_names(site) == ["1.2.63.1.dcm"]
    assert len(site.studies()) == 1, "importing came after the index"


def test_while_the_index_fails_nothing_more_is_taken(make_site, make_data_set, index) -> None:
    site = make_site()
    index.error = RuntimeError("database is locked")
    assert site.store(make_data_set("1.2.64.1"), "1.2.64.1").status == Status.SUCCESS
    assert index.arrived.wait(10)
    statuses = {site.store(make_data_set("1.2.64.2"), "1.2.64.2").status for _ in range(3)}
    assert Status.DISK_FAILED in statuses
    index.error = None
    site.work()
    assert "1.2.64.1.dcm" in indexed_names(site)
