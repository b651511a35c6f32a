"""What comes out of a pack is what went in, or an error that says where."""

import io
import os
from pathlib import Path

import pytest

from hilum.model.errors import StorageError
from hilum.stores.packs import PackReader, remove
from hilum.stores.packs.layout import HEADER_BYTES


@pytest.fixture
def stored(vault, make_note):
    body = os.urandom(300_000)
    return vault.pool().store(body, make_note()), body


def flip(vault, member, at):
    with vault.path(member.pack_id).open("r+b") as pack:
        pack.seek(member.offset + at)
        byte = pack.read(1)
        pack.seek(-1, io.SEEK_CUR)
        pack.write(bytes([byte[0] ^ 1]))


def test_a_member_is_read_and_streamed_as_it_came(vault, stored):
    member, body = stored
    reader = vault.reader()
    assert reader.read(member) == b"".join(reader.stream(member, 4096)) == body
    assert reader.read_at(member.pack_id, member.offset + 100, 50) == body[100:150]


def test_a_member_is_mapped_where_it_lies_and_outlives_its_reader(vault, make_note):
    pool, bodies = vault.pool(), [os.urandom(10_000), os.urandom(300_000), b""]
    members = [pool.store(body, make_note(f"1.2.{number}")) for number, body in enumerate(bodies)]
    reader = vault.reader()
    views = [reader.mapped(member) for member in members]
    reader.close()
    assert [bytes(view) for view in views] == bodies


def test_what_is_damaged_or_ends_too_early_is_not_mapped(vault, stored):
    member, _ = stored
    flip(vault, member, 1000)
    with pytest.raises(StorageError, match="damaged"):
        vault.reader().mapped(member)
    os.truncate(vault.path(member.pack_id), member.offset + 100)
    with pytest.raises(StorageError, match="cannot be read"):
        vault.reader().mapped(member)


def test_an_empty_member_is_read_as_such(vault, make_note):
    member = vault.pool().store(b"", make_note())
    assert vault.reader().read(member) == b""
    assert list(vault.reader().stream(member)) == []


@pytest.mark.parametrize("at", [0, 150_000, 299_999])
def test_damage_is_named_by_pack_and_offset(vault, stored, at):
    member, _body = stored
    flip(vault, member, at)
    with pytest.raises(StorageError, match=f"{member.offset} of pack {member.pack_id}"):
        vault.reader().read(member)
    with pytest.raises(StorageError, match="damaged"):
        list(vault.reader().stream(member))
    assert len(vault.reader().read(member, check=False)) == 300_000


def test_a_damaged_stream_never_gives_its_last_chunk(vault, stored):
    member, _body = stored
    flip(vault, member, 0)
    got = []
    with pytest.raises(StorageError):
        got.extend(vault.reader().stream(member, 100_000))
    assert sum(map(len, got)) <= 200_000


def test_a_member_too_large_for_memory_must_be_streamed(vault, stored):
    member, body = stored
    reader = PackReader(vault.folder, most_bytes=1000)
    with pytest.raises(StorageError, match="Stream it"):
        reader.read(member)
    assert b"".join(reader.stream(member)) == body


def test_a_pack_that_ends_too_early_is_an_error(vault, stored):
    member, _body = stored
    with pytest.raises(StorageError, match=f"{member.pack_id} ends before"):
        vault.reader().read_at(member.pack_id, member.end - 10, 11)


UUID = "7d444840-9dc0-11d1-b245-5ffdce74fad2"


@pytest.mark.parametrize("pack_id", ["../../etc/passwd", "", "x" * 36, UUID.upper(), f"{{{UUID}}}"])
def test_no_path_is_made_of_what_is_no_pack_id(vault, pack_id):
    with pytest.raises(StorageError, match="not the id of a pack"):
        vault.reader().read_at(pack_id, 0, 1)


def test_a_removed_pack_is_not_readable_through_an_open_file(vault, stored):
    member, body = stored
    reader = vault.reader()
    assert reader.read(member) == body
    remove(vault.folder, member.pack_id)
    with pytest.raises(StorageError, match="cannot be opened"):
        reader.read(member)


def count_open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


def test_many_threads_read_many_packs_through_few_open_files(vault, make_note, in_threads):
    pool = vault.pool(pack_bytes=1)
    members = [pool.store(bytes([number]) * 1000, make_note()) for number in range(20)]
    assert len({member.pack_id for member in members}) == 20
    reader = PackReader(vault.folder, most_open=2)
    before = count_open_files()
    read = in_threads(8, lambda _thread: [reader.read(member)[0] for member in members])
    assert read == [list(range(20))] * 8
    assert count_open_files() <= before + 2
    reader.close()
    assert count_open_files() == before


def test_an_open_pack_is_read_while_it_is_written(vault, make_note):
    pool, reader = vault.pool(), vault.reader()
    for number in range(5):
        member = pool.store(bytes([number]) * 100, make_note())
        assert reader.read(member) == bytes([number]) * 100
        assert member.offset == number * (HEADER_BYTES + 512) + HEADER_BYTES
