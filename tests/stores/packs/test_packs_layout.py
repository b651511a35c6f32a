"""A pack is a plain tar for everybody, and a journal for us."""

import json
import os
import shutil
import subprocess
import tarfile
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hilum.model.errors import InvalidError
from hilum.model.members import MemberNote, StoredMember
from hilum.stores.packs import verify
from hilum.stores.packs.layout import HEADER_BYTES, HeaderError, decode_header, encode_header, member_name

PACK = "7d444840-9dc0-11d1-b245-5ffdce74fad2"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOSTILE = "../../etc/passwd\n\x00\x1b[31m\udcff=HYPERLINK() 名前 '\"\\ 12 path=/etc/x\n"


def as_member(note, size=5, sha256=bytes(32)) -> StoredMember:
    return StoredMember(PACK, HEADER_BYTES, size, sha256, member_name(note, sha256), note)


@pytest.fixture
def pack(vault, make_note):
    """A sealed pack with an image, an empty member, one without a valid UID, a result, and a batch: its path and what is in it."""
    bodies = {"1.2.3.dcm": os.urandom(100_001), "1.2.4.dcm": b"", "reports/lesions.json": b"{}"}
    with vault.pool() as pool:
        pool.store(bodies["1.2.3.dcm"], make_note("1.2.3", file_name=HOSTILE * 200, calling_ae_title="CT\u00e9"))
        pool.store(b"", make_note("1.2.4"))
        pool.store(b"{}", make_note("", name="reports/lesions.json"))
        nameless = pool.store(b"x" * 512, make_note("../../etc/passwd"))
        with pool.batch() as batch:
            with batch.add(make_note("1.2.5")) as writer:
                writer.write(b"in a batch")
                writer.commit()
            batch.commit()
    bodies |= {nameless.sha256.hex(): b"x" * 512, "1.2.5.dcm": b"in a batch"}
    return vault.path(vault.opened[0]), bodies


def unpacked(command, path, folder):
    folder.mkdir()
    done = subprocess.run([*command, "-xvf", path], cwd=folder, capture_output=True, text=True, check=True)
    quiet = subprocess.run([*command, "-xf", path], cwd=folder, capture_output=True, text=True, check=True)
    assert not quiet.stderr
    assert "warning" not in (done.stdout + done.stderr).lower()
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("program", ["tar", "bsdtar"])
def test_any_tar_unpacks_a_pack_without_a_warning(pack, tmp_path, program):
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    path, bodies = pack
    files = unpacked([program], path, tmp_path / "out")
    assert {name: body for name, body in files.items() if not name.endswith(".batch")} == bodies


def test_gnu_tar_lists_a_pack_with_its_names_and_sizes(pack):
    path, bodies = pack
    listed = subprocess.run(["tar", "tvf", path], capture_output=True, text=True, check=True)
    assert not listed.stderr
    rows = {row.split()[-1]: int(row.split()[2]) for row in listed.stdout.splitlines()}
    assert {name: rows[name] for name in bodies} == {name: len(body) for name, body in bodies.items()}


def test_python_lists_and_reads_a_pack_and_its_comments(pack):
    path, bodies = pack
    with tarfile.open(path, errorlevel=2) as tar:
        members = {member.name: member for member in tar if not member.name.endswith(".batch")}
        assert {name: tar.extractfile(member).read() for name, member in members.items()} == bodies
    comment = json.loads(members["1.2.3.dcm"].pax_headers["comment"])
    assert comment["project"] == "admin"
    assert comment["kind"] == "received"
    assert comment["calling_ae_title"] == "CT\u00e9"


def test_a_header_comes_back_as_it_was_written(make_note):
    member = as_member(make_note(intake_id="i", dataset="d", peer="10.0.0.1:104", transfer_syntax_uid="1.2.840.10008.1.2", file_name="a/b"))
    raw = encode_header(member)
    assert len(raw) == HEADER_BYTES
    assert decode_header(raw, PACK, 0) == member


@given(st.text(), st.text(), st.text(), st.text())
def test_any_text_of_a_sender_fits_and_stays_one_header(uid, file_name, title, name):
    note = MemberNote("admin", "stow", NOON, sop_instance_uid=uid, name=name)
    note = replace(note, file_name=file_name * 99, calling_ae_title=title * 99, peer=title, transfer_syntax_uid=uid * 99)
    raw = encode_header(as_member(note))
    assert len(raw) == HEADER_BYTES
    assert raw.isascii()
    assert decode_header(raw, PACK, 0).note.project == "admin"


def test_a_long_file_name_keeps_its_end(make_note):
    found = decode_header(encode_header(as_member(make_note(file_name="deep/" * 1000 + "IM0001"))), PACK, 0)
    assert found.note.file_name.startswith("...")
    assert found.note.file_name.endswith("deep/IM0001")


def test_a_project_is_never_cut_to_fit(make_note):
    with pytest.raises(InvalidError, match="project"):
        encode_header(as_member(replace(make_note(), project="p" * 65)))


@pytest.mark.parametrize("uid", ["../../etc/x", "C:\\x", "1." * 33 + "1", "", "1.2\x00", "1.02", "1.2/3"])
def test_a_name_that_is_no_uid_becomes_the_digest(make_note, uid):
    assert member_name(make_note(uid), b"\xab" * 32) == "ab" * 32


@pytest.mark.parametrize("name", ["../x", "/etc/x", ".ssh/keys", "a/../../b", "a//b", "-rf", "x" * 101, "a\nb", "C:x", "x.batch", "a/"])
def test_an_unsafe_name_of_a_result_becomes_the_digest(make_note, name):
    assert member_name(make_note("", name=name), b"\xab" * 32) == "ab" * 32


def test_a_member_beyond_eight_gigabytes_has_its_size(make_note):
    member = as_member(make_note(), size=9 << 30)
    raw = encode_header(member)
    assert decode_header(raw, PACK, 0).size == 9 << 30


def test_a_header_of_another_pack_is_none(make_note):
    with pytest.raises(HeaderError):
        decode_header(encode_header(as_member(make_note())), "00000000-9dc0-11d1-b245-5ffdce74fad2", 0)


def test_a_pack_sent_as_an_image_is_not_mistaken_for_members(vault, make_note):
    with vault.pool() as inner:
        inner.store(b"forged", make_note("9.9"))
    forged = vault.path(vault.opened[0]).read_bytes()
    with vault.pool() as pool:
        pool.store(forged, make_note("1.2.3"))
    found = verify(vault.path(vault.opened[1]))
    assert [member.name for member in found.members] == ["1.2.3.dcm"]
    assert found.is_sealed


@given(st.integers(0, HEADER_BYTES - 1), st.integers(1, 255))
def test_a_flipped_bit_never_changes_what_a_header_says(at, flip):
    member = as_member(MemberNote("admin", "stow", NOON, sop_instance_uid="1.2"))
    raw = bytearray(encode_header(member))
    raw[at] ^= flip
    try:
        found = decode_header(bytes(raw), PACK, 0)
    except HeaderError:
        return
    assert found == member
