"""What the pool returned is on disk and indexed; nobody waits for a slow sender."""

import errno
import fcntl
import hashlib
import os
import subprocess
import threading
import time
from itertools import pairwise

import pytest

from hilum.model.errors import ConflictError, DigestError, StorageError, StorageFullError
from hilum.stores.packs import recover, verify
from hilum.stores.packs.grouping import GroupCommit


def test_a_stored_body_is_durable_and_indexed_before_it_is_returned(vault, make_note):
    steps = []
    pool = vault.pool(
        sync=lambda fd: (os.fdatasync(fd), steps.append("sync")),
        index=lambda members: steps.append(f"index {len(members)}"),
        on_opened=lambda _pack_id: steps.append("opened"),
    )
    member = pool.store(b"bytes", make_note("1.2.3"))
    assert steps == ["opened", "sync", "index 1"]
    assert (member.name, member.size, member.sha256) == ("1.2.3.dcm", 5, hashlib.sha256(b"bytes").digest())
    assert member.note.kind == "received"
    assert vault.reader().read(member) == b"bytes"


def test_a_thousand_small_members_from_ten_threads_are_all_there_once(vault, make_note, in_threads):
    pool = vault.pool()
    bodies = [f"body {number}".encode() * (number % 50) for number in range(1000)]

    def work(thread):
        return [(number, pool.store(bodies[number], make_note(f"1.2.{number}"))) for number in range(thread, 1000, 10)]

    stored = dict(pair for pairs in in_threads(10, work) for pair in pairs)
    reader = vault.reader()
    assert all(reader.read(stored[number]) == bodies[number] for number in range(1000))
    pool.close()
    found = [member for pack_id in vault.opened for member in verify(vault.path(pack_id)).members]
    assert sorted(found, key=id_of) == sorted(stored.values(), key=id_of) == sorted(vault.indexed, key=id_of)


def id_of(member):
    return member.pack_id, member.offset


def test_concurrent_callers_share_a_sync_and_a_call_of_the_index(vault, make_note, in_threads):
    syncs = []

    def slow_sync(fd):
        syncs.append(fd)
        time.sleep(0.005)  # a disk, not a wait for something

    pool = vault.pool(sync=slow_sync)
    in_threads(10, lambda thread: [pool.store(b"x", make_note(f"1.{thread}.{number}")) for number in range(20)])
    assert len(vault.indexed) == 200
    assert len(vault.opened) == 1
    assert len(syncs) <= 80
    assert vault.index_calls <= len(syncs)


def test_a_round_is_worked_once_for_all_who_joined_it(in_threads):
    worked = []
    group = GroupCommit(lambda items: worked.append(list(items)), lambda error: StorageError(str(error)))
    rounds = [group.join(number) for number in range(10)]
    in_threads(10, lambda number: group.finish(rounds[number]))
    assert worked == [list(range(10))]
    group.finish(group.join(10))
    assert worked[1:] == [[10]]


def test_everybody_in_a_failed_round_hears_of_it(in_threads):
    def fail(_items):
        raise OSError(errno.EIO, "Input/output error")

    group = GroupCommit(fail, lambda error: StorageError(str(error)))
    rounds = [group.join(number) for number in range(5)]
    errors = in_threads(5, lambda number: group.finish(rounds[number]))
    assert [type(error) for error in errors] == [StorageError] * 5
    assert len({id(error) for error in errors}) == 5


def test_members_are_indexed_in_the_order_of_their_pack(vault, make_note, in_threads):
    pool = vault.pool()
    in_threads(8, lambda thread: [pool.store(bytes(99), make_note(f"1.{thread}.{number}")) for number in range(50)])
    for pack_id in vault.opened:
        offsets = [member.offset for member in vault.indexed if member.pack_id == pack_id]
        assert all(before < after for before, after in pairwise(offsets))


