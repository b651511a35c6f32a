"""A long delivery is written back while it arrives, and a sync that failed in the background is not forgotten."""

import os
import threading

import pytest

from hilum.model.errors import StorageError
from hilum.stores.packs import verify

CHUNK = b"x" * 1000


class Syncs:
    """Counts, and fails once where it is told to."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.number = 0
        self.fails_at = 0

    def __call__(self, fd: int) -> None:
        with self.changed:
            self.number += 1
            self.changed.notify_all()
            if self.number == self.fails_at:
                raise OSError(5, "Input/output error")
        os.fdatasync(fd)

    def wait_for(self, number: int) -> None:
        with self.changed:
            assert self.changed.wait_for(lambda: self.number >= number, 10)


@pytest.fixture
def syncs() -> Syncs:
    return Syncs()


def test_a_long_member_is_synced_before_it_is_whole(vault, make_note, syncs):
    pool = vault.pool(sync=syncs, ahead_bytes=len(CHUNK))
    with pool.begin(make_note()) as writer:
        writer.write(CHUNK)
        syncs.wait_for(1)
        assert vault.indexed == []
        writer.write(CHUNK)
        member = writer.commit()
    pool.close()
    assert verify(vault.path(member.pack_id)).members == [member]


def test_a_short_member_is_synced_once(vault, make_note, syncs):
    pool = vault.pool(sync=syncs, ahead_bytes=len(CHUNK) + 1)
    pool.store(CHUNK, make_note())
    assert syncs.number == 1


def test_a_sync_that_failed_in_the_background_refuses_the_member(vault, make_note, syncs):
    syncs.fails_at = 1
    pool = vault.pool(sync=syncs, ahead_bytes=len(CHUNK))
    with pool.begin(make_note()) as writer:
        writer.write(CHUNK)
        syncs.wait_for(1)
        with pytest.raises(StorageError):
            writer.commit()
    assert vault.indexed == []


def test_after_a_failure_in_the_background_another_pack_takes_the_next_member(vault, make_note, syncs):
    syncs.fails_at = 1
    pool = vault.pool(sync=syncs, ahead_bytes=len(CHUNK))
    with pool.begin(make_note()) as writer:
        writer.write(CHUNK)
        syncs.wait_for(1)
        with pytest.raises(StorageError):
            writer.commit()
    member = pool.store(b"y", make_note("1.2.5"))
    assert [member] == vault.indexed
    assert member.pack_id == vault.opened[1]


def test_a_batch_whose_bytes_failed_in_the_background_leaves_nothing(vault, make_note, syncs):
    syncs.fails_at = 1
    pool = vault.pool(sync=syncs, ahead_bytes=len(CHUNK))
    with pool.batch() as batch:
        with batch.add(make_note()) as writer:
            writer.write(CHUNK)
            writer.commit()
        syncs.wait_for(1)
        with pytest.raises(StorageError):
            batch.commit()
    assert vault.indexed == []
