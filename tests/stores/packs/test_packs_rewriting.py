"""Erasing leaves a study whole or gone, whenever the process is killed."""

import errno
import os
import subprocess

import pytest

from hilum.model.errors import ConflictError, StorageError, StorageFullError
from hilum.stores.packs import remove, rewrite, settle, verify
from hilum.stores.packs.layout import successor


@pytest.fixture
def sealed(vault, make_note):
    """A sealed pack of six members, two of them in a batch; the bodies by offset."""
    bodies = [os.urandom(1000 * number) for number in range(6)]
    with vault.pool() as pool:
        members = [pool.store(bodies[number], make_note(f"1.2.{number}", file_name=f"IM{number}")) for number in range(4)]
        with pool.batch() as batch:
            for number in (4, 5):
                with batch.add(make_note(f"1.2.{number}")) as writer:
                    writer.write(bodies[number])
                    members.append(writer.commit())
            batch.commit()
    return vault.path(members[0].pack_id), members, bodies


def keep_even(member):
    return int(member.name.split(".")[2]) % 2 == 0


def files(vault):
    return sorted(path.name for path in vault.folder.iterdir())


def test_a_rewritten_pack_holds_what_was_kept_and_nothing_else(vault, sealed, tmp_path):
    path, members, bodies = sealed
    rewritten = rewrite(path, keep_even)
    assert rewritten.dropped == [members[1], members[3], members[5]]
    assert sorted(rewritten.moved) == [members[number].offset for number in (0, 2, 4)]
    reader = vault.reader()
    assert [reader.read(rewritten.moved[members[number].offset]) for number in (0, 2, 4)] == [bodies[number] for number in (0, 2, 4)]
    new = vault.path(rewritten.new_pack_id)
    found = verify(new)
    assert found.members == list(rewritten.moved.values())
    assert (found.is_sealed, found.size) == (True, rewritten.size)
    assert found.members[1].note == members[2].note
    assert not any(bodies[number] in new.read_bytes() for number in (1, 3, 5))
    assert not subprocess.run(["tar", "tvf", new], capture_output=True, check=True).stderr


def test_the_old_pack_stays_until_it_is_removed(vault, sealed):
    path, members, _bodies = sealed
    rewritten = rewrite(path, keep_even)
    assert verify(path).members == members
    remove(vault.folder, members[0].pack_id)
    remove(vault.folder, members[0].pack_id)
    assert files(vault) == [f"{rewritten.new_pack_id}.tar"]


def test_a_pack_of_which_nothing_is_kept_has_an_empty_successor(vault, sealed):
    path, members, _bodies = sealed
    rewritten = rewrite(path, lambda _member: False)
    assert rewritten.dropped == members
    assert verify(vault.path(rewritten.new_pack_id)).members == []
    assert settle(vault.folder, {rewritten.new_pack_id}).removed == [path.name]


def test_a_damaged_member_is_copied_as_it_is_and_named(vault, sealed):
    path, members, _bodies = sealed
    with path.open("r+b") as pack:
        pack.seek(members[2].offset)
        pack.write(b"rotten")
    rewritten = rewrite(path, keep_even)
    assert rewritten.damaged == [rewritten.moved[members[2].offset]]
    assert verify(vault.path(rewritten.new_pack_id)).damaged == rewritten.damaged


def test_a_pack_that_is_still_written_is_not_rewritten(vault, make_note):
    member = vault.pool().store(b"x", make_note())
    with pytest.raises(ConflictError):
        rewrite(vault.path(member.pack_id), keep_even)


def test_a_pack_that_cannot_be_read_to_its_end_is_not_rewritten(vault, sealed):
    path, members, _bodies = sealed
    with path.open("r+b") as pack:
        pack.seek(members[2].offset - 600)
        pack.write(b"damage in a header")
    with pytest.raises(StorageError, match="cannot be read beyond"):
        rewrite(path, keep_even)
    assert files(vault) == [path.name]


def test_a_full_disk_leaves_the_old_pack_alone(vault, sealed):
    def fail(_fd):
        raise OSError(errno.ENOSPC, "No space left on device")

    path, members, _bodies = sealed
    with pytest.raises(StorageFullError):
        rewrite(path, keep_even, sync=fail)
    assert files(vault) == [path.name]
    assert verify(path).members == members


def erase(folder, path, ledger, step):
    """Erase the odd members as housekeeping does, calling `step` wherever a kill may come."""

    def keep(member):
        step()
        return keep_even(member)

    def sync(fd):
        step()
        os.fdatasync(fd)
        step()

    rewritten = rewrite(path, keep, sync=sync)
    step()
    switched = ledger.with_suffix(".new")
    switched.write_text(rewritten.new_pack_id)
    switched.rename(ledger)
    step()
    remove(folder, path.stem)
    step()


def killed_at(count, erasing):
    """Run `erasing` in a child that is killed at its step number `count`; whether it came so far."""
    child = os.fork()
    if child == 0:
        steps = iter(range(count))
        try:
            erasing(lambda: next(steps, None) is None and os._exit(9))
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def test_an_erasing_killed_at_any_step_leaves_the_pack_whole_or_gone(vault, sealed, tmp_path_factory):
    path, members, _bodies = sealed
    original, ledger = path.read_bytes(), tmp_path_factory.mktemp("ledger") / "ledger"
    seen = []
    for count in range(20):
        ledger.write_text(path.stem)
        if not killed_at(count, lambda step: erase(vault.folder, path, ledger, step)):
            break
        known = ledger.read_text()
        assert settle(vault.folder, {known}).unknown == []
        assert files(vault) == [f"{known}.tar"]
        names = [member.name for member in verify(vault.path(known)).members]
        assert names in ([member.name for member in members], [member.name for member in members if keep_even(member)])
        seen.append(len(names))
        vault.path(known).unlink()
        path.write_bytes(original)
    assert seen == [6] * 9 + [3] * 2


def test_a_start_tells_unknown_packs_from_leftovers(vault, sealed):
    path, _members, _bodies = sealed
    (vault.folder / f"{successor(path.stem)}.tar.rewriting").write_bytes(b"half")
    stranger = "7d444840-9dc0-11d1-b245-5ffdce74fad2"
    (vault.folder / f"{stranger}.tar").touch()
    settlement = settle(vault.folder, {path.stem})
    assert settlement.removed == [f"{successor(path.stem)}.tar.rewriting"]
    assert settlement.unknown == [stranger]
    assert files(vault) == sorted([path.name, f"{stranger}.tar"])


def test_without_a_ledger_the_rewritten_pack_counts_and_nothing_is_removed(vault, sealed):
    path, _members, _bodies = sealed
    rewritten = rewrite(path, keep_even)
    settlement = settle(vault.folder, set())
    assert settlement.unknown == [rewritten.new_pack_id]
    assert settlement.removed == []


def test_a_leftover_of_two_rewritings_ago_is_removed(vault, sealed):
    path, _members, _bodies = sealed
    first = rewrite(path, keep_even)
    second = rewrite(vault.path(first.new_pack_id), lambda _member: True)
    assert settle(vault.folder, {second.new_pack_id}).unknown == []
    assert files(vault) == [f"{second.new_pack_id}.tar"]


def test_an_older_ledger_never_costs_the_only_copy(vault, sealed):
    path, _members, _bodies = sealed
    rewritten = rewrite(path, keep_even)
    remove(vault.folder, path.stem)
    settlement = settle(vault.folder, {path.stem})
    assert settlement.removed == []
    assert settlement.unknown == [rewritten.new_pack_id]