def test_a_slow_stream_holds_up_nobody(vault, make_note, in_threads):
    pool = vault.pool(writers=3)
    slow = [pool.begin(make_note(f"1.2.{number}")) for number in range(2)]
    for writer in slow:
        writer.write(b"first half ")
    members = in_threads(4, lambda number: pool.store(b"fast", make_note(f"1.3.{number}")))
    assert {member.size for member in members} == {4}
    for writer in slow:
        writer.write(b"second half")
    assert [vault.reader().read(writer.commit()) for writer in slow] == [b"first half second half"] * 2
    assert len(vault.opened) == 3


def test_a_stream_beyond_the_most_is_refused_after_its_wait(vault, make_note):
    pool = vault.pool(writers=2, wait_seconds=0.05)
    with pool.begin(make_note()):
        with pytest.raises(StorageError, match="held by slow senders"):
            pool.begin(make_note())
        pool.store(b"whole bodies still have a pack", make_note())


def test_a_stream_hashes_as_it_passes(vault, make_note):
    with vault.pool().begin(make_note("1.2.3")) as writer:
        buffer = bytearray(b"abc")
        writer.write(memoryview(buffer))
        buffer[:] = b"def"
        writer.write(buffer)
        assert writer.sha256 == hashlib.sha256(b"abcdef").digest()
        member = writer.commit()
    assert (member.name, member.size) == ("1.2.3.dcm", 6)
    assert vault.reader().read(member) == b"abcdef"
    with pytest.raises(StorageError, match="takes no more"):
        writer.write(b"late")


def test_an_abandoned_stream_leaves_nothing(vault, make_note):
    pool = vault.pool()
    kept = pool.store(b"kept", make_note())
    with pool.begin(make_note("1.2.5")) as writer:
        writer.write(os.urandom(300_000))
    assert vault.path(kept.pack_id).stat().st_size == kept.end
    after = pool.store(b"after", make_note())
    assert after.pack_id == kept.pack_id
    pool.close()
    assert verify(vault.path(kept.pack_id)).members == [kept, after]


def test_a_wrong_digest_is_refused_and_nothing_is_kept(vault, make_note):
    pool = vault.pool()
    with pytest.raises(DigestError):
        pool.store(b"bytes", make_note(), expected_sha256=bytes(32))
    with pool.begin(make_note()) as writer:
        writer.write(b"bytes")
        with pytest.raises(DigestError):
            writer.commit(expected_sha256=bytes(32))
    pool.close()
    assert vault.indexed == []
    assert set(vault.sealed.values()) <= {1024}


def test_a_full_pack_is_sealed_and_the_next_one_opened(vault, make_note):
    pool = vault.pool(pack_bytes=10_000)
    members = [pool.store(bytes(3000), make_note(f"1.2.{number}")) for number in range(5)]
    assert [members.index(next(m for m in members if m.pack_id == pack_id)) for pack_id in vault.opened] == [0, 2, 4]
    assert list(vault.sealed) == vault.opened[:2]
    assert all(vault.path(pack_id).stat().st_size == size for pack_id, size in vault.sealed.items())
    assert all(verify(vault.path(pack_id)).is_sealed for pack_id in vault.sealed)


def test_an_idle_pack_is_sealed_and_a_busy_one_is_not(vault, make_note):
    now = [0.0]
    pool = vault.pool(idle_seconds=60, clock=lambda: now[0])
    with pool.begin(make_note()) as writer:
        pool.store(b"x", make_note())
        now[0] = 59.0
        pool.tend()
        assert not vault.sealed
        now[0] = 60.0
        pool.tend()
        assert len(vault.sealed) == 1
        writer.commit()
    assert len(vault.sealed) == 1


def test_closing_seals_all_packs_and_takes_nothing_more(vault, make_note):
    pool = vault.pool()
    stream = pool.begin(make_note("1.2.9"))
    pool.store(b"x", make_note())
    pool.close()
    assert len(vault.sealed) == 1
    with pytest.raises(StorageError, match="closed"):
        pool.store(b"x", make_note())
    stream.write(b"the last one")
    stream.commit()
    assert sorted(vault.sealed) == sorted(vault.opened)


