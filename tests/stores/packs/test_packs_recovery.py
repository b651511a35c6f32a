"""After a kill or a power cut every acknowledged member is there, bit for bit, and nothing that is not whole."""

import contextlib
import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest

from hilum.model.errors import StorageError
from hilum.stores.packs import pack_path, recover, scan, verify
from hilum.stores.packs.layout import HEADER_BYTES, encode_header


@pytest.fixture
def torn(vault, make_note):
    """Three members in a pack whose writer died; its path and the members."""
    pool = vault.pool()
    members = [pool.store(os.urandom(5000), make_note(f"1.2.{number}")) for number in range(3)]
    let_go(pool)
    return vault.path(members[0].pack_id), members


def let_go(pool):
    for pack in pool._packs.close():
        pack.close()


def overwrite(path, at, body):
    with path.open("r+b") as pack:
        pack.seek(at)
        pack.write(body)


def test_an_open_pack_is_recovered_and_sealed(torn):
    path, members = torn
    recovery = recover(path)
    assert recovery.members == members
    assert recovery.cut_at == members[-1].end
    assert verify(path).is_sealed
    assert path.stat().st_size == recovery.size


def test_recovering_twice_changes_nothing(torn):
    path, members = torn
    first, body = recover(path), path.read_bytes()
    assert recover(path) == first
    assert recover(path, members[1].end).members == members[2:]
    assert path.read_bytes() == body


def test_recovery_begins_behind_the_last_indexed_member(torn):
    path, members = torn
    overwrite(path, members[0].offset, b"damage that recovery has no reason to look at")
    recovery = recover(path, members[1].end)
    assert recovery.members == members[2:]
    assert recovery.damaged == []


@pytest.mark.parametrize("left", [1, 511, 512, 2047, 2559, 2560, 2561, 7000])
def test_a_torn_tail_is_cut_off(torn, left):
    path, members = torn
    os.truncate(path, members[1].end + left)
    recovery = recover(path)
    assert recovery.members == members[:2]
    assert recovery.cut_at == members[1].end
    assert verify(path).members == members[:2]


def test_a_header_whose_bytes_never_came_is_cut_off(torn):
    path, members = torn
    overwrite(path, members[2].offset, bytes(5000))
    assert recover(path).members == members[:2]


def test_bytes_whose_header_never_came_are_cut_off(torn):
    path, members = torn
    overwrite(path, members[2].offset - HEADER_BYTES, bytes(HEADER_BYTES))
    assert recover(path).members == members[:2]


def test_a_header_that_promises_more_than_there_is_is_cut_off(torn, make_note):
    path, members = torn
    with path.open("ab") as pack:
        pack.write(encode_header(members[2]))
    assert recover(path).members == members


def test_a_damaged_member_before_a_whole_one_is_reported_not_cut_off(torn):
    path, members = torn
    overwrite(path, members[1].offset + 17, b"\xff\x00\xff")
    recovery = recover(path)
    assert recovery.members == [members[0], members[2]]
    assert recovery.damaged == [members[1]]
    assert verify(path).damaged == [members[1]]


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_flipped_byte_in_a_sealed_pack_is_found(torn, number):
    path, members = torn
    recover(path)
    body = path.read_bytes()
    at = members[number].offset + 4999
    overwrite(path, at, bytes([body[at] ^ 1]))
    found = verify(path)
    assert found.damaged == [members[number]]
    assert found.is_sealed
    assert [scanned.is_whole for scanned in scan(path)] == [number != each for each in range(3)]
    assert recover(path).cut_at == members[2].end


def test_a_pack_shorter_than_its_index_is_an_error(torn):
    path, members = torn
    os.truncate(path, members[1].end)
    with pytest.raises(StorageError, match="were acknowledged"):
        recover(path, members[2].end)


def test_nothing_is_given_out_when_recovery_cannot_make_it_durable(torn):
    def fail(_fd):
        raise OSError(5, "Input/output error")

    path, members = torn
    with pytest.raises(StorageError):
        recover(path, sync=fail)
    assert recover(path).members == members


def test_the_end_of_a_pack_is_written_after_its_members_are_durable_and_made_durable_too(vault, make_note):
    durable = []

    def sync(fd):
        os.fdatasync(fd)
        durable.append(Path(f"/proc/self/fd/{fd}").read_bytes())

    pool = vault.pool(sync=sync)
    pool.store(b"x" * 100, make_note("1.2.1"))
    path = vault.path(vault.opened[0])
    torn = path.read_bytes()
    pool.close()
    sealed = path.read_bytes()
    assert durable[-2:] == [torn, sealed] == [torn, torn + bytes(1024)]
    path.write_bytes(torn + b"torn")
    recover(path, sync=sync)
    assert durable[-2:] == [torn, sealed]
    assert path.read_bytes() == sealed


def test_an_empty_pack_is_recovered(vault):
    path = vault.folder / "7d444840-9dc0-11d1-b245-5ffdce74fad2.tar"
    path.touch()
    assert recover(path).members == []
    assert path.stat().st_size == 1024


