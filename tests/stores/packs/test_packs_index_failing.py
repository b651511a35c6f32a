"""Who heard no must not find the bytes taken all the same: after a failed index a pack is cut back to what was indexed."""

import threading

import pytest

from hilum.model.errors import StorageError
from hilum.stores.packs import recover, verify


class Ledger:
    """Refuses while it is broken."""

    def __init__(self, vault):
        self.is_broken = False
        self._vault = vault

    def index(self, members):
        if self.is_broken:
            raise RuntimeError("database is locked")
        self._vault.index(members)


@pytest.fixture
def ledger(vault):
    return Ledger(vault)


def bodies_found(vault, pack_id):
    """What a start would find, were the process killed now."""
    return [member.name for member in verify(vault.path(pack_id)).members]


def test_what_was_refused_is_gone_at_once_and_what_was_acknowledged_stays(vault, make_note, ledger):
    pool = vault.pool(index=ledger.index)
    kept = pool.store(b"acknowledged", make_note("1.2.1"))
    ledger.is_broken = True
    with pytest.raises(StorageError, match="could not be written"):
        pool.store(b"refused", make_note("1.2.2"))
    assert bodies_found(vault, kept.pack_id) == [kept.name]
    ledger.is_broken = False
    after = pool.store(b"after", make_note("1.2.3"))
    assert after.pack_id != kept.pack_id
    pool.tend()
    assert vault.sealed == {kept.pack_id: vault.path(kept.pack_id).stat().st_size}
    assert vault.indexed == [kept, after]


def test_a_batch_that_was_acknowledged_stays_when_what_follows_is_refused(vault, make_note, ledger):
    pool = vault.pool(index=ledger.index)
    with pool.batch() as batch:
        for number in (1, 2):
            with batch.add(make_note(f"1.2.{number}")) as writer:
                writer.write(b"acknowledged")
                writer.commit()
        kept = batch.commit()
    ledger.is_broken = True
    with pytest.raises(StorageError):
        pool.store(b"refused", make_note("1.2.3"))
    ledger.is_broken = False
    pool.tend()
    found = verify(vault.path(kept[0].pack_id))
    assert (list(found.members), found.damaged, found.is_sealed) == (kept, [], True)


def test_nothing_behind_what_was_refused_is_acknowledged_in_that_pack(vault, make_note, in_threads):
    """Many at once, an index that fails now and then: all who were told yes are there, nobody who was told no is."""
    calls, lock = [], threading.Lock()

    def index(members):
        with lock:
            calls.append(members)
            is_bad = len(calls) % 3 == 0
        if is_bad:
            raise RuntimeError("database is locked")
        vault.index(members)

    pool = vault.pool(index=index)
    # Wave by wave, since all of a wave may share one call of the index.
    answers = [
        answer
        for wave in range(6)
        for answer in in_threads(10, lambda number, wave=wave: pool.store(b"x" * (number + 1), make_note(f"1.2.{wave}.{number}")))
    ]
    acknowledged = [answer for answer in answers if not isinstance(answer, Exception)]
    assert 0 < len(acknowledged) < 60
    pool.close()
    while set(vault.sealed) != set(vault.opened):
        pool.tend()
    found = [member for pack_id in vault.opened for member in verify(vault.path(pack_id)).members]
    assert sorted(member.name for member in found) == sorted(member.name for member in acknowledged)
    assert sorted(vault.indexed, key=lambda member: member.name) == sorted(acknowledged, key=lambda member: member.name)


def test_a_start_after_a_kill_imports_nothing_that_was_refused(vault, make_note, ledger):
    pool = vault.pool(index=ledger.index)
    kept = pool.store(b"acknowledged", make_note("1.2.1"))
    ledger.is_broken = True
    with pytest.raises(StorageError):
        pool.store(b"refused", make_note("1.2.2"))
    assert recover(vault.path(kept.pack_id), kept.end).members == []