def test_a_pack_asked_for_is_sealed_when_its_writer_is_through(vault, make_note):
    pool = vault.pool()
    with pool.begin(make_note()) as writer:
        pool.seal(vault.opened)
        assert not vault.sealed
        writer.commit()
    assert list(vault.sealed) == vault.opened
    assert pool.store(b"x", make_note()).pack_id != vault.opened[0]


def test_an_open_pack_belongs_to_one_writer(vault, make_note):
    member = vault.pool().store(b"x", make_note())
    with pytest.raises(ConflictError, match="another process"):
        recover(vault.path(member.pack_id))
    with vault.path(member.pack_id).open("rb") as pack, pytest.raises(BlockingIOError):
        fcntl.flock(pack, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_below_the_watermark_nothing_is_taken_until_space_returns(vault, make_note):
    free = [10_000]
    pool = vault.pool(free_bytes_watermark=5_000, free_bytes=lambda _folder: free[0])
    kept = pool.store(bytes(1000), make_note())
    with pytest.raises(StorageFullError):
        pool.store(bytes(6000), make_note())
    writer = pool.begin(make_note())
    writer.write(bytes(1000))
    free[0] = 4_000
    with pytest.raises(StorageFullError):
        writer.write(b"x")
    with pytest.raises(StorageFullError):
        pool.begin(make_note())
    free[0] = 10_000
    after = pool.store(b"x", make_note())
    assert after.offset == kept.end + 2560
    assert len(vault.opened) == 1


@pytest.fixture
def tiny_disk(tmp_path):
    if os.geteuid() != 0:
        required = os.environ.get("HILUM_REQUIRE_PEERS") == "1"
        (pytest.fail if required else pytest.skip)("mounting a tiny tmpfs needs root")
    folder = tmp_path / "tiny"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], check=True)
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_loses_nothing_and_works_again(vault, make_note, tiny_disk):
    ballast = tiny_disk / "ballast"
    ballast.write_bytes(bytes(1_000_000))
    vault.folder = tiny_disk
    pool, stored = vault.pool(), []
    with pytest.raises(StorageFullError):
        while True:
            stored.append(pool.store(os.urandom(100_000), make_note(f"1.2.{len(stored)}")))
    with pool.begin(make_note()) as writer, pytest.raises(StorageFullError):
        while True:
            writer.write(bytes(50_000))
    with pool.batch() as batch, batch.add(make_note()) as writer, pytest.raises(StorageFullError):
        while True:
            writer.write(bytes(50_000))
    ballast.unlink()
    stored.append(pool.store(os.urandom(100_000), make_note("1.2.99")))
    pool.close()
    assert len(stored) > 5
    assert vault.indexed == stored
    assert [member for pack_id in vault.opened for member in verify(vault.path(pack_id)).members] == stored


def failing_after(count, error=errno.EIO):
    """A sync that works `count` times for each file and then fails for ever."""
    calls = []

    def sync(fd):
        calls.append(fd)
        if len(calls) > count:
            raise OSError(error, os.strerror(error))
        os.fdatasync(fd)

    return sync, calls


def test_after_a_failed_sync_the_pack_is_abandoned_and_read_again(vault, make_note):
    broken = threading.Event()

    def sync(fd):
        if broken.is_set():
            raise OSError(errno.EIO, "Input/output error")
        os.fdatasync(fd)

    pool = vault.pool(sync=sync)
    kept = pool.store(b"acknowledged", make_note("1.2.1"))
    stream = pool.begin(make_note("1.2.3"))
    stream.write(b"held while it happens")
    broken.set()
    with pytest.raises(StorageError, match="Input/output"):
        stream.commit()
    assert vault.indexed == [kept]
    pool.tend()
    assert not vault.sealed
    broken.clear()
    after = pool.store(b"after", make_note("1.2.4"))
    assert after.pack_id != kept.pack_id
    pool.tend()
    assert verify(vault.path(kept.pack_id)).members == [kept]
    assert vault.sealed == {kept.pack_id: vault.path(kept.pack_id).stat().st_size}