def test_ten_gigabytes_with_a_short_tail_take_no_time(torn):
    path, members = torn
    last = members[2]
    # A hole of ten gigabytes before the tail stands for members that are indexed already.
    far = 10 << 30
    overwrite(path, far, path.read_bytes()[last.offset - HEADER_BYTES : last.end])
    begun = time.monotonic()
    assert [member.offset for member in recover(path, far).members] == [far + HEADER_BYTES]
    assert time.monotonic() - begun < 1


def write_for_ever(pool, make_note, told):
    """Stores in four threads by every way there is, and tells each acknowledged member to a pipe."""

    def tell(members):
        os.write(told, b"".join(f"{m.pack_id} {m.offset} {m.size} {m.sha256.hex()}\n".encode() for m in members))

    def work(thread):
        chance = random.Random(thread)
        for number in range(1_000_000):
            note, body = make_note(f"1.{thread}.{number}"), chance.randbytes(chance.choice([0, 100, 4096, 70_000]))
            if thread < 2:
                tell([pool.store(body, note)])
                continue
            with contextlib.ExitStack() as stack:
                batch = stack.enter_context(pool.batch()) if thread == 3 else None
                writer = stack.enter_context(batch.add(note) if batch else pool.begin(note))
                for at in range(0, len(body), 8192):
                    writer.write(body[at : at + 8192])
                if chance.random() < 0.2:
                    continue
                member = writer.commit()
                tell(batch.commit() if batch else [member])

    for thread in range(4):
        threading.Thread(target=work, args=(thread,)).start()


def killed_writer(folder, make_pool, make_note, lines):
    """Run a writing process, kill it once it has told `lines` members, and give all that it told."""
    told, telling = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(told)
            write_for_ever(make_pool(), make_note, telling)
            threading.Event().wait()
        finally:
            os._exit(1)
    os.close(telling)
    heard = b""
    while heard.count(b"\n") < lines:
        more = os.read(told, 65536)
        assert more, "the writer ended by itself"
        heard += more
    os.kill(child, signal.SIGKILL)
    while more := os.read(told, 65536):
        heard += more
    os.close(told)
    os.waitpid(child, 0)
    return [line.split() for line in heard.decode().splitlines()]


def test_a_killed_writer_loses_nothing_it_acknowledged(vault, make_note):
    chance = random.Random(4711)
    for _ in range(25):
        told = killed_writer(vault.folder, lambda: vault.pool(pack_bytes=400_000), make_note, chance.randrange(1, 60))
        found = {}
        for path in vault.folder.glob("*.tar"):
            recovery = recover(path)
            assert recovery.damaged == []
            found |= {(m.pack_id, str(m.offset), str(m.size), m.sha256.hex()): m for m in recovery.members}
            assert verify(path).is_sealed
            assert verify(path).members == recovery.members
        assert [line for line in told if tuple(line) not in found] == []
        for path in vault.folder.glob("*.tar"):
            path.unlink()


def test_a_power_cut_between_any_two_pages_loses_nothing_acknowledged(vault, make_note):
    """At a power cut each page written since the last sync is on the disk or not, and the file may be of any length in between."""
    chance = random.Random(4712)
    for _ in range(40):
        on_disk: dict[int, bytes] = {}

        def sync(fd, on_disk=on_disk):
            on_disk[os.fstat(fd).st_ino] = Path(f"/proc/self/fd/{fd}").read_bytes()

        pool = vault.pool(sync=sync)
        acknowledged = store_some(pool, make_note, chance, chance.randrange(1, 6))
        synced = dict(on_disk)
        refused = store_some(pool, make_note, chance, chance.randrange(0, 6))
        if chance.random() < 0.5:
            write_half(pool, make_note, chance)
        let_go(pool)
        for pack_id in vault.opened:
            tear(vault.path(pack_id), synced, chance)
        found = [member for pack_id in vault.opened for member in recover(vault.path(pack_id)).members]
        assert [member for member in acknowledged if member not in found] == []
        batch = {member for member in refused if member.note.batch}
        assert batch & set(found) in (set(), batch)
        for pack_id in vault.opened:
            pack_path(vault.folder, pack_id).unlink()
        vault.opened.clear()


def store_some(pool, make_note, chance, count):
    members = [pool.store(chance.randbytes(chance.randrange(12_000)), make_note(f"1.2.{number}")) for number in range(count)]
    with pool.batch() as batch:
        for number in range(count):
            with batch.add(make_note(f"1.3.{number}")) as writer:
                writer.write(chance.randbytes(3000))
                writer.commit()
        return members + batch.commit()


def write_half(pool, make_note, chance):
    stream = pool.begin(make_note("1.5"))
    stream.write(chance.randbytes(20_000))
    stream._pack.close()


def tear(path, synced, chance):
    written, safe = path.read_bytes(), synced.get(path.stat().st_ino, b"")
    length = chance.randrange(len(safe), len(written) + 1)
    pages = [(written if chance.random() < 0.5 else safe.ljust(len(written), b"\0"))[at : at + 4096] for at in range(0, len(written), 4096)]
    path.write_bytes(b"".join(pages)[:length])
