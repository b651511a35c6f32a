"""A batch is visible whole or not at all, also after a kill and a power cut."""

import os
import threading

import pytest

from hilum.model.errors import StorageError
from hilum.stores.packs import recover, verify


@pytest.fixture
def dead_pool(vault):
    """A pool whose process dies: its packs are let go without being sealed."""
    pool = vault.pool()

    def die():
        for pack in pool._packs.close():
            pack.close()

    pool.die = die
    return pool


def add(batch, note, body):
    with batch.add(note) as writer:
        writer.write(body)
        return writer.commit()


def test_a_committed_batch_is_one_sync_and_one_call_of_the_index(vault, make_note):
    syncs = []
    pool = vault.pool(sync=lambda fd: (syncs.append(fd), os.fdatasync(fd)))
    with pool.batch() as batch:
        added = [add(batch, make_note(f"1.2.{number}"), bytes([number]) * number) for number in range(100)]
        assert vault.indexed == []
        assert syncs == []
        committed = batch.commit()
    assert committed == added == vault.indexed
    assert (len(syncs), vault.index_calls) == (1, 1)
    assert {member.note.batch for member in committed} == {batch.batch_id}
    pool.close()
    assert verify(vault.path(vault.opened[0])).members == committed


def test_nobody_writes_behind_a_batch_before_it_is_durable(vault, make_note):
    is_syncing, may_go_on = threading.Event(), threading.Event()

    def sync(fd):
        if not is_syncing.is_set():
            is_syncing.set()
            assert may_go_on.wait(10)
        os.fdatasync(fd)

    pool = vault.pool(sync=sync)
    with pool.batch() as batch:
        first = add(batch, make_note("1.2.1"), b"x")
        committing = threading.Thread(target=batch.commit)
        committing.start()
        assert is_syncing.wait(10)
        assert pool.store(b"elsewhere", make_note("1.2.2")).pack_id != first.pack_id
        may_go_on.set()
        committing.join(10)
    assert len(vault.indexed) == 2


def test_an_abandoned_batch_is_cut_off_and_the_pack_goes_on(vault, make_note):
    pool = vault.pool()
    kept = pool.store(b"kept", make_note("1.2.1"))
    with pool.batch() as batch:
        for number in range(50):
            add(batch, make_note(f"1.3.{number}"), os.urandom(5000))
    assert vault.path(kept.pack_id).stat().st_size == kept.end
    after = pool.store(b"after", make_note("1.2.2"))
    pool.close()
    assert verify(vault.path(kept.pack_id)).members == [kept, after] == vault.indexed


def test_one_abandoned_member_leaves_the_rest_of_its_batch(vault, make_note):
    pool = vault.pool()
    with pool.batch() as batch:
        first = add(batch, make_note("1.2.1"), b"first")
        with batch.add(make_note("1.2.2")) as writer:
            writer.write(b"not DICOM after all")
        last = add(batch, make_note("1.2.3"), b"last")
        assert batch.commit() == [first, last]
    pool.close()
    assert verify(vault.path(first.pack_id)).members == [first, last]


def test_an_empty_batch_leaves_nothing(vault):
    pool = vault.pool()
    with pool.batch() as batch:
        assert batch.commit() == []
    pool.close()
    assert vault.indexed == []
    assert list(vault.sealed.values()) == [1024]


def test_a_batch_has_one_member_open_at_a_time_and_ends_once(vault, make_note):
    with vault.pool().batch() as batch:
        with batch.add(make_note()):
            with pytest.raises(StorageError, match="neither committed nor abandoned"):
                batch.add(make_note())
            with pytest.raises(StorageError, match="neither committed nor abandoned"):
                batch.commit()
        batch.abandon()
        with pytest.raises(StorageError, match="abandoned"):
            batch.commit()


def test_a_batch_larger_than_a_pack_stays_in_one(vault, make_note):
    pool = vault.pool(pack_bytes=10_000)
    with pool.batch() as batch:
        members = [add(batch, make_note(f"1.2.{number}"), bytes(4000)) for number in range(9)]
        batch.commit()
    assert {member.pack_id for member in members} == set(vault.sealed)


def test_a_batch_whose_sync_fails_is_gone(vault, make_note):
    def fail(_fd):
        raise OSError(5, "Input/output error")

    pool = vault.pool(sync=fail)
    with pool.batch() as batch:
        member = add(batch, make_note(), b"x")
        with pytest.raises(StorageError):
            batch.commit()
    assert vault.indexed == []
    assert recover(vault.path(member.pack_id), end=0).members == []


def test_a_batch_that_was_not_committed_is_cut_off_by_recovery(vault, make_note, dead_pool):
    kept = dead_pool.store(b"kept", make_note("1.2.1"))
    batch = dead_pool.batch()
    for number in range(3):
        add(batch, make_note(f"1.3.{number}"), b"never visible")
    batch._lease.pack.close()
    recovery = recover(vault.path(kept.pack_id))
    assert recovery.members == [kept]
    assert recovery.damaged == []
    assert recovery.cut_at == kept.end
    assert vault.path(kept.pack_id).stat().st_size == recovery.size == kept.end + 1024


def test_a_committed_batch_with_a_torn_member_is_cut_off_whole(vault, make_note, dead_pool):
    kept = dead_pool.store(b"kept", make_note("1.2.1"))
    with dead_pool.batch() as batch:
        members = [add(batch, make_note(f"1.3.{number}"), b"bytes that did not reach the disk") for number in range(3)]
        batch.commit()
    dead_pool.die()
    overwrite(vault.path(kept.pack_id), members[1].offset, bytes(10))
    recovery = recover(vault.path(kept.pack_id))
    assert (recovery.members, recovery.damaged, recovery.cut_at) == ([kept], [], kept.end)


def test_a_member_that_rots_in_a_batch_long_committed_takes_no_other_with_it(vault, make_note):
    pool = vault.pool()
    with pool.batch() as batch:
        members = [add(batch, make_note(f"1.3.{number}"), b"bytes") for number in range(3)]
        batch.commit()
    after = pool.store(b"after", make_note("1.2.1"))
    pool.close()
    overwrite(vault.path(after.pack_id), members[1].offset, b"B")
    found = verify(vault.path(after.pack_id))
    assert found.members == [members[0], members[2], after]
    assert found.damaged == [members[1]]


@pytest.mark.parametrize("indexed", [1, 2, 3])
def test_recovery_that_begins_inside_an_indexed_batch_keeps_its_rest(vault, make_note, dead_pool, indexed):
    with dead_pool.batch() as batch:
        members = [add(batch, make_note(f"1.3.{number}"), b"bytes") for number in range(3)]
        batch.commit()
    after = dead_pool.store(b"after", make_note("1.2.1"))
    dead_pool.die()
    recovery = recover(vault.path(after.pack_id), members[indexed - 1].end)
    assert recovery.members == [*members[indexed:], after]
    assert verify(vault.path(after.pack_id)).members == [*members, after]


def overwrite(path, at, body):
    with path.open("r+b") as pack:
        pack.seek(at)
        pack.write(body)
