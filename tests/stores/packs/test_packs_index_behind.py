"""The index may follow behind the yes: packs are the journal, and nothing is sealed, lost or told twice for it."""

import shutil
import threading
import time
from hashlib import sha256
from pathlib import Path

import pytest

from hilum.model.errors import StorageError
from hilum.stores.packs import recover


class Index:
    """Waits at a gate, or refuses."""

    def __init__(self, vault):
        self.gate = threading.Event()
        self.gate.set()
        self.is_broken = False
        self.has_refused = threading.Event()
        self._vault = vault

    def __call__(self, members):
        self.gate.wait(30)
        if self.is_broken:
            self.has_refused.set()
            raise RuntimeError("database is locked")
        self._vault.index(members)


@pytest.fixture
def index(vault):
    return Index(vault)


@pytest.fixture
def pool(vault, index):
    pool = vault.pool(index=index, indexes_behind=True)
    yield pool
    index.gate.set()
    index.is_broken = False


def test_a_body_is_returned_before_it_is_indexed(vault, pool, index, make_note):
    index.gate.clear()
    stored = pool.store(b"body", make_note())
    assert vault.indexed == []
    index.gate.set()
    pool.settle()
    assert vault.indexed == [stored]


def test_what_becomes_durable_soon_after_shares_a_call_in_the_order_of_the_pack(vault, pool, index, make_note):
    index.gate.clear()
    stored = [pool.store(b"body", make_note(f"1.2.{number}")) for number in range(50)]
    index.gate.set()
    pool.settle()
    assert vault.indexed == stored
    assert vault.index_calls <= 3


def test_an_index_that_fails_is_told_again_and_nothing_is_taken_meanwhile(vault, pool, index, make_note):
    index.is_broken = True
    first = pool.store(b"first", make_note("1.2.1"))
    assert index.has_refused.wait(10)
    with pytest.raises(StorageError, match="could not be written"):
        pool.settle()
    with pytest.raises(StorageError, match="could not be written"):
        pool.store(b"refused", make_note("1.2.2"))
    index.is_broken = False
    deadline = time.monotonic() + 30
    while not vault.indexed and time.monotonic() < deadline:
        time.sleep(0.01)  # it is told again in its own time
    pool.settle()
    second = pool.store(b"second", make_note("1.2.3"))
    pool.settle()
    assert vault.indexed == [first, second]


def test_a_pack_is_sealed_when_all_of_it_is_indexed(vault, index, make_note):
    pool = vault.pool(index=index, indexes_behind=True, pack_bytes=1)
    index.gate.clear()
    stored = pool.store(b"fills the pack", make_note())
    assert vault.sealed == {}
    index.gate.set()
    pool.close()
    assert vault.indexed == [stored]
    assert vault.sealed == {stored.pack_id: vault.path(stored.pack_id).stat().st_size}


def test_a_start_finds_what_was_acknowledged_and_not_indexed(vault, pool, index, make_note, tmp_path):
    stored = [pool.store(b"indexed", make_note("1.2.1"))]
    pool.settle()
    index.gate.clear()
    stored += [pool.store(b"not indexed", make_note(f"1.2.{number}")) for number in (2, 3)]
    killed = tmp_path / "killed"
    killed.mkdir()
    path = Path(shutil.copy(vault.path(stored[0].pack_id), killed))  # what the disk has when the process is killed now
    assert recover(path, stored[0].end).members == stored[1:]


def test_bodies_that_are_stored_together_share_a_sync(vault, index, make_note):
    syncs = []
    pool = vault.pool(index=index, indexes_behind=True, sync=syncs.append)
    pool.store_all([(b"body", make_note(f"1.2.{number}"), sha256(b"body").digest()) for number in range(20)])
    assert len(syncs) == 1


def test_behind_a_burst_nothing_more_is_waited_for(vault, make_note, monkeypatch):
    monkeypatch.setattr("hilum.stores.packs.indexing._GATHER_SECONDS", 60.0)
    is_indexed = threading.Event()
    pool = vault.pool(index=lambda _members: is_indexed.set(), indexes_behind=True)
    bodies = [(b"body", make_note(f"1.2.{number}"), sha256(b"body").digest()) for number in range(100)]
    for body in bodies:
        pool.store_all([body])
    assert is_indexed.wait(10)
    pool.close()