def test_a_failed_sync_is_never_tried_again_on_that_file(vault, make_note):
    sync, calls = failing_after(0)
    pool = vault.pool(sync=sync)
    stream = pool.begin(make_note())
    with pytest.raises(StorageError):
        pool.store(b"x", make_note())
    assert len(calls) == 1
    stream.abandon()
    pool.close()
    assert len(calls) == 2  # the stream's own pack is another file
    assert vault.indexed == []


def test_all_who_waited_for_a_failed_sync_are_refused(vault, make_note, in_threads):
    sync, _calls = failing_after(0)
    pool = vault.pool(sync=sync)
    refused = in_threads(6, lambda number: pool.store(b"x", make_note(f"1.2.{number}")))
    assert all(isinstance(error, StorageError) for error in refused)
    assert vault.indexed == []


def test_a_full_disk_found_by_the_sync_is_called_full(vault, make_note):
    sync, _calls = failing_after(0, errno.ENOSPC)
    with pytest.raises(StorageFullError):
        vault.pool(sync=sync).store(b"x", make_note())


def test_an_index_that_fails_refuses_its_members_only(vault, make_note):
    is_broken = [True]

    def index(members):
        if is_broken[0]:
            raise RuntimeError("the ledger is locked")
        vault.index(members)

    pool = vault.pool(index=index)
    with pytest.raises(StorageError, match="the pack index could not be written"):
        pool.store(b"x", make_note())
    is_broken[0] = False
    assert vault.indexed == [pool.store(b"y", make_note())]


def test_a_ledger_that_cannot_hear_of_a_new_pack_leaves_no_file(vault, make_note):
    def on_opened(_pack_id):
        raise RuntimeError("the ledger is locked")

    with pytest.raises(StorageError):
        vault.pool(on_opened=on_opened).store(b"x", make_note())
    assert list(vault.folder.iterdir()) == []


def test_a_pack_that_could_not_be_sealed_is_sealed_by_tending(vault, make_note):
    is_broken = [True]

    def on_sealed(pack_id, size):
        if is_broken[0]:
            raise RuntimeError("the ledger is locked")
        vault.sealed[pack_id] = size

    pool = vault.pool(pack_bytes=1, on_sealed=on_sealed)
    member = pool.store(b"safe all the same", make_note())
    assert not vault.sealed
    is_broken[0] = False
    pool.tend()
    assert vault.sealed == {member.pack_id: vault.path(member.pack_id).stat().st_size}
    assert verify(vault.path(member.pack_id)).members == [member]


def test_a_missing_folder_is_a_storage_error(vault, make_note):
    vault.folder = vault.folder / "nowhere"
    with pytest.raises(StorageError, match="folder cannot be used"):
        vault.pool().store(b"x", make_note())


def test_more_members_than_one_system_call_takes_are_stored_together(vault, make_note):
    pool = vault.pool()
    bodies = [(b"body %d" % number, make_note(f"1.2.{number}"), hashlib.sha256(b"body %d" % number).digest()) for number in range(1500)]
    members = pool.store_all(bodies)
    pool.close()
    assert [vault.reader().read(member) for member in members] == [body for body, _, _ in bodies]
    assert len(verify(vault.path(members[0].pack_id)).members) == 1500


def test_what_is_written_is_durable_when_the_call_that_waits_returns(vault, make_note):
    steps = []
    pool = vault.pool(sync=lambda fd: (os.fdatasync(fd), steps.append("sync")), index=lambda members: steps.append(f"index {len(members)}"))
    bodies = [(b"one", make_note("1.2.1"), hashlib.sha256(b"one").digest()), (b"two", make_note("1.2.2"), hashlib.sha256(b"two").digest())]
    _, wait_for_first = pool.write_all(bodies[:1])
    _, wait_for_second = pool.write_all(bodies[1:])
    assert steps == []
    wait_for_first()
    assert steps == ["sync", "index 2"]
    wait_for_second()
    assert steps == ["sync", "index 2"]
